"""The equity curve of an epoch for a chart, and what is said beside it: where equity stands, its changes, its falls.

Equity is the quote asset in the wallet and the bot's own positions at the bid, less what came from outside since the
epoch began: a deposit is no profit (ledger/equity.py). The points are kept in memory and read on from where they were.
"""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.values import Value
from binance_trade_agent.history.table import FloatArray, IntArray
from binance_trade_agent.ledger import equity, queries
from binance_trade_agent.ledger.equity import Series
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports.performance import Drawdown, daily_returns, drawdown, sharpe

SLICE_POINTS = 20_000
CHART_POINTS = 1_500
SHARPE_DAYS = 30  # of fewer days its error is larger than itself
WEEK_MS = 7 * DAY_MS
_KEPT_OF_BUCKET = 3  # lowest and highest equity, and deepest fall

_COLUMNS = (
    "tick_ms, cycle, run_id, cash_quote, positions_quote, external_quote, equity_quote, realised_pnl_quote,"
    " unrealised_pnl_quote"
)
_FROM = "FROM equity INDEXED BY equity_by_time WHERE epoch = ? AND quote_asset = ?"
_POINTS = (
    "SELECT tick_ms, CAST(cash_quote AS REAL) + CAST(positions_quote AS REAL) - CAST(external_quote AS REAL)"
    f" {_FROM} AND tick_ms >= ? ORDER BY tick_ms, cycle, run_id LIMIT ?"
)


class ChartPoints(Value, frozen=True):
    """Points of a chart, three lists of one length.

    Attributes:
        times_ms: market time, in order, each once.
        equity: in quote asset, less what came from outside.
        drawdown_pct: how far it is below its highest value so far, 0 or less.
        of: how many points there are in the ledger for the same time.
        stretch: of how many of them each stretch is, of which the extremes are shown; 1: all are shown.
    """

    times_ms: list[int]
    equity: list[float]
    drawdown_pct: list[float]
    of: int
    stretch: int


class CurveFigures(Value, frozen=True):
    """What the whole curve says; None where it says nothing.

    Attributes:
        drawdown_pct: how far equity is below its highest value now, 0 to 100.
        deepest: the deepest fall of the epoch.
        sharpe: of daily returns, a year of 365 days; None before SHARPE_DAYS days.
        days: UTC days that it spans, the first and the last in part.
    """

    drawdown_pct: float | None
    deepest: Drawdown | None
    sharpe: float | None
    days: int


