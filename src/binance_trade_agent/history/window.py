"""TableWindow: rows of a table as a sequence of Candle, each of them made only when it is asked for."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import overload

import numpy as np

from binance_trade_agent.domain.candle_window import ColumnarCandles
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.history.table import CandleTable, FloatArray


class TableWindow(ColumnarCandles):
    """Rows [start, stop) of a table."""

    __slots__ = ("_start", "_stop", "_table")

    def __init__(self, table: CandleTable, start: int, stop: int) -> None:
        self._table = table
        self._start = start
        self._stop = max(start, stop)

    def __len__(self) -> int:
        return self._stop - self._start

    @overload
    def __getitem__(self, index: int) -> Candle: ...

    @overload
    def __getitem__(self, index: slice) -> "TableWindow": ...

    def __getitem__(self, index: int | slice) -> "Candle | TableWindow":
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            if step != 1:
                raise ValueError("a window of candles is cut in one piece")
            return TableWindow(self._table, self._start + first, self._start + last)
        row = index + (self._stop if index < 0 else self._start)
        if not self._start <= row < self._stop:
            raise IndexError(f"candle {index} of {len(self)}")
        return self._table.candle(row)

    def __iter__(self) -> Iterator[Candle]:
        return (self._table.candle(row) for row in range(self._start, self._stop))

    def column(self, name: str) -> FloatArray:
        """See ColumnarCandles."""
        column: FloatArray = getattr(self._table, name)[self._start : self._stop]
        return column

    def highest_since(self, open_ms: int) -> Decimal | None:
        """See ColumnarCandles."""
        first = int(np.searchsorted(self._table.open_times_ms[self._start : self._stop], open_ms)) + self._start
        return self._table.price(self._table.high[first : self._stop].max()) if first < self._stop else None


def highest_since(candles: Sequence[Candle], open_ms: int) -> Decimal | None:
    """The highest price of the candles that open at or after `open_ms`, quote per base; None without one."""
    if isinstance(candles, ColumnarCandles):
        return candles.highest_since(open_ms)
    return max((candle.high for candle in candles if candle.open_time_ms >= open_ms), default=None)


def column(candles: Sequence[Candle], name: str) -> FloatArray:
    """A value of each candle (`high`, `close`, ...) as float64, in their order."""
    if isinstance(candles, ColumnarCandles):
        return candles.column(name)
    return np.array([float(getattr(candle, name)) for candle in candles], dtype=np.float64)
