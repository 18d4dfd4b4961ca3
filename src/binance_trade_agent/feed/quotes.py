"""QuoteFeed: best bid and ask of many symbols, from their streams while those live, else by one request for all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.market import BookTicker
from binance_trade_agent.domain.money import plain
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
        changed: symbols whose quote is another than when somebody last emptied this.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        ask: Callable[[Sequence[str]], Awaitable[Mapping[str, BookTicker]]],
        proof_ms: Callable[[str], int | None],
        prove: Callable[[str], Awaitable[bool]],
    ) -> None:
        self.asked = 0
        self.changed: set[str] = set()
        self._forgettings = 0
        self._symbols: tuple[str, ...] = ()
        self._clock = clock
        self._ask = ask
        self._proof_ms = proof_ms
        self._prove = prove
        self._told: dict[str, Told] = {}
        self._read: dict[str, BookTicker] = {}
        self._question = OneQuestion("quotes", self._ask_all)

    def follow(self, symbols: Sequence[str]) -> None:
        """Know the quotes of these symbols, and of no others."""
        self.forget(sorted(set(self._symbols).difference(symbols)))
        self._symbols = tuple(symbols)

    def hear(self, told: Mapping[str, Any]) -> None:
        """Take in one event of a `<symbol>@bookTicker` stream."""
        symbol = told["s"]
        self._told[symbol] = (told["b"], told["B"], told["a"], told["A"])
        self.changed.add(symbol)

    def forget(self, symbols: Sequence[str]) -> None:
        """A connection has just begun to carry these: what was known before may have changed meanwhile."""
        self._forgettings += 1
        self.changed.update(symbols)
        for symbol in symbols:
            self._told.pop(symbol, None)
            self._read.pop(symbol, None)

    def texts(self, symbol: str) -> Told | None:
        """What was last told or read since the connection carries the symbol; None when nothing was."""
        if (told := self._told.get(symbol)) is not None or (read := self._read.get(symbol)) is None:
            return told
        return plain(read.bid), plain(read.bid_quantity), plain(read.ask), plain(read.ask_quantity)

    def is_told(self, symbol: str) -> bool:
        """Whether there is something that holds as long as its connection lives."""
        return symbol in self._told or symbol in self._read

    async def ask(self) -> None:
        """Ask for all of them.

        Raises:
            ExchangeError: the exchange could not be asked.
        """
        await self._question.answer()

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

    async def fresh(self, symbol: str) -> BookTicker | None:
        """The symbol's quote as far as its connection tells it, at most MAX_AGE_MS old; None when it does not."""
        if known := self.known(symbol):
            return known
        return self.known(symbol) if self.is_told(symbol) and await self._prove(symbol) else None

    async def quote(self, symbol: str) -> BookTicker:
        """The symbol's quote, at most MAX_AGE_MS old when the answer comes in time.

        Raises:
            ExchangeError: the exchange could not be asked.
        """
        if known := await self.fresh(symbol):
            return known
        answer = await self._question.answer()
        if symbol not in answer:  # it was under way when this symbol came
            answer = await self._question.answer()
        return answer[symbol]

    async def _ask_all(self) -> Mapping[str, BookTicker]:
        self.asked += 1
        forgettings = self._forgettings
        answer = await self._ask(self._symbols)
        if forgettings == self._forgettings:  # else it may be from before what a connection tells now
            self._read |= answer
            self.changed.update(answer)
        return answer
