"""What ledger and exchange say, as facts to be compared. Asking changes neither."""

import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from binance_trade_agent.agents.in_question import COMMISSION_ASSET
from binance_trade_agent.agents.order_keeper import asked_about, is_another
from binance_trade_agent.domain.orders import Fill, Order, OrderReport
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.gateway import Account, Gateway
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reconciliation import ExchangeFacts, LedgerFacts, Reconciliation, reconcile

_COMPARED_ORDERS, _LATEST_ORDERS, _COMPARED_FILLS = 20, 100, 1000
_Orders = tuple[dict[tuple[str, int | None], OrderReport], dict[tuple[str, int], OrderReport]]
SEEN_WITHIN_MS = 3_600_000  # the hourly check sees a reset at the latest


def traded_assets(rules: Iterable[SymbolRules]) -> set[str]:
    """The assets that trading these symbols can move; commission may be taken in BNB."""
    return {COMMISSION_ASSET}.union(*({entry.base_asset, entry.quote_asset} for entry in rules))


def ledger_facts(
    connection: sqlite3.Connection, symbols: Sequence[str], asked: Collection[str] | None = None
) -> LedgerFacts:
    """The ledger's side of a comparison: the wallet, the unsettled and the latest orders, the latest fills.

    Args:
        connection: to the ledger.
        symbols: those that are compared.
        asked: those of them whose trades are compared; None: all.
    """
    known = frozenset(symbols)
    epoch = queries.current_epoch(connection)
    number = epoch.epoch if epoch else 0
    unsettled = queries.unsettled_orders(connection, number)
    latest = reversed(queries.latest_orders(connection, number, _COMPARED_ORDERS))
    orders = {
        entry.order.client_order_id: entry.order
        for entry in (*unsettled, *latest)
        if entry.order.symbol in known or not entry.is_settled
    }
    with_trades = symbols if asked is None else [symbol for symbol in symbols if symbol in asked]
    fills = [fill for each in with_trades for fill in queries.latest_fills(connection, number, each, _COMPARED_FILLS)]
    left_behind = queries.left_behind(connection, epoch, SEEN_WITHIN_MS) if epoch else frozenset()
    return LedgerFacts(queries.wallet(connection, number), tuple(orders.values()), fills, left_behind)


async def exchange_facts(
    gateway: Gateway,
    ledger: LedgerFacts,
    symbols: Sequence[str],
    asked: Collection[str] | None = None,
    account: Account | None = None,
    pace: Callable[[], Awaitable[None]] | None = None,
) -> ExchangeFacts:
    """The exchange's side, asked for what `ledger` speaks of.

    Args:
        gateway: to the exchange.
        ledger: the other side.
        symbols: those that are compared.
        asked: those of them whose trades are asked for, the orders of all symbols being asked for together; None: all,
            each by itself.
        account: what it said of itself; None: it is asked.
        pace: awaited before the trades of each symbol are asked for.

    Raises:
        ExchangeError: it could not be asked.
    """
    latest, reports = await (_orders_by_symbol(gateway, symbols) if asked is None else _open_of_all(gateway, symbols))
    for order in ledger.orders:
        found = latest.get((order.symbol, order.exchange_order_id))
        if found is None and _is_asked_about(order, asked):
            found = await asked_about(gateway, order)
        if found is not None and not is_another(order, found):
            reports[found.symbol, found.exchange_order_id] = replace(found, client_order_id=order.client_order_id)
    trades: list[Fill] = []
    for symbol in symbols if asked is None else [symbol for symbol in symbols if symbol in asked]:
        if pace is not None:
            await pace()
        trades += await _named_trades(gateway, ledger, symbol)
    account = account or await gateway.account()
    return ExchangeFacts(account.balances, tuple(reports.values()), trades, account.free)


async def compared(
    gateway: Gateway,
    ledger: LedgerFacts,
    rules: Iterable[SymbolRules],
    asked: Collection[str] | None = None,
    account: Account | None = None,
    pace: Callable[[], Awaitable[None]] | None = None,
) -> Reconciliation:
    """Ledger and exchange compared: what a start, a reconnection, the hourly check and `reconcile` do.

    See exchange_facts for `asked`, `account` and `pace`.

    Raises:
        ExchangeError: the exchange could not be asked.
    """
    known = tuple(rules)
    theirs = await exchange_facts(gateway, ledger, [entry.symbol for entry in known], asked, account, pace)
    return reconcile(ledger, theirs, traded_assets(known))


async def _orders_by_symbol(gateway: Gateway, symbols: Sequence[str]) -> _Orders:
    """One answer a symbol tells of most orders; what is not in it and may still move is asked for by itself."""
    latest: dict[tuple[str, int | None], OrderReport] = {}
    reports: dict[tuple[str, int], OrderReport] = {}
    for symbol in symbols:
        for report in await gateway.latest_orders(symbol, _LATEST_ORDERS):
            latest[symbol, report.exchange_order_id] = report
        for report in await gateway.open_orders(symbol):
            reports[symbol, report.exchange_order_id] = report
    return latest, reports


async def _open_of_all(gateway: Gateway, symbols: Sequence[str]) -> _Orders:
    """One answer tells of all that is open."""
    known = frozenset(symbols)
    found = [report for report in await gateway.open_orders() if report.symbol in known]
    reports = {(report.symbol, report.exchange_order_id): report for report in found}
    return {(report.symbol, report.exchange_order_id): report for report in found}, reports


def _is_asked_about(order: Order, asked: Collection[str] | None) -> bool:
    """Whether an order that was told of by no answer is asked about by itself."""
    if asked is None:
        return not order.is_terminal
    return not order.is_terminal or order.exchange_order_id is not None


async def _named_trades(gateway: Gateway, ledger: LedgerFacts, symbol: str) -> list[Fill]:
    """The symbol's trades since the first fill compared, each with its order's client id."""
    fills = [fill for fill in ledger.fills if fill.symbol == symbol]
    if not fills:
        return []
    names = {fill.exchange_order_id: fill.client_order_id for fill in fills}
    trades = await gateway.trades_since(symbol, fills[0].trade_id)
    for order_id in sorted({trade.exchange_order_id for trade in trades} - names.keys()):
        report = await gateway.order_by_exchange_id(symbol, order_id)
        names[order_id] = report.client_order_id if report else ""
    return [replace(trade, client_order_id=names[trade.exchange_order_id]) for trade in trades]
