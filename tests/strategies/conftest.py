"""Synthetic markets. The fixtures hand out functions, so that hypothesis may call them with its own arguments."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from binance_trade_agent.domain.candles import MINUTE_MS, Candle

FIRST_OPEN_MS = 1_700_000_040_000


def _frame(close: Sequence[float], spread: float = 0.0) -> pd.DataFrame:
    """Candles that open at the close before, with wicks of `spread` (a fraction of the price)."""
    closes = np.asarray(close, dtype=np.float64)
    opens = np.concatenate((closes[:1], closes[:-1]))
    return pd.DataFrame(
        {
            "open": opens,
            "high": np.maximum(opens, closes) * (1 + spread),
            "low": np.minimum(opens, closes) * (1 - spread),
            "close": closes,
            "volume": np.ones(len(closes)),
        },
        index=pd.Index(FIRST_OPEN_MS + MINUTE_MS * np.arange(len(closes)), name="open_time_ms"),
    )


def _walk(seed: int, rows: int = 400, volatility: float = 0.001) -> pd.DataFrame:
    """A random walk around 60,000 with fat tails, prices rounded to the tick of 0.01."""
    steps = np.random.default_rng(seed).standard_t(3, rows) * volatility
    return _frame(np.round(60_000 * np.exp(np.cumsum(steps)), 2).tolist(), spread=volatility / 4)


def _candles(frame: pd.DataFrame, length_ms: int = MINUTE_MS) -> list[Candle]:
    return [
        Candle(
            int(open_ms),
            int(open_ms) + length_ms - 1,
            *(Decimal(repr(float(value))) for value in (row.open, row.high, row.low, row.close, row.volume)),
        )
        for open_ms, row in zip(frame.index, frame.itertuples(), strict=True)
    ]


@pytest.fixture(scope="session")
def frame_of() -> Callable[..., pd.DataFrame]:
    return _frame


@pytest.fixture(scope="session")
def walk() -> Callable[..., pd.DataFrame]:
    return _walk


@pytest.fixture(scope="session")
def candles_of() -> Callable[..., list[Candle]]:
    return _candles
