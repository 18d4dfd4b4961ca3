"""Small line charts on logarithmic axes, as one SVG file that a page of the docs can show on light and dark."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _COLUMNS = 300, 220, 3
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 28, 30, 40
_COLOURS = ("#2f7ed8", "#d8572f")
_GREY = "#8a8f98"


@dataclass(frozen=True)
class Panel:
    """One chart: lines of (x, y) points by their names, all above 0 to be drawn."""

    title: str
    below: str
    lines: Mapping[str, Sequence[tuple[float, float]]]


class _Axis:
    """A logarithmic axis over whole powers of ten."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self.low = math.floor(math.log10(min(values)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(values))))
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        """Where a value is drawn."""
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self._begin + part * (self._end - self._begin)

    def marks(self) -> list[float]:
        """The powers of ten."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def write_panels(path: Path, panels: Sequence[Panel]) -> None:
    """Draw the panels in rows of three."""
    rows = -(-len(panels) // _COLUMNS)
    body = []
    for number, panel in enumerate(panels):
        x, y = number % _COLUMNS * _WIDTH, number // _COLUMNS * _HEIGHT
        body.append(f'<g transform="translate({x} {y})">{"".join(_drawn(panel))}</g>')
    size = f'width="{_COLUMNS * _WIDTH}" height="{rows * _HEIGHT}"'
    anchors = ".middle{text-anchor:middle}.end{text-anchor:end}"
    style = f"<style>text{{font:11px sans-serif;fill:{_GREY}}}.title{{font-weight:bold}}{anchors}</style>"
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{style}\n' + "\n".join(body) + "\n</svg>\n", encoding="utf-8"
    )


def _drawn(panel: Panel) -> list[str]:
    points = [(x, y) for line in panel.lines.values() for x, y in line if x > 0 and y > 0]
    said = [_text(_LEFT, 18, panel.title, "title"), _text(_LEFT, _HEIGHT - 6, panel.below)]
    if not points:
        return said
    across = _Axis([x for x, _ in points], _LEFT, _WIDTH - _RIGHT)
    up = _Axis([y for _, y in points], _HEIGHT - _BOTTOM, _TOP)
    for mark in across.marks():
        x = across.at(mark)
        said += [_grid(x, _TOP, x, _HEIGHT - _BOTTOM), _text(x, _HEIGHT - _BOTTOM + 14, _told(mark), "middle")]
    for mark in up.marks():
        y = up.at(mark)
        said += [_grid(_LEFT, y, _WIDTH - _RIGHT, y), _text(_LEFT - 6, y + 4, _told(mark), "end")]
    for (name, line), colour in zip(panel.lines.items(), _COLOURS, strict=False):
        seen = [(across.at(x), up.at(y)) for x, y in line if x > 0 and y > 0]
        if not seen:
            continue
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in seen)
        said.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        said += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in seen]
        x, y = seen[-1]
        said.append(_text(x, y - 8, name, "end"))
    return said


def _told(mark: float) -> str:
    return f"{mark:,.0f}" if mark >= 1 else f"{mark:g}"


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>'


def _grid(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{_GREY}" stroke-opacity="0.3"/>'
