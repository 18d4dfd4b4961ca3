"""Orders, lists, trades and prevented matches of the account (binance-protocol.md 1.4)."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from binance_trade_agent.matching.orders import PreventedMatch, Trade
from binance_trade_agent.simulator.endpoints.endpoint import (
    REQUIRED_SYMBOL,
    SYMBOL_PARAMETER,
    Call,
    Endpoint,
    by_symbol,
)
from binance_trade_agent.simulator.endpoints.lookup import ORDER_ID_PARAMETERS, find_order, find_order_list
from binance_trade_agent.simulator.errors import ApiError, bad_combination, missing_both
from binance_trade_agent.simulator.keys import Permission
from binance_trade_agent.simulator.parameters import CLIENT_ID, INTEGER, Parameter
from binance_trade_agent.simulator.payloads import (
    Json,
    order_list_row,
    order_row,
    own_trade_row,
    prevented_match_row,
)

_LONGEST_SPAN_MS = 24 * 3_600_000
_LIMIT = Parameter("limit", INTEGER)
_TIMES = (Parameter("startTime", INTEGER), Parameter("endTime", INTEGER))
_Row = TypeVar("_Row")

# Which of orderId, startTime, endTime, fromId may go together (binance-protocol.md 1.4, GET myTrades).
_TRADE_SELECTIONS: tuple[set[str], ...] = (
    set(),
    {"orderId"},
    {"startTime"},
    {"endTime"},
    {"fromId"},
    {"startTime", "endTime"},
    {"orderId", "fromId"},
)


def _order(call: Call) -> Json:
    order = find_order(call, call.symbol())
    if order is None:
        raise _does_not_exist()
    return order_row(order)


def _open_orders(call: Call) -> list[Json]:
    orders = call.exchange.engine.history.open_orders(call.account, call.optional_symbol())
    return [order_row(order) for order in orders]


def _all_orders(call: Call) -> list[Json]:
    symbol = call.symbol()
    from_id = call.arguments.integer("orderId")
    start_ms, end_ms = _times(call)
    orders = [
        order
        for order in call.exchange.engine.history.orders(call.account, symbol)
        if (from_id is None or order.order_id >= from_id) and _is_within(order.created_ms, start_ms, end_ms)
    ]
    return [order_row(order) for order in _page(call, orders, "orderId", "startTime")]


def _order_list(call: Call) -> Json:
    order_list = find_order_list(call, client_id_name="origClientOrderId")
    if order_list is None:
        raise _does_not_exist()
    return order_list_row(order_list)


def _all_order_lists(call: Call) -> list[Json]:
    from_id = call.arguments.integer("fromId")
    if from_id is not None and call.arguments.first_of(("startTime", "endTime")) is not None:
        raise bad_combination()
    start_ms, end_ms = _times(call)
    lists = [
        order_list
        for order_list in call.exchange.engine.history.lists(call.account)
        if (from_id is None or order_list.list_id >= from_id) and _is_within(order_list.created_ms, start_ms, end_ms)
    ]
    return [order_list_row(order_list) for order_list in _page(call, lists, "fromId", "startTime")]


def _open_order_lists(call: Call) -> list[Json]:
    return [order_list_row(order_list) for order_list in call.exchange.engine.history.open_lists(call.account)]


def _own_trades(call: Call) -> list[Json]:
    symbol = call.symbol()
    sent = {name for name in ("orderId", "startTime", "endTime", "fromId") if name in call.arguments}
    if sent not in _TRADE_SELECTIONS:
        raise bad_combination()
    order_id, from_id = call.arguments.integer("orderId"), call.arguments.integer("fromId")
    start_ms, end_ms = _times(call)

    def is_wanted(trade: Trade) -> bool:
        return (
            (order_id is None or trade.order_id == order_id)
            and (from_id is None or trade.trade_id >= from_id)
            and _is_within(trade.at_ms, start_ms, end_ms)
        )

    history = call.exchange.engine.history
    trades = [trade for trade in history.trades(call.account, symbol) if is_wanted(trade)]
    page = _page(call, trades, "fromId", "startTime")
    orders = [history.find(call.account, symbol, trade.order_id) for trade in page]
    return [own_trade_row(trade, order) for trade, order in zip(page, orders, strict=True) if order is not None]


def _prevented_matches(call: Call) -> list[Json]:
    symbol = call.symbol()
    match_id, order_id = call.arguments.integer("preventedMatchId"), call.arguments.integer("orderId")
    from_id = call.arguments.integer("fromPreventedMatchId")
    if match_id is None and order_id is None:
        raise missing_both("preventedMatchId", "orderId")
    if match_id is not None and call.arguments.first_of(("orderId", "fromPreventedMatchId", "limit")) is not None:
        raise bad_combination()

    def is_wanted(match: PreventedMatch) -> bool:
        if match_id is not None:
            return match.prevented_match_id == match_id
        is_of_order = order_id in {match.taker_order_id, match.maker_order_id}
        return is_of_order and (from_id is None or match.prevented_match_id >= from_id)

    matches = call.exchange.engine.history.prevented_matches(call.account, symbol)
    limit = call.arguments.limit(default=500, highest=1000)
    return [prevented_match_row(match) for match in matches if is_wanted(match)][:limit]


def _prevented_matches_weight(sent: Mapping[str, str]) -> int:
    return 2 if "preventedMatchId" in sent else 20


def _does_not_exist() -> ApiError:
    return ApiError(-2013, "Order does not exist.")


def _times(call: Call) -> tuple[int | None, int | None]:
    """The values of startTime and endTime in ms.

    Raises:
        ApiError: -1127 they are more than a day apart.
    """
    start_ms, end_ms = call.arguments.time_ms("startTime"), call.arguments.time_ms("endTime")
    if start_ms is not None and end_ms is not None and end_ms - start_ms > _LONGEST_SPAN_MS:
        raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    return start_ms, end_ms


def _is_within(at_ms: int, start_ms: int | None, end_ms: int | None) -> bool:
    return (start_ms is None or at_ms >= start_ms) and (end_ms is None or at_ms <= end_ms)


def _page(call: Call, rows: Sequence[_Row], *from_the_oldest: str) -> Sequence[_Row]:
    """As many of the ascending `rows` as `limit` wants: the first when one of these was sent, or the last."""
    limit = call.arguments.limit(default=500, highest=1000)
    return rows[:limit] if call.arguments.first_of(from_the_oldest) is not None else rows[-limit:]


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/api/v3/order",
        "order.status",
        Permission.USER_DATA,
        4,
        _order,
        (REQUIRED_SYMBOL, *ORDER_ID_PARAMETERS),
    ),
    Endpoint(
        "GET",
        "/api/v3/openOrders",
        "openOrders.status",
        Permission.USER_DATA,
        by_symbol(6, 80),
        _open_orders,
        (SYMBOL_PARAMETER,),
    ),
    Endpoint(
        "GET",
        "/api/v3/allOrders",
        "allOrders",
        Permission.USER_DATA,
        20,
        _all_orders,
        (REQUIRED_SYMBOL, Parameter("orderId", INTEGER), *_TIMES, _LIMIT),
    ),
    Endpoint(
        "GET",
        "/api/v3/orderList",
        "orderList.status",
        Permission.USER_DATA,
        4,
        _order_list,
        (Parameter("orderListId", INTEGER), Parameter("origClientOrderId", CLIENT_ID)),
    ),
    Endpoint(
        "GET",
        "/api/v3/allOrderList",
        "allOrderLists",
        Permission.USER_DATA,
        20,
        _all_order_lists,
        (Parameter("fromId", INTEGER), *_TIMES, _LIMIT),
    ),
    Endpoint(
        "GET",
        "/api/v3/openOrderList",
        "openOrderLists.status",
        Permission.USER_DATA,
        6,
        _open_order_lists,
    ),
    Endpoint(
        "GET",
        "/api/v3/myTrades",
        "myTrades",
        Permission.USER_DATA,
        lambda sent: 5 if "orderId" in sent else 20,
        _own_trades,
        (REQUIRED_SYMBOL, Parameter("orderId", INTEGER), *_TIMES, Parameter("fromId", INTEGER), _LIMIT),
    ),
    Endpoint(
        "GET",
        "/api/v3/myPreventedMatches",
        "myPreventedMatches",
        Permission.USER_DATA,
        _prevented_matches_weight,
        _prevented_matches,
        (
            REQUIRED_SYMBOL,
            Parameter("preventedMatchId", INTEGER),
            Parameter("orderId", INTEGER),
            Parameter("fromPreventedMatchId", INTEGER),
            _LIMIT,
        ),
        bad_symbol_weight=2,
    ),
)