class EquityCurve:
    """The points of one epoch in one quote asset; `update` on one thread, the others on any."""

    def __init__(self, reader: LedgerReader, series: Series) -> None:
        self.series = series
        self._reader = reader
        self._times = np.empty(1024, dtype=np.int64)
        self._equity = np.empty(1024)
        self._falls = np.empty(1024)
        self._size = 0
        self._figures: tuple[int, float, CurveFigures] | None = None

    def __len__(self) -> int:
        return self._size

    @property
    def last_ms(self) -> int | None:
        """Time of the last point, None without one."""
        return int(self._times[self._size - 1]) if self._size else None

    def value_at(self, at_ms: int) -> float | None:
        """Equity at the last point by a time, None before the first one."""
        times, values, _ = self._arrays()
        number = int(np.searchsorted(times, at_ms, side="right"))
        return float(values[number - 1]) if number else None

    def update(self, most_points: int = SLICE_POINTS) -> bool:
        """Read so many points on at most; True when all were read.

        The points of the last tick are read again: the last word on a tick counts.

        Raises:
            LedgerError: the ledger could not be read.
        """
        last_ms = int(self._times[self._size - 1]) if self._size else -(2**62)
        rows = self._reader.snapshot(lambda connection: self._rows(connection, last_ms, most_points))
        kept = int(np.searchsorted(self._times[: self._size], last_ms))
        values = np.array([value for _, value in rows])
        times = np.array([tick_ms for tick_ms, _ in rows], dtype=np.int64)
        if len(rows) < most_points and np.array_equal(values, self._equity[kept : self._size]):
            return True
        self._put(kept, times, values)
        return len(rows) < most_points

    def chart(self, from_ms: int | None = None, to_ms: int | None = None, most: int = CHART_POINTS) -> ChartPoints:
        """The curve from one time to another in at most about `most` points.

        Where there are more in the ledger, each stretch of equally many is shown by its true lowest and highest
        equity and its deepest fall.
        """
        times, values, falls = self._arrays()
        first = 0 if from_ms is None else int(np.searchsorted(times, from_ms))
        end = len(times) if to_ms is None else int(np.searchsorted(times, to_ms, side="right"))
        chosen, stretch = _chosen(values, falls, first, end, most)
        # Of two points at one time, which two runs may leave, the last counts.
        chosen = chosen[np.append(np.diff(times[chosen]) > 0, True)] if len(chosen) else chosen
        return ChartPoints(
            times[chosen].tolist(),
            values[chosen].tolist(),
            (100 * falls[chosen]).tolist(),
            max(0, end - first),
            stretch,
        )

    def figures(self) -> CurveFigures:
        """What the whole curve says."""
        times, values, falls = self._arrays()
        if not len(times):
            return CurveFigures(None, None, None, 0)
        state = len(times), float(values[-1])
        if self._figures is None or self._figures[:2] != state:
            days = len(daily_returns(times, values))
            ratio = sharpe(times, values) if days >= SHARPE_DAYS else None
            deepest = drawdown(times, values)
            fall_pct = -100 * float(falls[-1]) if deepest else None
            self._figures = *state, CurveFigures(fall_pct, deepest, ratio, days)
        return self._figures[2]

    def _rows(self, connection: sqlite3.Connection, from_ms: int, most: int) -> list[tuple[int, float]]:
        cursor = connection.cursor()
        cursor.row_factory = None
        return cursor.execute(_POINTS, (self.series.epoch, self.series.quote_asset, from_ms, most)).fetchall()

    def _put(self, kept: int, times: IntArray, values: FloatArray) -> None:
        size = kept + len(times)
        if size > len(self._times):
            more = 2 * size - kept
            self._times = np.append(self._times[:kept], np.empty(more, dtype=np.int64))
            self._equity = np.append(self._equity[:kept], np.empty(more))
            self._falls = np.append(self._falls[:kept], np.empty(more))
        self._times[kept:size] = times
        self._equity[kept:size] = values
        peak = self._equity[:kept].max(initial=-np.inf)
        peaks = np.maximum.accumulate(np.concatenate(([peak], values)))[1:]
        self._falls[kept:size] = np.where(peaks > 0, values / np.where(peaks > 0, peaks, 1) - 1, 0)
        self._size = size

    def _arrays(self) -> tuple[IntArray, FloatArray, FloatArray]:
        size = self._size
        return self._times[:size], self._equity[:size], self._falls[:size]


def _chosen(values: FloatArray, falls: FloatArray, first: int, end: int, most: int) -> tuple[IntArray, int]:
    """Indices of the points from `first` up to `end` that stand for all of them, and of how many each stretch is.

    The stretches are a power of two long and begin at multiples of it, so that the picture does not change but at its
    end while points are added.
    """
    count = end - first
    if count <= most:
        return np.arange(first, end), 1
    length = 1 << int(np.ceil(np.log2(count * _KEPT_OF_BUCKET / most)))
    begin = first - first % length
    edge = end - (end - begin) % length
    parts = [np.array([first, end - 1])]
    for array, sign in ((values, 1), (values, -1), (falls, 1)):
        whole = (sign * array[begin:edge]).reshape(-1, length).argmin(axis=1)
        parts.append(begin + whole + np.arange(len(whole)) * length)
        if edge < end:
            parts.append(np.array([edge + int((sign * array[edge:end]).argmin())]))
    chosen = np.unique(np.concatenate(parts))
    return chosen[chosen >= first], length


class Change(Value, frozen=True):
    """What equity has gained since a time, deposits and withdrawals left out; pct: None of nothing."""

    since_ms: int
    quote: Decimal
    pct: float | None


class Worth(Value, frozen=True):
    """The last point of the curve, exact, in quote asset.

    Attributes:
        tick_ms: when it was noted, market time.
        equity_quote: the quote asset in the wallet and the bot's positions at the bid.
        wallet_quote: with what else is in the wallet in the traded assets.
        external_quote: what has come from outside since the epoch began, less what went there.
        day, week: changes since UTC midnight and since seven days before; None where no point says it.
        all_time: since the first point of the epoch.
    """

    quote_asset: str
    run_id: str
    tick_ms: int
    equity_quote: Decimal
    cash_quote: Decimal
    positions_quote: Decimal
    wallet_quote: Decimal
    external_quote: Decimal
    realised_pnl_quote: Decimal
    unrealised_pnl_quote: Decimal
    day: Change | None
    week: Change | None
    all_time: Change


