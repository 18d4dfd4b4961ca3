"""Order book, trades, klines and tickers (binance-protocol.md 1.2)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

from binance_trade_agent.domain.candles import INTERVAL_MS, MINUTE_MS
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.access import Permission
from binance_trade_agent.simulator.endpoints.endpoint import (
    REQUIRED_SYMBOL,
    SYMBOL_PARAMETER,
    SYMBOLS_PARAMETER,
    Call,
    Endpoint,
    by_symbol,
)
from binance_trade_agent.simulator.errors import ApiError, bad_combination, invalid_data
from binance_trade_agent.simulator.market.payloads import (
    aggregate_trade_row,
    amount,
    average_price_row,
    kline_row,
    level_rows,
    mini_ticker_row,
    ticker_row,
    trade_row,
)
from binance_trade_agent.simulator.market.state import TRADES_KEPT
from binance_trade_agent.simulator.parameters import INTEGER, TEXT, Parameter

_LIMIT = Parameter("limit", INTEGER)
_TIMES = (Parameter("startTime", INTEGER), Parameter("endTime", INTEGER))
_STATUS = Parameter("symbolStatus")
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50))
_DEEPEST_WEIGHT = 250
_TIME_ZONE = re.compile(r"([+-]?)([0-9]{1,2})(?::([0-5][0-9]))?")
_ZONE_RANGE_MINUTES = (-12 * 60, 14 * 60)


class TickerType(StrEnum):
    """How much of the 24 hour statistics is wanted."""

    FULL = "FULL"
    MINI = "MINI"


def _depth(call: Call) -> dict[str, Any]:
    symbol = call.symbol()
    _check_status(call, symbol)
    limit = call.arguments.limit(default=100, highest=5000)
    book = call.exchange.book_snapshot(symbol)
    return {
        "lastUpdateId": book.update_id,
        "bids": level_rows(book.depth(Side.BUY, limit)),
        "asks": level_rows(book.depth(Side.SELL, limit)),
    }


def _trades(call: Call) -> list[dict[str, Any]]:
    limit = call.arguments.limit(default=500, highest=1000)
    return [trade_row(trade) for trade in call.exchange.market.recent_trades(call.symbol(), limit)]


def _aggregate_trades(call: Call) -> list[dict[str, Any]]:
    symbol = call.symbol()
    limit = call.arguments.limit(default=500, highest=1000)
    from_id = call.arguments.integer("fromId")
    start_ms, end_ms = call.arguments.time_ms("startTime"), call.arguments.time_ms("endTime")
    if from_id is not None and (start_ms is not None or end_ms is not None):
        raise bad_combination()
    trades = [
        trade
        for trade in call.exchange.market.recent_trades(symbol, TRADES_KEPT)
        if (from_id is None or trade.trade_id >= from_id)
        and (start_ms is None or trade.at_ms >= start_ms)
        and (end_ms is None or trade.at_ms <= end_ms)
    ]
    wanted = trades[-limit:] if from_id is None and start_ms is None else trades[:limit]
    return [aggregate_trade_row(trade) for trade in wanted]


def _klines(call: Call) -> list[list[int | str]]:
    symbol = call.symbol()
    interval = call.arguments.text("interval")
    if interval not in INTERVAL_MS:
        raise ApiError(-1120, "Invalid interval.")
    klines = call.exchange.market.klines(
        symbol,
        interval,
        start_ms=call.arguments.time_ms("startTime"),
        end_ms=call.arguments.time_ms("endTime"),
        limit=call.arguments.limit(default=500, highest=1000),
        zone_ms=_zone_ms(call.arguments.text("timeZone") or "0"),
    )
    return [kline_row(kline) for kline in klines]


def _zone_ms(text: str) -> int:
    """Offset from UTC in ms of a time zone such as `8`, `-3` or `05:30`."""
    parsed = _TIME_ZONE.fullmatch(text)
    if not parsed:
        raise invalid_data("timeZone")
    minutes = int(parsed[2]) * 60 + int(parsed[3] or 0)
    minutes = -minutes if parsed[1] == "-" else minutes
    if not _ZONE_RANGE_MINUTES[0] <= minutes <= _ZONE_RANGE_MINUTES[1]:
        raise invalid_data("timeZone")
    return minutes * MINUTE_MS


def _average_price(call: Call) -> dict[str, Any]:
    symbol = call.symbol()
    last = call.exchange.market.recent_trades(symbol, 1)
    return average_price_row(reference_price(call, symbol), last[0].at_ms if last else call.now_ms)


def reference_price(call: Call, symbol: str) -> Decimal:
    """The price against which MARKET orders and price bands are judged: the average of the last five minutes."""
    return call.exchange.market.average_price(symbol) or ZERO


def _ticker_24hr(call: Call) -> dict[str, Any] | list[dict[str, Any]]:
    kind = call.arguments.choice("type", TickerType, ApiError(-1139, "Invalid ticker type.")) or TickerType.FULL
    rows = []
    for symbol in _symbols_of_status(call):
        ticker = call.exchange.market.ticker_24hr(symbol)
        if ticker is None:
            continue
        bid, ask = _best(call, symbol, Side.BUY), _best(call, symbol, Side.SELL)
        rows.append(mini_ticker_row(ticker) if kind is TickerType.MINI else ticker_row(ticker, bid, ask))
    return _one_or_all(call, rows)


def _price_ticker(call: Call) -> dict[str, Any] | list[dict[str, Any]]:
    market = call.exchange.market
    rows = [
        {"symbol": symbol, "price": amount(market.last_price(symbol) or ZERO)} for symbol in _symbols_of_status(call)
    ]
    return _one_or_all(call, rows)


def _book_ticker(call: Call) -> dict[str, Any] | list[dict[str, Any]]:
    rows = []
    for symbol in _symbols_of_status(call):
        bid, bid_quantity = _best(call, symbol, Side.BUY) or (ZERO, ZERO)
        ask, ask_quantity = _best(call, symbol, Side.SELL) or (ZERO, ZERO)
        row = {
            "symbol": symbol,
            "bidPrice": amount(bid),
            "bidQty": amount(bid_quantity),
            "askPrice": amount(ask),
            "askQty": amount(ask_quantity),
        }
        rows.append(row)
    return _one_or_all(call, rows)


def _best(call: Call, symbol: str, side: Side) -> tuple[Decimal, Decimal] | None:
    return next(iter(call.exchange.engine.listings[symbol].book.depth(side, 1)), None)


def _one_or_all(call: Call, rows: list[dict[str, Any]]) -> dict[str, Any] | list[dict[str, Any]]:
    """An object when `symbol` was sent, else an array (binance-protocol.md 1.2)."""
    return rows[0] if "symbol" in call.arguments and rows else rows


def _symbols_of_status(call: Call) -> list[str]:
    symbols = call.symbols()
    if "symbol" in call.arguments:
        _check_status(call, symbols[0])
    wanted = call.arguments.text("symbolStatus")
    return [symbol for symbol in symbols if wanted in {None, call.exchange.listings[symbol]["status"]}]


def _check_status(call: Call, symbol: str) -> None:
    wanted = call.arguments.text("symbolStatus")
    if wanted is None:
        return
    if wanted not in {"TRADING", "HALT", "BREAK"}:
        raise ApiError(-1122, "Invalid symbolStatus.")
    if call.exchange.listings[symbol]["status"] != wanted:
        raise ApiError(-1220, "The symbol's status does not match the requested symbolStatus.")


def _depth_weight(sent: Mapping[str, str]) -> int:
    text = sent.get("limit", "100")
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return next((weight for highest, weight in _DEPTH_WEIGHTS if limit <= highest), _DEEPEST_WEIGHT)


def _ticker_24hr_weight(sent: Mapping[str, str]) -> int:
    if "symbol" in sent:
        return 2
    number = sent["symbols"].count(",") + 1 if "symbols" in sent else 101
    return 2 if number <= 20 else 40 if number <= 100 else 80


_KLINE_PARAMETERS = (
    REQUIRED_SYMBOL,
    Parameter("interval", TEXT, required=True),
    *_TIMES,
    Parameter("timeZone"),
    _LIMIT,
)
_TICKER_PARAMETERS = (SYMBOL_PARAMETER, SYMBOLS_PARAMETER, _STATUS)

ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v3/depth",
        "depth",
        Permission.NONE,
        _depth_weight,
        _depth,
        (REQUIRED_SYMBOL, _LIMIT, _STATUS),
    ),
    Endpoint("GET", "/api/v3/trades", "trades.recent", Permission.NONE, 25, _trades, (REQUIRED_SYMBOL, _LIMIT)),
    Endpoint(
        "GET",
        "/api/v3/aggTrades",
        "trades.aggregate",
        Permission.NONE,
        4,
        _aggregate_trades,
        (REQUIRED_SYMBOL, Parameter("fromId", INTEGER), *_TIMES, _LIMIT),
    ),
    Endpoint("GET", "/api/v3/klines", "klines", Permission.NONE, 2, _klines, _KLINE_PARAMETERS),
    Endpoint("GET", "/api/v3/uiKlines", "uiKlines", Permission.NONE, 2, _klines, _KLINE_PARAMETERS),
    Endpoint("GET", "/api/v3/avgPrice", "avgPrice", Permission.NONE, 2, _average_price, (REQUIRED_SYMBOL,)),
    Endpoint(
        "GET",
        "/api/v3/ticker/24hr",
        "ticker.24hr",
        Permission.NONE,
        _ticker_24hr_weight,
        _ticker_24hr,
        (*_TICKER_PARAMETERS, Parameter("type")),
    ),
    Endpoint(
        "GET",
        "/api/v3/ticker/price",
        "ticker.price",
        Permission.NONE,
        by_symbol(2, 4),
        _price_ticker,
        _TICKER_PARAMETERS,
    ),
    Endpoint(
        "GET",
        "/api/v3/ticker/bookTicker",
        "ticker.book",
        Permission.NONE,
        by_symbol(2, 4),
        _book_ticker,
        _TICKER_PARAMETERS,
    ),
)
