"""Figures of an equity curve and of trades, each a function of its own on arrays.

An equity curve is two arrays of one length: `times_ms` (int64, market time UTC, in order) and `equity` (float64, quote
asset, above 0). Trades are one array with the profit of each, in order of time. What is not defined, such as the Sharpe
ratio of one day, is None: never 0, never infinite. Definitions with their sources: docs/reference/statistics.md.
"""

import math
from collections.abc import Sequence

import numpy as np

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.values import Value
from binance_trade_agent.history.table import FloatArray, IntArray
from binance_trade_agent.reports.t_test import two_sided_p

YEAR_DAYS = 365  # this market has no weekends and no holidays
_NO_SPREAD = 1e-12  # returns that differ by less are the same, but for the last digits of their division


class Drawdown(Value, frozen=True):
    """The deepest fall of an equity curve below its highest value so far, by its part of that value.

    Attributes:
        pct: 0 to 100; quote: the same fall in quote asset.
        from_ms: last time at the high; to_ms: at the low; None for a curve that never fell.
        recovered_ms: first time at the high again; None when it never was.
    """

    pct: float
    quote: float
    from_ms: int | None = None
    to_ms: int | None = None
    recovered_ms: int | None = None


class MonthReturn(Value, frozen=True):
    """What equity did in a calendar month (UTC): `month` is its first day as `2024-08`; a part of it at the ends."""

    month: str
    return_pct: float


def return_pct(equity: FloatArray) -> float | None:
    """What the whole curve gained, in percent of its first value."""
    return _pct(float(equity[-1] / equity[0]) - 1) if _is_sound(equity) else None


def daily_returns(times_ms: IntArray, equity: FloatArray) -> FloatArray:
    """The return of each UTC day as a fraction: from the equity at its beginning to the one at its end.

    The first and the last day may be parts. A day without a tick has the return 0.
    """
    if not _is_sound(equity):
        return np.empty(0)
    return _returns(equity, _values_at(times_ms, equity, _days(times_ms)))


def daily_equity(times_ms: IntArray, equity: FloatArray) -> tuple[IntArray, FloatArray]:
    """Beginning of each UTC day, in ms, and the equity at its end."""
    if not len(equity):
        return np.empty(0, dtype=np.int64), np.empty(0)
    ends = _days(times_ms)
    return ends - DAY_MS, _values_at(times_ms, equity, ends)


def monthly_returns(times_ms: IntArray, equity: FloatArray) -> list[MonthReturn]:
    """The return of each calendar month, the first from the first value on."""
    if not _is_sound(equity):
        return []
    # As for days: what is known at midnight belongs to the month that ends then.
    first, last = np.array([times_ms[0], max(times_ms[0], times_ms[-1] - 1)], dtype="M8[ms]").astype("M8[M]")
    months = np.arange(first, last + 1)
    ends = (months + 1).astype("M8[ms]").astype(np.int64)
    returns = _returns(equity, _values_at(times_ms, equity, ends))
    return [MonthReturn(str(month), _pct(value)) for month, value in zip(months, returns.tolist(), strict=True)]


def sharpe(times_ms: IntArray, equity: FloatArray) -> float | None:
    """Sharpe ratio of daily returns, a year of 365 days, no risk-free return; sample deviation (n - 1)."""
    returns = daily_returns(times_ms, equity)
    spread = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    return float(returns.mean()) / spread * math.sqrt(YEAR_DAYS) if spread > _NO_SPREAD else None


def sortino(times_ms: IntArray, equity: FloatArray) -> float | None:
    """Sortino ratio of daily returns against 0, a year of 365 days; downside deviation over all days."""
    returns = daily_returns(times_ms, equity)
    if len(returns) < 2:
        return None
    downside = math.sqrt(float(np.square(np.minimum(returns, 0)).mean()))
    return float(returns.mean()) / downside * math.sqrt(YEAR_DAYS) if downside > _NO_SPREAD else None


def cagr_pct(times_ms: IntArray, equity: FloatArray) -> float | None:
    """Compound annual growth rate; None for less than two days, of which a year says nothing."""
    if not _is_sound(equity) or times_ms[-1] - times_ms[0] < 2 * DAY_MS:
        return None
    years = float(times_ms[-1] - times_ms[0]) / (YEAR_DAYS * DAY_MS)
    try:
        return _pct(math.expm1(math.log(equity[-1] / equity[0]) / years))
    except OverflowError:
        return None


def calmar(times_ms: IntArray, equity: FloatArray) -> float | None:
    """Calmar ratio: growth a year by the deepest fall, both over the whole curve and all its ticks."""
    growth, fall = cagr_pct(times_ms, equity), drawdown(times_ms, equity)
    return growth / fall.pct if growth is not None and fall is not None and fall.pct > 0 else None


