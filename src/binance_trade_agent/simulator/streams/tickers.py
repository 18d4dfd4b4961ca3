"""Statistics streams: `s@miniTicker`, `s@ticker`, `s@ticker_1h`, `!miniTicker@arr`, `s@avgPrice` and their like."""

from collections.abc import Callable

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.market.payloads import amount
from binance_trade_agent.simulator.market.state import AVERAGE_PRICE_MINUTES, Ticker
from binance_trade_agent.simulator.payloads import Json
from binance_trade_agent.simulator.streams.books import best_level
from binance_trade_agent.simulator.streams.channel import QuietChannel
from binance_trade_agent.simulator.streams.names import WINDOWS_MS

Show = Callable[[str, Exchange], Json]


class TickerChannel(QuietChannel):
    """One symbol's statistics once a second."""

    def __init__(self, symbol: str, show: Show) -> None:
        """Send what `show` makes of a symbol once it has traded."""
        self.symbol: str | None = symbol
        self._show = show

    def messages(self, exchange: Exchange) -> list[Json | list[Json]]:
        """See Channel."""
        symbol = str(self.symbol)
        return [self._show(symbol, exchange)] if exchange.market.last_price(symbol) is not None else []


class AllTickersChannel(QuietChannel):
    """The statistics of all symbols that have traded since the last message, as one array."""

    symbol: str | None = None

    def __init__(self, show: Show) -> None:
        """As TickerChannel; the first message has all symbols."""
        self._show = show
        self._trade_ids: dict[str, int] = {}

    def messages(self, exchange: Exchange) -> list[Json | list[Json]]:
        """See Channel."""
        changed = []
        for symbol, listing in exchange.engine.listings.items():
            has_traded = exchange.market.last_price(symbol) is not None
            if has_traded and self._trade_ids.get(symbol) != listing.last_trade_id:
                self._trade_ids[symbol] = listing.last_trade_id
                changed.append(self._show(symbol, exchange))
        return [changed] if changed else []


def mini_ticker(symbol: str, exchange: Exchange) -> Json:
    """The last 24 hours in short."""
    return {"e": "24hrMiniTicker", "E": exchange.now_ms, "s": symbol, **_prices(exchange.market.ticker_24hr(symbol))}


def ticker_24hr(symbol: str, exchange: Exchange) -> Json:
    """The last 24 hours."""
    ticker = exchange.market.ticker_24hr(symbol)
    book = exchange.engine.listings[symbol].book
    (bid, bid_quantity), (ask, ask_quantity) = best_level(book, Side.BUY), best_level(book, Side.SELL)
    return {
        "e": "24hrTicker",
        "E": exchange.now_ms,
        "s": symbol,
        **_change(ticker),
        "x": amount(ticker.previous_close),
        "Q": amount(ticker.last_quantity),
        "b": amount(bid),
        "B": amount(bid_quantity),
        "a": amount(ask),
        "A": amount(ask_quantity),
        **_prices(ticker),
        **_extent(ticker),
    }


def window_ticker(window: str) -> Show:
    """The last hour, four hours or day, from a whole minute on: GET ticker with that windowSize."""

    def show(symbol: str, exchange: Exchange) -> Json:
        ticker = exchange.market.ticker(symbol, WINDOWS_MS[window])
        event = {"e": f"{window}Ticker", "E": exchange.now_ms, "s": symbol}
        return {**event, **_change(ticker), **_prices(ticker), **_extent(ticker)}

    return show


def average_price(symbol: str, exchange: Exchange) -> Json:
    """The price of the last five minutes, weighted by volume."""
    return {
        "e": "avgPrice",
        "E": exchange.now_ms,
        "s": symbol,
        "i": f"{AVERAGE_PRICE_MINUTES}m",
        "w": amount(exchange.market.average_price(symbol) or ZERO),
        "T": exchange.market.recent_trades(symbol, 1)[0].at_ms,
    }


def _change(ticker: Ticker) -> Json:
    return {
        "p": amount(ticker.change),
        "P": f"{ticker.change_pct:.3f}",
        "w": amount(ticker.weighted_average),
    }


def _prices(ticker: Ticker) -> Json:
    return {
        "c": amount(ticker.last),
        "o": amount(ticker.open),
        "h": amount(ticker.high),
        "l": amount(ticker.low),
        "v": amount(ticker.volume),
        "q": amount(ticker.quote_volume),
    }


def _extent(ticker: Ticker) -> Json:
    return {
        "O": ticker.open_time_ms,
        "C": ticker.close_time_ms,
        "F": ticker.first_trade_id,
        "L": ticker.last_trade_id,
        "n": ticker.trades,
    }
