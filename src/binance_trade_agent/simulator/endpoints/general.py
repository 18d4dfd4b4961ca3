"""ping, time, exchangeInfo (binance-protocol.md 1.1)."""

from typing import Any

import orjson

from binance_trade_agent.simulator.access import Permission
from binance_trade_agent.simulator.endpoints.endpoint import SYMBOL_PARAMETER, SYMBOLS_PARAMETER, Call, Endpoint
from binance_trade_agent.simulator.errors import ApiError, bad_combination
from binance_trade_agent.simulator.limits import ALL_WINDOWS
from binance_trade_agent.simulator.parameters import BOOLEAN, Parameter

_ALWAYS_SHOWN = frozenset({"SPOT", "MARGIN", "LEVERAGED"})
_STATUSES = frozenset({"TRADING", "HALT", "BREAK"})


def _ping(_call: Call) -> dict[str, Any]:
    return {}


def _time(call: Call) -> dict[str, Any]:
    return {"serverTime": call.now_ms}


def _exchange_info(call: Call) -> dict[str, Any]:
    named = call.arguments.first_of(("symbol", "symbols"))
    if named and call.arguments.first_of(("permissions", "symbolStatus")):
        raise bad_combination()
    symbols = [dict(call.exchange.listings[symbol]) for symbol in call.symbols()]
    if not named:
        wanted = _permissions(call.arguments.text("permissions"))
        symbols = [entry for entry in symbols if any(wanted & set(group) for group in entry["permissionSets"])]
    if (status := call.arguments.text("symbolStatus")) is not None:
        if status not in _STATUSES:
            raise ApiError(-1122, "Invalid symbolStatus.")
        symbols = [entry for entry in symbols if entry["status"] == status]
    if not call.arguments.flag("showPermissionSets", default=True):
        for entry in symbols:
            entry["permissionSets"] = []
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "rateLimits": [window.payload() for window in ALL_WINDOWS],
        "exchangeFilters": [],
        "symbols": symbols,
    }


def _permissions(text: str | None) -> frozenset[str]:
    if text is None:
        return _ALWAYS_SHOWN
    try:
        value = orjson.loads(text) if text.startswith("[") else [text]
    except orjson.JSONDecodeError:
        value = [text]
    return frozenset(str(name) for name in value)


ENDPOINTS = (
    Endpoint("GET", "/api/v3/ping", "ping", Permission.NONE, 1, _ping),
    Endpoint("GET", "/api/v3/time", "time", Permission.NONE, 1, _time),
    Endpoint(
        "GET",
        "/api/v3/exchangeInfo",
        "exchangeInfo",
        Permission.NONE,
        20,
        _exchange_info,
        (
            SYMBOL_PARAMETER,
            SYMBOLS_PARAMETER,
            Parameter("permissions"),
            Parameter("showPermissionSets", BOOLEAN),
            Parameter("symbolStatus"),
        ),
    ),
)
