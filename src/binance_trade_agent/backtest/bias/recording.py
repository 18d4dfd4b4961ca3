"""Recorded candles in pieces without a hole, and the rows of them that a check looks at.

Importing this module imports pandas, which takes a second: import it where it is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from binance_trade_agent.agents.market_data import LEAST_HISTORY
from binance_trade_agent.backtest.bias.findings import Finding
from binance_trade_agent.backtest.signals import pieces
from binance_trade_agent.domain.checks import Checked, Verdict
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.check.trial import SEED, Trial

IntArray = npt.NDArray[np.int64]

_LEAST_AT_RANDOM = 500


@dataclass(frozen=True, slots=True)
class Recording:
    """Candles as a frame (see `Strategy.signals`), and where each piece without a hole begins and ends, as rows."""

    frame: pd.DataFrame
    interval_ms: int
    pieces: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, table: CandleTable) -> Self:
        """The candles of a table, at least one."""
        columns = {name: getattr(table, name) for name in ("open", "high", "low", "close", "volume")}
        frame = pd.DataFrame(columns, index=pd.Index(table.open_times_ms, name="open_time_ms"))
        return cls(frame, table.interval_ms, list(pieces(table)))

    def open_ms(self, row: int) -> int:
        """Open time of the candle of a row."""
        return int(self.frame.index[row])

    def shortfall(self, warm_up: int) -> int:
        """Rows of all pieces on which a strategy that needs `warm_up` candles says nothing, since each begins anew."""
        return sum(min(stop - start, max(0, warm_up - 1)) for start, stop in self.pieces)

    def said(self) -> str:
        """Period, number of candles and holes, for a person."""
        until = iso_second(self.open_ms(len(self.frame) - 1) + self.interval_ms)
        text = f"{len(self.frame):,} candles from {iso_second(self.open_ms(0))} to {until}"
        if len(self.pieces) == 1:
            return f"{text}, without a hole"
        holes = [(self.open_ms(start) - self.open_ms(start - 1), start) for start, _ in self.pieces[1:]]
        longest_ms, start = max(holes)
        missing = longest_ms // self.interval_ms - 1
        largest = f"{missing:,} candles missing before {iso_second(self.open_ms(start))}"
        count = "1 hole" if len(holes) == 1 else f"{len(holes)} holes, the largest"
        return f"{text}, with {count}: {largest}; after each, strategies warm up anew"


@dataclass(frozen=True)
class Rows:
    """A strategy's signals over a recording, as a backtest has them, and the rows that are looked at.

    Attributes:
        whole: the signals of each piece, one after the other.
        chosen: the rows that are looked at, in order.
        live_candles: how many a live tick looks at.
    """

    strategy: Strategy[Any]
    recording: Recording
    whole: pd.DataFrame
    chosen: IntArray
    live_candles: int

    @classmethod
    def of(cls, strategy: Strategy[Any], recording: Recording, most: int) -> Self:
        """Rows with a signal, those beside them, and some at random; at most about `most`, thinned out at random."""
        trial = Trial(strategy, {}, monotonic_seconds)
        whole = pd.concat([trial.signals(recording.frame.iloc[start:stop]) for start, stop in recording.pieces])
        rng, left = np.random.default_rng(SEED), most
        said = np.flatnonzero(whole["action"].to_numpy())
        beside = np.setdiff1d(np.concatenate((said - 1, said + 1)), [*said, -1, len(whole)])
        chosen = []
        for group in (said, beside, np.arange(len(whole))):
            spared = 0 if len(group) == len(whole) else min(_LEAST_AT_RANDOM, most // 2)
            taken = min(len(group), max(0, left - spared))
            chosen.append(rng.choice(group, taken, replace=False) if taken < len(group) else group)
            left -= taken
        rows = np.unique(np.concatenate(chosen)).astype(np.int64)
        return cls(strategy, recording, whole, rows, max(LEAST_HISTORY, strategy.warm_up))

    @cached_property
    def trial(self) -> Trial:
        """What asks the strategy; it is handed copies only."""
        return Trial(self.strategy, {}, monotonic_seconds)

    @cached_property
    def with_signal(self) -> int:
        """How many of the chosen rows have a signal."""
        return int(np.count_nonzero(self.whole["action"].to_numpy()[self.chosen]))

    def signals(self, start: int, stop: int) -> pd.DataFrame:
        """What the strategy says of the candles in the rows [start, stop) alone."""
        return self.trial.signals(self.recording.frame.iloc[start:stop])

    def starts(self, chosen: IntArray, candles: int) -> IntArray:
        """For each chosen row the first of its last `candles` rows, of fewer where its piece has no more."""
        begins = [start for start, _ in self.recording.pieces]
        piece = np.searchsorted(begins, chosen, side="right") - 1
        return np.maximum(np.array(begins, dtype=np.int64)[piece], chosen + 1 - candles)

    def spoken(self) -> Finding:
        """How often it says something at all."""
        action = self.whole["action"].to_numpy()
        buys, sells = int((action > 0).sum()), int((action < 0).sum())
        silent = self.recording.shortfall(self.strategy.warm_up)
        numbers: dict[str, int | None] = {"buys": buys, "sells": sells, "rows": len(action), "warming_up_rows": silent}
        if not buys and not sells:
            text = f"neither BUY nor SELL in {len(action):,} rows: there is little here that could be biased"
            return Finding(Checked("signals", Verdict.WARNING, text), numbers=numbers)
        text = f"{buys:,} BUY and {sells:,} SELL in {len(action):,} rows, {silent:,} of them warming up"
        return Finding(Checked("signals", Verdict.OK, text), numbers=numbers)
