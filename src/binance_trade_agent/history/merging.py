"""Candles of one symbol and interval from several sources as one table."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    return Merged(joined([old, new]), len(new) - len(in_old), replaced, len(in_old) - replaced)


def joined(tables: Sequence[CandleTable]) -> CandleTable:
    """At least one table and all others; where several have a candle, that of the last of them."""
    if len(tables) == 1:
        return tables[0]
    times_ms = np.concatenate([table.open_times_ms for table in tables])
    order = np.argsort(times_ms, kind="stable")
    is_last = np.append(np.diff(times_ms[order]) > 0, True)[: len(order)]
    rows = order[is_last]
    amounts = {name: np.concatenate([getattr(table, name) for table in tables])[rows] for name in AMOUNTS}
    return rounded_table(tables[0].symbol, tables[0].interval, times_ms[rows], amounts)
