"""Ledger against exchange, to the last digit. Pure: both sides come as facts, and leave as differences and notes.

Foreign orders and trades (another program's, or a person's) are notes: they are reported and left alone. What they did
to a balance is a difference until it is booked as external.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import STATE_OF_STATUS, Fill, Order, OrderReport, is_own_order_id


class Kind(StrEnum):
    """What differs."""

    BALANCE = "balance"
    ORDER = "order"
    TRADE = "trade"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which the two disagree; `subject` is a symbol, or an asset for a balance."""

    kind: Kind
    subject: str
    ledger: str
    exchange: str
    text: str


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """What the ledger says of its current epoch.

    Attributes:
        wallet: by asset.
        orders: those to compare: all that are not settled, and any others that the exchange was asked about.
        fills: the fills of the traded symbols from the trade ids on from which the exchange was asked.
        left_behind: ids of orders of ours that are none of this epoch's, though its exchange may know them.
    """

    wallet: Mapping[str, Decimal]
    orders: Sequence[Order]
    fills: Sequence[Fill]
    left_behind: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ExchangeFacts:
    """What the exchange says.

    Attributes:
        balances: free and locked together, by asset.
        orders: open orders of the traded symbols, and the answer for each of the ledger's orders that it knows.
        trades: trades of the traded symbols, with the client order id of their order, empty when it is not ours.
        free: not locked, by asset.
    """

    balances: Mapping[str, Decimal]
    orders: Sequence[OrderReport]
    trades: Sequence[Fill]
    free: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result: equal when there are no differences.

    Attributes:
        strangers: orders that carry our mark and are not in the ledger; each is a difference too.
    """

    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    strangers: list[OrderReport] = field(default_factory=list)


def reconcile(ledger: LedgerFacts, exchange: ExchangeFacts, traded_assets: Iterable[str]) -> Reconciliation:
    """Compare balances, orders and trades.

    Balances are compared for the assets of the traded symbols and for all that the ledger ever posted. An account may
    hold hundreds of others, which are not ours to judge.
    """
    assets = {*traded_assets, *ledger.wallet}
    differences = [
        *_balance_differences(ledger.wallet, exchange.balances, sorted(assets)),
        *_order_differences(ledger.orders, [report for report in exchange.orders if _is_own(report, ledger)]),
        *_trade_differences(ledger.fills, [trade for trade in exchange.trades if _is_own(trade, ledger)]),
    ]
    foreign_orders = [report for report in exchange.orders if not _is_own(report, ledger)]
    foreign_trades = [trade for trade in exchange.trades if not _is_own(trade, ledger)]
    notes = [*map(_foreign_order, foreign_orders), *map(_foreign_trade, foreign_trades)]
    known = {order.client_order_id for order in ledger.orders}
    strangers = [
        report for report in exchange.orders if _is_own(report, ledger) and report.client_order_id not in known
    ]
    return Reconciliation(differences, notes, strangers)


def _balance_differences(
    wallet: Mapping[str, Decimal], balances: Mapping[str, Decimal], assets: Iterable[str]
) -> Iterator[Difference]:
    for asset in assets:
        ours, theirs = wallet.get(asset, ZERO), balances.get(asset, ZERO)
        if ours != theirs:
            text = f"{asset}: ledger {plain(ours)}, exchange {plain(theirs)}, {plain(theirs - ours)} more there"
            yield Difference(Kind.BALANCE, asset, plain(ours), plain(theirs), text)


def _order_differences(orders: Iterable[Order], reports: Iterable[OrderReport]) -> Iterator[Difference]:
    reported = {report.client_order_id: report for report in reports}
    for order in orders:
        report = reported.pop(order.client_order_id, None)
        if report is None:
            if not order.is_terminal:
                yield _order_difference(order.symbol, order.client_order_id, order.state, "unknown there")
        elif (order.state, order.executed_base) != (STATE_OF_STATUS.get(report.status), report.executed_base):
            ours = f"{order.state} {plain(order.executed_base)}"
            theirs = f"{report.status} {plain(report.executed_base)}"
            yield _order_difference(order.symbol, order.client_order_id, ours, theirs)
    for report in reported.values():
        theirs = f"{report.status} {plain(report.executed_base)}"
        yield _order_difference(report.symbol, report.client_order_id, "not in it", theirs)


def _order_difference(symbol: str, client_order_id: str, ours: str, theirs: str) -> Difference:
    text = f"{symbol} order {client_order_id}: ledger {ours}, exchange {theirs}"
    return Difference(Kind.ORDER, symbol, ours, theirs, text)


def _trade_differences(fills: Iterable[Fill], trades: Iterable[Fill]) -> Iterator[Difference]:
    ours = {(fill.symbol, fill.trade_id): _numbers(fill) for fill in fills}
    theirs = {(trade.symbol, trade.trade_id): _numbers(trade) for trade in trades}
    for key in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(key, "not in it"), theirs.get(key, "unknown there")
        if here != there:
            symbol, trade_id = key
            yield Difference(
                Kind.TRADE, symbol, here, there, f"{symbol} trade {trade_id}: ledger {here}, exchange {there}"
            )


def _numbers(fill: Fill) -> str:
    fee = f"fee {plain(fill.commission)} {fill.commission_asset}"
    return f"{fill.side} {plain(fill.quantity)} @ {plain(fill.price)}, {fee}"


def _foreign_order(report: OrderReport) -> str:
    what = f"{report.side} {plain(report.quantity)} {report.symbol}, {report.status}"
    return f"order {report.exchange_order_id} is not ours ({what}); left alone"


def _foreign_trade(trade: Fill) -> str:
    return f"trade {trade.trade_id} of {trade.symbol} is not ours ({_numbers(trade)}); left alone"


def _is_own(fact: OrderReport | Fill, ledger: LedgerFacts) -> bool:
    return is_own_order_id(fact.client_order_id) and fact.client_order_id not in ledger.left_behind
