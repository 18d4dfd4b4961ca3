"""Closings: the symbols of which a candle has closed and that were not decided on since."""

import asyncio
from collections.abc import Collection, Mapping

from binance_trade_agent.ops.clock import monotonic_seconds


class Closings:
    """Filled by the market feed, emptied by the trading loop.

    Args:
        interval: of the candles that are decided on; others say nothing here.

    Attributes:
        has_some: set while there are some.
    """

    def __init__(self, interval: str) -> None:
        self._interval = interval
        self._symbols: dict[str, float] = {}
        self.has_some = asyncio.Event()

    def hear(self, symbol: str, interval: str, close_ms: int) -> None:  # noqa: ARG002 (as the feed tells it)
        """A candle has closed."""
        if interval == self._interval:
            self._symbols[symbol] = monotonic_seconds()
            self.has_some.set()

    def __bool__(self) -> bool:
        return bool(self._symbols)

    def put_back(self, symbol: str, closed_seconds: float) -> None:
        """It could not be decided on; a candle that has closed since counts in its place."""
        self._symbols.setdefault(symbol, closed_seconds)
        self.has_some.set()

    def take(self, without: Collection[str] = ()) -> Mapping[str, float]:
        """The symbols, in the order in which their candles closed, and when (monotonic); then there are none.

        Those of `without` stay.
        """
        taken = {symbol: seconds for symbol, seconds in self._symbols.items() if symbol not in without}
        self._symbols = {symbol: seconds for symbol, seconds in self._symbols.items() if symbol in without}
        if not self._symbols:
            self.has_some.clear()
        return taken
