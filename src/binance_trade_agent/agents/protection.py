"""Protection: a position is left at its stop, at its target, or under its highest price, whatever happens in between.

Where each holding is left is worked out from the ledger each time (risk/exits.py), and compared with what rests on the
exchange: after an entry, after a crash, after somebody has cancelled a leg, the same code puts right what differs. One
list (OCO) a symbol, or one order. What cannot rest there the bot watches itself, by the price stream where it has one.
What a person has on sale is left by that order: of the holding the rest is protected.
"""

import contextlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.execution import Sent, TradeExecutionAgent
from binance_trade_agent.agents.exit_orders import ExitOrders
from binance_trade_agent.agents.exit_plan import Exit, Plan, is_step, standing_price, stands
from binance_trade_agent.agents.exit_watch import ExitWatch, Outlook, PriceSource, QuoteSource
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.agents.risk import Identity
from binance_trade_agent.agents.standing import Standing, is_a_move, standing, to_look_after
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import Order, OrderState, Role, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.errors import ExchangeError, RejectedError, ReplaceRefusedError
from binance_trade_agent.exchange.gateway import TradingGateway
from binance_trade_agent.history.recording import Seen
from binance_trade_agent.ledger.books import Books, BooksView
from binance_trade_agent.risk.exits import ExitSettings

# Engine texts (binance-protocol.md 2.6) that say that the price is beyond the stop or the target already.
_JUMPED_OVER = ("would trigger immediately", "relationship of the prices", "would immediately match")
UNPROTECTED = "unprotected"
TARGET_WATCHED = "target_watched"
# What the exchange has refused is not asked for again for so long (market time), unless something else is to be held.
REFUSED_PAUSE_MS = 60_000
DENIED_PAUSE_MS = 5_000  # it was not listening, or was not asked

