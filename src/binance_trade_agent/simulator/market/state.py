"""What the public sees of the market: prices, trades, klines and statistics, all in market time."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.candles import DAY_MS, INTERVAL_MS, MINUTE_MS, interval_open_ms
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.market.feed import Feed, Print
from binance_trade_agent.simulator.market.klines import Kline, KlineSeries
from binance_trade_agent.simulator.market.tape import TRADES_KEPT, AggregateTrade, Tape

AVERAGE_PRICE_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Ticker:
    """Statistics of a symbol over a window, counted in whole klines (binance-protocol.md 1.2, ticker/24hr).

    Without a trade in the window its prices are the last one, 0 when there was never any. `first_trade_id` and
    `last_trade_id` are -1 when `trades` is 0.
    """

    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_quantity: Decimal
    previous_close: Decimal
    volume: Decimal
    quote_volume: Decimal
    open_time_ms: int
    close_time_ms: int
    first_trade_id: int
    last_trade_id: int
    trades: int

    @property
    def change(self) -> Decimal:
        """From the first price to the last, quote per base."""
        return self.last - self.open

    @property
    def change_pct(self) -> Decimal:
        """The change in percent of the first price."""
        return self.change / self.open * 100 if self.open else ZERO

    @property
    def weighted_average(self) -> Decimal:
        """Price weighted by volume, quote per base."""
        return self.quote_volume / self.volume if self.volume else self.last


class Market:
    """The public state of all symbols of a feed.

    Whoever drives it records every trade of the matching engine in its order, and moves the time on. Every method that
    takes a symbol raises KeyError when the feed does not have it.
    """

    def __init__(self, feed: Feed) -> None:
        """Stand where the feed's history ends; the trades of its prelude are to be recorded like all others."""
        self.now_ms = feed.resume_ms
        self.symbols = feed.symbols
        self._states = {symbol: _SymbolState(feed, symbol) for symbol in feed.symbols}
        self._next_open_ms = 0

    def trades_before(self, symbol: str, prelude: Sequence[Print]) -> int:
        """How many trades the history has, without those that its prelude will bring."""
        state = self._states[symbol]
        return state.history_trades - sum(item.at_ms <= state.history_ends_ms for item in prelude)

    def record(self, trade: PublicTrade) -> None:
        """Take in a trade. One from before the end of the history is in the history's candles already."""
        self.now_ms = max(self.now_ms, trade.at_ms)
        self._states[trade.symbol].record(trade)

    def advance_to(self, now_ms: int) -> None:
        """Move the time on without a trade; candles that the feed has by then are opened, flat."""
        self.now_ms = max(self.now_ms, now_ms)
        if now_ms >= self._next_open_ms:
            self._next_open_ms = min(state.open_klines_until(now_ms) for state in self._states.values())

    def last_price(self, symbol: str) -> Decimal | None:
        """Price of the last trade, quote per base; None before the first."""
        last = self._states[symbol].tape.last
        return last.price if last else None

    def recent_trades(self, symbol: str, limit: int) -> list[PublicTrade]:
        """The last `limit` trades, oldest first; some thousands are kept."""
        return self._states[symbol].tape.recent(limit)

    def aggregate_trades(
        self,
        symbol: str,
        *,
        from_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[AggregateTrade]:
        """Aggregates of the trades that are kept; see `Tape.aggregates`."""
        return self._states[symbol].tape.aggregates(from_id=from_id, start_ms=start_ms, end_ms=end_ms, limit=limit)

    def next_aggregate_id(self, symbol: str) -> int:
        """The id that the next aggregate will have; the last one grows no more once its transaction is over."""
        return self._states[symbol].tape.next_aggregate_id

    def average_price(self, symbol: str, minutes: int = AVERAGE_PRICE_MINUTES) -> Decimal | None:
        """Volume-weighted price of the last `minutes`, as far as trades are kept when it is first asked for.

        The last price when nothing traded or for 0 minutes, None before the first trade.
        """
        return self._states[symbol].average_price(minutes, self.now_ms) or self.last_price(symbol)

    def klines(
        self,
        symbol: str,
        interval: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
        zone_ms: int = 0,
    ) -> list[Kline]:
        """Klines up to now, for the parameters see `KlineSeries.select`.

        Intervals that are not made of the feed's candles, as 1s, go back as far as the trades that are kept.

        Raises:
            KeyError: unknown interval.
        """
        state = self._states[symbol]
        if state.series.has(interval):
            return state.series.select(interval, start_ms=start_ms, end_ms=end_ms, limit=limit, zone_ms=zone_ms)
        return state.tape.klines(
            state.series, interval, self.now_ms, start_ms=start_ms, end_ms=end_ms, limit=limit, zone_ms=zone_ms
        )

    def ticker_24hr(self, symbol: str) -> Ticker:
        """Statistics of the last 24 hours."""
        open_ms = self.now_ms - DAY_MS
        return self._states[symbol].ticker(open_ms, self.now_ms, first_kline_ms=open_ms + 1)

    def ticker(self, symbol: str, window_ms: int) -> Ticker:
        """Statistics of the last `window_ms`, and of what is missing to a whole minute before that."""
        open_ms = interval_open_ms("1m", self.now_ms - window_ms)
        return self._states[symbol].ticker(open_ms, self.now_ms, first_kline_ms=open_ms)


class _SymbolState:
    """The public state of one symbol."""

    def __init__(self, feed: Feed, symbol: str) -> None:
        history = feed.history(symbol)
        self._feed = feed
        self._symbol = symbol
        self._interval_ms = INTERVAL_MS[feed.intervals[symbol]]
        self._opened_ms = feed.start_ms - self._interval_ms
        self.history_ends_ms = -1
        if len(history):
            self._opened_ms = int(history.open_times_ms[-1])
            self.history_ends_ms = self._opened_ms + int(history.lengths_ms[-1]) - 1
        self._windows = {AVERAGE_PRICE_MINUTES: _AverageWindow(AVERAGE_PRICE_MINUTES)}
        self.series = KlineSeries(feed.intervals[symbol], history, feed.print_counts(symbol, history))
        self.tape = Tape(symbol)
        whole_history = self.series.between(0, feed.resume_ms)
        self.history_trades = whole_history.trades if whole_history else 0

    def record(self, trade: PublicTrade) -> None:
        if trade.at_ms > self.history_ends_ms:
            self.open_klines_until(trade.at_ms)
            self.series.add_trade(trade.at_ms, trade.price, trade.quantity, trade.taker_side, trade.trade_id)
        self.tape.add(trade)
        for window in self._windows.values():
            window.add(trade)

    def open_klines_until(self, until_ms: int) -> int:
        """Begin the klines that the market has by `until_ms`: flat at the last price, as recorded if without volume.

        Returns the time from which on there may be another one.
        """
        if until_ms >= self._opened_ms + self._interval_ms:
            last = self.tape.last
            for candle in self._feed.candles(self._symbol, self._opened_ms, until_ms):
                self.series.open_at(candle.open_time_ms, last.price if last and candle.volume else candle.open)
            self._opened_ms = interval_open_ms(self.series.interval, until_ms)
        return self._opened_ms + self._interval_ms

    def average_price(self, minutes: int, now_ms: int) -> Decimal | None:
        """A number of minutes that is asked for the first time gets a window of its own."""
        if minutes not in self._windows:
            window = self._windows[minutes] = _AverageWindow(minutes)
            for trade in self.tape.recent(TRADES_KEPT):
                window.add(trade)
        return self._windows[minutes].price(now_ms)

    def ticker(self, open_ms: int, close_ms: int, *, first_kline_ms: int) -> Ticker:
        """Statistics of the klines that open in [first_kline_ms, close_ms], shown as [open_ms, close_ms]."""
        last = self.tape.last
        price = last.price if last else ZERO
        whole = self.series.between(first_kline_ms, close_ms + 1) or Kline(
            open_ms, close_ms, price, price, price, price
        )
        previous_close = self.series.close_before(first_kline_ms)
        last_id = last.trade_id if last and whole.trades else -1
        return Ticker(
            symbol=self._symbol,
            open=whole.open,
            high=whole.high,
            low=whole.low,
            last=price,
            last_quantity=last.quantity if last else ZERO,
            previous_close=whole.open if previous_close is None else previous_close,
            volume=whole.volume,
            quote_volume=whole.quote_volume,
            open_time_ms=open_ms,
            close_time_ms=close_ms,
            first_trade_id=last_id - whole.trades + 1 if whole.trades else -1,
            last_trade_id=last_id,
            trades=whole.trades,
        )


class _AverageWindow:
    """Volume-weighted price of the trades of the last minutes; the sums are exact, so nothing drifts."""

    def __init__(self, minutes: int) -> None:
        self._length_ms = minutes * MINUTE_MS
        self._trades: deque[PublicTrade] = deque()
        self._quote = ZERO
        self._base = ZERO

    def add(self, trade: PublicTrade) -> None:
        self._forget_until(trade.at_ms - self._length_ms)
        self._trades.append(trade)
        self._quote += trade.price * trade.quantity
        self._base += trade.quantity

    def price(self, now_ms: int) -> Decimal | None:
        self._forget_until(now_ms - self._length_ms)
        return self._quote / self._base if self._base else None

    def _forget_until(self, at_ms: int) -> None:
        while self._trades and self._trades[0].at_ms <= at_ms:
            trade = self._trades.popleft()
            self._quote -= trade.price * trade.quantity
            self._base -= trade.quantity
