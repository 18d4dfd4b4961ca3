"""Market data as Binance's JSON (binance-protocol.md 1.2): prices and quantities are strings with eight decimals."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.market.klines import Kline
from binance_trade_agent.simulator.market.state import AVERAGE_PRICE_MINUTES, Ticker


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


def aggregate_trade_row(trade: PublicTrade) -> dict[str, Any]:
    """One row of GET aggTrades: each trade is an aggregate of its own, with the same id."""
    return {
        "a": trade.trade_id,
        "p": amount(trade.price),
        "q": amount(trade.quantity),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": trade.at_ms,
        "m": trade.taker_side is Side.SELL,
        "M": True,
    }


def average_price_row(price: Decimal, close_time_ms: int) -> dict[str, Any]:
    """The answer of GET avgPrice; `close_time_ms` is the time of the last trade."""
    return {"mins": AVERAGE_PRICE_MINUTES, "price": amount(price), "closeTime": close_time_ms}


def ticker_row(ticker: Ticker, best_bid: Level | None, best_ask: Level | None) -> dict[str, Any]:
    """The FULL object of GET ticker/24hr; an empty side of the book is shown as zeros."""
    bid, bid_quantity = best_bid or (ZERO, ZERO)
    ask, ask_quantity = best_ask or (ZERO, ZERO)
    change = ticker.last - ticker.open
    weighted = ticker.quote_volume / ticker.volume if ticker.volume else ticker.last
    mini = mini_ticker_row(ticker)
    return {
        "symbol": mini.pop("symbol"),
        "priceChange": amount(change),
        "priceChangePercent": f"{change / ticker.open * 100:.3f}",
        "weightedAvgPrice": amount(weighted),
        "prevClosePrice": amount(ticker.previous_close),
        "lastQty": amount(ticker.last_quantity),
        "bidPrice": amount(bid),
        "bidQty": amount(bid_quantity),
        "askPrice": amount(ask),
        "askQty": amount(ask_quantity),
        **mini,
    }


def mini_ticker_row(ticker: Ticker) -> dict[str, Any]:
    """The MINI object of GET ticker/24hr."""
    return {
        "symbol": ticker.symbol,
        "openPrice": amount(ticker.open),
        "highPrice": amount(ticker.high),
        "lowPrice": amount(ticker.low),
        "lastPrice": amount(ticker.last),
        "volume": amount(ticker.volume),
        "quoteVolume": amount(ticker.quote_volume),
        "openTime": ticker.open_time_ms,
        "closeTime": ticker.close_time_ms,
        "firstId": ticker.first_trade_id,
        "lastId": ticker.last_trade_id,
        "count": ticker.trades,
    }
