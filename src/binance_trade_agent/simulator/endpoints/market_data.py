"""Order book, trades and klines (binance-protocol.md 1.2)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.candles import BINANCE_INTERVALS, MINUTE_MS
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.endpoints.endpoint import REQUIRED_SYMBOL, Call, Endpoint
from binance_trade_agent.simulator.endpoints.symbol_status import STATUS_PARAMETER, symbol_of_status
from binance_trade_agent.simulator.errors import ApiError, bad_combination, invalid_data
from binance_trade_agent.simulator.keys import Permission
from binance_trade_agent.simulator.market.payloads import (
    aggregate_trade_row,
    average_price_row,
    kline_row,
    level_rows,
    trade_row,
)
from binance_trade_agent.simulator.market.state import AVERAGE_PRICE_MINUTES
from binance_trade_agent.simulator.parameters import INTEGER, TEXT, Parameter

_LIMIT = Parameter("limit", INTEGER)
_TIMES = (Parameter("startTime", INTEGER), Parameter("endTime", INTEGER))
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50))
_DEEPEST_WEIGHT = 250
_TIME_ZONE = re.compile(r"([+ -]?)([0-9]{1,2})(?::([0-5][0-9]))?")  # a plus that is not percent-encoded is a space
_ZONE_RANGE_MINUTES = (-12 * 60, 14 * 60)


def _depth(call: Call) -> dict[str, Any]:
    symbol = symbol_of_status(call)
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
    if "fromId" in call.arguments and call.arguments.first_of(("startTime", "endTime")):
        raise bad_combination()
    aggregates = call.exchange.market.aggregate_trades(
        symbol,
        from_id=call.arguments.integer("fromId"),
        start_ms=call.arguments.time_ms("startTime"),
        end_ms=call.arguments.time_ms("endTime"),
        limit=call.arguments.limit(default=500, highest=1000),
    )
    return [aggregate_trade_row(aggregate) for aggregate in aggregates]


def _klines(call: Call) -> list[list[int | str]]:
    symbol = call.symbol()
    interval = call.arguments.text("interval")
    if interval not in BINANCE_INTERVALS:
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
    """Offset from UTC in ms of a time zone such as `8`, `-3`, `05:30` or `+08:00`."""
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


def reference_price(call: Call, symbol: str, minutes: int = AVERAGE_PRICE_MINUTES) -> Decimal:
    """The price against which MARKET orders and price bands are judged: the average of the last minutes."""
    return call.exchange.market.average_price(symbol, minutes) or ZERO


def _depth_weight(sent: Mapping[str, str]) -> int:
    text = sent.get("limit", "100")
    if not (text.isascii() and text.isdigit()):
        return _DEPTH_WEIGHTS[0][1]
    limit = int(text[:10])
    return next((weight for highest, weight in _DEPTH_WEIGHTS if limit <= highest), _DEEPEST_WEIGHT)


_KLINE_PARAMETERS = (
    REQUIRED_SYMBOL,
    Parameter("interval", TEXT, required=True),
    *_TIMES,
    Parameter("timeZone"),
    _LIMIT,
)

ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v3/depth",
        "depth",
        Permission.NONE,
        _depth_weight,
        _depth,
        (REQUIRED_SYMBOL, _LIMIT, STATUS_PARAMETER),
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
)
