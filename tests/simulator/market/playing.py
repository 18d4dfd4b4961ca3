"""A market without an exchange: what the matching engine would number is numbered here."""

# ruff: noqa: ARG002 (a feed that is silent does not look at what it is asked)
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.feed import Feed, Print
from binance_trade_agent.simulator.market.state import Market
from binance_trade_agent.simulator.market.whole_numbers import Column, column_of


class SilentFeed:
    """A feed of BTCUSDT without history, prints and candles: what the test trades is all there is."""

    def __init__(self, start_ms: int) -> None:
        self.symbols = ("BTCUSDT",)
        self.start_ms = self.resume_ms = start_ms
        self.ends_ms = None
        self.intervals = {"BTCUSDT": "1m"}
        self.listings = {}

    def history(self, symbol: str) -> CandleColumns:
        return CandleColumns.of(())

    def print_counts(self, symbol: str, candles: CandleColumns) -> Column:
        return column_of(())

    def prelude(self, symbol: str) -> Sequence[Print]:
        return ()

    def prints_until(self, until_ms: int) -> Iterator[Print]:
        return iter(())

    def candles(self, symbol: str, after_ms: int, until_ms: int) -> Sequence[Candle]:
        return ()


class PlayedMarket:
    """A market after its prelude; `play` lets its feed go on."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.market = Market(feed)
        self._last_ids: Counter[str] = Counter()
        for symbol in feed.symbols:
            prelude = feed.prelude(symbol)
            self._last_ids[symbol] = self.market.trades_before(symbol, prelude)
            for item in prelude:
                self.print(item)

    def print(self, item: Print) -> PublicTrade:
        return self.trade(item.symbol, item.at_ms, item.price, item.quantity, item.taker_side)

    def trade(
        self,
        symbol: str,
        at_ms: int,
        price: Decimal,
        quantity: Decimal,
        taker_side: Side,
        taker_order_id: int | None = None,
    ) -> PublicTrade:
        self._last_ids[symbol] += 1
        trade = PublicTrade(self._last_ids[symbol], symbol, price, quantity, taker_side, at_ms, taker_order_id)
        self.market.record(trade)
        return trade

    def play(self, until_ms: int) -> Market:
        for item in self.feed.prints_until(until_ms):
            self.print(item)
        self.market.advance_to(until_ms)
        return self.market


def opened(feed: Feed) -> Market:
    """The market of a feed where its prelude ends."""
    return PlayedMarket(feed).market
