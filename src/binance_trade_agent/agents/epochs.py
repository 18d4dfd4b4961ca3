"""Epochs: the lives of the exchange's books, and how one is seen to have ended.

The testnet forgets everything about once a month: orders and trades are gone, balances are new, ids begin again. That
is no loss and no profit. The epoch is closed as it stood, and the next begins from the account as it is.
"""

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial

from binance_trade_agent.agents import in_question
from binance_trade_agent.agents.facts import SEEN_WITHIN_MS, traded_assets
from binance_trade_agent.agents.order_keeper import is_another
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Order
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.gateway import Account, Gateway
from binance_trade_agent.ledger import order_symbols, queries
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import Epoch, OrderEntry
from binance_trade_agent.ops import crash_points

AFTER_RESET = "the exchange was reset"  # why an epoch was opened

log = logging.getLogger(__name__)


class CannotReconcileError(Exception):
    """Ledger and exchange contradict each other in a way that no rule explains. Exit code 3."""


class Epochs:
    """Opens, names and closes epochs.

    Args:
        may_reset: whether the exchange may forget everything, as a testnet or a simulated exchange does; on a real
            one the same signs stop the daemon.
        market: name of the exchange's market; another name is another market, whatever else it looks like.
        opening: what an epoch opens with; None: with the account as it is.
    """

    def __init__(
        self,
        gateway: Gateway,
        ledger: Ledger,
        clock: Clock,
        rules: Mapping[str, SymbolRules],
        *,
        may_reset: bool,
        market: str,
        opening: Callable[[], Awaitable[Account]] | None = None,
    ) -> None:
        self._gateway = gateway
        self._opening = opening or gateway.account
        self._ledger = ledger
        self._clock = clock
        self._rules = rules
        self._may_reset = may_reset
        self._market = market

    async def current(self) -> Epoch:
        """The epoch to trade in: the ledger's current one, or a new one for the first, another, or a reset market.

        Raises:
            CannotReconcileError: the exchange has forgotten our orders and is not one that may be reset.
            ExchangeError: the exchange could not be asked.
        """
        current = await self._ledger.current_epoch()
        if current is None:
            return await self._open("first start")
        if current.market not in {None, self._market}:
            log.warning("this is another market: epoch %d is closed, a new one begins", current.epoch)
            return await self._open("another market")
        if not await self._was_reset():
            if current.market is None:
                await self._ledger.name_market(self._market)
            return current
        if not self._may_reset:
            raise CannotReconcileError(
                "the exchange knows neither the order nor the trade that this ledger began with: these are other keys "
                "or another account. Set LEDGER_PATH to that account's own ledger."
            )
        log.warning("the exchange was reset: epoch %d is closed, a new one begins", current.epoch)
        return await self._open(AFTER_RESET)

    async def _open(self, reason: str) -> Epoch:
        cursors = {symbol: await self._gateway.latest_trade_id(symbol) for symbol in await self._with_cursors()}
        balances = (await self._opening()).balances
        ours = {asset: balances[asset] for asset in sorted(traded_assets(self._rules.values())) if asset in balances}
        epoch = await self._ledger.open_epoch(self._clock.now_ms(), reason, ours, self._market, cursors)
        crash_points.passed("epoch.opened")
        return epoch

    async def _with_cursors(self) -> list[str]:
        """The symbols whose trades up to now are told from those to come: of many only those with an order under way.

        Of the others it is noted before the first order on each (Recovery.begin).
        """
        if in_question.are_few(self._rules):
            return list(self._rules)
        since_ms = self._clock.now_ms() - SEEN_WITHIN_MS
        late = await self._ledger.read(
            lambda connection: order_symbols.ordered_since(connection, queries.epoch_number(connection), since_ms)
        )
        return sorted(late & self._rules.keys())

    async def _was_reset(self) -> bool:
        """Two independent signs: an order of ours is unknown there, and so is its trade (or the balances moved).

        The witness is the epoch's first trade: what was placed after a reset and before it is seen has a place in the
        ledger too, and the exchange knows it.
        """
        order, fill = await self._ledger.read(partial(_witness, symbols=tuple(self._rules)))
        if order is None or not await self._forgot_order(order):
            return False
        return await (self._has_other_balances() if fill is None else self._forgot_trade(order, fill))

    async def _forgot_order(self, order: Order) -> bool:
        report = await self._gateway.order_by_exchange_id(order.symbol, order.exchange_order_id or 0)
        return report is None or is_another(order, report)

    async def _forgot_trade(self, order: Order, fill: Fill) -> bool:
        trades = await self._gateway.trades_of_order(order.symbol, fill.exchange_order_id)
        return not any((trade.trade_id, trade.price) == (fill.trade_id, fill.price) for trade in trades)

    async def _has_other_balances(self) -> bool:
        balances = (await self._gateway.account()).balances
        wallet: dict[str, Decimal] = await self._ledger.wallet()
        return any(balances.get(asset, ZERO) != amount for asset, amount in wallet.items())


def _witness(connection: sqlite3.Connection, symbols: Iterable[str]) -> tuple[Order | None, Fill | None]:
    """The first fill in the epoch of the first symbol that has one, with its order; without fills, the last order."""
    number = queries.epoch_number(connection)
    unfilled: OrderEntry | None = None
    for symbol in symbols:
        fill = queries.first_fill(connection, number, symbol)
        if fill is not None and (entry := queries.order_entry(connection, fill.client_order_id)):
            return entry.order, fill
        unfilled = unfilled or queries.last_order_on_exchange(connection, number, symbol)
    return (unfilled.order if unfilled else None), None
