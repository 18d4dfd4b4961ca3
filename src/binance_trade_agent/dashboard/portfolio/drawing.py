"""The equity curve as the chart takes it: seconds UTC, floats with the digits of the quote asset, marks of epochs."""

from collections.abc import Sequence
from typing import Any

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.ledger.records import Epoch
from binance_trade_agent.reports.equity_curve import CHART_POINTS, ChartPoints, EquityCurve, RunSpan
from binance_trade_agent.reports.hold_line import HoldLine

SPANS = {"day": DAY_MS, "week": 7 * DAY_MS, "month": 30 * DAY_MS, "all": None}
TAIL_POINTS = 12
MOST_RUN_MARKS = 40

Part = tuple[Epoch, EquityCurve, HoldLine, Sequence[RunSpan]]


def drawing(parts: Sequence[Part], *, span: str, digits: int, tail: int | None = None) -> dict[str, Any]:
    """What the chart draws.

    Args:
        parts: epochs in order with their curves and runs; those whose time lies before that of one before are left
            out, and said to be: a simulated market may begin at the same time again.
        span: one of SPANS; counted back from the last point.
        digits: decimals of the quote asset.
        tail: only so many of the last points.
    """
    drawn: list[dict[str, Any]] = []
    left_out: list[int] = []
    last_second = -1
    for epoch, curve, hold, runs in parts:
        points = _points(curve, span, most=CHART_POINTS // len(parts))
        if not points.times_ms:
            continue
        if points.times_ms[0] // 1000 <= last_second:
            left_out.append(epoch.epoch)
            continue
        piece = _piece(epoch, points, runs, digits, is_later=bool(drawn))
        piece["hold"] = _hold(curve, hold, piece["milliseconds"], digits)
        piece["hold_of"] = list(hold.symbols) if any(value is not None for value in piece["hold"]) else []
        del piece["milliseconds"]
        drawn.append(piece)
        last_second = piece["times"][-1]
    if tail is not None and drawn:
        newest = drawn[-1]
        for name in ("times", "equity", "drawdown", "hold"):
            newest[name] = newest[name][-tail:]
    return {"epochs": drawn, "left_out": left_out, "digits": digits}


def _points(curve: EquityCurve, span: str, most: int) -> ChartPoints:
    length_ms = SPANS[span]
    last_ms = curve.last_ms
    from_ms = None if length_ms is None or last_ms is None else last_ms - length_ms
    return curve.chart(from_ms=from_ms, most=most)


def _piece(
    epoch: Epoch, points: ChartPoints, runs: Sequence[RunSpan], digits: int, *, is_later: bool
) -> dict[str, Any]:
    seconds = [at_ms // 1000 for at_ms in points.times_ms]
    # Of points within one second the last counts: the chart has one for each.
    kept = [at for at, second in enumerate(seconds) if at + 1 == len(seconds) or seconds[at + 1] > second]
    return {
        "number": epoch.epoch,
        "milliseconds": [points.times_ms[at] for at in kept],
        "times": [seconds[at] for at in kept],
        "equity": [round(points.equity[at], digits) for at in kept],
        "drawdown": [round(points.drawdown_pct[at], 3) for at in kept],
        "of": points.of,
        "stretch": points.stretch,
        "marks": _marks(epoch, points, runs, is_later=is_later),
    }


def _hold(curve: EquityCurve, hold: HoldLine, times_ms: Sequence[int], digits: int) -> list[float | None]:
    return [None if value is None else round(value, digits) for value in hold.values(curve, times_ms)]


def _marks(epoch: Epoch, points: ChartPoints, runs: Sequence[RunSpan], *, is_later: bool) -> list[dict[str, Any]]:
    """Where runs begin, on the first point at or after it, and where an epoch follows another."""
    marks = []
    first_ms = points.times_ms[0]
    if is_later:
        marks.append({"time": first_ms // 1000, "text": f"epoch {epoch.epoch}", "kind": "epoch"})
    begun = [run for run in runs if run.from_ms > first_ms]
    for run in begun[-MOST_RUN_MARKS:]:
        at_ms = next((each for each in points.times_ms if each >= run.from_ms), None)
        if at_ms is not None:
            marks.append({"time": at_ms // 1000, "text": f"run {run.number}", "kind": "run"})
    return marks
