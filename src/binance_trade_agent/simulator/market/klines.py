"""Klines of one symbol: kept at the feed's interval, aggregated to any longer one when asked for."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from binance_trade_agent.domain.candles import INTERVAL_MS, Candle, interval_open_ms
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side

_UNIT = Decimal("0.00000001")


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
        self.volume += quantity
        self.quote_volume += price * quantity
        self.trades += 1
        self.last_trade_id = trade_id
        if taker_side is Side.BUY:
            self.taker_buy_base += quantity
            self.taker_buy_quote += price * quantity

    def add(self, later: "Kline") -> None:
        """Take in the kline that follows, within the same longer interval."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.quote_volume += later.quote_volume
        self.trades += later.trades
        self.taker_buy_base += later.taker_buy_base
        self.taker_buy_quote += later.taker_buy_quote
        self.last_trade_id = max(self.last_trade_id, later.last_trade_id)


class KlineSeries:
    """One symbol's klines: the candles from before the session, and those that its trades have made since."""

    def __init__(self, interval: str, history: Sequence[Candle], print_count: Callable[[Candle], int]) -> None:
        """Begin after `history`.

        Args:
            interval: of the history and of what is kept; shorter ones cannot be asked for.
            history: closed candles in time order.
            print_count: how many trades a candle of the history had.
        """
        self.interval = interval
        self._history = history
        self._print_count = print_count
        self._live: list[Kline] = []
        self._opens = [candle.open_time_ms for candle in history]

    @property
    def last(self) -> Kline | None:
        """The newest kline at the kept interval, as a copy."""
        return self._at(len(self._opens) - 1) if self._opens else None

    def open_at(self, open_time_ms: int, price: Decimal) -> None:
        """Begin the kline that opens at `open_time_ms`, flat at `price` until it trades; nothing when it has begun."""
        if not self._opens or self._opens[-1] < open_time_ms:
            close_time_ms = open_time_ms + INTERVAL_MS[self.interval] - 1
            self._live.append(Kline(open_time_ms, close_time_ms, price, price, price, price))
            self._opens.append(open_time_ms)

    def add_trade(self, at_ms: int, price: Decimal, quantity: Decimal, taker_side: Side, trade_id: int) -> None:
        """Take in a trade at market time `at_ms`, which is never before the last one's."""
        self.open_at(interval_open_ms(self.interval, at_ms), price)
        self._live[-1].add_trade(price, quantity, taker_side, trade_id)

    def select(
        self,
        interval: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
        zone_ms: int = 0,
    ) -> list[Kline]:
        """Klines of `interval` whose open time lies in [start_ms, end_ms], in time order (binance-protocol.md 1.2).

        The oldest `limit` of them when `start_ms` is given, else the newest. Empty when `interval` is not a multiple of
        the kept one. The last may be open still.

        Args:
            interval: one of `domain.candles.INTERVAL_MS`.
            start_ms: earliest open time.
            end_ms: latest open time.
            limit: most klines to give.
            zone_ms: offset from UTC of the time zone to whose midnight the intervals are aligned.

        Raises:
            KeyError: unknown interval.
        """
        length_ms = INTERVAL_MS[interval]
        if length_ms % INTERVAL_MS[self.interval]:
            return []

        def bucket_of(at_ms: int) -> int:
            return interval_open_ms(interval, at_ms + zone_ms) - zone_ms

        low, high = 0, len(self._opens)
        if start_ms is not None:
            low = bisect_left(self._opens, bucket_of(start_ms + length_ms - 1))
        if end_ms is not None:
            high = bisect_left(self._opens, bucket_of(end_ms) + length_ms)
        spans: list[tuple[int, int, int]] = []
        while low < high and len(spans) < limit:
            bucket = bucket_of(self._opens[high - 1 if start_ms is None else low])
            first = bisect_left(self._opens, bucket, low, high)
            beyond = bisect_left(self._opens, bucket + length_ms, low, high)
            spans.append((bucket, first, beyond))
            if start_ms is None:
                high = first
            else:
                low = beyond
        return [
            self._joined(range(first, beyond), bucket, bucket + length_ms - 1)
            for bucket, first, beyond in sorted(spans)
        ]

    def _joined(self, indices: Sequence[int], open_time_ms: int, close_time_ms: int) -> Kline:
        whole = self._at(indices[0])
        for index in indices[1:]:
            whole.add(self._at(index))
        whole.open_time_ms, whole.close_time_ms = open_time_ms, close_time_ms
        return whole

    def _at(self, index: int) -> Kline:
        live_index = index - len(self._history)
        return replace(self._live[live_index]) if live_index >= 0 else self._from_history(self._history[index])

    def _from_history(self, candle: Candle) -> Kline:
        """A candle that was never traded here: valued at (high + low + close) / 3, half of it taken by buyers."""
        quote_volume = (candle.volume * (candle.high + candle.low + candle.close) / 3).quantize(_UNIT)
        return Kline(
            candle.open_time_ms,
            candle.close_time_ms,
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            candle.volume,
            quote_volume,
            self._print_count(candle),
            (candle.volume / 2).quantize(_UNIT),
            (quote_volume / 2).quantize(_UNIT),
        )
