"""What a person has to know about the candles of a backtest, a sentence each."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.strategies.base import Strategy


def warnings(table: CandleTable, first_row: int, strategy: Strategy[Any], detail: CandleTable | None) -> Iterator[str]:
    """Of one symbol, whose first tick is at the opening of the candle of `first_row`."""
    name = f"{table.symbol} has"
    if first_row < strategy.warm_up:
        yield (
            f"{name} {first_row:,} {table.interval} candles before the first tick and strategy {strategy.name} needs "
            f"{strategy.warm_up:,}: it holds until then"
        )
    if hole := _holes(table.rows(max(0, first_row - strategy.warm_up), len(table))):
        yield f"{name} {hole}; after each the strategy warms up anew, for {strategy.warm_up:,} candles, as live"
    if detail is not None:
        period = table.rows(first_row, len(table))
        whole = _with_detail(period, detail)
        if whole < len(period):
            yield (
                f"{name} {detail.interval} candles for {whole:,} of {len(period):,} candles of {table.interval}: in "
                "the others the stop is taken to come before the target"
            )


def _holes(table: CandleTable) -> str:
    """How many there are, and which is the largest; empty without one."""
    missing = np.diff(table.open_times_ms) // table.interval_ms - 1
    count = int((missing > 0).sum())
    if not count:
        return ""
    largest = int(missing.argmax())
    candles = "1 candle" if missing[largest] == 1 else f"{missing[largest]:,} candles"
    before = iso_second(int(table.open_times_ms[largest + 1]))
    return f"{'1 hole' if count == 1 else f'{count:,} holes, the largest'}: {candles} missing before {before}"


def _with_detail(table: CandleTable, detail: CandleTable) -> int:
    """How many candles of `table` have all of their finer ones."""
    begins = np.searchsorted(detail.open_times_ms, table.open_times_ms)
    ends = np.searchsorted(detail.open_times_ms, table.open_times_ms + table.interval_ms)
    return int((ends - begins == table.interval_ms // detail.interval_ms).sum())