def worth(connection: sqlite3.Connection, series: Series) -> Worth | None:
    """Where equity stands and what it has gained; None without a point."""
    last = _point(connection, series, "", (), "DESC")
    if last is None:
        return None
    now_ms = last["tick_ms"]
    first = _point(connection, series, "", (), "ASC")
    before = _point(connection, series, "AND tick_ms <= ?", (now_ms - WEEK_MS,), "DESC")
    assert first is not None, "there is a last one"
    day_start = equity.day_start(connection, series, now_ms)
    now = _adjusted(last)
    return Worth(
        quote_asset=series.quote_asset,
        run_id=last["run_id"],
        tick_ms=now_ms,
        equity_quote=Decimal(last["cash_quote"]) + Decimal(last["positions_quote"]),
        cash_quote=Decimal(last["cash_quote"]),
        positions_quote=Decimal(last["positions_quote"]),
        wallet_quote=Decimal(last["equity_quote"]),
        external_quote=Decimal(last["external_quote"]),
        realised_pnl_quote=Decimal(last["realised_pnl_quote"]),
        unrealised_pnl_quote=Decimal(last["unrealised_pnl_quote"]),
        day=None if day_start is None else _change(now_ms - now_ms % DAY_MS, day_start, now),
        week=None if before is None else _change(before["tick_ms"], _adjusted(before), now),
        all_time=_change(first["tick_ms"], _adjusted(first), now),
    )


def latest_worth(connection: sqlite3.Connection, epoch: int) -> Worth | None:
    """The same of an epoch, in the quote asset of its latest point; None before the first one."""
    assets = quote_assets(connection, epoch)
    return worth(connection, Series(epoch, assets[0])) if assets else None


def quote_assets(connection: sqlite3.Connection, epoch: int) -> list[str]:
    """What the epoch's points are counted in, the one of the latest point first."""
    found: list[tuple[int, str]] = []
    name = ""
    while row := connection.execute(  # one step down the index for each
        "SELECT quote_asset FROM equity INDEXED BY equity_by_time WHERE epoch = ? AND quote_asset > ?"
        " ORDER BY quote_asset LIMIT 1",
        (epoch, name),
    ).fetchone():
        name = row["quote_asset"]
        last = equity.latest(connection, Series(epoch, name))
        assert last is not None, "it has a point"
        found.append((last.tick_ms, name))
    return [name for _, name in sorted(found, reverse=True)]


class RunSpan(Value, frozen=True):
    """A run of the trader; until_ms: its end, or its last sign in the ledger; None: nothing was noted yet."""

    run_id: str
    number: int
    mode: str
    strategy: str
    from_ms: int
    until_ms: int | None
    end_reason: str | None


def run_spans(connection: sqlite3.Connection, epoch: int) -> list[RunSpan]:
    """The runs that began in an epoch, in order."""
    return [
        RunSpan(
            run_id=run.run_id,
            number=run.number,
            mode=run.mode,
            strategy=run.strategy,
            from_ms=run.started_ms,
            until_ms=run.ended_ms if run.ended_ms is not None else _last_point_ms(connection, run.run_id),
            end_reason=run.end_reason,
        )
        for run in queries.runs(connection)
        if run.epoch == epoch
    ]


def _last_point_ms(connection: sqlite3.Connection, run_id: str) -> int | None:
    row = connection.execute("SELECT max(tick_ms) FROM equity WHERE run_id = ?", (run_id,)).fetchone()
    return None if row[0] is None else int(row[0])


def _point(
    connection: sqlite3.Connection, series: Series, where: str, values: Sequence[int], way: str
) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} {where} ORDER BY tick_ms {way}, cycle {way}, run_id {way} LIMIT 1",
        (series.epoch, series.quote_asset, *values),
    ).fetchone()
    return row


def _adjusted(row: sqlite3.Row) -> Decimal:
    return Decimal(row["cash_quote"]) + Decimal(row["positions_quote"]) - Decimal(row["external_quote"])


def _change(since_ms: int, before: Decimal, now: Decimal) -> Change:
    return Change(since_ms, now - before, float(100 * (now - before) / before) if before > 0 else None)
