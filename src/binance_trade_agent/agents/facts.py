"""What ledger and exchange say, as facts to be compared. Asking changes neither."""

import sqlite3
from collections.abc import Iterable, Sequence

from binance_trade_agent.agents.order_keeper import asked_about, is_another
from binance_trade_agent.domain.orders import Fill, OrderReport
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reconciliation import ExchangeFacts, LedgerFacts, Reconciliation, reconcile

_COMPARED_ORDERS, _LATEST_ORDERS, _COMPARED_FILLS = 20, 100, 1000
_SEEN_WITHIN_MS = 3_600_000  # the hourly check sees a reset at the latest
COMMISSION_ASSET = "BNB"


def traded_assets(rules: Iterable[SymbolRules]) -> set[str]:
    """The assets that trading these symbols can move; commission may be taken in BNB."""
    return {COMMISSION_ASSET}.union(*({entry.base_asset, entry.quote_asset} for entry in rules))


def ledger_facts(connection: sqlite3.Connection, symbols: Sequence[str]) -> LedgerFacts:
    """The ledger's side of a comparison: the wallet, the unsettled and the latest orders, the latest fills."""
    epoch = queries.current_epoch(connection)
    number = epoch.epoch if epoch else 0
    unsettled = queries.unsettled_orders(connection, number)
    latest = reversed(queries.latest_orders(connection, number, _COMPARED_ORDERS))
    orders = {
        entry.order.client_order_id: entry.order
        for entry in (*unsettled, *latest)
        if entry.order.symbol in symbols or not entry.is_settled
    }
    fills = [fill for symbol in symbols for fill in queries.latest_fills(connection, number, symbol, _COMPARED_FILLS)]
    left_behind = queries.left_behind(connection, epoch, _SEEN_WITHIN_MS) if epoch else frozenset()
    return LedgerFacts(queries.wallet(connection, number), tuple(orders.values()), fills, left_behind)


async def exchange_facts(gateway: Gateway, ledger: LedgerFacts, symbols: Sequence[str]) -> ExchangeFacts:
    """The exchange's side, asked for what `ledger` speaks of.

    Raises:
        ExchangeError: it could not be asked.
    """
    # One answer a symbol tells of most orders; what is not in it and may still move is asked for by itself.
    latest: dict[tuple[str, int | None], OrderReport] = {}
    reports: dict[tuple[str, int], OrderReport] = {}
    for symbol in symbols:
        for report in await gateway.latest_orders(symbol, _LATEST_ORDERS):
            latest[symbol, report.exchange_order_id] = report
        for report in await gateway.open_orders(symbol):
            reports[symbol, report.exchange_order_id] = report
    for order in ledger.orders:
        found = latest.get((order.symbol, order.exchange_order_id))
        if found is None and not order.is_terminal:
            found = await asked_about(gateway, order)
        if found is not None and not is_another(order, found):
            reports[found.symbol, found.exchange_order_id] = replace(found, client_order_id=order.client_order_id)
    trades: list[Fill] = []
    for symbol in symbols:
        trades += await _named_trades(gateway, ledger, symbol)
    account = await gateway.account()
    return ExchangeFacts(account.balances, tuple(reports.values()), trades, account.free)


async def compared(gateway: Gateway, ledger: LedgerFacts, rules: Iterable[SymbolRules]) -> Reconciliation:
    """Ledger and exchange compared: what a start, a reconnection, the hourly check and `reconcile` do.

    Raises:
        ExchangeError: the exchange could not be asked.
    """
    known = tuple(rules)
    theirs = await exchange_facts(gateway, ledger, [entry.symbol for entry in known])
    return reconcile(ledger, theirs, traded_assets(known))


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
