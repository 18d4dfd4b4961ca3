"""Lane: one symbol's way through the candles, and the search for the next of them at which something can happen."""

from bisect import bisect_left, bisect_right
from typing import Any, NamedTuple

import numpy as np

from binance_trade_agent.backtest.gateway import Place
from binance_trade_agent.backtest.signals import TickSignals
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.signals import Signal
from binance_trade_agent.history.table import CandleTable, IntArray
from binance_trade_agent.history.window import TableWindow
from binance_trade_agent.strategies.base import Strategy

_FIRST_LOOK_ROWS = 256  # how far is looked ahead at first; then four times as far, and so on
NEVER = 2**62
_CANDLE_AGE_MS = 1  # the last millisecond of a candle is over when the next one opens


class Visit(NamedTuple):
    """Where the engine goes: the tick at which the candle of `row` opens, or what that candle does to what rests.

    Attributes:
        at_ms: market time: the opening of the candle, or its end.
        lane: number of the symbol; at one time symbols come in their order.
    """

    at_ms: int
    lane: int
    row: int
    is_tick: bool


class Lane:
    """Where a symbol is, and what its next visit is.

    Attributes:
        first_row: of the first tick.
        can_sell: whether more is held than the exchange's smallest lot.
        is_protected: whether something is held, or rests, whose exits have to be looked after.
        highest: of a trailing stop, the price above which it rises; None without one.
        timer_ms: when the levels of the holding change by time alone; None when they do not.
        each_tick: whether every tick has to be visited: the bot watches a level itself, or something is not in order.
    """

    def __init__(
        self,
        number: int,
        table: CandleTable,
        place: Place,
        strategy: Strategy[Any],
        signals: TickSignals,
        first_row: int,
        *,
        every_candle: bool,
    ) -> None:
        self.symbol = table.symbol
        self.table = table
        self.place = place
        self.strategy = strategy
        self.signals = signals
        self.first_row = first_row
        self.can_sell = False
        self.is_protected = False
        self.highest: float | None = None
        self.timer_ms: int | None = None
        self.each_tick = False
        self._number = number
        self._every = every_candle
        self._tick_row = self._candle_row = first_row
        self._count = len(table)
        self._open_ms, self._interval_ms = int(table.open_times_ms[0]), table.interval_ms
        self._has_holes = int(table.open_times_ms[-1]) != self._open_ms + (self._count - 1) * self._interval_ms
        self._buys = np.flatnonzero(signals.action > 0).tolist()
        self._signals = signals.rows.tolist()

    @property
    def tick_times_ms(self) -> IntArray:
        """Times of its ticks."""
        return self.table.open_times_ms[self.first_row :]

    def row_at(self, at_ms: int) -> int:
        """Row of the last candle that has opened by then, -1 before the first; one more when the last one has ended."""
        if self._has_holes:
            row = int(np.searchsorted(self.table.open_times_ms, at_ms, side="right")) - 1
            is_over = row == self._count - 1 and at_ms >= self._end_ms(row) + 1
            return row + is_over
        return min(max((at_ms - self._open_ms) // self._interval_ms, -1), self._count)

    def view(self, row: int) -> MarketView:
        """What is seen at the tick of `row`: the closed candles since the last hole, and the book."""
        place, at_ms = self.place, int(self.table.open_times_ms[row])
        starts = self.signals.piece_starts
        candles = TableWindow(self.table, starts[bisect_right(starts, row) - 1], row)
        return MarketView(self.symbol, place.rules, candles, place.book(row, at_ms), _CANDLE_AGE_MS, 0)

    def signal(self, row: int) -> Signal:
        """What the strategy had said at the tick of `row`, at the close of the candle before."""
        index = bisect_left(self._signals, row)
        said = {name: float(values[index]) for name, values in self.signals.columns.items()}
        return self.strategy.signal_of_row(self.symbol, said, int(self.table.open_times_ms[row - 1]))

    def passed(self, visit: Visit) -> None:
        """The visit was made."""
        if visit.is_tick:
            self._tick_row, self._candle_row = visit.row + 1, visit.row
        else:
            self._candle_row = visit.row + 1
            self._tick_row = max(self._tick_row, visit.row + 1)  # nothing was to be done at the ticks before

    def next_visit(self) -> Visit:
        """The next visit; at time NEVER when there is none."""
        tick_row = self._tick_row if self._every or self.each_tick else self._next_tick()
        if self.place.resting:
            until = min(tick_row, self._count)
            for row in self._rows_hit(until):
                return Visit(self._end_ms(row), self._number, row, is_tick=False)
        if tick_row >= self._count:
            return Visit(NEVER, self._number, self._count, is_tick=True)
        return Visit(int(self.table.open_times_ms[tick_row]), self._number, tick_row, is_tick=True)

    def _end_ms(self, row: int) -> int:
        return int(self.table.open_times_ms[row]) + self._interval_ms - 1

    def _next_tick(self) -> int:
        rows = self._signals if self.can_sell else self._buys
        index = bisect_left(rows, self._tick_row)
        row = rows[index] if index < len(rows) else self._count
        if self.timer_ms is not None:
            due = int(np.searchsorted(self.table.open_times_ms, self.timer_ms))
            row = min(row, max(due, self._tick_row))
        return row if self.highest is None else min(row, self._next_higher(row))

    def _next_higher(self, until: int) -> int:
        """The first tick before `until` at which a price above `highest` was seen since the last one."""
        assert self.highest is not None
        table, first, length = self.table, self._tick_row, _FIRST_LOOK_ROWS
        while first < until:
            stop = min(first + length, until)
            seen = (table.high[first - 1 : stop - 1] > self.highest) | (table.open[first:stop] > self.highest)
            found = int(seen.argmax())
            if seen[found]:
                return first + found
            first, length = stop, length * 4
        return until

    def _rows_hit(self, until: int) -> list[int]:
        """The first row before `until` whose candle may hit what rests, if there is one."""
        first, length, barriers = self._candle_row, _FIRST_LOOK_ROWS, self.place.barriers
        if self._every:
            return [first] if first < until else []
        while first < until:
            stop = min(first + length, until)
            if rows := self.place.fills.rows_hit(barriers, first, stop):
                return [rows[0]]
            first, length = stop, length * 4
        return []
