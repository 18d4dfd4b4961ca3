"""Candles of seeded random walks and the rule that is tried on them, the same on every machine.

The rule of all workloads: RSI of Wilder on closes; when flat and the RSI falls below `low` (at or above it one candle
before) buy with all the cash, when long and it rises above `high` (at or below it before) sell all; each order is
filled at the next candle's open and pays 0.1 % of its value. A signal of the last candle is never filled.
"""

import csv
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

CACHE = Path.home() / ".cache" / "binance-trading-agent" / "benchmarks"
START_MS = 1_735_689_600_000  # 2025-01-01 00:00 UTC
MINUTE_MS = 60_000
YEAR_MINUTES = 525_600

CASH_QUOTE = 1_000_000.0
FEE_FRACTION = 0.001

FIRST_PRICE = 60_000.0
STEP_FRACTION = 0.0005  # standard deviation of a minute's return
GAP_FRACTION = 0.0001  # of an open against the close before, so that a fill at either can be told from the other
WICK_FRACTION = 0.0002
VOLUME_BASE = (20_000.0, 100_000.0)  # the whole account buys less than 0.1 % of it


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of the rule: candles of the RSI, and its two levels from 0 to 100."""

    period: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Candles:
    """Columns of equal length, oldest first; `open_ms` in milliseconds UTC, prices in quote, volume in base."""

    open_ms: npt.NDArray[np.int64]
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.open_ms)


COLUMNS = tuple(field.name for field in fields(Candles))


@dataclass(frozen=True, slots=True)
class Workload:
    """Candles of one minute of each symbol, and the sets of parameters to run over them."""

    name: str
    symbols: tuple[str, ...]
    count: int
    seed: int
    parameter_sets: tuple[Parameters, ...]

    def candles(self, symbol: str) -> Candles:
        """Of one symbol, made anew."""
        return random_walk(self.seed + self.symbols.index(symbol), self.count)

    def file(self, symbol: str, suffix: str, cache: Path = CACHE) -> Path:
        """Of one symbol as `npz`, `csv` or `parquet`, written when it is not yet there."""
        path = cache / "candles" / f"{self.name}-{self.count}-seed{self.seed}" / f"{symbol}-1m.{suffix}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"part-{path.name}")
            WRITERS[suffix](part, self.candles(symbol))
            part.rename(path)
        return path


def random_walk(seed: int, count: int) -> Candles:
    """Candles of a geometric random walk: prices to 2 decimals, volume to 5."""
    random = np.random.default_rng(seed)
    close = (FIRST_PRICE * np.exp(np.cumsum(random.normal(0.0, STEP_FRACTION, count)))).round(2)
    before = np.concatenate(([FIRST_PRICE], close[:-1]))
    opened = (before * (1 + random.normal(0.0, GAP_FRACTION, count))).round(2)
    wicks = np.abs(random.normal(0.0, WICK_FRACTION, (2, count)))
    return Candles(
        open_ms=START_MS + MINUTE_MS * np.arange(count, dtype=np.int64),
        open=opened,
        high=(np.maximum(opened, close) * (1 + wicks[0])).round(2),
        low=(np.minimum(opened, close) * (1 - wicks[1])).round(2),
        close=close,
        volume=random.uniform(*VOLUME_BASE, count).round(5),
    )


def read_npz(path: Path) -> Candles:
    """The candles of a file that `Workload.file` wrote."""
    with np.load(path) as columns:
        return Candles(**{name: columns[name] for name in COLUMNS})


def _write_npz(path: Path, candles: Candles) -> None:
    with path.open("wb") as file:
        np.savez(file, **dict(zip(COLUMNS, astuple(candles), strict=True)))


def _write_csv(path: Path, candles: Candles) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        lines.writerows(_texts(candles))


def _texts(candles: Candles) -> Iterator[tuple[str, ...]]:
    for open_ms, *prices, volume in zip(*(column.tolist() for column in astuple(candles)), strict=True):
        yield str(open_ms), *(f"{price:.2f}" for price in prices), f"{volume:.5f}"


def _write_parquet(path: Path, candles: Candles) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table(dict(zip(COLUMNS, astuple(candles), strict=True))), path)


WRITERS = {"npz": _write_npz, "csv": _write_csv, "parquet": _write_parquet}

_RULE = Parameters(14, 30.0, 70.0)
# Of W1's walk the first signal to buy comes after 600 candles, so that it is nobody's warm-up that makes a difference,
# and the last trade stays open.
W1 = Workload("w1", ("BTCUSDT",), YEAR_MINUTES, 29, (_RULE,))
W2 = Workload(
    "w2",
    ("BTCUSDT",),
    50_000,
    7,
    tuple(
        Parameters(*s) for s in product((7, 10, 14, 21), (20.0, 25.0, 30.0, 35.0, 40.0), (60.0, 65.0, 70.0, 75.0, 80.0))
    ),
)
W3 = Workload(
    "w3",
    tuple(f"{base}USDT" for base in ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "LTC", "LINK", "AVAX")),
    YEAR_MINUTES,
    100,
    (_RULE,),
)
WORKLOADS = {workload.name: workload for workload in (W1, W2, W3)}
