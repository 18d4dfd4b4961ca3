"""What each request costs at the exchange, and who gives way to whom when little is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

_OF_AN_UNLISTED_REQUEST = 20
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50))
_DEEPEST_WEIGHT = 250
# binance-protocol.md 1.0. Orders and cancels cost nothing when they succeed, and this much when they fail.
_WEIGHTS = {
    "ping": 1,
    "time": 1,
    "exchangeInfo": 20,
    "klines": 2,
    "uiKlines": 2,
    "avgPrice": 2,
    "aggTrades": 4,
    "trades": 25,
    "order": 1,
    "order/test": 1,
    "order/cancelReplace": 1,
    "order/amend/keepPriority": 4,
    "openOrders": 1,
    "orderList": 1,
    "orderList/oco": 1,
    "orderList/oto": 1,
    "orderList/otoco": 1,
}
_QUESTIONS = {"order": 4, "allOrders": 20, "orderList": 4, "openOrderList": 6, "allOrderList": 20, "account": 20}
_PUBLIC = ("exchangeInfo", "klines", "uiKlines", "avgPrice", "aggTrades", "trades", "depth", "ticker")
_ORDERS = {"order": 1, "order/cancelReplace": 1, "orderList/oco": 2, "orderList/oto": 2, "orderList/otoco": 3}


class Priority(IntEnum):
    """Who goes first. The value is the rank: the lowest is served first and may use the whole limit."""

    ESSENTIAL = 0  # cancels, exits, protection, and every question that says what we have
    ENTRY = 1
    MARKET_DATA = 2


# How much of the limit each may use: what entries and market data leave over is for orders that stand already.
SHARE = {Priority.ESSENTIAL: 1.0, Priority.ENTRY: 0.98, Priority.MARKET_DATA: 0.9}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request takes from the limits: weight of the address, new orders of the account."""

    weight: int
    priority: Priority
    orders: int = 0


def cost(method: str, path: str, parameters: Mapping[str, Any]) -> Cost:
    """The cost of a request.

    Args:
        method: `get`, `post`, ... in any case.
        path: without the version, such as `ticker/bookTicker`.
        parameters: as they are sent.
    """
    is_question = method.lower() == "get"
    weight = _of_question(path, parameters) if is_question else _WEIGHTS.get(path, _OF_AN_UNLISTED_REQUEST)
    orders = _ORDERS.get(path, 0) if method.lower() == "post" else 0
    return Cost(weight, _priority(is_question, path, parameters), orders)


def _of_question(path: str, parameters: Mapping[str, Any]) -> int:
    is_for_one_symbol = parameters.get("symbol") is not None
    if path == "openOrders":
        return 6 if is_for_one_symbol else 80
    if path == "myTrades":
        return 20 if parameters.get("orderId") is None else 5
    if path in {"ticker/price", "ticker/bookTicker"}:
        return 2 if is_for_one_symbol else 4
    if path == "ticker/24hr":
        return 2 if is_for_one_symbol else 80
    if path == "depth":
        limit = int(parameters.get("limit") or 100)
        return next((weight for most, weight in _DEPTH_WEIGHTS if limit <= most), _DEEPEST_WEIGHT)
    return _QUESTIONS.get(path) or _WEIGHTS.get(path, _OF_AN_UNLISTED_REQUEST)


def _priority(is_question: bool, path: str, parameters: Mapping[str, Any]) -> Priority:
    """A spot account enters by buying and leaves by selling; order lists protect what was bought."""
    if is_question:
        return Priority.MARKET_DATA if path.startswith(_PUBLIC) else Priority.ESSENTIAL
    is_entry = path in {"order", "order/test"} and str(parameters.get("side", "")).upper() == "BUY"
    return Priority.ENTRY if is_entry else Priority.ESSENTIAL
