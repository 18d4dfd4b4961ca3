"""Klines of one symbol: kept at the feed's interval and, joined, at coarser ones; given out at any longer one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from binance_trade_agent.domain.candles import DAY_MS, INTERVAL_MS, MONTH, interval_open_ms
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.columns import from_units, to_units
from binance_trade_agent.simulator.market.kline_rows import KlineRow, KlineRows, as_one
from binance_trade_agent.simulator.market.kline_spans import select_spans
from binance_trade_agent.simulator.market.whole_numbers import Column, column_of

# How many klines are kept; of the feed's interval as many as its history has, if that is more. A week of minutes, a
# month of five minutes, a year of hours, ten years of days: under three MB.
_KEPT = 10_080
_COARSER_KEPT = {"1m": 10_080, "5m": 8_928, "1h": 8_784, "1d": 3_653}
_SPANS_REMEMBERED = 32


@dataclass(slots=True)
class Kline:
    """A candle with what Binance adds to it. Prices quote per base, times ms UTC.

    Attributes:
        volume, taker_buy_base: base asset.
        quote_volume, taker_buy_quote: quote asset.
        trades: how many.
        last_trade_id: of its trades, -1 when none or not known; their ids are consecutive.
    """

    open_time_ms: int
    close_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO
    trades: int = 0
    taker_buy_base: Decimal = ZERO
    taker_buy_quote: Decimal = ZERO
    last_trade_id: int = -1

    @property
    def first_trade_id(self) -> int:
        """Id of its first trade, -1 when none or not known."""
        return -1 if self.last_trade_id < 0 else self.last_trade_id - self.trades + 1

    def add_trade(self, price: Decimal, quantity: Decimal, taker_side: Side, trade_id: int) -> None:
        """Take in a trade; the first one sets all four prices."""
        if not self.trades:
            self.open = self.high = self.low = price
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        quote_quantity = price * quantity
        self.volume += quantity
        self.quote_volume += quote_quantity
        self.trades += 1
        self.last_trade_id = trade_id
        if taker_side is Side.BUY:
            self.taker_buy_base += quantity
            self.taker_buy_quote += quote_quantity


class KlineSeries:
    """One symbol's klines: the candles from before the session, and those that its trades have made since.

    What is kept of them is kept longer the coarser it is: minutes at least a week, hours a year. Klines are made of the
    coarsest that fit into them, where the time zone counts too, and go back as far as these.
    """

    def __init__(self, interval: str, history: CandleColumns, trades: Column) -> None:
        """Begin after `history`.

        Args:
            interval: of what is kept; shorter ones cannot be asked for.
            history: closed candles in time order. Coarser ones, as of a far past, are seen at their own interval and at
                longer ones.
            trades: how many trades each candle of the history had.
        """
        self.interval = interval
        self.length_ms = INTERVAL_MS[interval]
        self._tiers = [KlineRows(interval, max(_KEPT, len(history)))]
        for name, most in _COARSER_KEPT.items():
            if self.length_ms < INTERVAL_MS[name] and INTERVAL_MS[name] % self.length_ms == 0:
                self._tiers.append(KlineRows(name, most))
        self._live: Kline | None = None
        self._spans: dict[tuple[int, int], KlineRow | None] = {}
        columns = _kline_columns(history, trades)
        for tier in self._tiers:
            fitting = history.lengths_ms <= tier.length_ms
            tier.begin_with([column[fitting] for column in columns])

    def has(self, interval: str) -> bool:
        """Whether `interval` is made of whole klines of the kept one. KeyError when it is unknown."""
        return _common_length_ms(interval) % self.length_ms == 0

    def open_at(self, open_time_ms: int, price: Decimal) -> None:
        """Begin the kline that opens at `open_time_ms`, flat at `price` until it trades; nothing when it has begun."""
        if self.first_from(open_time_ms) is not None:
            return
        if self._live is not None:
            row = _row_of_kline(self._live)
            for tier in self._tiers:
                tier.add(row)
            self._spans.clear()
        self._live = Kline(open_time_ms, open_time_ms + self.length_ms - 1, price, price, price, price)

    def add_trade(self, at_ms: int, price: Decimal, quantity: Decimal, taker_side: Side, trade_id: int) -> None:
        """Take in a trade at market time `at_ms`, which is after the history and never before the last one's."""
        if self._live is None or at_ms > self._live.close_time_ms:
            self.open_at(interval_open_ms(self.interval, at_ms), price)
        assert self._live is not None, "a trade within the history"
        self._live.add_trade(price, quantity, taker_side, trade_id)

    def select(
        self,
        interval: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
        zone_ms: int = 0,
    ) -> list[Kline]:
        """Klines of `interval`; see `select_spans`. The last may be open still.

        Empty when `interval` is not a multiple of the kept one.

        Args:
            interval: one of `domain.candles.BINANCE_INTERVALS`.
            start_ms: earliest open time.
            end_ms: latest open time.
            limit: most klines to give.
            zone_ms: offset from UTC of the time zone to whose midnight the intervals are aligned.

        Raises:
            KeyError: unknown interval.
        """
        if not self.has(interval) or not (self._live or self._tiers[-1].opens):
            return []
        tier = self._tier_for(interval, zone_ms)
        spans = select_spans(
            _Timeline(tier, self._live), interval, start_ms=start_ms, end_ms=end_ms, limit=limit, zone_ms=zone_ms
        )
        klines = []
        for open_ms, next_ms in spans:
            rows = [row for row in (tier.between(open_ms, next_ms), self._live_row(open_ms, next_ms)) if row]
            klines.append(_kline(as_one(rows), open_ms, next_ms))
        return klines

    def between(self, from_ms: int, before_ms: int) -> Kline | None:
        """The klines of the kept interval that open in [from_ms, before_ms) as one; None when there are none."""
        rows = [row for row in (self._closed(from_ms, before_ms), self._live_row(from_ms, before_ms)) if row]
        return _kline(as_one(rows), from_ms, before_ms) if rows else None

    def close_before(self, at_ms: int) -> Decimal | None:
        """Close of the last kline of the kept interval that opens before `at_ms`; None when there is none."""
        if self._live is not None and self._live.open_time_ms < at_ms:
            return self._live.close
        close = self._tiers[0].close_before(at_ms)
        return None if close is None else from_units(close)

    def first_from(self, at_ms: int) -> int | None:
        """Open time of the first kline of the kept interval that opens at `at_ms` or later."""
        return _Timeline(self._tiers[0], self._live).first_from(at_ms)

    def last_before(self, at_ms: int) -> int | None:
        """Open time of the last kline of the kept interval that opens before `at_ms`."""
        return _Timeline(self._tiers[0], self._live).last_before(at_ms)

    def _tier_for(self, interval: str, zone_ms: int) -> KlineRows:
        """The coarsest klines of which those of `interval` are made."""
        length_ms = _common_length_ms(interval)
        fitting = [tier for tier in self._tiers if length_ms % tier.length_ms == zone_ms % tier.length_ms == 0]
        return fitting[-1] if fitting else self._tiers[0]

    def _closed(self, from_ms: int, before_ms: int) -> KlineRow | None:
        """The closed klines in [from_ms, before_ms) as one.

        Remembered until a further one is closed: statistics are asked for again with every trade.
        """
        opens = self._tiers[0].opens
        first_ms = interval_open_ms(self.interval, from_ms - 1) + self.length_ms
        span = (first_ms, min(before_ms, opens[-1] + 1) if opens else before_ms)
        if span not in self._spans:
            if len(self._spans) == _SPANS_REMEMBERED:
                self._spans.clear()
            pieces = list(self._pieces(len(self._tiers) - 1, *span))
            self._spans[span] = as_one(pieces) if pieces else None
        return self._spans[span]

    def _pieces(self, level: int, from_ms: int, before_ms: int) -> Iterator[KlineRow]:
        """Closed klines in [from_ms, before_ms): the middle from the coarse ones, both ends from the finer ones."""
        if from_ms >= before_ms:
            return
        tier = self._tiers[level]
        if level == 0:
            if (row := tier.between(from_ms, before_ms)) is not None:
                yield row
            return
        inner_from_ms = -(-from_ms // tier.length_ms) * tier.length_ms
        inner_before_ms = before_ms // tier.length_ms * tier.length_ms
        if inner_from_ms >= inner_before_ms:
            yield from self._pieces(level - 1, from_ms, before_ms)
            return
        yield from self._pieces(level - 1, from_ms, inner_from_ms)
        if (row := tier.between(inner_from_ms, inner_before_ms)) is not None:
            yield row
        yield from self._pieces(level - 1, inner_before_ms, before_ms)

    def _live_row(self, from_ms: int, before_ms: int) -> KlineRow | None:
        live = self._live
        return _row_of_kline(live) if live is not None and from_ms <= live.open_time_ms < before_ms else None


class _Timeline:
    """Closed klines and the one that is open; see kline_spans.Timeline. There is at least one."""

    def __init__(self, closed: KlineRows, live: Kline | None) -> None:
        self._closed = closed
        self._live_ms = None if live is None else live.open_time_ms
        self.has_forgotten = closed.has_forgotten

    @property
    def oldest_ms(self) -> int:
        oldest_ms = self._closed.opens[0] if self._closed.opens else self._live_ms
        assert oldest_ms is not None
        return oldest_ms

    @property
    def newest_ms(self) -> int:
        return self._closed.opens[-1] if self._live_ms is None else self._live_ms

    def first_from(self, at_ms: int) -> int | None:
        closed_ms = self._closed.first_from(at_ms)
        if closed_ms is None and self._live_ms is not None and self._live_ms >= at_ms:
            return self._live_ms
        return closed_ms

    def last_before(self, at_ms: int) -> int | None:
        if self._live_ms is not None and self._live_ms < at_ms:
            return self._live_ms
        return self._closed.last_before(at_ms)


def _common_length_ms(interval: str) -> int:
    """The longest time of which all klines of `interval` are multiples; months differ, they have whole days."""
    return DAY_MS if interval == MONTH else INTERVAL_MS[interval]


def _kline(row: KlineRow, open_ms: int, next_ms: int) -> Kline:
    return Kline(
        open_ms,
        next_ms - 1,
        from_units(row.open),
        from_units(row.high),
        from_units(row.low),
        from_units(row.close),
        from_units(row.volume),
        from_units(row.quote_volume),
        row.trades,
        from_units(row.taker_buy_base),
        from_units(row.taker_buy_quote),
        row.last_trade_id,
    )


def _row_of_kline(kline: Kline) -> KlineRow:
    return KlineRow(
        kline.open_time_ms,
        to_units(kline.open),
        to_units(kline.high),
        to_units(kline.low),
        to_units(kline.close),
        to_units(kline.volume),
        to_units(kline.quote_volume),
        kline.trades,
        to_units(kline.taker_buy_base),
        to_units(kline.taker_buy_quote),
        kline.last_trade_id,
    )


def _kline_columns(history: CandleColumns, trades: Column) -> Sequence[Column]:
    """Candles that were never traded here: valued at (high + low + close) / 3, half of it taken by buyers."""
    volumes = history.volumes
    thrice_price = history.highs.astype(object) + history.lows + history.closes
    quote_volumes = column_of(volumes * thrice_price // (3 * 10**8))
    last_trade_ids = np.full(len(history), -1)
    return (
        history.open_times_ms,
        history.opens,
        history.highs,
        history.lows,
        history.closes,
        volumes,
        quote_volumes,
        trades,
        volumes // 2,
        quote_volumes // 2,
        last_trade_ids,
    )
