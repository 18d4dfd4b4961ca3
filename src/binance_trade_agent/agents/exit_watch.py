"""ExitWatch: what is held, how high its price has been, and so where it is left now; and the prices that tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from binance_trade_agent.agents.exit_plan import Plan, plan_of
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.market import BookTicker
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Role
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.gateway import TradingGateway
from binance_trade_agent.history.recording import Seen
from binance_trade_agent.history.window import highest_since
from binance_trade_agent.ledger.books import Books
from binance_trade_agent.risk.exits import ExitSettings, Levels, exit_levels, next_change_ms

_STOP_ONLY = frozenset({Role.STOP_LOSS})


class PriceSource(Protocol):
    """Where prices come from between ticks, such as exchange/price_stream.py."""

    def watch(self, symbols: Iterable[str]) -> None:
        """Follow these symbols from now on, and no others."""
        ...

    def bid(self, symbol: str) -> tuple[Decimal, int] | None:
        """Best bid in quote per base and its age in ms; None when it is not known, or too old."""
        ...


class QuoteSource(Protocol):
    """Best prices that are known without a request, such as those of a feed."""

    async def fresh_quote(self, symbol: str) -> BookTicker | None:
        """The symbol's best prices; None when they are not known, or too old to decide on."""
        ...


@dataclass(slots=True)
class _Held:
    """A holding with what was seen of it.

    Attributes:
        highest: its highest price since the entry, as far as it was seen. In memory only: after a crash the trailing
            stop that stood is the floor (risk/exits.py), and the candles since the entry are seen again.
        target_refused: the price of a target that the exchange does not take; the bot watches it.
        on_sale_base: of it, what persons have on sale, in base asset: that is left by their orders.
        asked_ms: when its price was asked for last (monotonic market time).
        levels, plan: what follows from those at `as_of_ms` (market time), None until it is worked out.
    """

    holding: Holding
    rules: SymbolRules
    highest: Decimal
    target_refused: Decimal | None = None
    on_sale_base: Decimal = ZERO
    asked_ms: float = float("-inf")
    levels: Levels | None = None
    plan: Plan | None = None
    as_of_ms: int = 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What may move the levels at which a holding is left.

    Attributes:
        highest: a price above it does, quote per base; None when none does.
        changes_ms: time alone does, at this market time; None when it never does.
        each_price: every price may make the bot itself act, for it watches a level.
    """

    highest: Decimal | None
    changes_ms: int | None
    each_price: bool


class ExitWatch:
    """Looks at holdings. Prices of symbols that nothing is known to be held of are not kept."""

    def __init__(
        self,
        settings: ExitSettings,
        gateway: TradingGateway,
        books: Books,
        clock: Clock,
        prices: PriceSource | None,
        quotes: QuoteSource | None = None,
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._books = books
        self._clock = clock
        self._prices = prices
        self._quotes = quotes
        self._held: dict[str, _Held] = {}

    async def look(self, symbol: str, rules: SymbolRules) -> Holding | None:
        """What the ledger says is held of the symbol now, more than dust; it is remembered until the next look."""
        return self.take(symbol, rules, await self._books.held(symbol, rules))

    def note_on_sale(self, symbol: str, base: Decimal) -> None:
        """Note what persons have on sale of the holding."""
        held = self._held.get(symbol)
        if held is not None and held.on_sale_base != base:
            held.on_sale_base, held.levels = base, None

    def take(self, symbol: str, rules: SymbolRules, holding: Holding | None) -> Holding | None:
        """The same, when somebody has asked the ledger already."""
        known = self._held.get(symbol)
        if holding is None:
            if known is not None:
                del self._held[symbol]
        elif known is None or known.holding.entry_order_id != holding.entry_order_id:
            self._held[symbol] = _Held(holding, rules, holding.highest_paid)
        elif holding is not known.holding or rules is not known.rules:
            known.holding, known.rules, known.levels = holding, rules, None
            known.highest = max(known.highest, holding.highest_paid)
        return holding

    async def bid(self, symbol: str) -> Decimal | None:
        """The bid, when the bot has to know it beside what rests on the exchange; None otherwise. It is noted.

        It is asked for when no fresh one came: each time for a level that the bot watches itself, and for a trailing
        stop as often as that may be moved.

        Raises:
            ExchangeError: it could not be asked.
        """
        if not self.asks_for_bid(symbol):
            return None
        held, plan = self._held[symbol], self.plan(symbol)
        told = self._prices.bid(symbol) if self._prices is not None else None
        if told is not None:
            bid = told[0]
        elif (
            plan is not None and plan.is_watched
        ) or self._clock.monotonic_ms() - held.asked_ms >= self._settings.trailing_seconds * 1000:
            held.asked_ms = self._clock.monotonic_ms()
            bid = await self.bid_now(symbol)
        else:
            return None
        self.note_price(symbol, bid)
        return bid

    async def bid_now(self, symbol: str) -> Decimal:
        """The bid: the feed's when that is fresh, else it is asked for, which costs request weight.

        Raises:
            ExchangeError: it could not be asked.
        """
        known = None if self._quotes is None else await self._quotes.fresh_quote(symbol)
        return (known or await self._gateway.book_ticker(symbol)).bid

    def seen(self, symbol: str) -> Seen | None:
        """What is remembered of the holding; None without one."""
        held = self._held.get(symbol)
        if held is None:
            return None
        return Seen(held.holding.entry_order_id, held.highest, held.target_refused, held.on_sale_base)

    def holding(self, symbol: str) -> Holding | None:
        """What was held at the last look."""
        held = self._held.get(symbol)
        return held.holding if held else None

    def free_base(self, symbol: str) -> Decimal:
        """What was held at the last look and no person has on sale, in base asset."""
        held = self._held.get(symbol)
        return max(ZERO, held.holding.position.quantity - held.on_sale_base) if held else ZERO

    def has_free(self, symbol: str) -> bool:
        """Whether that is more than dust, at the holding's average price."""
        held = self._held.get(symbol)
        return held is not None and not held.rules.is_dust(self.free_base(symbol), held.holding.average_price)

    def levels(self, symbol: str) -> Levels | None:
        """Where the holding is left now, by all that was seen; None without a holding."""
        held = self._held.get(symbol)
        return None if held is None else self._worked_out(held).levels

    def plan(self, symbol: str) -> Plan | None:
        """The same in orders; None when there is nothing to be done about it, or too little is held."""
        held = self._held.get(symbol)
        return None if held is None or not self._settings.is_on else self._worked_out(held).plan

    def _worked_out(self, held: _Held) -> _Held:
        """With levels and plan of now, which are asked for several times a look."""
        now_ms = self._clock.now_ms() if self._settings.changes_by_time else 0
        if held.levels is not None and held.as_of_ms == now_ms:
            return held
        held.as_of_ms = now_ms
        held.levels = exit_levels(self._settings, held.holding, held.highest, now_ms)
        plan = None
        if self._settings.is_on:
            plan = plan_of(self._settings, held.levels, held.holding, held.rules, held.on_sale_base)
        if plan is not None and plan.target_price is not None and held.target_refused is not None:
            is_refused = abs(plan.target_price - held.target_refused) <= held.rules.tick_size
            plan = plan.resting_only(Role.STOP_LOSS) if is_refused else plan
        held.plan = plan
        return held

    def holds(self, symbol: str) -> bool:
        """Whether something of it was held when it was looked at last."""
        return symbol in self._held

    @property
    def symbols(self) -> set[str]:
        """Of which something was held when they were looked at last."""
        return set(self._held)

    def rules(self, symbol: str) -> SymbolRules | None:
        """Rules of a symbol of which something is held."""
        held = self._held.get(symbol)
        return held.rules if held else None

    def outlook(self, symbol: str) -> Outlook | None:
        """What may move the levels of the holding from now on; None without one."""
        held, plan = self._held.get(symbol), self.plan(symbol)
        if held is None:
            return None
        return Outlook(
            held.highest if self._settings.trails else None,
            next_change_ms(self._settings, held.holding, self._clock.now_ms()),
            each_price=plan is not None and plan.is_watched,
        )

    def note_price(self, symbol: str, price: Decimal) -> bool:
        """Note a price that was seen now; whether the holding has never seen a higher one."""
        held = self._held.get(symbol)
        if held is None or price <= held.highest:
            return False
        held.highest, held.levels = price, None
        return True

    def note_candles(self, symbol: str, candles: Sequence[Candle]) -> None:
        """Note the highs of candles that opened at or after the entry: those of others may be from before it."""
        held = self._held.get(symbol)
        if held is None or not self._settings.trails:  # nothing else hangs on them, and they are many
            return
        highest = highest_since(candles, held.holding.opened_ms)
        if highest is not None and highest > held.highest:
            held.highest, held.levels = highest, None

    def watch_target(self, symbol: str, price: Decimal) -> None:
        """The exchange does not take a target at this price: from now on it is watched."""
        if held := self._held.get(symbol):
            held.target_refused, held.levels = price, None

    def asks_for_bid(self, symbol: str) -> bool:
        """Whether the bot has to know the bid beside what rests on the exchange."""
        plan = self.plan(symbol)
        return plan is not None and (self._settings.trails or plan.is_watched)

    def is_target_watched(self, symbol: str) -> bool:
        """Whether the bot watches the target because the exchange does not take it."""
        plan = self.plan(symbol)
        return plan is not None and plan.target_price is not None and plan.resting == _STOP_ONLY

    def tell_prices(self) -> None:
        """Let the prices come of the holdings whose price the bot has to know."""
        if self._prices is not None:
            self._prices.watch(symbol for symbol in sorted(self._held) if self.asks_for_bid(symbol))