def falls(equity: FloatArray) -> FloatArray:
    """At each point, how far equity is below its highest value so far, as a fraction of it: 0, or less than 0."""
    return equity / np.maximum.accumulate(equity) - 1


def drawdown(times_ms: IntArray, equity: FloatArray) -> Drawdown | None:
    """The deepest fall; None for a curve without points."""
    if not _is_sound(equity):
        return None
    low = int(falls(equity).argmin())
    before = equity[: low + 1]
    high = low - int(before[::-1].argmax())
    if high == low:
        return Drawdown(0.0, 0.0)
    after = equity[low:] >= equity[high]
    back = low + int(after.argmax()) if after.any() else None
    return Drawdown(
        pct=_pct(1 - float(equity[low] / equity[high])),
        quote=float(equity[high] - equity[low]),
        from_ms=int(times_ms[high]),
        to_ms=int(times_ms[low]),
        recovered_ms=None if back is None else int(times_ms[back]),
    )


def invested_pct(equity: FloatArray, exposure: FloatArray) -> float | None:
    """Average part of equity that positions were worth; arrays of one length."""
    return _pct(float((exposure / equity).mean())) if _is_sound(equity) else None


def time_in_market_pct(spans_ms: Sequence[tuple[int, int]], start_ms: int, end_ms: int) -> float | None:
    """Part of the time from start to end in which at least one position was open; `spans_ms`: from and to of each."""
    if end_ms <= start_ms:
        return None
    covered, until = 0, start_ms
    for opened, closed in sorted(spans_ms):
        begin, finish = max(opened, until), min(closed, end_ms)
        covered += max(0, finish - begin)
        until = max(until, finish)
    return _pct(covered / (end_ms - start_ms))


def turnover(volume_quote: float, equity: FloatArray) -> float | None:
    """How many times over the average equity was traded, purchases and sales both counted."""
    return volume_quote / float(equity.mean()) if _is_sound(equity) else None


def win_rate_pct(profits: FloatArray) -> float | None:
    """Trades with a profit, in percent of all."""
    return _pct(float((profits > 0).mean())) if len(profits) else None


def profit_factor(profits: FloatArray) -> float | None:
    """What winners won, divided by what losers lost; None without losers."""
    lost = -float(profits[profits < 0].sum())
    return float(profits[profits > 0].sum()) / lost if lost else None


def expectancy(profits: FloatArray) -> float | None:
    """Profit of the average trade, in the unit of `profits`."""
    return float(profits.mean()) if len(profits) else None


def sqn(profits: FloatArray) -> float | None:
    """System Quality Number: mean by deviation (n - 1) of the profits, times the root of their number."""
    if len(profits) < 2:
        return None
    spread = float(profits.std(ddof=1))
    # Equal profits differ in their last digits once a mean is taken from them; they have no spread.
    is_spread = spread > _NO_SPREAD * float(np.abs(profits).max())
    return float(profits.mean()) / spread * math.sqrt(len(profits)) if is_spread else None


def mean_p_value(profits: FloatArray) -> float | None:
    """Two-sided p-value of Student's t test that the mean trade is 0: its t is the SQN, with n - 1 degrees."""
    t = sqn(profits)
    return None if t is None else two_sided_p(t, len(profits) - 1)


def longest_streaks(profits: FloatArray) -> tuple[int, int]:
    """Most trades in a row with a profit, and most with a loss; a trade of 0 ends both."""
    return _longest_run(profits > 0), _longest_run(profits < 0)


def _longest_run(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _days(times_ms: IntArray) -> IntArray:
    """The end of each UTC day of the curve. What is known at midnight is the end of a day, not the start of another."""
    first, last = int(times_ms[0]), int(times_ms[-1])
    return np.arange(first // DAY_MS, max(first, last - 1) // DAY_MS + 1, dtype=np.int64) * DAY_MS + DAY_MS


def _values_at(times_ms: IntArray, equity: FloatArray, at_ms: IntArray) -> FloatArray:
    """The last value at or before each of the times."""
    return equity[np.searchsorted(times_ms, at_ms, side="right") - 1]


def _returns(equity: FloatArray, closing: FloatArray) -> FloatArray:
    return closing / np.concatenate((equity[:1], closing[:-1])) - 1


def _is_sound(equity: FloatArray) -> bool:
    """Whether there is something to divide by."""
    return bool(len(equity)) and bool(equity.min() > 0)


def _pct(fraction: float) -> float:
    return 100 * fraction
