"""A market without an exchange: what the matching engine would number is numbered here."""

from collections import Counter
from decimal import Decimal

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.market.feed import Feed, Print
from binance_trade_agent.simulator.market.state import Market


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
