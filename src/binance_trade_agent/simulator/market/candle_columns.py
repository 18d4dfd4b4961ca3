"""Many candles at once: a column of whole numbers for each of their values."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.simulator.market.columns import to_units
from binance_trade_agent.simulator.market.whole_numbers import Column, column_of


@dataclass(frozen=True, slots=True, eq=False)
class CandleColumns:
    """Candles in time order. Times are in ms, prices and volumes in units of the eighth decimal (columns.py)."""

    open_times_ms: Column
    lengths_ms: Column
    opens: Column
    highs: Column
    lows: Column
    closes: Column
    volumes: Column

    def __len__(self) -> int:
        """How many candles there are."""
        return len(self.open_times_ms)

    @classmethod
    def of(cls, candles: Sequence[Candle]) -> Self:
        """The same candles as columns."""
        amounts = (
            column_of([to_units(getattr(candle, name)) for candle in candles])
            for name in ("open", "high", "low", "close", "volume")
        )
        open_times_ms = column_of([candle.open_time_ms for candle in candles])
        next_times_ms = column_of([candle.close_time_ms + 1 for candle in candles])
        return cls(open_times_ms, next_times_ms - open_times_ms, *amounts)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Parts, at least one, that follow one another."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))
