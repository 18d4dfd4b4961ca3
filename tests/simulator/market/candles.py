"""Candles for the tests of the market: any sound one, and files of them."""

import gzip
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from hypothesis import strategies as st

from binance_trade_agent.domain.candles import INTERVAL_MS, Candle
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.columns import from_units
from binance_trade_agent.simulator.market.klines import KlineSeries
from binance_trade_agent.simulator.market.whole_numbers import column_of

HEADER = "open_time_ms,open,high,low,close,volume"
START_MS = 1_767_571_200_000  # 2026-01-05T00:00:00Z, a Monday
MINUTE_MS = 60_000


def candle(open_ms: int, prices: str, volume: str = "1", interval: str = "1m") -> Candle:
    """`prices` are open, high, low and close, separated by spaces."""
    return Candle(open_ms, open_ms + INTERVAL_MS[interval] - 1, *map(Decimal, prices.split()), Decimal(volume))


@st.composite
def sound_candles(draw, open_ms: int = START_MS, interval: str = "1m") -> Candle:
    """Prices on a grid of 0.01 or finer, volumes from a single unit of the eighth decimal to millions."""
    decimals = draw(st.integers(2, 8))
    low = draw(st.integers(1, 10**12))
    span = draw(st.one_of(st.just(0), st.integers(1, 20), st.integers(1, 10**9)))
    open_offset, close_offset = draw(st.integers(0, span)), draw(st.integers(0, span))
    volume = draw(st.one_of(st.integers(0, 50), st.integers(0, 10**15)))
    offsets = (open_offset, span, 0, close_offset)
    prices = [Decimal(low + offset).scaleb(-decimals) for offset in offsets]
    return Candle(open_ms, open_ms + INTERVAL_MS[interval] - 1, *prices, Decimal(volume).scaleb(-8))


def rows_of(columns: CandleColumns) -> list[Candle]:
    """The candles one by one."""
    amounts = (columns.opens, columns.highs, columns.lows, columns.closes, columns.volumes)
    return [
        Candle(open_ms, open_ms + length_ms - 1, *map(from_units, units))
        for open_ms, length_ms, *units in zip(
            columns.open_times_ms.tolist(),
            columns.lengths_ms.tolist(),
            *(column.tolist() for column in amounts),
            strict=True,
        )
    ]


def series_of(interval: str, history: Sequence[Candle] = (), trades: int = 1) -> KlineSeries:
    """Klines after candles that had so many trades each."""
    return KlineSeries(interval, CandleColumns.of(history), column_of([trades] * len(history)))


def write_candles(path: Path, candles: Sequence[Candle]) -> Path:
    rows = [f"{row.open_time_ms},{row.open},{row.high},{row.low},{row.close},{row.volume:f}" for row in candles]
    return write_text(path, "\n".join([HEADER, *rows]) + "\n")


def write_text(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path
