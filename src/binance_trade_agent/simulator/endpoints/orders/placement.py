"""POST order and POST order/test (binance-protocol.md 1.3)."""

from collections.abc import Mapping

from binance_trade_agent.domain.orders import OrderType
from binance_trade_agent.matching.errors import Refused
from binance_trade_agent.matching.orders import OrderRequest
from binance_trade_agent.simulator.endpoints.endpoint import REQUIRED_SYMBOL, Call, Endpoint
from binance_trade_agent.simulator.endpoints.orders.checks import (
    check_order_count,
    check_order_filters,
)
from binance_trade_agent.simulator.endpoints.orders.order_fields import (
    ALONE,
    SHARED_PARAMETERS,
    STOP_FIELDS,
    read_order,
)
from binance_trade_agent.simulator.errors import from_refusal, invalid_data
from binance_trade_agent.simulator.keys import Permission
from binance_trade_agent.simulator.parameters import BOOLEAN, Parameter
from binance_trade_agent.simulator.payloads import Json, ResponseType, order_commission, placed_order

ORDER_PARAMETERS = (
    REQUIRED_SYMBOL,
    *ALONE.parameters("side", "type", "quantity", "quoteOrderQty", *STOP_FIELDS, required=("side", "type")),
    *SHARED_PARAMETERS,
)


def place_order(call: Call, request: OrderRequest, kind: ResponseType) -> Json:
    """Let the engine have the order, and answer as `kind` wants it.

    Raises:
        ApiError: -2010.
    """
    try:
        transaction = call.exchange.place(request)
    except Refused as refusal:
        raise from_refusal(refusal) from None
    assert transaction.order is not None, "a placement has an order"
    return placed_order(transaction.order, kind, transaction)


def read_response_type(call: Call, default: ResponseType) -> ResponseType:
    """What `newOrderRespType` asks for.

    Raises:
        ApiError: -1130.
    """
    return call.arguments.choice("newOrderRespType", ResponseType, lambda: invalid_data("newOrderRespType")) or default


def usual_response_type(order_type: OrderType) -> ResponseType:
    """What an order is answered with when nothing was asked for."""
    return ResponseType.FULL if order_type in {OrderType.MARKET, OrderType.LIMIT} else ResponseType.ACK


def _place_order(call: Call) -> Json:
    request = read_order(call, ALONE)
    kind = read_response_type(call, usual_response_type(request.type))
    check_order_filters(call, request)
    check_order_count(call, 1)
    return place_order(call, request, kind)


def _test_order(call: Call) -> Json:
    request = read_order(call, ALONE)
    read_response_type(call, usual_response_type(request.type))
    check_order_filters(call, request)
    try:
        call.exchange.admit(request)
    except Refused as refusal:
        raise from_refusal(refusal) from None
    if not call.arguments.flag("computeCommissionRates", default=False):
        return {}
    return order_commission(call.exchange.engine.settlement.commissions, call.account, request.symbol)


def _test_weight(sent: Mapping[str, str]) -> int:
    return 20 if sent.get("computeCommissionRates", "").lower() == "true" else 1


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/api/v3/order",
        "order.place",
        Permission.TRADE,
        1,
        _place_order,
        ORDER_PARAMETERS,
        free_when_accepted=True,
        places_orders=True,
    ),
    Endpoint(
        "POST",
        "/api/v3/order/test",
        "order.test",
        Permission.TRADE,
        _test_weight,
        _test_order,
        (*ORDER_PARAMETERS, Parameter("computeCommissionRates", BOOLEAN)),
    ),
)
