"""QuoteFeed: best bid and ask of many symbols, from their streams while those live, else by one request for all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.market import BookTicker
from binance_trade_agent.domain.values import changed
from binance_trade_agent.feed.one_question import OneQuestion

MAX_AGE_MS = 1_000

Told = tuple[str, str, str, str]  # bid, its quantity, ask, its quantity, as the exchange writes them


class QuoteFeed:
    """What the best prices are.

    Messages of a connection come in order: each proves that what was told before still holds for all its symbols. So a
    quote is as old as the last message of its connection, not as its own last change; and what was read by REST while
    the connection stood holds until the stream tells otherwise.

    Args:
        ask: asks for the best prices of these symbols, in one request.
        proof_ms: market time of the last message on the connection that carries a symbol, None while it is not live.
        prove: lets that connection say something now; whether it did.

    Attributes:
        asked: how often they were asked for by REST.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        clock: Clock,
        *,
        ask: Callable[[Sequence[str]], Awaitable[Mapping[str, BookTicker]]],
        proof_ms: Callable[[str], int | None],
        prove: Callable[[str], Awaitable[bool]],
    ) -> None:
        self.asked = 0
        self._symbols = tuple(symbols)
        self._clock = clock
        self._ask = ask
        self._proof_ms = proof_ms
        self._prove = prove
        self._told: dict[str, Told] = {}
        self._read: dict[str, BookTicker] = {}
        self._question = OneQuestion("quotes", self._ask_all)

    def hear(self, told: Mapping[str, Any]) -> None:
        """Take in one event of a `<symbol>@bookTicker` stream."""
        self._told[told["s"]] = (told["b"], told["B"], told["a"], told["A"])

    def forget(self, symbols: Sequence[str]) -> None:
        """A connection has just begun to carry these: what was known before may have changed meanwhile."""
        for symbol in symbols:
            self._told.pop(symbol, None)
            self._read.pop(symbol, None)

    def known(self, symbol: str) -> BookTicker | None:
        """The symbol's quote as far as it is sure, None while it is not."""
        now_ms, proof_ms = self._clock.now_ms(), self._proof_ms(symbol)
        read = self._read.get(symbol)
        if proof_ms is not None and now_ms - proof_ms <= MAX_AGE_MS:
            if (told := self._told.get(symbol)) is not None:
                bid, bid_quantity, ask, ask_quantity = map(Decimal, told)
                return BookTicker(symbol, bid, bid_quantity, ask, ask_quantity, proof_ms)
            if read is not None:
                return changed(read, read_ms=max(read.read_ms, proof_ms))
        return read if read is not None and now_ms - read.read_ms <= MAX_AGE_MS else None

    async def quote(self, symbol: str) -> BookTicker:
        """The symbol's quote, at most MAX_AGE_MS old when the answer comes in time.

        Raises:
            ExchangeError: the exchange could not be asked.
        """
        if known := self.known(symbol):
            return known
        if (
            (symbol in self._told or symbol in self._read)
            and await self._prove(symbol)
            and (known := self.known(symbol))
        ):
            return known
        return (await self._question.answer())[symbol]

    async def _ask_all(self) -> Mapping[str, BookTicker]:
        self.asked += 1
        answer = await self._ask(self._symbols)
        self._read |= answer
        return answer
