"""POST orderList/oco, /oto, /otoco and DELETE orderList (binance-protocol.md 1.3)."""

from collections.abc import Callable

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.matching.errors import UNKNOWN_ORDER, CancelRefused, OrderRefused, Refused
from binance_trade_agent.matching.lists import Contingency, OrderListRequest
from binance_trade_agent.matching.orders import OrderRequest
from binance_trade_agent.simulator.endpoints.endpoint import REQUIRED_SYMBOL, Call, Endpoint
from binance_trade_agent.simulator.endpoints.lookup import find_order_list
from binance_trade_agent.simulator.endpoints.orders.checks import (
    check_order_count,
    check_order_filters,
)
from binance_trade_agent.simulator.endpoints.orders.order_fields import (
    LIMIT_FIELDS,
    SHARED_PARAMETERS,
    STOP_FIELDS,
    Leg,
    read_order,
    read_side,
    read_type,
)
from binance_trade_agent.simulator.endpoints.orders.placement import read_response_type
from binance_trade_agent.simulator.errors import ApiError, from_refusal
from binance_trade_agent.simulator.keys import Permission
from binance_trade_agent.simulator.parameters import CLIENT_ID, INTEGER, Parameter
from binance_trade_agent.simulator.payloads import Json, ResponseType, cancelled_list, placed_list

_ABOVE = Leg("above", "side", "quantity")
_BELOW = Leg("below", "side", "quantity")
_WORKING = Leg("working", "workingSide", "workingQuantity")
_PENDING = Leg("pending", "pendingSide", "pendingQuantity")
_PENDING_ABOVE = Leg("pendingAbove", "pendingSide", "pendingQuantity")
_PENDING_BELOW = Leg("pendingBelow", "pendingSide", "pendingQuantity")

_STOP_LOSS_TYPES = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
_TAKE_PROFIT_TYPES = frozenset({OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})
_OCO_TYPES = _STOP_LOSS_TYPES | _TAKE_PROFIT_TYPES | {OrderType.LIMIT_MAKER}


def _place_oco(call: Call) -> Json:
    return _place(call, Contingency.OCO, _read_oco(call, _ABOVE, _BELOW))


def _place_oto(call: Call) -> Json:
    return _place(call, Contingency.OTO, [_read_working(call), read_order(call, _PENDING, number=1)])


def _place_otoco(call: Call) -> Json:
    return _place(call, Contingency.OTO, [_read_working(call), *_read_oco(call, _PENDING_ABOVE, _PENDING_BELOW)])


def _read_working(call: Call) -> OrderRequest:
    if read_type(call, _WORKING) not in {OrderType.LIMIT, OrderType.LIMIT_MAKER}:
        raise ApiError(-1014, "Unsupported order combination.")
    return read_order(call, _WORKING)


def _read_oco(call: Call, above: Leg, below: Leg) -> list[OrderRequest]:
    """The two legs, the stop leg first; of two stop legs the lower one."""
    _check_oco_types(read_side(call, above), read_type(call, above), read_type(call, below))
    first = 1 if above is _PENDING_ABOVE else 0
    legs = sorted((below, above), key=lambda leg: read_type(call, leg) is OrderType.LIMIT_MAKER)
    return [read_order(call, leg, number=number) for number, leg in enumerate(legs, first)]


def _check_oco_types(side: Side, above: OrderType, below: OrderType) -> None:
    """Refuse types that make no OCO (binance-protocol.md 2.5).

    Raises:
        ApiError: -1158, -1168, -1165, -1166, -1196 to -1199.
    """
    if not {above, below} <= _OCO_TYPES:
        raise ApiError(-1158, "Order type not supported in OCO.")
    if above is below is OrderType.LIMIT_MAKER:
        raise ApiError(-1168, "At least one OCO order must be contingent.")
    if side is Side.BUY:
        if above is OrderType.LIMIT_MAKER:
            raise ApiError(-1165, "A limit order in a buy OCO must be below.")
        if below in _STOP_LOSS_TYPES:
            raise ApiError(-1196, "A stop loss order in a buy OCO must be above.")
        if above in _TAKE_PROFIT_TYPES:
            raise ApiError(-1198, "A take profit order in a buy OCO must be below.")
    else:
        if below is OrderType.LIMIT_MAKER:
            raise ApiError(-1166, "A limit order in a sell OCO must be above.")
        if above in _STOP_LOSS_TYPES:
            raise ApiError(-1197, "A stop loss order in a sell OCO must be below.")
        if below in _TAKE_PROFIT_TYPES:
            raise ApiError(-1199, "A take profit order in a sell OCO must be above.")


