"""Spans of time, [from_ms, before_ms): which are there and which are missing."""

from collections.abc import Iterable, Sequence

import numpy as np

from binance_trade_agent.history.table import CandleTable

Span = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time as spans in order that do not touch each other."""
    joined: list[Span] = []
    for from_ms, before_ms in sorted(spans):
        if joined and from_ms <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], before_ms))
        elif from_ms < before_ms:
            joined.append((from_ms, before_ms))
    return joined


def missing(wanted: Span, held: Iterable[Span]) -> list[Span]:
    """What of `wanted` none of `held` has, in order."""
    gaps: list[Span] = []
    at_ms, end_ms = wanted
    for from_ms, before_ms in union(held):
        if from_ms > at_ms:
            gaps.append((at_ms, min(from_ms, end_ms)))
        at_ms = max(at_ms, before_ms)
        if at_ms >= end_ms:
            break
    if at_ms < end_ms:
        gaps.append((at_ms, end_ms))
    return [(from_ms, before_ms) for from_ms, before_ms in gaps if from_ms < before_ms]


def pages(span: Span, length_ms: int) -> list[Span]:
    """A span cut into pieces of `length_ms`, the last of which may be shorter."""
    return [(at_ms, min(at_ms + length_ms, span[1])) for at_ms in range(*span, length_ms)]


def runs(table: CandleTable) -> list[Span]:
    """The stretches of a table's candles without a gap."""
    times_ms, length_ms = table.open_times_ms, table.interval_ms
    if not len(times_ms):
        return []
    after = np.flatnonzero(np.diff(times_ms) > length_ms)
    firsts, lasts = times_ms[np.r_[0, after + 1]], times_ms[np.r_[after, len(times_ms) - 1]]
    return list(zip(firsts.tolist(), (lasts + length_ms).tolist(), strict=True))


def gaps(table: CandleTable) -> list[Span]:
    """The stretches between a table's first and last candle in which it has none."""
    held: Sequence[Span] = runs(table)
    return missing((held[0][0], held[-1][1]), held) if held else []
