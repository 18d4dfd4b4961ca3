"""Protection: after an entry has filled, a stop-loss and a take-profit stand on the exchange, sized by what is held.

What should stand is worked out from the ledger's position each time, and compared with what does: after an entry, after
a crash, after somebody has cancelled a leg, the same code puts right what differs. One list (OCO) a symbol.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.execution import Sent, TradeExecutionAgent
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.agents.risk import Identity
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.order_ids import client_order_id
from binance_trade_agent.domain.orders import Order, OrderIntent, OrderState, OrderType, Role, Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.errors import RejectedError
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.ledger import Ledger

_HUNDRED = Decimal(100)
# A stop that needs a limit price gets one so far below its trigger that a falling market still takes it.
_STOP_LIMIT_FRACTION = Decimal("0.98")
# Engine texts (binance-protocol.md 2.6) that say that the price is beyond the stop or the target already.
_JUMPED_OVER = ("would trigger immediately", "relationship of the prices", "would immediately match")
UNPROTECTED = "unprotected"
# What the exchange has refused is not asked for again for so long (market time), unless something else is to be held.
REFUSED_PAUSE_MS = 60_000
DENIED_PAUSE_MS = 5_000  # it was not listening, or was not asked

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProtectionSettings:
    """How positions are protected.

    Attributes:
        stop_loss_pct, take_profit_pct: distance from the average entry price in percent; 0 is none.
        closes_when_refused: what follows when the exchange refuses the protection or somebody cancels it: the position
            is closed at market, or protected again.
    """

    stop_loss_pct: Decimal
    take_profit_pct: Decimal
    closes_when_refused: bool

    @property
    def is_on(self) -> bool:
        """Whether positions are protected at all."""
        return bool(self.stop_loss_pct or self.take_profit_pct)


@dataclass(frozen=True, slots=True)
class _Plan:
    quantity: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None

    @property
    def roles(self) -> set[Role]:
        wanted = {Role.STOP_LOSS: self.stop_price, Role.TAKE_PROFIT: self.target_price}
        return {role for role, price in wanted.items() if price is not None}


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What was not done for a plan; `again_ms` is when it may be tried again (monotonic market time)."""

    plan: _Plan
    again_ms: float
    is_final: bool  # the exchange itself has refused it