def _place(call: Call, contingency: Contingency, legs: list[OrderRequest]) -> Json:
    kind = read_response_type(call, ResponseType.RESULT)
    symbol = call.symbol()
    check_order_filters(call, *legs)
    check_order_count(call, len(legs))
    name = contingency.value
    if not call.exchange.listings[symbol][f"{name.lower()}Allowed"]:
        raise from_refusal(OrderRefused(f"{name} orders are not supported for this symbol"))
    client_list_id = call.arguments.text("listClientOrderId") or call.exchange.generated_id(
        "list", call.exchange.engine.last_list_id + 1
    )
    try:
        transaction = call.exchange.place_list(
            OrderListRequest(call.account, symbol, contingency, client_list_id, tuple(legs))
        )
    except Refused as refusal:
        raise from_refusal(refusal) from None
    return placed_list(transaction, kind)


def _cancel_list(call: Call) -> Json:
    symbol = call.symbol()
    order_list = find_order_list(call, client_id_name="listClientOrderId")
    if order_list is None or order_list.symbol != symbol or not order_list.is_open:
        raise from_refusal(CancelRefused(UNKNOWN_ORDER))
    transaction = call.exchange.cancel_list(order_list, call.arguments.text("newClientOrderId"))
    return cancelled_list(order_list, transaction.reports)


def _placing(name: str, handle: Callable[[Call], Json], *parameters: Parameter) -> Endpoint:
    """The endpoint that places lists of one kind."""
    own = (REQUIRED_SYMBOL, Parameter("listClientOrderId", CLIENT_ID), *SHARED_PARAMETERS, *parameters)
    return Endpoint(
        "POST",
        f"/api/v3/orderList/{name}",
        f"orderList.place.{name}",
        Permission.TRADE,
        1,
        handle,
        own,
        free_when_accepted=True,
        places_orders=True,
    )


_WORKING_PARAMETERS = _WORKING.parameters(
    "type", "side", "quantity", *LIMIT_FIELDS, required=("type", "side", "quantity", "price")
)

ENDPOINTS: tuple[Endpoint, ...] = (
    _placing(
        "oco",
        _place_oco,
        *_ABOVE.parameters("side", "quantity", "type", *STOP_FIELDS, required=("side", "quantity", "type")),
        *_BELOW.parameters("type", *STOP_FIELDS, required=("type",)),
    ),
    _placing(
        "oto",
        _place_oto,
        *_WORKING_PARAMETERS,
        *_PENDING.parameters("type", "side", "quantity", *STOP_FIELDS, required=("type", "side", "quantity")),
    ),
    _placing(
        "otoco",
        _place_otoco,
        *_WORKING_PARAMETERS,
        *_PENDING_ABOVE.parameters("side", "quantity", "type", *STOP_FIELDS, required=("side", "quantity", "type")),
        *_PENDING_BELOW.parameters("type", *STOP_FIELDS, required=("type",)),
    ),
    Endpoint(
        "DELETE",
        "/api/v3/orderList",
        "orderList.cancel",
        Permission.TRADE,
        1,
        _cancel_list,
        (
            REQUIRED_SYMBOL,
            Parameter("orderListId", INTEGER),
            Parameter("listClientOrderId", CLIENT_ID),
            Parameter("newClientOrderId", CLIENT_ID),
        ),
        free_when_accepted=True,
    ),
)
