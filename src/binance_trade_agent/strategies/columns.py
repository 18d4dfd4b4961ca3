"""Columns of candles, as the strategies of this program read them: of a pandas frame, or of candles without one.

To make a frame of 500 candles takes longer than an RSI over them, which counts when 500 symbols close at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from binance_trade_agent.domain.candle_window import CandleWindow, window_of
from binance_trade_agent.domain.candles import Candle


class Column(Protocol):
    """The same number of each candle."""

    def to_numpy(self) -> npt.NDArray[Any]:
        """As an array of float64, not to be written to."""
        ...


class Columns(Protocol):
    """Candles in time order. A pandas frame of `frame.candle_frame` is one."""

    def __getitem__(self, name: str) -> Column:
        """One of open, high, low, close (quote per base) and volume (base)."""
        ...

    def __len__(self) -> int: ...


class WindowColumns:
    """The Columns of candles, at no cost where they are kept as columns.

    Args:
        candles: in time order.
    """

    __slots__ = ("_window",)

    def __init__(self, candles: Sequence[Candle]) -> None:
        self._window = candles if isinstance(candles, CandleWindow) else window_of(candles)

    def __getitem__(self, name: str) -> "_Numbers":
        return _Numbers(self._window.column(name))

    def __len__(self) -> int:
        return len(self._window)


@dataclass(frozen=True, slots=True)
class _Numbers:
    values: npt.NDArray[np.float64]

    def to_numpy(self) -> npt.NDArray[np.float64]:
        return self.values
