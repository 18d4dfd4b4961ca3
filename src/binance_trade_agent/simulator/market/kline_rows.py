"""Closed klines of one interval, compactly, and what any run of them amounts to as one."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from binance_trade_agent.domain.candles import INTERVAL_MS, interval_open_ms
from binance_trade_agent.simulator.market.columns import Columns
from binance_trade_agent.simulator.market.whole_numbers import Column, sums


class KlineRow(NamedTuple):
    """A kline in whole numbers: prices and amounts in units of the eighth decimal; see Kline for the fields."""

    open_time_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    trades: int
    taker_buy_base: int
    taker_buy_quote: int
    last_trade_id: int


def as_one(rows: Sequence[KlineRow]) -> KlineRow:
    """Rows that follow one another, at least one, joined."""
    if len(rows) == 1:
        return rows[0]
    return _joined(zip(*rows, strict=True))


def _joined(columns: Iterable[Sequence[int]]) -> KlineRow:
    """The rows of these columns, which come in the order of the fields, as one."""
    opens, prices, highs, lows, closes, volumes, quotes, trades, taker_bases, taker_quotes, last_ids = columns
    return KlineRow(
        opens[0],
        prices[0],
        max(highs),
        min(lows),
        closes[-1],
        sum(volumes),
        sum(quotes),
        sum(trades),
        sum(taker_bases),
        sum(taker_quotes),
        max(last_ids),
    )


class KlineRows:
    """The newest closed klines of one interval; those that are shorter are joined as they come."""

    def __init__(self, interval: str, most: int) -> None:
        """Begin without klines and keep at least the newest `most`."""
        self.interval = interval
        self.length_ms = INTERVAL_MS[interval]
        self._columns = Columns(len(KlineRow._fields), most)

    @property
    def opens(self) -> Sequence[int]:
        """Open times, ascending, ms."""
        return self._columns[0]

    @property
    def has_forgotten(self) -> bool:
        """Whether there were older klines."""
        return self._columns.has_forgotten

    def begin_with(self, columns: Sequence[Column]) -> None:
        """Take in the first klines, of this interval or shorter ones, in time order.

        Args:
            columns: the values of each field of KlineRow.
        """
        times_ms, opens, highs, lows, closes, volumes, quotes, trades, taker_bases, taker_quotes, last_ids = columns
        if not len(times_ms):
            return
        first_ms = interval_open_ms(self.interval, int(times_ms[0]))
        places = (times_ms - first_ms) // self.length_ms
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        lasts = np.append(starts[1:], len(places)) - 1
        self._columns.extend(
            (
                first_ms + places[starts] * self.length_ms,
                opens[starts],
                np.maximum.reduceat(highs, starts),
                np.minimum.reduceat(lows, starts),
                closes[lasts],
                sums(volumes, starts),
                sums(quotes, starts),
                sums(trades, starts),
                sums(taker_bases, starts),
                sums(taker_quotes, starts),
                np.maximum.reduceat(last_ids, starts),
            )
        )

    def add(self, row: KlineRow) -> None:
        """Take in the next kline, of this interval or a shorter one."""
        open_ms = interval_open_ms(self.interval, row.open_time_ms)
        opens = self._columns[0]
        if opens and opens[-1] == open_ms:
            self._columns.replace_last(as_one((KlineRow(*self._columns.row(-1)), row)))
        else:
            self._columns.append(row if row.open_time_ms == open_ms else row._replace(open_time_ms=open_ms))

    def between(self, from_ms: int, before_ms: int) -> KlineRow | None:
        """The klines that open in [from_ms, before_ms) as one; None when there are none."""
        opens = self._columns[0]
        first, beyond = bisect_left(opens, from_ms), bisect_left(opens, before_ms)
        if first >= beyond:
            return None
        if beyond - first == 1:
            return KlineRow(*self._columns.row(first))
        return _joined(column[first:beyond] for column in self._columns)

    def close_before(self, at_ms: int) -> int | None:
        """Close, in units, of the last kline that opens before `at_ms`."""
        index = bisect_left(self.opens, at_ms)
        return self._columns[4][index - 1] if index else None

    def first_from(self, at_ms: int) -> int | None:
        """Open time of the first kline that opens at `at_ms` or later."""
        index = bisect_left(self.opens, at_ms)
        return self.opens[index] if index < len(self.opens) else None

    def last_before(self, at_ms: int) -> int | None:
        """Open time of the last kline that opens before `at_ms`."""
        index = bisect_left(self.opens, at_ms)
        return self.opens[index - 1] if index else None
