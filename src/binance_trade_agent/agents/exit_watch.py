"""ExitWatch: what is held, how high its price has been, and so where it is left now; and the prices that tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from binance_trade_agent.agents.exit_plan import Plan, plan_of
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.orders import Role
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.gateway import TradingGateway
from binance_trade_agent.history.recording import Seen
from binance_trade_agent.history.window import highest_since
from binance_trade_agent.ledger.books import Books
from binance_trade_agent.risk.exits import ExitSettings, Levels, exit_levels, next_change_ms


class PriceSource(Protocol):
    """Where prices come from between ticks, such as exchange/price_stream.py."""

    def watch(self, symbols: Iterable[str]) -> None:
        """Follow these symbols from now on, and no others."""
        ...

    def bid(self, symbol: str) -> tuple[Decimal, int] | None:
        """Best bid in quote per base and its age in ms; None when it is not known, or too old."""
        ...


@dataclass(slots=True)
class _Held:
    """A holding with what was seen of it.

    Attributes:
        highest: its highest price since the entry, as far as it was seen. In memory only: after a crash the trailing
            stop that stood is the floor (risk/exits.py), and the candles since the entry are seen again.
        target_refused: the price of a target that the exchange does not take; the bot watches it.
        asked_ms: when its price was asked for last (monotonic market time).
    """

    holding: Holding
    rules: SymbolRules
    highest: Decimal
    target_refused: Decimal | None = None
    asked_ms: float = float("-inf")


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
        self, settings: ExitSettings, gateway: TradingGateway, books: Books, clock: Clock, prices: PriceSource | None
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._books = books
        self._clock = clock
        self._prices = prices
        self._held: dict[str, _Held] = {}

    async def look(self, symbol: str, rules: SymbolRules) -> Holding | None:
        """What the ledger says is held of the symbol now, more than dust; it is remembered until the next look."""
        position = await self._books.consult(lambda books: books.holding(symbol, rules))
        if position is None:
            self._held.pop(symbol, None)
            return None
        known = self._held.get(symbol)
        if known is None or known.holding.entry_order_id != position.entry_order_id:
            known = self._held[symbol] = _Held(position, rules, position.highest_paid)
        known.holding, known.rules = position, rules
        known.highest = max(known.highest, position.highest_paid)
        return position

    async def bid(self, symbol: str) -> Decimal | None:
        """The bid, when the bot has to know it beside what rests on the exchange; None otherwise. It is noted.

        It is asked for when no fresh one came: each time for a level that the bot watches itself, and for a trailing
        stop as often as that may be moved.

        Raises:
            ExchangeError: it could not be asked.
        """
        held, plan = self._held.get(symbol), self.plan(symbol)
        if held is None or plan is None or not (plan.watched.prices or self._settings.trails):
            return None
        told = self._prices.bid(symbol) if self._prices is not None else None
        if told is not None:
            bid = told[0]
        elif (
            plan.watched.prices or self._clock.monotonic_ms() - held.asked_ms >= self._settings.trailing_seconds * 1000
        ):
            held.asked_ms = self._clock.monotonic_ms()
            bid = (await self._gateway.book_ticker(symbol)).bid
        else:
            return None
        self.note_price(symbol, bid)
        return bid

    def seen(self, symbol: str) -> Seen | None:
        """What is remembered of the holding; None without one."""
        held = self._held.get(symbol)
        return Seen(held.holding.entry_order_id, held.highest, held.target_refused) if held else None

    def levels(self, symbol: str) -> Levels | None:
        """Where the holding is left now, by all that was seen; None without a holding."""
        held = self._held.get(symbol)
        if held is None:
            return None
        return exit_levels(self._settings, held.holding, held.highest, self._clock.now_ms())

    def plan(self, symbol: str) -> Plan | None:
        """The same in orders; None when there is nothing to be done about it, or too little is held."""
        held, levels = self._held.get(symbol), self.levels(symbol)
        if held is None or levels is None or not self._settings.is_on:
            return None
        plan = plan_of(self._settings, levels, held.holding, held.rules)
        if plan is None or plan.target_price is None or held.target_refused is None:
            return plan
        is_refused = abs(plan.target_price - held.target_refused) <= held.rules.tick_size
        return plan.resting_only(Role.STOP_LOSS) if is_refused else plan

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
            each_price=plan is not None and bool(plan.watched.prices),
        )

    def note_price(self, symbol: str, price: Decimal) -> bool:
        """Note a price that was seen now; whether the holding has never seen a higher one."""
        held = self._held.get(symbol)
        if held is None or price <= held.highest:
            return False
        held.highest = price
        return True

    def note_candles(self, symbol: str, candles: Sequence[Candle]) -> None:
        """Note the highs of candles that opened at or after the entry: those of others may be from before it."""
        held = self._held.get(symbol)
        if held is not None and (highest := highest_since(candles, held.holding.opened_ms)) is not None:
            held.highest = max(held.highest, highest)

    def watch_target(self, symbol: str, price: Decimal) -> None:
        """The exchange does not take a target at this price: from now on it is watched."""
        if held := self._held.get(symbol):
            held.target_refused = price

    def is_target_watched(self, symbol: str) -> bool:
        """Whether the bot watches the target because the exchange does not take it."""
        plan = self.plan(symbol)
        return plan is not None and plan.target_price is not None and plan.resting == {Role.STOP_LOSS}

    def tell_prices(self) -> None:
        """Let the prices come of the holdings whose price the bot has to know."""
        if self._prices is not None:
            self._prices.watch(symbol for symbol in sorted(self._held) if self._needs_price(symbol))

    def _needs_price(self, symbol: str) -> bool:
        plan = self.plan(symbol)
        return plan is not None and bool(plan.watched.prices or self._settings.trails)
