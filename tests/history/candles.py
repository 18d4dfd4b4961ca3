"""Candles for the tests of the history: made ones, any sound ones, and files of them."""

import gzip
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.history.merging import AMOUNTS
from binance_trade_agent.history.table import CandleTable

HEADER = "open_time_ms,open,high,low,close,volume"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NEW_YEAR_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z


def made_candles(count: int, *, interval: str = "1h", start_ms: int = NEW_YEAR_MS, seed: int = 7) -> CandleTable:
    """A walk on whole cents, each candle opening where the one before closed."""
    walk = np.random.default_rng(seed)
    close = 4_000_000 + np.cumsum(walk.integers(-900, 901, count))
    opened = np.append(4_000_000, close[:-1])
    high = np.maximum(opened, close) + walk.integers(0, 300, count)
    low = np.minimum(opened, close) - walk.integers(0, 300, count)
    volume = walk.integers(0, 10**8, count)
    prices = {"open": opened / 100, "high": high / 100, "low": low / 100, "close": close / 100}
    times_ms = start_ms + np.arange(count, dtype=np.int64) * INTERVAL_MS[interval]
    return CandleTable.with_digits("BTCUSDT", interval, times_ms, **prices, volume=volume / 10**5)


@st.composite
def sound_tables(draw, interval: str = "1m") -> CandleTable:
    """Up to eight candles, some missing between them, with numbers of at most 15 digits in a column."""
    places = sorted(draw(st.sets(st.integers(0, 20), min_size=1, max_size=8)) | {0, 1})
    decimals, volume_decimals = draw(st.integers(0, 8)), draw(st.integers(0, 8))
    columns = {name: [] for name in AMOUNTS}
    for _ in places:
        low = draw(st.integers(1, 10**14))
        span = draw(st.one_of(st.just(0), st.integers(1, 20), st.integers(1, 10**13)))
        offsets = (draw(st.integers(0, span)), span, 0, draw(st.integers(0, span)))
        for name, offset in zip(AMOUNTS, offsets, strict=False):
            columns[name].append((low + offset) / 10**decimals)
        columns["volume"].append(draw(st.integers(0, 10**14)) / 10**volume_decimals)
    times_ms = NEW_YEAR_MS + np.array(places, dtype=np.int64) * INTERVAL_MS[interval]
    return CandleTable.with_digits("BTCUSDT", interval, times_ms, **{name: np.array(columns[name]) for name in AMOUNTS})


def same(table: CandleTable, other: CandleTable) -> bool:
    """Whether both hold the same candles, to the last digit."""
    names = ("open_times_ms", *AMOUNTS)
    return (table.symbol, table.interval) == (other.symbol, other.interval) and all(
        np.array_equal(getattr(table, name), getattr(other, name)) for name in names
    )


def without(table: CandleTable, *rows: int) -> CandleTable:
    """The candles but those of some rows."""
    kept = np.delete(np.arange(len(table)), rows)
    columns = {name: getattr(table, name)[kept] for name in AMOUNTS}
    return CandleTable.with_digits(table.symbol, table.interval, table.open_times_ms[kept], **columns)


def changed(table: CandleTable, row: int, **values: float) -> CandleTable:
    """The candles with other numbers in one row."""
    columns = {name: getattr(table, name).copy() for name in AMOUNTS}
    for name, value in values.items():
        columns[name][row] = value
    return CandleTable.with_digits(table.symbol, table.interval, table.open_times_ms, **columns)


def lines_of(table: CandleTable) -> list[str]:
    """A line of CSV for each candle, numbers with all their decimals."""
    candles = map(table.candle, range(len(table)))
    return [f"{c.open_time_ms},{c.open},{c.high},{c.low},{c.close},{c.volume:f}" for c in candles]


def write_csv(path: Path, table: CandleTable, header: str = HEADER) -> Path:
    """The candles as a CSV file, gzip when the name says so."""
    return write_text(path, "\n".join([header, *lines_of(table)]) + "\n")


def write_text(path: Path, text: str) -> Path:
    """A file, gzip when the name says so."""
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path
