"""RulesFeed: the rules of all traded symbols, read together: exchangeInfo costs the same for one symbol as for all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.feed.one_question import OneQuestion

MAX_AGE_MS = 300_000
MAX_AGE_CLOSED_MS = 30_000  # while one of them does not trade: its positions wait for it


class RulesFeed:
    """Rules by symbol, at most MAX_AGE_MS old.

    Args:
        ask: asks for the rules of these symbols, in as few requests as there can be.
    """

    def __init__(
        self,
        clock: Clock,
        ask: Callable[[Sequence[str]], Awaitable[Mapping[str, SymbolRules]]],
    ) -> None:
        self._symbols: tuple[str, ...] = ()
        self._clock = clock
        self._ask = ask
        self._known: dict[str, SymbolRules] = {}
        self._all_trade = True  # asked for each symbol at each tick
        self._read_ms: int | None = None
        self._question = OneQuestion("rules", self._read)

    def follow(self, symbols: Sequence[str]) -> None:
        """Know the rules of these symbols; of new ones they are read at the next look."""
        if not self._known.keys() >= set(symbols):
            self.forget()
        self._know({symbol: self._known[symbol] for symbol in symbols if symbol in self._known})
        self._symbols = tuple(symbols)

    async def rules(self, symbol: str) -> SymbolRules:
        """The symbol's rules.

        Raises:
            ExchangeError: they had to be asked for and could not be.
        """
        if not self.are_fresh():
            await self._question.answer()
        if symbol not in self._known:  # they were under way when this symbol came
            await self._question.answer()
        return self._known[symbol]

    def take(self, rules: Mapping[str, SymbolRules], read_ms: int) -> None:
        """Take over what somebody else has read, of all followed symbols at least, at this market time."""
        self._know({symbol: rules[symbol] for symbol in self._symbols})
        self._read_ms = read_ms

    def seen(self) -> tuple[int, Sequence[SymbolRules]] | None:
        """When they were read, and what was read; None while nothing is known."""
        return None if self._read_ms is None else (self._read_ms, tuple(self._known.values()))

    def forget(self) -> None:
        """Let the next look read them anew: the exchange has refused an order that obeyed them."""
        self._read_ms = None

    def are_fresh(self, share: float = 1.0) -> bool:
        """Whether they are young enough; with a `share` below 1, whether they will be for a while."""
        if self._read_ms is None:
            return False
        oldest_ms = MAX_AGE_MS if self._all_trade else MAX_AGE_CLOSED_MS
        return 0 <= self._clock.now_ms() - self._read_ms <= share * oldest_ms

    def _know(self, known: dict[str, SymbolRules]) -> None:
        self._known = known
        self._all_trade = all(rules.status == "TRADING" for rules in known.values())

    async def _read(self) -> None:
        symbols = self._symbols
        self._know({**self._known, **await self._ask(symbols)})
        if symbols == self._symbols:
            self._read_ms = self._clock.now_ms()