class Protection:
    """Keeps the protection of positions as it should be.

    What is refused is tried again after a pause. The price is watched meanwhile: a position whose stop cannot stand on
    the exchange is closed at market when the price has come to it.
    """

    def __init__(
        self,
        settings: ProtectionSettings,
        gateway: Gateway,
        ledger: Ledger,
        clock: Clock,
        keeper: OrderKeeper,
        execution: TradeExecutionAgent,
        alarms: Alarms,
        identity: Identity,
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._ledger = ledger
        self._clock = clock
        self._keeper = keeper
        self._execution = execution
        self._alarms = alarms
        self._identity = identity
        self._attempt = 0
        self._not_placed: dict[str, _Refusal] = {}
        self._not_closed: dict[str, _Refusal] = {}

    async def ensure_all(self, rules: Mapping[str, SymbolRules]) -> None:
        """Put right the protection of every symbol with a position or with resting orders.

        Raises:
            ExchangeError: the exchange could not be asked; what is missing is put right the next time.
            LedgerError: something could not be written.
        """
        held = {symbol for symbol, position in (await self._ledger.positions()).items() if position.quantity > 0}
        resting = {order.symbol for order in await self._ledger.open_orders() if order.role.is_protective}
        for symbol in sorted(held | resting | self._alarms.standing(UNPROTECTED)):
            if symbol in rules:
                await self.ensure(symbol, rules[symbol])

    async def ensure(self, symbol: str, rules: SymbolRules) -> None:
        """Put right the protection of one symbol. While another order of it is under way nothing is done.

        Raises:
            ExchangeError, LedgerError: see ensure_all.
        """
        async with self._keeper.turn(symbol):
            live = await self._resting(symbol)
            if live is None:
                return
            plan = self._plan(await self._position(symbol), rules)
            if live and (plan is None or not _stands(live, plan, rules.tick_size)):
                await self._execution.cancel(live)
                live = await self._resting(symbol)
                if live is None or live:
                    return  # not cancelled yet: the next time
                plan = self._plan(await self._position(symbol), rules)
            if plan is None and await self._is_too_little(symbol, rules):
                return
            if plan is None or live:
                await self._settled(symbol)
                return
            await self._protect(symbol, rules, plan)

    async def release(self, symbol: str) -> bool:
        """Take the protection off, so that the position can be sold; False when it is not off yet.

        Raises:
            ExchangeError, LedgerError: see ensure_all.
        """
        async with self._keeper.turn(symbol):
            live = await self._resting(symbol)
            if live:
                await self._execution.cancel(live)
                live = await self._resting(symbol)
            return live == []

    async def cancel(self, order: Order) -> None:
        """Cancel one order and see what became of it.

        Raises:
            ExchangeError, LedgerError: see ensure_all.
        """
        async with self._keeper.turn(order.symbol):
            await self._execution.cancel([order])

    async def _resting(self, symbol: str) -> list[Order] | None:
        """Resting protective orders of the symbol; None while an order of it is under way."""
        orders = [order for order in await self._ledger.open_orders() if order.symbol == symbol]
        is_quiet = all(
            order.role.is_protective and order.state in {OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED}
            for order in orders
        )
        return orders if is_quiet else None

    async def _position(self, symbol: str) -> Position:
        return (await self._ledger.positions()).get(symbol, Position(symbol))

    def _plan(self, position: Position, rules: SymbolRules) -> _Plan | None:
        """What should stand; None when there is nothing to protect, or too little to be sold at all."""
        average = position.average_price
        if not self._settings.is_on or average is None or position.quantity <= 0:
            return None
        stop = average * (1 - self._settings.stop_loss_pct / _HUNDRED)
        target = average * (1 + self._settings.take_profit_pct / _HUNDRED)
        quantity = rules.round_market_quantity(position.quantity)
        if rules.is_dust(position.quantity, stop * _STOP_LIMIT_FRACTION):
            return None
        return _Plan(
            quantity,
            rules.round_price(stop) if self._settings.stop_loss_pct else None,
            rules.round_price(target) if self._settings.take_profit_pct else None,
        )

    async def _is_too_little(self, symbol: str, rules: SymbolRules) -> bool:
        """Whether what is held could be sold now and is too little to be protected: then that is said, once."""
        position = await self._position(symbol)
        if not self._settings.is_on or rules.is_dust(position.quantity, position.average_price or ZERO):
            return False
        if symbol not in self._alarms.standing(UNPROTECTED):
            text = "at its stop it would be worth less than the exchange lets be sold"
            await self._alarms.sound(UNPROTECTED, symbol, f"{plain(position.quantity)} held without protection: {text}")
        return True

    async def _protect(self, symbol: str, rules: SymbolRules, plan: _Plan) -> None:
        if self._has_to_wait(self._not_closed.get(symbol), plan):
            return  # neither protected nor sold, as the alarm says
        bid = (await self._gateway.book_ticker(symbol)).bid
        if reason := _is_over(plan, bid):
            await self._close(symbol, plan, reason)
        elif self._settings.closes_when_refused and (reason := await self._cannot_stand(symbol, plan)):
            await self._alarms.sound(UNPROTECTED, symbol, f"{plain(plan.quantity)} held without protection: {reason}")
            await self._close(symbol, plan, reason)
        elif not self._has_to_wait(self._not_placed.get(symbol), plan):
            self._attempt += 1
            list_id = self._id(symbol, "list") if len(plan.roles) > 1 else None
            sent = await self._execution.place(self._legs(symbol, rules, plan, list_id), list_id)
            await self._judge(symbol, plan, sent)

    async def _cannot_stand(self, symbol: str, plan: _Plan) -> str:
        """Why the position is to be closed instead of being protected; empty when it may be protected."""
        refused = self._not_placed.get(symbol)
        if refused is not None and refused.is_final and refused.plan == plan:
            return "its protection was refused"
        # The order that the exchange took last: after a new entry, what became of older protection does not count.
        last = await self._ledger.read(partial(_last_order, symbol=symbol))
        if last is None or last.state is not OrderState.CANCELED or not last.role.is_protective:
            return ""
        return "" if last.cancel_requested_ms is not None else "somebody else has cancelled its protection"

    def _has_to_wait(self, refusal: _Refusal | None, plan: _Plan) -> bool:
        return refusal is not None and refusal.plan == plan and self._clock.monotonic_ms() < refusal.again_ms

    def _refusal(self, plan: _Plan, sent: Sent) -> _Refusal:
        is_final = sent.state is OrderState.REJECTED
        pause_ms = REFUSED_PAUSE_MS if is_final else DENIED_PAUSE_MS
        return _Refusal(plan, self._clock.monotonic_ms() + pause_ms, is_final)

    async def _judge(self, symbol: str, plan: _Plan, sent: Sent) -> None:
        if sent.failure is None:
            await self._settled(symbol)
            log.info("%s: %s is protected%s", symbol, plain(plan.quantity), _levels(plan))
            return
        if isinstance(sent.failure, RejectedError) and any(said in sent.failure.message for said in _JUMPED_OVER):
            await self._close(symbol, plan, f"the price has jumped over its protection ({sent.failure})")
            return
        text = f"{plain(plan.quantity)} held without protection: {sent.failure}"
        await self._alarms.sound(UNPROTECTED, symbol, text)
        if sent.state is OrderState.UNKNOWN:
            return  # it is asked about
        self._not_placed[symbol] = self._refusal(plan, sent)
        if isinstance(sent.failure, RejectedError) and self._settings.closes_when_refused:
            await self._close(symbol, plan, f"the protection was refused ({sent.failure})")

    async def _close(self, symbol: str, plan: _Plan, reason: str) -> None:
        """Sell what should have been protected, at market."""
        log.warning("%s: closed at market: %s", symbol, reason)
        self._attempt += 1
        sent = await self._execution.place([self._intent(symbol, plan, Role.EXIT, OrderType.MARKET, reason=reason)])
        if sent.failure is not None and sent.state is not OrderState.UNKNOWN:
            self._not_closed[symbol] = self._refusal(plan, sent)
            text = f"{plain(plan.quantity)} held without protection and not sold either: {sent.failure}"
            await self._alarms.sound(UNPROTECTED, symbol, text)

    async def _settled(self, symbol: str) -> None:
        """The position is protected, or there is none to protect."""
        self._not_placed.pop(symbol, None)
        self._not_closed.pop(symbol, None)
        await self._alarms.clear(UNPROTECTED, symbol)

    def _legs(self, symbol: str, rules: SymbolRules, plan: _Plan, list_id: str | None) -> list[OrderIntent]:
        legs = []
        if plan.target_price is not None:
            leg = self._intent(symbol, plan, Role.TAKE_PROFIT, OrderType.LIMIT_MAKER, list_id=list_id)
            legs.append(_priced(leg, price=plan.target_price))
        if plan.stop_price is not None:
            # A stop that takes the market cannot be jumped over; one with a limit is for symbols that have no other.
            is_market = OrderType.STOP_LOSS.value in rules.order_types
            kind = OrderType.STOP_LOSS if is_market else OrderType.STOP_LOSS_LIMIT
            limit = None if is_market else rules.round_price(plan.stop_price * _STOP_LIMIT_FRACTION)
            leg = self._intent(symbol, plan, Role.STOP_LOSS, kind, list_id=list_id)
            legs.append(_priced(leg, price=limit, stop_price=plan.stop_price))
        return legs

    def _intent(
        self, symbol: str, plan: _Plan, role: Role, kind: OrderType, *, list_id: str | None = None, reason: str = ""
    ) -> OrderIntent:
        now_ms = self._clock.now_ms()
        return OrderIntent(
            client_order_id=self._id(symbol, role.value),
            symbol=symbol,
            side=Side.SELL,
            type=kind,
            quantity=plan.quantity,
            reference_price=plan.stop_price or plan.target_price or Decimal(0),
            tick_ms=now_ms,
            candle_open_ms=now_ms,
            reason=reason or f"protects the position{_levels(plan)}",
            role=role,
            list_id=list_id,
        )

    def _id(self, symbol: str, leg: str) -> str:
        # The generation and a count of its own make the id new each time: what protects follows from the position, and
        # an intent that a crash has left is asked about or given up before the next is made.
        return client_order_id(
            instance=self._identity.instance,
            epoch=0,
            strategy=self._identity.strategy,
            symbol=symbol,
            tick_ms=self._clock.now_ms(),
            leg=f"{leg}:{self._identity.fence}",
            attempt=self._attempt,
            fence=self._identity.fence,
        )


def _priced(intent: OrderIntent, *, price: Decimal | None, stop_price: Decimal | None = None) -> OrderIntent:
    return replace(intent, price=price, stop_price=stop_price)


def _stands(live: Sequence[Order], plan: _Plan, tick_size: Decimal) -> bool:
    """Whether what rests protects all that is to be protected, and no more, at the prices that are wanted.

    A partial sale may move the average entry price by a rounding, and so a price by a tick: that is the same price.
    """
    wanted = {Role.STOP_LOSS: plan.stop_price, Role.TAKE_PROFIT: plan.target_price}
    for order in live:
        price, stands_at = wanted[order.role], order.stop_price if order.role is Role.STOP_LOSS else order.price
        if price is None or stands_at is None or abs(price - stands_at) > tick_size:
            return False
        if order.cancel_requested_ms is not None or order.left_base != plan.quantity:
            return False
    return {order.role for order in live} == plan.roles


def _is_over(plan: _Plan, bid: Decimal) -> str:
    """Why the position is to be closed at this bid; empty while the price is between stop and target, or unknown."""
    if plan.stop_price is not None and 0 < bid <= plan.stop_price:
        return f"the price {plain(bid)} is at or under the stop {plain(plan.stop_price)}"
    if plan.target_price is not None and bid >= plan.target_price:
        return f"the price {plain(bid)} has reached {plain(plan.target_price)}"
    return ""


def _last_order(connection: sqlite3.Connection, symbol: str) -> Order | None:
    """The order of the current epoch that the exchange took last."""
    entry = queries.last_order_on_exchange(connection, queries.epoch_number(connection), symbol)
    return entry.order if entry else None


def _levels(plan: _Plan) -> str:
    stop = f", stop {plain(plan.stop_price)}" if plan.stop_price is not None else ""
    target = f", target {plain(plan.target_price)}" if plan.target_price is not None else ""
    return f"{stop}{target}"
