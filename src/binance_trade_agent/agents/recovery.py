"""Bringing the ledger to what the exchange knows: at the start, after a gap in the stream, and while an order is open.

A start and a recovery are the same path (design.md rule 7). Reading the exchange for a comparison, which
`trade-agent reconcile` does too, is `exchange_facts`; it changes nothing.
"""

import logging
import sqlite3
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import Fill, Order, OrderReport, OrderState
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reconciliation import ExchangeFacts, LedgerFacts
from binance_trade_agent.ledger.records import Epoch

# An order that the exchange does not know may still be on its way for so long: recvWindow and the engine's own 10 s
# (binance-protocol.md 2.7).
QUIET_MS = 5_000 + 10_000
_COMPARED_ORDERS, _COMPARED_FILLS = 20, 1000
COMMISSION_ASSET = "BNB"

log = logging.getLogger(__name__)


class CannotReconcileError(Exception):
    """Ledger and exchange contradict each other in a way that no rule explains. Exit code 3."""


class Recovery:
    """Writes into the ledger what the exchange knows and the ledger does not.

    Args:
        rules: of the traded symbols, and of others that the ledger holds something of.
        may_reset: whether the exchange may forget everything, as a testnet or a simulated exchange does; on a real
            one the same signs stop the daemon.
        market: name of the exchange's market; another name is another market, whatever else it looks like.
    """

    def __init__(
        self,
        gateway: Gateway,
        ledger: Ledger,
        execution: TradeExecutionAgent,
        clock: Clock,
        rules: Mapping[str, SymbolRules],
        *,
        may_reset: bool,
        market: str,
    ) -> None:
        self._gateway = gateway
        self._ledger = ledger
        self._execution = execution
        self._clock = clock
        self._rules = rules
        self._may_reset = may_reset
        self._market = market

    async def catch_up(self) -> None:
        """Ask about every order that is not settled, then book every trade that the ledger missed."""
        for order in await self._ledger.open_orders():
            if order.symbol in self._rules:
                await self._resolve(order)
        for symbol in self._rules:
            async with self._execution.turn(symbol):
                await self._book_missed_trades(symbol)

    async def settle_balances(self) -> None:
        """Book what came from outside or went there (deposits, trades by hand) as external, and say so.

        While an order is not settled nothing is booked: what it did to the balances is not known yet.

        Raises:
            CannotReconcileError: the exchange holds less of an asset than the bot's own positions.
        """
        if open_orders := await self._ledger.open_orders():
            log.warning("balances are not compared: order %s is not settled", open_orders[0].client_order_id)
            return
        balances = (await self._gateway.account()).balances
        wallet = await self._ledger.wallet()
        held = await self._held()
        for asset in sorted({*self._traded_assets(), *wallet}):
            ours, theirs = wallet.get(asset, ZERO), balances.get(asset, ZERO)
            if theirs < held.get(asset, ZERO):
                raise CannotReconcileError(
                    f"the bot's positions hold {plain(held[asset])} {asset} but the account has only {plain(theirs)}: "
                    "somebody sold or withdrew the bot's coins. Buy them back, or set LEDGER_PATH to a new ledger."
                )
            if theirs != ours:
                now_ms = self._clock.now_ms()
                reference = f"start:{asset}:{now_ms}:{plain(theirs)}"
                await self._ledger.post_external(asset, theirs - ours, now_ms, reference)
                if asset in wallet:
                    log.warning("%s in the account changed by %s from outside", asset, plain(theirs - ours))

    async def epoch(self) -> Epoch:
        """The epoch to trade in: the ledger's current one, or a new one for the first, another, or a reset market.

        Raises:
            CannotReconcileError: the exchange has forgotten our orders and is not one that may be reset.
        """
        current = await self._ledger.current_epoch()
        if current is None:
            return await self._open_epoch("first start")
        if current.market not in {None, self._market}:
            log.warning("this is another market: epoch %d is closed, a new one begins", current.epoch)
            return await self._open_epoch("another market")
        if not await self._was_reset():
            await self._ledger.name_market(self._market)
            return current
        if not self._may_reset:
            raise CannotReconcileError(
                "the exchange knows neither the last order nor the last trade in the ledger: these are other keys or "
                "another account. Set LEDGER_PATH to that account's own ledger."
            )
        log.warning("the exchange was reset: epoch %d is closed, a new one begins", current.epoch)
        return await self._open_epoch("the exchange was reset")

    async def _open_epoch(self, reason: str) -> Epoch:
        balances = (await self._gateway.account()).balances
        ours = {asset: balances[asset] for asset in sorted(self._traded_assets()) if asset in balances}
        return await self._ledger.open_epoch(self._clock.now_ms(), reason, ours, self._market)

    async def _was_reset(self) -> bool:
        """Two independent signs: the last order is unknown there, and so is the last trade (or the balances moved)."""
        order = await self._ledger.read(lambda connection: _last_order_on_exchange(connection, self._rules))
        if order is None:
            return False
        report = await self._gateway.order_by_exchange_id(order.symbol, order.exchange_order_id or 0)
        if report is not None and report.client_order_id == order.client_order_id:
            return False
        fills = await self._ledger.fills(order.symbol)
        if not fills:
            balances = (await self._gateway.account()).balances
            wallet = await self._ledger.wallet()
            return any(balances.get(asset, ZERO) != amount for asset, amount in wallet.items())
        trades = await self._gateway.trades_since(order.symbol, fills[-1].trade_id)
        return not any(
            (trade.trade_id, trade.exchange_order_id, trade.price)
            == (fills[-1].trade_id, fills[-1].exchange_order_id, fills[-1].price)
            for trade in trades
        )

    async def _resolve(self, order: Order) -> None:
        async with self._execution.turn(order.symbol):
            entry = await self._ledger.order(order.client_order_id)
            if entry is not None and not entry.is_settled:  # it may have moved on while its turn was awaited
                await self._settle(entry.order)

    async def _settle(self, order: Order) -> None:
        report = await asked_about(self._gateway, order)
        if report is not None:
            trades = await self._gateway.trades_of_order(order.symbol, report.exchange_order_id)
            fills = tuple(replace(trade, client_order_id=order.client_order_id) for trade in trades)
            await self._execution.apply(replace(report, client_order_id=order.client_order_id, fills=fills))
        elif order.state is OrderState.INTENT:
            await self._move(order, OrderState.DENIED, "never sent")
        elif order.state is OrderState.SENT:
            await self._move(order, OrderState.UNKNOWN, "the exchange does not know it yet")
        elif order.state is OrderState.UNKNOWN and self._clock.now_ms() - order.updated_ms > QUIET_MS:
            await self._move(order, OrderState.NOT_PLACED, "the exchange does not know it")

    async def _move(self, order: Order, state: OrderState, detail: str) -> None:
        await self._ledger.transition(order.client_order_id, state, self._clock.now_ms(), detail=detail)

    async def _book_missed_trades(self, symbol: str) -> None:
        last = await self._ledger.last_trade_id(symbol)
        if last is None:
            return
        missed = await self._gateway.trades_since(symbol, last + 1)
        own = await self._ledger.read(_ids_by_exchange_id)
        for trade in missed:
            if client_order_id := own.get((symbol, trade.exchange_order_id)):
                report = await self._gateway.order_by_exchange_id(symbol, trade.exchange_order_id)
                if report is not None:
                    fill = replace(trade, client_order_id=client_order_id)
                    await self._execution.apply(replace(report, client_order_id=client_order_id, fills=(fill,)))

    async def _held(self) -> dict[str, Decimal]:
        held: dict[str, Decimal] = {}
        for symbol, position in (await self._ledger.positions()).items():
            if rules := self._rules.get(symbol):
                held[rules.base_asset] = held.get(rules.base_asset, ZERO) + position.quantity
        return held

    def _traded_assets(self) -> set[str]:
        return traded_assets(self._rules.values())


