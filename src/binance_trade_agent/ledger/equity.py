"""Points of the equity curve that limits look at: where equity stands, its peak, and where the UTC day began.

Equity here is the quote asset in the wallet and the bot's own positions at the bid. A point counts it less what came
from outside since the epoch began, so that a deposit is no profit and a withdrawal no loss. The points of one epoch in
one quote asset are comparable. Each carries the peak up to it, so that a late or a repeated point costs no more than
the points after it, and every peak can be worked out again from the rows.

The functions take the SQLite connection; those that write, inside a transaction.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.ledger.rows import columns

DRAWDOWN = "drawdown"  # the rule whose pauses, when they end, begin a new peak

Key = tuple[int, int, str]  # market time, number of the tick, run: the order of the points

_COLUMNS = "tick_ms, cycle, run_id, cash_quote, positions_quote, external_quote, peak_quote"
_ORDER = "ORDER BY tick_ms {way}, cycle {way}, run_id {way}"
_FORTH, _BACK = _ORDER.format(way="ASC"), _ORDER.format(way="DESC")


@dataclass(frozen=True, slots=True)
class Series:
    """Which points are comparable: those of one epoch in one quote asset."""

    epoch: int
    quote_asset: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point as limits see it, in quote asset.

    Attributes:
        adjusted_quote: equity less `external_quote`, which had come from outside by then.
        peak_quote: the highest adjusted equity up to it, since the last pause for drawdown ended.
    """

    key: Key
    adjusted_quote: Decimal
    external_quote: Decimal
    peak_quote: Decimal

    @property
    def tick_ms(self) -> int:
        """Market time."""
        return self.key[0]


def record(connection: sqlite3.Connection, epoch: int, point: EquityPoint) -> None:
    """Keep the worth at a tick; the last word on a tick counts."""
    series = Series(epoch, point.quote_asset)
    key = (point.tick_ms, point.cycle, point.run_id)
    adjusted = point.cash_quote + point.positions_quote - point.external_quote
    peak = peak_after(connection, epoch, _before(connection, series, key), point.tick_ms, adjusted)
    connection.execute(
        "INSERT OR REPLACE INTO equity (run_id, tick_ms, cycle, equity_quote, cash_quote, positions_quote,"
        " realised_pnl_quote, unrealised_pnl_quote, external_quote, quote_asset, epoch, peak_quote) VALUES (:run_id,"
        " :tick_ms, :cycle, :equity_quote, :cash_quote, :positions_quote, :realised_pnl_quote, :unrealised_pnl_quote,"
        " :external_quote, :quote_asset, :epoch, :peak_quote)",
        {**columns(point), "epoch": epoch, "peak_quote": plain(peak)},
    )
    _carry_on(connection, series, key, Mark(key, adjusted, point.external_quote, peak))


def begin_new_peaks(connection: sqlite3.Connection, epoch: int, ended_ms: int) -> None:
    """Work the peaks out again from the first point at or after `ended_ms` on, when a pause for drawdown ends there."""
    for (quote_asset,) in connection.execute(
        "SELECT DISTINCT quote_asset FROM equity WHERE epoch = ? AND tick_ms >= ?", (epoch, ended_ms)
    ).fetchall():
        series, end = Series(epoch, quote_asset), (ended_ms, -1, "")
        _carry_on(connection, series, end, _before(connection, series, end))


def latest(connection: sqlite3.Connection, series: Series) -> Mark | None:
    """The last point, None without one."""
    return next(_marks(connection, series, "", (), _BACK), None)


def day_start(connection: sqlite3.Connection, series: Series, now_ms: int) -> Decimal | None:
    """Adjusted equity when the UTC day of `now_ms` began: the last point of the day before, else the first of the day.

    None without either. A point from before yesterday says nothing about this day.
    """
    midnight_ms = now_ms - now_ms % DAY_MS
    yesterday = _marks(
        connection, series, "AND tick_ms >= ? AND tick_ms < ?", (midnight_ms - DAY_MS, midnight_ms), _BACK
    )
    today = _marks(connection, series, "AND tick_ms >= ?", (midnight_ms,), _FORTH)
    mark = next(yesterday, None) or next(today, None)
    return mark.adjusted_quote if mark else None


def peak_now(connection: sqlite3.Connection, series: Series, now_ms: int, adjusted_quote: Decimal) -> Decimal | None:
    """The peak by the last point; what equity is now where a pause for drawdown has ended since. None without points.

    A tick decides before its own point is kept: at the first one after the pause, the old peak holds no longer.
    """
    last = latest(connection, series)
    if last is None:
        return None
    ended = _drawdown_pause_ended(connection, series.epoch, last.tick_ms, now_ms)
    return adjusted_quote if ended else last.peak_quote


def marks(connection: sqlite3.Connection, series: Series) -> Iterator[Mark]:
    """All points in their order."""
    return _marks(connection, series, "", (), _FORTH)


def _before(connection: sqlite3.Connection, series: Series, key: Key) -> Mark | None:
    where = "AND (tick_ms, cycle, run_id) < (?, ?, ?)"
    return next(_marks(connection, series, where, key, _BACK), None)


def peak_after(
    connection: sqlite3.Connection, epoch: int, before: Mark | None, at_ms: int, adjusted: Decimal
) -> Decimal:
    """The peak of a point, from the point before it."""
    if before is None or _drawdown_pause_ended(connection, epoch, before.tick_ms, at_ms):
        return adjusted
    return max(before.peak_quote, adjusted)


def _carry_on(connection: sqlite3.Connection, series: Series, key: Key, before: Mark | None) -> None:
    """Put the peaks of the points after `key` right, until one is right already: from there on all are."""
    after = "AND (tick_ms, cycle, run_id) > (?, ?, ?)"
    while mark := next(_marks(connection, series, after, key, _FORTH), None):
        peak = peak_after(connection, series.epoch, before, mark.tick_ms, mark.adjusted_quote)
        if peak == mark.peak_quote:
            return
        connection.execute(
            "UPDATE equity SET peak_quote = ? WHERE tick_ms = ? AND cycle = ? AND run_id = ?", (plain(peak), *mark.key)
        )
        key, before = mark.key, replace(mark, peak_quote=peak)


def _drawdown_pause_ended(connection: sqlite3.Connection, epoch: int, after_ms: int, until_ms: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM pauses WHERE epoch = ? AND rule = ? AND until_ms > ? AND until_ms <= ? LIMIT 1",
        (epoch, DRAWDOWN, after_ms, until_ms),
    ).fetchone()
    return row is not None


def _marks(
    connection: sqlite3.Connection, series: Series, where: str, values: tuple[int | str, ...], order: str
) -> Iterator[Mark]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM equity INDEXED BY equity_by_time WHERE epoch = ? AND quote_asset = ? {where} {order}",  # noqa: S608 (ours)
        (series.epoch, series.quote_asset, *values),
    )
    for tick_ms, cycle, run_id, cash, positions, external, peak in rows:
        adjusted = Decimal(cash) + Decimal(positions) - Decimal(external)
        yield Mark((tick_ms, cycle, run_id), adjusted, Decimal(external), Decimal(peak))
