"""Market data as Binance's JSON (binance-protocol.md 1.2): prices and quantities are strings with eight decimals."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.market.klines import Kline
from binance_trade_agent.simulator.market.state import AVERAGE_PRICE_MINUTES, Ticker
from binance_trade_agent.simulator.market.tape import AggregateTrade


def amount(value: Decimal) -> str:
    """A price or quantity with eight decimals."""
    return f"{value:.8f}"


def kline_row(kline: Kline) -> list[int | str]:
    """The 12 fields of GET klines."""
    return [
        kline.open_time_ms,
        amount(kline.open),
        amount(kline.high),
        amount(kline.low),
        amount(kline.close),
        amount(kline.volume),
        kline.close_time_ms,
        amount(kline.quote_volume),
        kline.trades,
        amount(kline.taker_buy_base),
        amount(kline.taker_buy_quote),
        "0",
    ]


def level_rows(levels: Sequence[Level]) -> list[list[str]]:
    """One side of GET depth."""
    return [[amount(price), amount(quantity)] for price, quantity in levels]


def trade_row(trade: PublicTrade) -> dict[str, Any]:
    """One row of GET trades."""
    return {
        "id": trade.trade_id,
        "price": amount(trade.price),
        "qty": amount(trade.quantity),
        "quoteQty": amount(trade.price * trade.quantity),
        "time": trade.at_ms,
        "isBuyerMaker": trade.taker_side is Side.SELL,
        "isBestMatch": True,
    }


def aggregate_trade_row(aggregate: AggregateTrade) -> dict[str, Any]:
    """One row of GET aggTrades."""
    return {
        "a": aggregate.aggregate_id,
        "p": amount(aggregate.price),
        "q": amount(aggregate.quantity),
        "f": aggregate.first_trade_id,
        "l": aggregate.last_trade_id,
        "T": aggregate.at_ms,
        "m": aggregate.taker_side is Side.SELL,
        "M": True,
    }


def average_price_row(price: Decimal, close_time_ms: int) -> dict[str, Any]:
    """The answer of GET avgPrice; `close_time_ms` is the time of the last trade."""
    return {"mins": AVERAGE_PRICE_MINUTES, "price": amount(price), "closeTime": close_time_ms}


def price_ticker_row(symbol: str, price: Decimal) -> dict[str, Any]:
    """The object of GET ticker/price."""
    return {"symbol": symbol, "price": amount(price)}


def book_ticker_row(symbol: str, best_bid: Level, best_ask: Level) -> dict[str, Any]:
    """The object of GET ticker/bookTicker."""
    return {"symbol": symbol, **_best_levels(best_bid, best_ask)}


def ticker_24hr_row(ticker: Ticker, best_bid: Level, best_ask: Level) -> dict[str, Any]:
    """The FULL object of GET ticker/24hr."""
    return {
        **_change(ticker),
        "prevClosePrice": amount(ticker.previous_close),
        "lastPrice": amount(ticker.last),
        "lastQty": amount(ticker.last_quantity),
        **_best_levels(best_bid, best_ask),
        **_extent(ticker),
    }


def ticker_row(ticker: Ticker) -> dict[str, Any]:
    """The FULL object of GET ticker."""
    return {**_change(ticker), "lastPrice": amount(ticker.last), **_extent(ticker)}


def mini_ticker_row(ticker: Ticker) -> dict[str, Any]:
    """The MINI object of GET ticker/24hr and GET ticker."""
    return {"symbol": ticker.symbol, "lastPrice": amount(ticker.last), **_extent(ticker)}


def _change(ticker: Ticker) -> dict[str, Any]:
    return {
        "symbol": ticker.symbol,
        "priceChange": amount(ticker.change),
        "priceChangePercent": f"{ticker.change_pct:.3f}",
        "weightedAvgPrice": amount(ticker.weighted_average),
    }


def _best_levels(best_bid: Level, best_ask: Level) -> dict[str, Any]:
    """An empty side of the book is a level of zeros."""
    (bid, bid_quantity), (ask, ask_quantity) = best_bid, best_ask
    return {
        "bidPrice": amount(bid),
        "bidQty": amount(bid_quantity),
        "askPrice": amount(ask),
        "askQty": amount(ask_quantity),
    }


def _extent(ticker: Ticker) -> dict[str, Any]:
    return {
        "openPrice": amount(ticker.open),
        "highPrice": amount(ticker.high),
        "lowPrice": amount(ticker.low),
        "volume": amount(ticker.volume),
        "quoteVolume": amount(ticker.quote_volume),
        "openTime": ticker.open_time_ms,
        "closeTime": ticker.close_time_ms,
        "firstId": ticker.first_trade_id,
        "lastId": ticker.last_trade_id,
        "count": ticker.trades,
    }
