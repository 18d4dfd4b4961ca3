"""Statistics and best prices of one symbol, of several or of all (binance-protocol.md 1.2)."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level
from binance_trade_agent.simulator.endpoints.endpoint import (
    SYMBOL_PARAMETER,
    SYMBOLS_PARAMETER,
    Call,
    Endpoint,
    by_symbol,
)
from binance_trade_agent.simulator.endpoints.symbol_status import STATUS_PARAMETER, symbols_of_status
from binance_trade_agent.simulator.errors import ApiError, invalid_data, missing_both
from binance_trade_agent.simulator.keys import Permission
from binance_trade_agent.simulator.market.payloads import (
    book_ticker_row,
    mini_ticker_row,
    price_ticker_row,
    ticker_24hr_row,
    ticker_row,
)
from binance_trade_agent.simulator.parameters import Parameter

Row = dict[str, Any]

_WINDOW = re.compile(r"(?:[1-9]|[1-5][0-9])m|(?:[1-9]|1[0-9]|2[0-3])h|[1-7]d")
_UNITS_MS = {"m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": DAY_MS}
_MOST_SYMBOLS = 100
_WEIGHT_A_SYMBOL, _HIGHEST_WEIGHT = 4, 200
_NO_LEVEL: Level = (ZERO, ZERO)


class TickerType(StrEnum):
    """How much of the statistics is wanted."""

    FULL = "FULL"
    MINI = "MINI"


def _ticker_24hr(call: Call) -> Row | list[Row]:
    is_mini = _type(call) is TickerType.MINI
    market = call.exchange.market

    def row(symbol: str) -> Row:
        ticker = market.ticker_24hr(symbol)
        return mini_ticker_row(ticker) if is_mini else ticker_24hr_row(ticker, *_best_levels(call, symbol))

    return _one_or_all(call, row)


def _ticker(call: Call) -> Row | list[Row]:
    window_ms = _window_ms(call.arguments.text("windowSize") or "1d")
    show = mini_ticker_row if _type(call) is TickerType.MINI else ticker_row
    if call.arguments.first_of(("symbol", "symbols")) is None:
        raise missing_both("symbol", "symbols")
    if len(call.symbols()) > _MOST_SYMBOLS:
        raise invalid_data("symbols")
    return _one_or_all(call, lambda symbol: show(call.exchange.market.ticker(symbol, window_ms)))


def _price_ticker(call: Call) -> Row | list[Row]:
    market = call.exchange.market
    return _one_or_all(call, lambda symbol: price_ticker_row(symbol, market.last_price(symbol) or ZERO))


def _book_ticker(call: Call) -> Row | list[Row]:
    return _one_or_all(call, lambda symbol: book_ticker_row(symbol, *_best_levels(call, symbol)))


def _one_or_all(call: Call, row: Callable[[str], Row]) -> Row | list[Row]:
    """An object when `symbol` was sent, else an array."""
    rows = [row(symbol) for symbol in symbols_of_status(call)]
    return rows[0] if "symbol" in call.arguments else rows


def _best_levels(call: Call, symbol: str) -> tuple[Level, Level]:
    """Best bid and ask; zeros for an empty side."""
    book = call.exchange.engine.listings[symbol].book
    bid, ask = (next(iter(book.depth(side, 1)), _NO_LEVEL) for side in (Side.BUY, Side.SELL))
    return bid, ask


def _type(call: Call) -> TickerType:
    return call.arguments.choice("type", TickerType, lambda: ApiError(-1139, "Invalid ticker type.")) or TickerType.FULL


def _window_ms(text: str) -> int:
    if not _WINDOW.fullmatch(text):
        raise invalid_data("windowSize")
    return int(text[:-1]) * _UNITS_MS[text[-1]]


def _number_of_symbols(sent: Mapping[str, str]) -> int:
    return 1 if "symbol" in sent else sent.get("symbols", "").count(",") + 1


def _ticker_24hr_weight(sent: Mapping[str, str]) -> int:
    if "symbol" not in sent and "symbols" not in sent:
        return 80
    number = _number_of_symbols(sent)
    return 2 if number <= 20 else 40 if number <= 100 else 80


def _ticker_weight(sent: Mapping[str, str]) -> int:
    return min(_WEIGHT_A_SYMBOL * _number_of_symbols(sent), _HIGHEST_WEIGHT)


_PARAMETERS = (SYMBOL_PARAMETER, SYMBOLS_PARAMETER, STATUS_PARAMETER)
_TYPE = Parameter("type")

ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v3/ticker/24hr",
        "ticker.24hr",
        Permission.NONE,
        _ticker_24hr_weight,
        _ticker_24hr,
        (*_PARAMETERS, _TYPE),
    ),
    Endpoint(
        "GET",
        "/api/v3/ticker",
        "ticker",
        Permission.NONE,
        _ticker_weight,
        _ticker,
        (*_PARAMETERS, _TYPE, Parameter("windowSize")),
    ),
    Endpoint(
        "GET", "/api/v3/ticker/price", "ticker.price", Permission.NONE, by_symbol(2, 4), _price_ticker, _PARAMETERS
    ),
    Endpoint(
        "GET", "/api/v3/ticker/bookTicker", "ticker.book", Permission.NONE, by_symbol(2, 4), _book_ticker, _PARAMETERS
    ),
)
