"""Timeline: the ticks of all symbols in one order, and what each symbol looked like at them."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np

from binance_trade_agent.backtest.lane import Lane
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.history.table import FloatArray, IntArray


class Timeline:
    """The times at which at least one symbol ticks, and the end of the last candle.

    At each time a symbol has the price of its candle that opens then, or of the last one before; before its first tick
    that of its first, and at the end the close of its last.

    Attributes:
        times_ms: int64, in order.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        ends = [int(lane.table.open_times_ms[-1]) + lane.table.interval_ms for lane in lanes]
        self.times_ms = _merged([np.append(lane.tick_times_ms, end) for lane, end in zip(lanes, ends, strict=True)])
        self._lanes = {lane.symbol: lane for lane in lanes}
        steps = np.diff(self.times_ms)
        self._step_ms = int(steps[0]) if (steps == steps[0]).all() else None
        self._begin_ms = int(self.times_ms[0])

    def __len__(self) -> int:
        """How many times there are."""
        return len(self.times_ms)

    def index(self, at_ms: int) -> int:
        """The number of the first tick at or after a time."""
        if self._step_ms is not None:
            return -((self._begin_ms - at_ms) // self._step_ms)
        return int(np.searchsorted(self.times_ms, at_ms))

    def bids(self) -> dict[str, FloatArray]:
        """Best bid of each symbol at each time, quote per base."""
        return {symbol: self._bids(lane) for symbol, lane in self._lanes.items()}

    def _bids(self, lane: Lane) -> FloatArray:
        rows = self._rows(lane)
        rows[self.times_ms > lane.table.open_times_ms[-1]] = len(lane.table)
        return lane.place.fills.bids(rows)

    def _rows(self, lane: Lane) -> IntArray:
        rows = np.searchsorted(lane.table.open_times_ms, self.times_ms, side="right") - 1
        return np.maximum(rows, lane.first_row)

    def bid(self, symbol: str, index: int) -> Decimal:
        """One of `bids`, exactly."""
        lane = self._lanes[symbol]
        row = lane.row_at(int(self.times_ms[index]))
        return lane.place.fills.bid(row) if row < len(lane.table) else lane.place.fills.last_bid()

    def views_before(self, at_ms: int) -> Mapping[str, MarketView]:
        """What each symbol looked like at its last tick before a time."""
        return _Views(self._lanes, at_ms) if len(self._lanes) > 1 else {}


def _merged(times: Sequence[IntArray]) -> IntArray:
    """All times once, in order. (NumPy's own `unique` hashes, which takes fifty times as long.)."""
    first, *others = times
    if all(np.array_equal(first, other) for other in others):
        return first
    every = np.sort(np.concatenate(times), kind="stable")
    return every[np.diff(every, prepend=every[0] - 1) > 0]


class _Views(Mapping[str, MarketView]):
    """Views that are made when they are asked for."""

    def __init__(self, lanes: Mapping[str, Lane], at_ms: int) -> None:
        self._lanes = lanes
        self._before_ms = at_ms - 1

    def __getitem__(self, symbol: str) -> MarketView:
        lane = self._lanes[symbol]
        row = lane.row_at(self._before_ms)
        if row < lane.first_row:
            raise KeyError(symbol)
        return lane.view(min(row, len(lane.table) - 1))

    def __iter__(self) -> Iterator[str]:
        return (symbol for symbol, lane in self._lanes.items() if lane.row_at(self._before_ms) >= lane.first_row)

    def __len__(self) -> int:
        return sum(1 for _ in self)
