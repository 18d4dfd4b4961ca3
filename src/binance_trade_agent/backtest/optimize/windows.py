"""Where a period is searched and where it is judged: one part kept back, or windows that walk forward."""

import itertools
from dataclasses import dataclass

from binance_trade_agent.backtest.optimize.model import OptimizeError, Span
from binance_trade_agent.domain.candles import DAY_MS

USUAL_HOLDOUT = 0.25
_TRAIN_TO_TEST = 3  # without --train-days a window is searched three times as long as it is judged
_MIDNIGHTS_FROM_MS = 2 * DAY_MS  # shorter parts are not moved to midnights


@dataclass(frozen=True, slots=True)
class Window:
    """Parameters are searched on `train`; `test` comes right after it, None when nothing is kept back."""

    train: Span
    test: Span | None


def held_back(period: Span, fraction: float) -> list[Window]:
    """One window: the last `fraction` of the period is kept back; cut at a midnight (UTC) where it is two days long.

    Raises:
        OptimizeError: a fraction outside 0 to 0.9.
    """
    if not 0 <= fraction <= 0.9:
        raise OptimizeError(f"--holdout {fraction:g} is not allowed: it must be a part of the period, 0 to 0.9.")
    if not fraction:
        return [Window(period, None)]
    cut_ms = _cut(period, round(period.length_ms * fraction), 1)
    return [Window(Span(period.from_ms, cut_ms), Span(cut_ms, period.before_ms))]


def walking_forward(
    period: Span, count: int, *, train_days: float | None = None, test_days: float | None = None, anchored: bool = False
) -> list[Window]:
    """Windows whose test spans follow each other up to the period's end.

    Args:
        period: all of it.
        count: how many windows.
        train_days: length of a train span; without it three test spans, or what the tests leave of the period.
        test_days: length of a test span; without it what the first train span leaves, in equal parts.
        anchored: every train span begins with the first one and grows, instead of moving on.

    Raises:
        OptimizeError: they do not fit into the period.
    """
    length_days = period.length_ms / DAY_MS
    if train_days is None:
        train_days = (
            length_days - count * test_days if test_days else length_days * _TRAIN_TO_TEST / (_TRAIN_TO_TEST + count)
        )
        if test_days and not anchored:
            train_days = min(train_days, _TRAIN_TO_TEST * test_days)
    if test_days is None:
        test_days = (length_days - train_days) / count
    if train_days <= 0:
        raise OptimizeError(
            f"{count} windows of {test_days:g} days do not fit into {length_days:.1f} days: take fewer."
        )
    if test_days <= 0:
        raise OptimizeError(
            f"--train-days {train_days:g} leaves nothing of {length_days:.1f} days to judge on: take fewer."
        )
    if train_days + count * test_days > length_days * (1 + 1e-9):
        raise OptimizeError(
            f"{count} windows do not fit into {length_days:.1f} days: --train-days {train_days:g} and {count} times "
            f"--test-days {test_days:g} are {train_days + count * test_days:.1f}."
        )
    cuts = [_cut(period, round(test_days * DAY_MS), count - number) for number in range(count)]
    cuts.append(period.before_ms)
    begin_ms = max(period.from_ms, cuts[0] - round(train_days * DAY_MS))
    return [
        Window(Span(begin_ms if anchored else begin_ms + start_ms - cuts[0], start_ms), Span(start_ms, end_ms))
        for start_ms, end_ms in itertools.pairwise(cuts)
    ]


def _cut(period: Span, part_ms: int, parts: int) -> int:
    """So many parts before the end; at the nearest midnight where the parts are long and it leaves something before."""
    at_ms = period.before_ms - parts * part_ms
    midnight_ms = round(at_ms / DAY_MS) * DAY_MS
    return midnight_ms if part_ms >= _MIDNIGHTS_FROM_MS and midnight_ms > period.from_ms else at_ms
