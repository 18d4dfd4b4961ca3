"""Candles of one symbol and interval from several sources as one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from binance_trade_agent.history.rounding import rounded_table
from binance_trade_agent.history.table import CandleTable

AMOUNTS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Merged:
    """A table, and what the newer one brought: new candles, candles with other numbers, and equal ones."""

    table: CandleTable
    added: int
    replaced: int
    same: int


def merge(old: CandleTable, new: CandleTable) -> Merged:
    """Both tables' candles; where both have one, that of `new`."""
    _, in_old, in_new = np.intersect1d(old.open_times_ms, new.open_times_ms, assume_unique=True, return_indices=True)
    differ = np.zeros(len(in_old), dtype=bool)
    for name in AMOUNTS:
        differ |= getattr(old, name)[in_old] != getattr(new, name)[in_new]
    replaced = int(differ.sum())
    counts = (len(new) - len(in_old), replaced, len(in_old) - replaced)
    if not len(old) or old.open_times_ms[-1] < new.open_times_ms[0]:
        return Merged(old.joined(new), *counts)
    kept = np.ones(len(old), dtype=bool)
    kept[in_old] = False
    times_ms = np.concatenate([old.open_times_ms[kept], new.open_times_ms])
    order = np.argsort(times_ms, kind="stable")
    amounts = {name: np.concatenate([getattr(old, name)[kept], getattr(new, name)])[order] for name in AMOUNTS}
    return Merged(rounded_table(new.symbol, new.interval, times_ms[order], amounts), *counts)


def joined(tables: Sequence[CandleTable]) -> CandleTable:
    """At least one table and those that are merged into it, in this order."""
    return reduce(lambda old, new: merge(old, new).table, tables)
