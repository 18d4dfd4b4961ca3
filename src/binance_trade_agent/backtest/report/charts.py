"""Charts as SVG that stretches to any width: equity with its falls beneath, and candles with the trades on them.

Lines keep their thickness and labels are text beside the picture, so a phone shows the same chart, narrower. A chart is
drawn without JavaScript; `page.js` adds the values under the pointer, and zoom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np
import orjson

from binance_trade_agent.backtest.report.axes import WIDTH, Axes
from binance_trade_agent.backtest.report.points import evenly, extremes, grouped
from binance_trade_agent.history.table import CandleTable, FloatArray, IntArray
from binance_trade_agent.reports.performance import falls
from binance_trade_agent.reports.round_trips import OpenTrip, RoundTrip

MOST_POINTS = 1_500
_MOST_HOVER = 800
_ZOOMS = (1, 4, 16)
_LABELS = 13  # along the time, at the width of a desk's screen
_EQUITY_HEIGHT, _FALL_HEIGHT, _CANDLE_HEIGHT = 300, 110, 360
_LEAST_BODY = 0.8
_EDGE = 0.02
_HOLD = "buy and hold"
_DOTS = ((500, " tiny"), (100, " small"))  # the more trades there are in a chart, the smaller their dots


def equity_chart(times_ms: IntArray, equity: FloatArray, hold: FloatArray | None) -> str:
    """Equity, buy and hold as a dotted line, and beneath them how far equity was below its highest value."""
    below = 100 * falls(equity)
    rows = evenly(len(times_ms), _MOST_HOVER)
    series = [_Series("equity", equity[rows], 2), _Series("drawdown %", below[rows], 2)]
    if hold is not None:
        series.insert(1, _Series(_HOLD, hold[rows], 2))
    curves = [equity] if hold is None else [equity, hold]
    axes = Axes.around(int(times_ms[0]), int(times_ms[-1]), np.concatenate(curves), _EQUITY_HEIGHT)
    under = Axes(axes.from_ms, axes.to_ms, min(1.05 * float(below.min()), -0.1), 0.0, _FALL_HEIGHT)
    line, fall = _line(axes, times_ms, equity), _line(under, times_ms, below)
    parts = [_path(_line(axes, times_ms, curve), "hold") for curve in curves[1:]]
    parts += [_path(f"{line}V{axes.height}H0Z", "area"), _path(line, "equity")]
    panes = [
        _Pane(axes, parts, fitted=["equity", _HOLD][: len(curves)]),
        _Pane(under, [_path(f"{fall}V0H0Z", "under"), _path(fall, "fall")], labels=3),
    ]
    return _chart("Equity and drawdown", panes, times_ms[rows], series)


def candle_chart(
    table: CandleTable, trips: Sequence[RoundTrip], still_open: Sequence[OpenTrip], *, most: int = MOST_POINTS
) -> str:
    """Candles, joined to at most `most`, with a line from each entry to its exit."""
    times_ms, prices = grouped(table, most)
    end_ms = int(table.open_times_ms[-1]) + table.interval_ms
    axes = Axes.around(int(times_ms[0]), end_ms, prices[:, 1:3], _CANDLE_HEIGHT)
    left = axes.x(times_ms)
    right = np.append(left[1:], WIDTH)
    # A candle before a hole in the data is no wider than the others.
    right = np.minimum(right, left + np.median(right - left))
    rising = prices[:, 3] >= prices[:, 0]
    parts = []
    for rows, kind in ((rising, "up"), (~rising, "down")):
        parts.append(_path(_wicks(axes, left[rows], right[rows], prices[rows]), f"wick {kind}"))
        parts.append(_path(_bodies(axes, left[rows], right[rows], prices[rows]), f"body {kind}"))
    parts += _trades(axes, trips, still_open)
    names = ("open", "high", "low", "close")
    series = [_Series(name, prices[:, column], table.price_digits) for column, name in enumerate(names)]
    panes = [_Pane(axes, parts, fitted=["high", "low"])]
    return _chart(f"{table.symbol} with trades", panes, times_ms, series)


class _Series(NamedTuple):
    """Numbers that the pointer reads, with their decimals."""

    name: str
    values: FloatArray
    digits: int


@dataclass(frozen=True, slots=True)
class _Pane:
    """One picture of a chart.

    Attributes:
        parts: what is drawn, over the lines of the grid.
        labels: most labels of the values.
        fitted: names of the series to whose visible part a zoomed picture is fitted; none: it stays as it is.
    """

    axes: Axes
    parts: Sequence[str]
    labels: int = 6
    fitted: Sequence[str] = ()


def _chart(title: str, panes: Sequence[_Pane], times_ms: IntArray, series: Sequence[_Series]) -> str:
    pictures, scales = [], []
    for pane in panes:
        height = pane.axes.height
        labels = pane.axes.value_labels(pane.labels)
        grid = "".join(f"M0 {label.at * height:.1f}H{WIDTH}" for label in labels)
        box = f'viewBox="0 0 {WIDTH} {height}" style="height:{height}px"'
        drawn = f'<path class="grid" d="{grid}"/>{"".join(pane.parts)}'
        pictures.append(f'<svg {box} preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>')
        marks = "".join(
            f'<span style="top:{label.at:.2%}">{escape(label.text)}</span>'
            for label in labels
            if label.at < 1 - 2 * _EDGE  # else it would touch the first of the pane beneath
        )
        scales.append(f'<div style="height:{height}px">{marks}</div>')
    zooms = "".join(f'<button type="button" data-zoom="{zoom}">{zoom}×</button>' for zoom in _ZOOMS)
    if any(each.name == _HOLD for each in series):  # a rise of other size makes the strategy's own line flat
        zooms = f'<label><input type="checkbox" checked>{_HOLD}</label>{zooms}'
    return (
        f'<div class="chart" data-zoom="1" role="img" aria-label="{escape(title)}"><div class="tools">'
        f'<output></output><span class="zooms">{zooms}</span></div>'
        f'<div class="plot"><div class="scroll"><div class="wide">{"".join(pictures)}{_times(panes[0].axes)}'
        f'<i class="cross"></i></div></div><div class="scale">{"".join(scales)}</div></div>'
        f'<script type="application/json">{_numbers(panes, times_ms, series)}</script></div>'
    )


def _numbers(panes: Sequence[_Pane], times_ms: IntArray, series: Sequence[_Series]) -> str:
    """What the pointer reads and the zoom fits to: seconds since the first time, and numbers with their decimals."""
    axes, names = panes[0].axes, [each.name for each in series]
    document = {
        "from": axes.from_ms,
        "length": (axes.to_ms - axes.from_ms) / 1000,
        "seconds": ((times_ms - axes.from_ms) // 1000).tolist(),
        "series": [[each.name, np.round(each.values, each.digits).tolist(), each.digits] for each in series],
        "panes": [
            {
                "low": pane.axes.low,
                "high": pane.axes.high,
                "height": pane.axes.height,
                "labels": pane.labels,
                "fitted": [names.index(name) for name in pane.fitted],
            }
            for pane in panes
        ],
    }
    return orjson.dumps(document).decode().replace("<", "\\u003c")


def _times(axes: Axes) -> str:
    """Labels of the time; those of a finer step are shown from their zoom on."""
    seen: set[float] = set()
    spans = []
    for zoom in _ZOOMS:
        for label in axes.time_labels(_LABELS * zoom):
            place = round(label.at, 6)
            if place not in seen and place <= 1:
                seen.add(place)
                kind = f"z{zoom}{_edge(place)}"
                spans.append(f'<span class="{kind}" style="left:{label.at:.3%}">{escape(label.text)}</span>')
    return f'<div class="times">{"".join(spans)}</div>'


def _edge(place: float) -> str:
    """A label at an edge stands beside its place instead of around it, so that it is not cut off."""
    return " first" if place < _EDGE else " last" if place > 1 - _EDGE else ""


def _path(shape: str, kind: str) -> str:
    return f'<path class="{kind}" d="{shape}"/>' if shape else ""


def _line(axes: Axes, times_ms: IntArray, values: FloatArray) -> str:
    rows = extremes(values, MOST_POINTS)
    # Digits beyond a screen's: without buy and hold, equity may be stretched a hundredfold.
    points = zip(axes.x(times_ms[rows]).tolist(), axes.y(values[rows], digits=3).tolist(), strict=True)
    return "M" + "L".join(f"{x:.0f} {y:g}" for x, y in points)


def _wicks(axes: Axes, left: FloatArray, right: FloatArray, prices: FloatArray) -> str:
    middle = ((left + right) / 2).tolist()
    high, low = axes.y(prices[:, 1]).tolist(), axes.y(prices[:, 2]).tolist()
    return "".join(f"M{x:.0f} {top:g}V{bottom:g}" for x, top, bottom in zip(middle, high, low, strict=True))


def _bodies(axes: Axes, left: FloatArray, right: FloatArray, prices: FloatArray) -> str:
    first, last = axes.y(prices[:, 0]), axes.y(prices[:, 3])
    top = np.minimum(first, last)
    bottom = np.maximum(np.maximum(first, last), top + _LEAST_BODY)
    gap = 0.15 * (right - left)
    corners = zip(*(each.tolist() for each in (left + gap, right - gap, top, bottom)), strict=True)
    return "".join(f"M{x0:.0f} {y0:g}H{x1:.0f}V{y1:g}H{x0:.0f}Z" for x0, x1, y0, y1 in corners)


def _trades(axes: Axes, trips: Sequence[RoundTrip], still_open: Sequence[OpenTrip]) -> list[str]:
    drawn = [trip for trip in trips if trip.entry_price is not None and trip.exit_price is not None]
    entries = [(trip.opened_ms, float(trip.entry_price or 0)) for trip in drawn]
    entries += [(trip.opened_ms, float(trip.entry_price or 0)) for trip in still_open if trip.entry_price is not None]
    exits = [(trip.closed_ms, float(trip.exit_price or 0)) for trip in drawn]
    entry_dots, exit_dots = _dots(axes, entries), _dots(axes, exits)
    ways = {"won": "", "lost": ""}
    for trip, begin, end in zip(drawn, entry_dots, exit_dots, strict=False):
        ways["won" if trip.profit_quote > 0 else "lost"] += f"M{begin}L{end}"
    parts = [_path(shape, f"way {kind}") for kind, shape in ways.items()]
    size = next((kind for most, kind in _DOTS if len(drawn) > most), "")
    # A line of no length with round ends is a dot that no stretching makes an oval.
    for kind, dots in (("entry", entry_dots), ("exit", exit_dots)):
        shape = "".join(f"M{dot}h0" for dot in dots)
        parts += [_path(shape, f"ring{size}"), _path(shape, f"dot {kind}{size}")]
    return parts


def _dots(axes: Axes, points: Sequence[tuple[int, float]]) -> list[str]:
    if not points:
        return []
    times_ms, prices = np.array([at for at, _ in points]), np.array([price for _, price in points])
    places = zip(axes.x(times_ms).tolist(), axes.y(prices).tolist(), strict=True)
    return [f"{x:.0f} {y:g}" for x, y in places]
