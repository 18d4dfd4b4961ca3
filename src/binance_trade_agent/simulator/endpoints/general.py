"""ping, time, exchangeInfo (binance-protocol.md 1.1)."""

import re
from typing import Any

import orjson

from binance_trade_agent.matching.state import ExchangeLimits
from binance_trade_agent.simulator.endpoints.endpoint import SYMBOL_PARAMETER, SYMBOLS_PARAMETER, Call, Endpoint
from binance_trade_agent.simulator.endpoints.symbol_status import STATUS_PARAMETER, wanted_status
from binance_trade_agent.simulator.errors import bad_combination, invalid_data
from binance_trade_agent.simulator.keys import Permission
from binance_trade_agent.simulator.limits import ALL_WINDOWS
from binance_trade_agent.simulator.parameters import BOOLEAN, Parameter

_SHOWN_UNASKED = frozenset({"SPOT", "MARGIN", "LEVERAGED"})
_PERMISSION = re.compile(r"SPOT|MARGIN|LEVERAGED|TRD_GRP_[0-9]{3}")


def _ping(_call: Call) -> dict[str, Any]:
    return {}


def _time(call: Call) -> dict[str, Any]:
    return {"serverTime": call.exchange.server_ms}


def _exchange_info(call: Call) -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "serverTime": call.exchange.server_ms,
        "rateLimits": [window.payload() for window in ALL_WINDOWS],
        "exchangeFilters": _exchange_filters(call.exchange.engine.limits),
        "symbols": call.exchange.listings.encoded(
            _wanted_symbols(call), show_permission_sets=call.arguments.flag("showPermissionSets", default=True)
        ),
    }


def _wanted_symbols(call: Call) -> list[str]:
    """The symbols that are named; or else those that have one of the permissions, and the status if one is wanted."""
    symbols = call.symbols()
    if call.arguments.first_of(("symbol", "symbols")):
        if call.arguments.first_of(("permissions", "symbolStatus")):
            raise bad_combination()
        return symbols
    listings, status = call.exchange.listings, wanted_status(call)
    permissions = _permissions(call.arguments.text("permissions"))
    return [
        symbol
        for symbol in symbols
        if status in {None, listings[symbol]["status"]}
        and any(not permissions.isdisjoint(group) for group in listings[symbol]["permissionSets"])
    ]


def _permissions(text: str | None) -> frozenset[str]:
    """One permission, or a JSON array of them."""
    if text is None:
        return _SHOWN_UNASKED
    try:
        names = orjson.loads(text) if text.startswith("[") else [text]
    except orjson.JSONDecodeError:
        raise invalid_data("permissions") from None
    if not all(isinstance(name, str) and _PERMISSION.fullmatch(name) for name in names):
        raise invalid_data("permissions")
    return frozenset(names)


def _exchange_filters(limits: ExchangeLimits) -> list[dict[str, str | int]]:
    numbers = {
        ("EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders"): limits.max_orders,
        ("EXCHANGE_MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders"): limits.max_algo_orders,
        ("EXCHANGE_MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders"): limits.max_iceberg_orders,
        ("EXCHANGE_MAX_NUM_ORDER_LISTS", "maxNumOrderLists"): limits.max_order_lists,
    }
    return [{"filterType": kind, field: number} for (kind, field), number in numbers.items() if number]


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
            STATUS_PARAMETER,
        ),
    ),
)
