"""Candles as a pandas frame. Importing this module imports pandas, which takes a second: import it where it is used."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.domain.candles import Candle

PRICE_COLUMNS = ("open", "high", "low", "close", "volume")
_COLUMN_INDEX = pd.Index(PRICE_COLUMNS)


def candle_frame(candles: Sequence[Candle]) -> pd.DataFrame:
    """Candles in time order as float64 columns open, high, low, close (quote per base) and volume (base).

    The index is `open_time_ms`, int64 milliseconds UTC.
    """
    if isinstance(candles, CandleWindow):
        # a copy: whatever a strategy does with its frame, the candles stay as they are
        opened = pd.Index(candles.times[:, 0], dtype="int64", name="open_time_ms")
        return pd.DataFrame(candles.numbers.copy(), index=opened, columns=_COLUMN_INDEX, copy=False)
    values = np.array(
        [(float(c.open), float(c.high), float(c.low), float(c.close), float(c.volume)) for c in candles],
        dtype=np.float64,
    ).reshape(len(candles), len(PRICE_COLUMNS))
    index = pd.Index([candle.open_time_ms for candle in candles], dtype="int64", name="open_time_ms")
    return pd.DataFrame(values, index=index, columns=list(PRICE_COLUMNS))
