"""Fewer points that look the same: what is drawn of an array that is longer than a screen is wide."""

import numpy as np

from binance_trade_agent.history.table import CandleTable, FloatArray, IntArray


def extremes(values: FloatArray, most: int) -> IntArray:
    """Indices of at most `most` + 2 points: the lowest and the highest of each of `most` / 2 stretches, and both ends.

    So no peak and no fall is lost. In order, each once; all of them when there are no more than `most`.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    size = -(-count // (most // 2))
    rows = -(-count // size)
    padded = np.pad(values, (0, rows * size - count), mode="edge").reshape(rows, size)
    starts = np.arange(rows) * size
    found = np.concatenate(([0], starts + padded.argmin(axis=1), starts + padded.argmax(axis=1), [count - 1]))
    return np.unique(np.minimum(found, count - 1))


def evenly(count: int, most: int) -> IntArray:
    """Indices of at most `most` of `count` points at equal distances, both ends among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64)) if count else np.arange(0)


def grouped(table: CandleTable, most: int) -> tuple[IntArray, FloatArray]:
    """The candles joined to at most `most`: times at which each begins, and rows of open, high, low and close."""
    size = max(1, -(-len(table) // most))
    starts = np.arange(0, len(table), size)
    ends = np.minimum(starts + size, len(table)) - 1
    columns = (
        table.open[starts],
        np.maximum.reduceat(table.high, starts),
        np.minimum.reduceat(table.low, starts),
        table.close[ends],
    )
    return table.open_times_ms[starts], np.column_stack(columns)
