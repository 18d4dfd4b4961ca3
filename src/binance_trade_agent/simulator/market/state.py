"""What the public sees of the market: prices, trades, the outside book, klines and statistics, all in market time."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.candles import INTERVAL_MS, MINUTE_MS, interval_open_ms
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.market.feed import Feed
from binance_trade_agent.simulator.market.klines import Kline, KlineSeries

DAY_MS = 86_400_000
AVERAGE_PRICE_MINUTES = 5
TRADES_KEPT = 5_000


@dataclass(frozen=True, slots=True)
class Ticker:
    """The last 24 hours of a symbol, counted in whole klines (binance-protocol.md 1.2, ticker/24hr).

    `first_trade_id` and `last_trade_id` are -1 when `trades` is 0.
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

    def record(self, trade: PublicTrade) -> None:
        """Take in a trade. One from before the end of the history is in the history's candles already."""
        self.now_ms = max(self.now_ms, trade.at_ms)
        self._states[trade.symbol].record(trade)

    def advance_to(self, now_ms: int) -> None:
        """Move the time on without a trade; candles that the feed has by then are opened, flat."""
        self.now_ms = max(self.now_ms, now_ms)
        for state in self._states.values():
            state.open_klines_until(now_ms)

    def last_price(self, symbol: str) -> Decimal | None:
        """Price of the last trade, quote per base; None before the first."""
        last = self._states[symbol].last_trade
        return last.price if last else None

    def recent_trades(self, symbol: str, limit: int) -> list[PublicTrade]:
        """The last `limit` trades, oldest first; some thousands are kept."""
        trades = self._states[symbol].trades
        return [trades[index] for index in range(max(0, len(trades) - limit), len(trades))]

    def average_price(self, symbol: str) -> Decimal | None:
        """Volume-weighted price of the last five minutes; the last price when nothing traded, None before the first."""
        return self._states[symbol].average_price(self.now_ms) or self.last_price(symbol)

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
        """Klines up to now; see `KlineSeries.select`."""
        return self._states[symbol].series.select(
            interval, start_ms=start_ms, end_ms=end_ms, limit=limit, zone_ms=zone_ms
        )

    def ticker_24hr(self, symbol: str) -> Ticker | None:
        """Statistics of the last 24 hours; None before the first trade."""
        return self._states[symbol].ticker(self.now_ms)


class _SymbolState:
    """The public state of one symbol."""

    def __init__(self, feed: Feed, symbol: str) -> None:
        history = feed.history(symbol)
        self._feed = feed
        self._symbol = symbol
        self._interval_ms = INTERVAL_MS[feed.intervals[symbol]]
        self._opened_ms = history[-1].open_time_ms if history else feed.start_ms - self._interval_ms
        self._window = _AverageWindow()
        self.series = KlineSeries(feed.intervals[symbol], history, lambda candle: feed.print_count(symbol, candle))
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT)
        self._history_ends_ms = history[-1].close_time_ms if history else -1

    @property
    def last_trade(self) -> PublicTrade | None:
        return self.trades[-1] if self.trades else None

    def record(self, trade: PublicTrade) -> None:
        self.trades.append(trade)
        self._window.add(trade)
        if trade.at_ms > self._history_ends_ms:
            self.open_klines_until(trade.at_ms)
            self.series.add_trade(trade.at_ms, trade.price, trade.quantity, trade.taker_side, trade.trade_id)

    def open_klines_until(self, until_ms: int) -> None:
        """Begin the klines that the market has by `until_ms`: flat at the last price, as recorded if without volume."""
        if until_ms < self._opened_ms + self._interval_ms:
            return
        for candle in self._feed.candles(self._symbol, self._opened_ms, until_ms):
            last = self.last_trade
            self.series.open_at(candle.open_time_ms, last.price if last and candle.volume else candle.open)
        self._opened_ms = interval_open_ms(self.series.interval, until_ms)

    def average_price(self, now_ms: int) -> Decimal | None:
        return self._window.price(now_ms - AVERAGE_PRICE_MINUTES * MINUTE_MS)

    def ticker(self, now_ms: int) -> Ticker | None:
        klines = self.series.select(self.series.interval, start_ms=now_ms - DAY_MS + 1, end_ms=now_ms, limit=DAY_MS)
        last = self.last_trade
        if not klines or last is None:
            return None
        before = self.series.select(self.series.interval, end_ms=klines[0].open_time_ms - 1, limit=1)
        whole = klines[0]
        previous_close = before[0].close if before else whole.open
        for kline in klines[1:]:
            whole.add(kline)
        return Ticker(
            symbol=self._symbol,
            open=whole.open,
            high=whole.high,
            low=whole.low,
            last=last.price,
            last_quantity=last.quantity,
            previous_close=previous_close,
            volume=whole.volume,
            quote_volume=whole.quote_volume,
            open_time_ms=now_ms - DAY_MS,
            close_time_ms=now_ms,
            first_trade_id=last.trade_id - whole.trades + 1 if whole.trades else -1,
            last_trade_id=last.trade_id if whole.trades else -1,
            trades=whole.trades,
        )


class _AverageWindow:
    """Volume-weighted price of the trades since some moment; the sums are exact, so nothing drifts."""

    def __init__(self) -> None:
        self._trades: deque[PublicTrade] = deque()
        self._quote = ZERO
        self._base = ZERO

    def add(self, trade: PublicTrade) -> None:
        self._forget_until(trade.at_ms - AVERAGE_PRICE_MINUTES * MINUTE_MS)
        self._trades.append(trade)
        self._quote += trade.price * trade.quantity
        self._base += trade.quantity

    def price(self, after_ms: int) -> Decimal | None:
        self._forget_until(after_ms)
        return self._quote / self._base if self._base else None

    def _forget_until(self, at_ms: int) -> None:
        while self._trades and self._trades[0].at_ms <= at_ms:
            trade = self._trades.popleft()
            self._quote -= trade.price * trade.quantity
            self._base -= trade.quantity
