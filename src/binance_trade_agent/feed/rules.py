"""RulesFeed: the rules of all traded symbols, read together: exchangeInfo costs the same for one symbol as for all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.feed.one_question import OneQuestion

MAX_AGE_MS = 300_000
MAX_AGE_CLOSED_MS = 30_000  # while one of them does not trade: its positions wait for it
_NAMES_A_REQUEST = 400  # they stand in the address, of which servers take about 8 kB


class RulesFeed:
    """Rules by symbol, at most MAX_AGE_MS old.

    Args:
        ask: asks for the rules of these symbols, in one request.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        clock: Clock,
        ask: Callable[[Sequence[str]], Awaitable[Mapping[str, SymbolRules]]],
    ) -> None:
        self._symbols = tuple(symbols)
        self._clock = clock
        self._ask = ask
        self._known: dict[str, SymbolRules] = {}
        self._read_ms: int | None = None
        self._question = OneQuestion("rules", self._read)

    async def rules(self, symbol: str) -> SymbolRules:
        """The symbol's rules.

        Raises:
            ExchangeError: they had to be asked for and could not be.
        """
        if not self._are_fresh():
            await self._question.answer()
        return self._known[symbol]

    def forget(self) -> None:
        """Let the next look read them anew: the exchange has refused an order that obeyed them."""
        self._read_ms = None

    def _are_fresh(self) -> bool:
        if self._read_ms is None:
            return False
        trade = all(rules.status == "TRADING" for rules in self._known.values())
        return 0 <= self._clock.now_ms() - self._read_ms <= (MAX_AGE_MS if trade else MAX_AGE_CLOSED_MS)

    async def _read(self) -> None:
        for first in range(0, len(self._symbols), _NAMES_A_REQUEST):
            self._known |= await self._ask(self._symbols[first : first + _NAMES_A_REQUEST])
        self._read_ms = self._clock.now_ms()