def traded_assets(rules: Iterable[SymbolRules]) -> set[str]:
    """The assets that trading these symbols can move; commission may be taken in BNB."""
    return {COMMISSION_ASSET}.union(*({entry.base_asset, entry.quote_asset} for entry in rules))


async def asked_about(gateway: Gateway, order: Order) -> OrderReport | None:
    """What the exchange says of `order`: by its own id once known, since a cancel replaces ours."""
    if order.exchange_order_id is not None:
        return await gateway.order_by_exchange_id(order.symbol, order.exchange_order_id)
    return await gateway.order(order.symbol, order.client_order_id)


def ledger_facts(connection: sqlite3.Connection, symbols: Sequence[str]) -> LedgerFacts:
    """The ledger's side of a comparison: the wallet, the unsettled and the latest orders, the latest fills."""
    epoch = queries.current_epoch(connection)
    number = epoch.epoch if epoch else 0
    orders = [entry.order for entry in queries.orders(connection, epoch=number) if entry.order.symbol in symbols]
    unsettled = [entry.order for entry in queries.unsettled_orders(connection, number)]
    latest = {order.client_order_id: order for order in (*unsettled, *orders[-_COMPARED_ORDERS:])}
    fills = [
        fill for symbol in symbols for fill in queries.fills(connection, epoch=number, symbol=symbol)[-_COMPARED_FILLS:]
    ]
    return LedgerFacts(queries.wallet(connection, number), tuple(latest.values()), fills)


async def exchange_facts(gateway: Gateway, ledger: LedgerFacts, symbols: Sequence[str]) -> ExchangeFacts:
    """The exchange's side, asked for what `ledger` speaks of."""
    balances = (await gateway.account()).balances
    reports = {}
    for order in ledger.orders:
        if report := await asked_about(gateway, order):
            reports[report.symbol, report.exchange_order_id] = replace(report, client_order_id=order.client_order_id)
    for symbol in symbols:
        for report in await gateway.open_orders(symbol):
            reports.setdefault((symbol, report.exchange_order_id), report)
    trades: list[Fill] = []
    for symbol in symbols:
        trades += await _named_trades(gateway, ledger, symbol)
    return ExchangeFacts(balances, tuple(reports.values()), trades)


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


def _last_order_on_exchange(connection: sqlite3.Connection, symbols: Container[str]) -> Order | None:
    epoch = queries.current_epoch(connection)
    entries = queries.orders(connection, epoch=epoch.epoch if epoch else 0)
    orders = (entry.order for entry in reversed(entries))
    return next((order for order in orders if order.symbol in symbols and order.exchange_order_id is not None), None)


def _ids_by_exchange_id(connection: sqlite3.Connection) -> dict[tuple[str, int], str]:
    epoch = queries.current_epoch(connection)
    return {
        (entry.order.symbol, entry.order.exchange_order_id): entry.order.client_order_id
        for entry in queries.orders(connection, epoch=epoch.epoch if epoch else 0)
        if entry.order.exchange_order_id is not None
    }