_TRAILING_STOP = ExitKind.TRAILING_STOP  # to look it up by its name takes longer than to compare it

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What was not done for a quantity; `again_ms` is when it may be tried again (monotonic market time)."""

    quantity: Decimal
    again_ms: float
    is_final: bool  # the exchange itself has refused it


class Protection:
    """Keeps the exits of positions as they should be.

    What is refused is tried again after a pause. The price is watched meanwhile: a position whose stop cannot stand on
    the exchange is closed at market when the price has come to it.

    Args:
        prices: bids between ticks; without them they are asked for.
        quotes: known best prices, which spare the requests for them; without them each is asked for.
    """

    def __init__(
        self,
        settings: ExitSettings,
        gateway: TradingGateway,
        books: Books,
        clock: Clock,
        keeper: OrderKeeper,
        execution: TradeExecutionAgent,
        alarms: Alarms,
        identity: Identity,
        prices: PriceSource | None = None,
        quotes: QuoteSource | None = None,
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._books = books
        self._clock = clock
        self._keeper = keeper
        self._execution = execution
        self._alarms = alarms
        self._watch = ExitWatch(settings, gateway, books, clock, prices, quotes)
        self._orders = ExitOrders(clock, identity)
        self._not_placed: dict[str, _Refusal] = {}
        self._not_closed: dict[str, _Refusal] = {}
        self._moved_ms: dict[str, float] = {}
        self._not_moved_until_ms: dict[str, float] = {}
        self._moves_later: set[str] = set()
        self._released: set[str] = set()
        self._unwanted: dict[str, list[Order]] = {}
        self._said: dict[str, str] = {}

    def holds(self, symbol: str) -> bool:
        """Whether it is one of `held`, without naming the others."""
        return self._watch.holds(symbol)

    @property
    def held(self) -> set[str]:
        """Symbols of which more than dust was held when they were looked at last."""
        return self._watch.symbols

    @property
    def follows_strategy(self) -> bool:
        """Whether a SELL of the strategy closes the position."""
        return self._settings.strategy_exit

    async def ensure_all(self, rules: Mapping[str, SymbolRules]) -> None:
        """Put right the exits of every symbol with a position or with resting orders.

        Raises:
            ExchangeError: the exchange could not be asked about one; what is missing is put right the next time. The
                others were put right.
            LedgerError: something could not be written.
        """
        known = self._alarms.standing(UNPROTECTED) | self._alarms.standing(TARGET_WATCHED) | self._watch.symbols
        found = await self._books.consult(lambda books: self._found_all(books, rules, known))
        # Mostly all are as they should be, and one question tells it.
        left = [symbol for symbol in sorted(found) if not self._stands(symbol, rules[symbol], *found[symbol])]
        self._watch.tell_prices()
        troubles: list[ExchangeError] = []
        for symbol in left:
            try:
                if said := await self.ensure(symbol, rules[symbol]):
                    log.info("%s: %s", symbol, said)
            except ExchangeError as failure:  # what is wrong with one symbol leaves no other unprotected
                troubles.append(failure)
        if troubles:
            raise troubles[0]

    async def ensure(self, symbol: str, rules: SymbolRules) -> str:
        """Put right the exits of one symbol. While another order of it is under way nothing is done.

        Returns:
            What is new about them, for a person (`0.00999 protected, stop 62720, target 66560`); empty when nothing is.

        Raises:
            ExchangeError, LedgerError: see ensure_all.
        """
        async with self._keeper.turn(symbol):
            self._released.discard(symbol)
            try:
                return await self._put_right(symbol, rules)
            finally:
                self._watch.tell_prices()

    async def on_price(self, symbol: str, bid: Decimal, ask: Decimal) -> None:  # noqa: ARG002 (what the stream tells)
        """Act at once on a price of the stream: sell at a level that only the bot watches, or let the stop trail.

        Raises:
            ExchangeError, LedgerError: see ensure_all.
        """
        is_highest = self._watch.note_price(symbol, bid)
        rules, plan = self._watch.rules(symbol), self._watch.plan(symbol)
        if rules is None or plan is None:
            return
        is_reached = plan.watched_reached(bid) is not None
        is_due = is_highest and self._settings.trails and self._may_trail(symbol)
        if not (is_reached or is_due):
            return
        async with self._keeper.turn(symbol):
            if symbol not in self._released and (said := await self._put_right(symbol, rules)):
                log.info("%s: %s", symbol, said)

    def seen(self, symbol: str) -> Seen | None:
        """What is remembered of what is held of a symbol, beside what the books say."""
        return self._watch.seen(symbol)

    def outlook(self, symbol: str) -> Outlook | None:
        """What may move the exits of what is held, as of the last look; None when nothing is held.

        While they are not as they should be, every price may: they are put right then.
        """
        outlook = self._watch.outlook(symbol)
        is_unfinished = symbol in self._not_placed or symbol in self._not_closed or symbol in self._moves_later
        return replace(outlook, each_price=True) if outlook is not None and is_unfinished else outlook

    async def due(self, symbol: str, view: MarketView) -> Exit | None:
        """Why the position is to be closed at this tick, with numbers; None when it may stay.

        It was held too long, or the bid is at a level that only the bot watches. The view's prices are noted.

        Raises:
            LedgerError: the ledger could not be read.
        """
        if await self._watch.look(symbol, view.rules) is None:
            return None
        self._watch.note_candles(symbol, view.candles)
        self._watch.note_price(symbol, view.book.bid)
        levels, plan = self._watch.levels(symbol), self._watch.plan(symbol)
        if levels is not None and levels.close is not None:
            return levels.close
        return None if plan is None else plan.watched_reached(view.book.bid)

    async def release(self, symbol: str, sides: Collection[Side] = ()) -> bool:
        """Take the protection off, so that the position can be sold; False when it is not off yet.

        Until `ensure` is called the bot does not sell by a price of the stream either.

        Args:
            symbol: of the position.
            sides: what persons have resting on these sides is taken off too; with SELL it is off when nothing of the
                position is on sale any more.

        Raises:
            ExchangeError, LedgerError: see ensure_all. It stays on while no order may be sent: it could neither be
                followed by a sale nor be put back.
        """
        async with self._keeper.turn(symbol):
            found = await self._standing(symbol)
            off = [*(found.protection or ()), *_on(sides, found)]
            if off and (objection := self._execution.objection()):
                raise ExchangeError(objection)
            self._released.add(symbol)
            if off:
                await self._execution.cancel(off)
                found = await self._standing(symbol)
            is_sold_by_others = Side.SELL in sides and found.on_sale_base > 0
            return found.protection == [] and not _on(sides, found) and not is_sold_by_others

    async def cancel(self, order: Order) -> None:
        """Cancel one order and see what became of it. Protection is not put back before `ensure` is called.

        Raises:
            ExchangeError, LedgerError: see ensure_all.
        """
        async with self._keeper.turn(order.symbol):
            if order.role.is_protective:
                self._released.add(order.symbol)
            await self._execution.cancel([order])

    async def _put_right(self, symbol: str, rules: SymbolRules) -> str:
        """Compare what rests with what should. Under the symbol's turn."""
        self._moves_later.discard(symbol)
        live, plan, bid = await self._look(symbol, rules)
        if symbol in self._unwanted:
            await self._execution.cancel(self._unwanted[symbol])
            live, plan, bid = await self._look(symbol, rules)
        if live is None:
            return ""
        if plan is not None and live:
            plan = self._as_due(symbol, plan, live)
            is_reached = bid is not None and plan.watched_reached(bid) is not None
            if not is_reached and stands(live, plan, rules.tick_size):
                await self._settled(symbol)
                return ""
            if not is_reached and is_a_move(live, plan):
                said = await self._move(symbol, rules, plan, live[0])
                if said is not None:
                    return said
        if live:
            await self._execution.cancel(live)
            live, plan, bid = await self._look(symbol, rules)
            if live != []:
                return ""  # not cancelled yet: the next time
        return await self._bare(symbol, plan, bid)

    async def _bare(self, symbol: str, plan: Plan | None, bid: Decimal | None) -> str:
        """Nothing rests now."""
        if plan is not None and plan.has_level:
            return await self._protect(symbol, plan, bid)
        if plan is None and self._settings.is_on and self._watch.has_free(symbol):
            await self._say_too_little(symbol)
        else:
            self._said.pop(symbol, None)
            await self._settled(symbol)
        return ""

    async def _look(self, symbol: str, rules: SymbolRules) -> tuple[list[Order] | None, Plan | None, Decimal | None]:
        """What protects, what should by all that is known now, and the bid where it had to be known for that.

        Nothing protects that is known of while another order of the symbol is under way: None, and no plan.
        """
        found, holding = await self._books.consult(lambda books: self._found(books, symbol, rules))
        self._unwanted.pop(symbol, None)
        if found.persons and (unwanted := found.unwanted):
            self._unwanted[symbol] = unwanted
        live = found.protection
        if live is None or not (live or self._settings.leaves):
            return live, None, None
        self._watch.take(symbol, rules, holding)
        self._watch.note_on_sale(symbol, found.on_sale_base)
        bid = await self._watch.bid(symbol) if self._watch.asks_for_bid(symbol) else None
        return live, self._watch.plan(symbol), bid

    def _found(self, books: BooksView, symbol: str, rules: SymbolRules) -> tuple[Standing, Holding | None]:
        found = standing(books, symbol)
        live = found.protection
        if live is None or not (live or self._settings.leaves):  # what is held makes no difference
            return found, None
        return found, books.holding(symbol, rules)

    def _found_all(
        self, books: BooksView, rules: Mapping[str, SymbolRules], known: Collection[str]
    ) -> dict[str, tuple[Standing, Holding | None]]:
        """The same of every symbol with a position or with resting orders, and of those that are `known` otherwise."""
        symbols = to_look_after(books).union(known) & rules.keys()
        return {symbol: self._found(books, symbol, rules[symbol]) for symbol in symbols}

    def _stands(self, symbol: str, rules: SymbolRules, found: Standing, holding: Holding | None) -> bool:
        """Whether nothing is to be put right, and neither the turn nor the bid is needed to tell."""
        unfinished = self._released, self._unwanted, self._not_placed, self._not_closed, self._moves_later
        if self._keeper.turn(symbol).locked() or any(symbol in those for those in unfinished):
            return False
        if not found.protection or found.unwanted:
            return False
        if self._alarms.stands(UNPROTECTED, symbol) or self._alarms.stands(TARGET_WATCHED, symbol):
            return False
        self._watch.take(symbol, rules, holding)
        self._watch.note_on_sale(symbol, found.on_sale_base)
        plan = self._watch.plan(symbol)
        if plan is None or self._watch.asks_for_bid(symbol):
            return False
        return stands(found.protection, plan, rules.tick_size)

    async def _standing(self, symbol: str) -> Standing:
        return await self._books.consult(lambda books: standing(books, symbol))

    async def _say_too_little(self, symbol: str) -> None:
        """What is held could be sold now and is too little to be protected: that is said, once."""
        if not self._alarms.stands(UNPROTECTED, symbol):
            held = f"{plain(self._watch.free_base(symbol))} held without protection"
            text = "at its stop it would be worth less than the exchange lets be sold"
            await self._alarms.sound(UNPROTECTED, symbol, f"{held}: {text}")

    # Moving what stands

    def _as_due(self, symbol: str, plan: Plan, live: Sequence[Order]) -> Plan:
        """The plan with the trailing stop left where it stands, while the step is small or the last move is new."""
        if plan.stop_price is None or plan.stop_kind is not _TRAILING_STOP:
            return plan
        standing = next((order.stop_price for order in live if order.role is Role.STOP_LOSS), None)
        if standing is None:
            return plan
        is_step_up = is_step(self._settings, standing, plan.stop_price)
        is_due = is_step_up and self._may_trail(symbol)
        if is_step_up and not is_due:
            self._moves_later.add(symbol)
        return plan if is_due or plan.stop_price <= standing else plan.with_stop(standing)

    def _may_trail(self, symbol: str) -> bool:
        moved_ms = self._moved_ms.get(symbol, float("-inf"))
        return self._clock.monotonic_ms() - moved_ms >= self._settings.trailing_seconds * 1000

    async def _move(self, symbol: str, rules: SymbolRules, plan: Plan, order: Order) -> str | None:
        """Put the one order that rests where it should be, by one request: the position is never without it.

        None when the price has come to where it should be: then it has to be taken off instead.
        """
        if self._clock.monotonic_ms() < self._not_moved_until_ms.get(symbol, float("-inf")):
            self._moves_later.add(symbol)
            return ""
        if plan.reached(await self._watch.bid_now(symbol)):
            return None
        (intent,), _ = self._orders.resting(symbol, plan)
        sent = await self._execution.replace(order, intent)
        if sent.failure is None:
            return await self._placed(symbol, plan, "protected anew")
        if isinstance(sent.failure, ReplaceRefusedError) and sent.failure.cancelled:
            return await self._left_without(symbol, rules, plan, sent)
        if sent.state is OrderState.UNKNOWN:  # it is asked about
            await self._alarm(symbol, plan, sent)
            return ""
        # The old one stands, or has ended meanwhile: what follows from that is seen the next time.
        is_final = sent.state is OrderState.REJECTED
        pause_ms = REFUSED_PAUSE_MS if is_final else DENIED_PAUSE_MS
        self._not_moved_until_ms[symbol] = self._clock.monotonic_ms() + pause_ms
        self._moves_later.add(symbol)
        return f"its {_words(order)} stays at {plain(standing_price(order) or ZERO)}: {sent.failure}"

    async def _left_without(self, symbol: str, rules: SymbolRules, plan: Plan, sent: Sent) -> str:
        """The old order is cancelled and the new one refused."""
        live, now, bid = await self._look(symbol, rules)
        if live != [] or now is None:
            return ""
        if now.quantity != plan.quantity:  # the old one has sold a part before it was cancelled
            return await self._protect(symbol, now, bid)
        return await self._judge(symbol, now, sent)

    # Placing what does not stand

    async def _protect(self, symbol: str, plan: Plan, bid: Decimal | None) -> str:
        if self._has_to_wait(self._not_closed.get(symbol), plan):
            return ""  # neither protected nor sold, as the alarm says
        if bid is None:
            bid = await self._watch.bid_now(symbol)
        if found := plan.reached(bid):
            await self._close(symbol, plan, found)
        elif not plan.resting:
            return await self._watched(symbol, plan)
        elif self._settings.closes_when_refused and (reason := await self._cannot_stand(symbol, plan)):
            await self._alarms.sound(UNPROTECTED, symbol, f"{plain(plan.quantity)} held without protection: {reason}")
            await self._close(symbol, plan, (ExitKind.UNPROTECTED, reason))
        elif not self._has_to_wait(self._not_placed.get(symbol), plan):
            return await self._place(symbol, plan)
        return ""

    async def _cannot_stand(self, symbol: str, plan: Plan) -> str:
        """Why the position is to be closed instead of being protected; empty when it may be protected."""
        refused = self._not_placed.get(symbol)
        if refused is not None and refused.is_final and refused.quantity == plan.quantity:
            return "its protection was refused"
        # The order that the exchange took last: after a new entry, what became of older protection does not count.
        last = await self._books.consult(lambda books: books.last_order_on_exchange(symbol))
        if last is None or last.state is not OrderState.CANCELED or not last.role.is_protective:
            return ""
        return "" if last.cancel_requested_ms is not None else "somebody else has cancelled its protection"

    async def _place(self, symbol: str, plan: Plan) -> str:
        """Place the list or the order; of a list that is refused the stop alone, which matters more."""
        sent = await self._execution.place(*self._orders.resting(symbol, plan))
        if len(plan.resting) > 1 and _is_refused(sent):
            plan = plan.resting_only(Role.STOP_LOSS)
            alone = await self._execution.place(*self._orders.resting(symbol, plan))
            if alone.failure is None and plan.target_price is not None:
                self._watch.watch_target(symbol, plan.target_price)
                text = f"the target {plain(plan.target_price)} is watched by the bot itself: {sent.failure}"
                await self._alarms.sound(TARGET_WATCHED, symbol, text)
            sent = alone
        return await self._judge(symbol, plan, sent)

    async def _judge(self, symbol: str, plan: Plan, sent: Sent) -> str:
        if sent.failure is None:
            return await self._placed(symbol, plan, "protected")
        if _is_jumped_over(sent):
            await self._close(symbol, plan, await self._jumped_over(symbol, plan, sent))
            return ""
        await self._alarm(symbol, plan, sent)
        if sent.state is OrderState.UNKNOWN:
            return ""  # it is asked about
        self._not_placed[symbol] = self._refusal(plan, sent)
        if isinstance(sent.failure, RejectedError) and self._settings.closes_when_refused:
            await self._close(symbol, plan, (ExitKind.UNPROTECTED, f"the protection was refused ({sent.failure})"))
        return ""

    async def _jumped_over(self, symbol: str, plan: Plan, sent: Sent) -> Exit:
        """Which level the price has jumped over, as far as the price of now tells."""
        kind = plan.target_kind if plan.stop_price is None else plan.stop_kind
        with contextlib.suppress(ExchangeError):
            if found := plan.reached((await self._gateway.book_ticker(symbol)).bid):
                kind = found[0]
        return kind, f"the price has jumped over its protection ({sent.failure})"

    async def _close(self, symbol: str, plan: Plan, exit_: Exit) -> None:
        """Sell what should have been protected, at market."""
        log.warning("%s: closed at market, %s: %s", symbol, exit_[0].replace("_", " "), exit_[1])
        sent = await self._execution.place([self._orders.sale(symbol, plan, exit_)])
        is_sold = any(report.executed_base for report in sent.reports)
        if not is_sold and sent.state is not OrderState.UNKNOWN:  # not again at each price: the book may be empty
            self._not_closed[symbol] = self._refusal(plan, sent)
            why = sent.failure or "nobody buys"
            text = f"{plain(plan.quantity)} held without protection and not sold either: {why}"
            await self._alarms.sound(UNPROTECTED, symbol, text)

    async def _placed(self, symbol: str, plan: Plan, done: str) -> str:
        self._moved_ms[symbol] = self._clock.monotonic_ms()
        await self._settled(symbol)
        return f"{plain(plan.quantity)} {done}, {plan}"

    async def _watched(self, symbol: str, plan: Plan) -> str:
        """Nothing is to rest: the bot itself watches the levels. Said once a quantity."""
        await self._settled(symbol)
        if self._said.get(symbol) == plain(plan.quantity):
            return ""
        self._said[symbol] = plain(plan.quantity)
        return f"{plain(plan.quantity)} watched by the bot itself, {plan}: the exchange takes no stop orders here"

    async def _settled(self, symbol: str) -> None:
        """The position is protected, or there is none to protect."""
        self._not_placed.pop(symbol, None)
        self._not_closed.pop(symbol, None)
        if self._alarms.stands(UNPROTECTED, symbol):
            await self._alarms.clear(UNPROTECTED, symbol)
        if self._alarms.stands(TARGET_WATCHED, symbol) and not self._watch.is_target_watched(symbol):
            await self._alarms.clear(TARGET_WATCHED, symbol)

    async def _alarm(self, symbol: str, plan: Plan, sent: Sent) -> None:
        text = f"{plain(plan.quantity)} held without protection: {sent.failure}"
        await self._alarms.sound(UNPROTECTED, symbol, text)

    def _has_to_wait(self, refusal: _Refusal | None, plan: Plan) -> bool:
        if refusal is None or refusal.quantity != plan.quantity:
            return False
        return self._clock.monotonic_ms() < refusal.again_ms

    def _refusal(self, plan: Plan, sent: Sent) -> _Refusal:
        is_final = sent.state is OrderState.REJECTED
        pause_ms = REFUSED_PAUSE_MS if is_final else DENIED_PAUSE_MS
        return _Refusal(plan.quantity, self._clock.monotonic_ms() + pause_ms, is_final)


def _on(sides: Collection[Side], found: Standing) -> list[Order]:
    """What persons have resting on these sides."""
    return [order for order in found.persons if order.side in sides]


def _words(order: Order) -> str:
    return order.role.replace("_", "-").lower()


def _is_jumped_over(sent: Sent) -> bool:
    return isinstance(sent.failure, RejectedError) and any(said in sent.failure.message for said in _JUMPED_OVER)


def _is_refused(sent: Sent) -> bool:
    """Whether the exchange does not take these orders, wherever the price is."""
    return isinstance(sent.failure, RejectedError) and not _is_jumped_over(sent)
