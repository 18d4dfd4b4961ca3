"""What a strategy says at each tick, computed once over whole frames; the live agent would say the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from binance_trade_agent.domain.candle_series import QUIET_WINDOW
from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.confirmation import confirm

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class TickSignals:
    """By row of the candle that opens at the tick; what is said comes from the candles before it.

    Attributes:
        action: int8, 1 buy, -1 sell, 0 hold, also where nothing can be said.
        rows: int64, where the action is not 0; columns: the strategy's signals there by name, for the words.
        is_blind: whether the candles before the tick are none that a position may be entered or left on by a signal: a
            hole before it, or a market in which hardly anybody traded.
        piece_starts: the first row of each piece of candles without a hole.
    """

    action: npt.NDArray[np.int8]
    rows: npt.NDArray[np.int64]
    columns: dict[str, npt.NDArray[Any]]
    is_blind: BoolArray
    piece_starts: list[int]


def tick_signals(table: CandleTable, strategy: Strategy[Any], confirm_interval: str | None = None) -> TickSignals:
    """The strategy's word at the opening of each candle.

    Each piece of candles without a hole is a frame of its own: after a hole the live agent has only the candles since
    then, and warms up anew (domain/candle_series.py).

    Raises:
        Exception: whatever the strategy raises.
    """
    action = np.zeros(len(table), dtype=np.int8)
    is_blind = _after_holes(table) | _quiet(table)
    found: list[dict[str, npt.NDArray[Any]]] = []
    piece_starts = []
    for start, stop in pieces(table):
        piece_starts.append(start)
        said = _signals(table.rows(start, stop), strategy, confirm_interval)
        here = action[start + 1 : stop]
        here[:] = said["action"][:-1]
        here[is_blind[start + 1 : stop]] = 0
        closes = np.flatnonzero(here)  # of the candles that have said something, in the piece
        found.append({name: values[closes] for name, values in said.items()})
    columns = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
    return TickSignals(action, np.flatnonzero(action), columns, is_blind, piece_starts)


def pieces(table: CandleTable) -> Iterator[tuple[int, int]]:
    """Rows [start, stop) of each piece without a hole."""
    starts = np.flatnonzero(np.diff(table.open_times_ms) != table.interval_ms) + 1
    for start, stop in pairwise([0, *starts.tolist(), len(table)]):
        if stop > start:
            yield start, stop


def _signals(table: CandleTable, strategy: Strategy[Any], confirm_interval: str | None) -> dict[str, npt.NDArray[Any]]:
    if confirm_interval is None:
        return strategy.columns(_frame(table))
    larger = strategy.signals(_frame(larger_candles(table, confirm_interval)))
    signals = confirm(strategy.signals(_frame(table)), larger, table.interval_ms, INTERVAL_MS[confirm_interval])
    return {str(name): signals[name].to_numpy() for name in signals.columns}


def _frame(table: CandleTable) -> Any:
    """The frame that strategies look at, indexed by open time."""
    import pandas as pd

    columns = {name: getattr(table, name) for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame(columns, index=table.open_times_ms, copy=False)


def larger_candles(table: CandleTable, interval: str) -> CandleTable:
    """The candles of a longer interval that the candles of one piece add up to; whole ones only."""
    length_ms, ratio = INTERVAL_MS[interval], INTERVAL_MS[interval] // table.interval_ms
    opens = table.open_times_ms // length_ms * length_ms
    starts = np.flatnonzero(np.diff(opens, prepend=opens[:1] - 1))
    counts = np.diff(starts, append=len(table))
    whole = counts == ratio
    first, last = starts[whole], (starts + counts - 1)[whole]
    empty = not len(starts)
    return CandleTable.with_digits(
        table.symbol,
        interval,
        opens[first],
        open=table.open[first],
        high=table.high[:0] if empty else np.maximum.reduceat(table.high, starts)[whole],
        low=table.low[:0] if empty else np.minimum.reduceat(table.low, starts)[whole],
        close=table.close[last],
        volume=table.volume[:0] if empty else np.add.reduceat(table.volume, starts)[whole],
    )


def _after_holes(table: CandleTable) -> BoolArray:
    """Whether the candle before a row is missing; also at the first row."""
    missing = np.ones(len(table), dtype=np.bool_)
    missing[1:] = np.diff(table.open_times_ms) != table.interval_ms
    return missing


def _quiet(table: CandleTable) -> BoolArray:
    """Whether nobody traded in most of the last candles of the piece before a row (MarketDataAgent refuses those)."""
    is_quiet = np.zeros(len(table), dtype=np.bool_)
    if table.volume.all():
        return is_quiet
    for start, stop in pieces(table):
        empty = np.concatenate([[0], np.cumsum(table.volume[start:stop] == 0)])
        before = np.arange(stop - start)  # candles of the piece before each of its rows
        window = np.minimum(before, QUIET_WINDOW)
        in_window = empty[before] - empty[before - window]
        is_quiet[start:stop] = (in_window * 2 > window) & (window > 0)
    return is_quiet
