"""Placing, testing and cancelling orders (binance-protocol.md 1.3)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.matching.errors import (
    CANCEL_RESTRICTED,
    UNKNOWN_ORDER,
    CancelRefused,
    OrderRefused,
    Refused,
)
from binance_trade_agent.matching.filters import check_filters
from binance_trade_agent.matching.orders import ExchangeOrder, OrderRequest, Status, TimeInForce
from binance_trade_agent.simulator.access import Permission
from binance_trade_agent.simulator.endpoints.endpoint import REQUIRED_SYMBOL, Call, Endpoint
from binance_trade_agent.simulator.endpoints.lookup import ORDER_ID_PARAMETERS, find_order
from binance_trade_agent.simulator.endpoints.market_data import reference_price
from binance_trade_agent.simulator.errors import ApiError, from_refusal, missing, missing_both, not_required
from binance_trade_agent.simulator.market.payloads import amount
from binance_trade_agent.simulator.parameters import BOOLEAN, CLIENT_ID, DECIMAL, INTEGER, Parameter
from binance_trade_agent.simulator.payloads import cancelled_order, order_ack, order_full, order_result

_LEAST_STRATEGY_TYPE = 1_000_000


class SentType(StrEnum):
    """Order types that the protocol knows; those that a symbol does not list are refused by their name."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


class ResponseType(StrEnum):
    """How much a placement answers."""

    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


class SelfTradePrevention(StrEnum):
    """Modes that the protocol knows; a symbol lists those that it allows."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"
    DECREMENT = "DECREMENT"
    TRANSFER = "TRANSFER"


class CancelRestriction(StrEnum):
    """In which status an order may be cancelled."""

    ONLY_NEW = "ONLY_NEW"
    ONLY_PARTIALLY_FILLED = "ONLY_PARTIALLY_FILLED"


# Per type, what must be sent beside symbol, side and type, and what must not (binance-protocol.md 1.3).
_REQUIRED: dict[OrderType, tuple[str, ...]] = {
    OrderType.LIMIT: ("timeInForce", "quantity", "price"),
    OrderType.MARKET: (),
    OrderType.LIMIT_MAKER: ("quantity", "price"),
}
_FORBIDDEN: dict[OrderType, tuple[str, ...]] = {
    OrderType.LIMIT: ("stopPrice", "trailingDelta", "quoteOrderQty"),
    OrderType.MARKET: ("price", "timeInForce", "stopPrice", "trailingDelta", "icebergQty"),
    OrderType.LIMIT_MAKER: ("timeInForce", "stopPrice", "trailingDelta", "quoteOrderQty"),
}


def _place_order(call: Call) -> dict[str, Any]:
    request = _order_request(call)
    kind = _response_type(call, request.type)
    _check_filters(call, request)
    counts = call.exchange.order_count(call.account)
    counts.check(call.exchange.limits_now_ms())
    try:
        transaction = call.exchange.place(request)
    except Refused as refusal:
        raise from_refusal(refusal) from None
    for window, count in counts.counts(call.exchange.limits_now_ms()).items():
        call.headers[f"x-mbx-order-count-{window.interval_number}{window.interval[0].lower()}"] = str(count)
    order = transaction.order
    assert order is not None, "a placement has an order"
    if kind is ResponseType.ACK:
        return order_ack(order)
    if kind is ResponseType.RESULT:
        return order_result(order)
    own = [report.trade for report in transaction.reports if report.trade and report.order is order]
    return order_full(order, own)


def _test_order(call: Call) -> dict[str, Any]:
    request = _order_request(call)
    _response_type(call, request.type)
    _check_filters(call, request)
    if not call.arguments.flag("computeCommissionRates", default=False):
        return {}
    rates = call.exchange.engine.settlement.rates
    none = {"maker": amount(ZERO), "taker": amount(ZERO)}
    return {
        "standardCommissionForOrder": {"maker": amount(rates.maker), "taker": amount(rates.taker)},
        "specialCommissionForOrder": none,
        "taxCommissionForOrder": none,
        "discount": NO_DISCOUNT,
    }


def _cancel_order(call: Call) -> dict[str, Any]:
    symbol = call.symbol()
    refusal = ApiError(-1145, "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`.")
    restriction = call.arguments.choice("cancelRestrictions", CancelRestriction, refusal)
    order = find_order(call, symbol)
    if order is None or not order.is_open:
        raise from_refusal(CancelRefused(UNKNOWN_ORDER))
    allowed = {CancelRestriction.ONLY_NEW: Status.NEW, CancelRestriction.ONLY_PARTIALLY_FILLED: Status.PARTIALLY_FILLED}
    if restriction is not None and order.status is not allowed[restriction]:
        raise from_refusal(CancelRefused(CANCEL_RESTRICTED))
    return _cancel(call, order, call.arguments.text("newClientOrderId"))


def _cancel_open_orders(call: Call) -> list[dict[str, Any]]:
    orders = call.exchange.engine.history.open_orders(call.account, call.symbol())
    if not orders:
        raise from_refusal(CancelRefused(UNKNOWN_ORDER))
    return [_cancel(call, order, None) for order in orders]


def _cancel(call: Call, order: ExchangeOrder, cancel_id: str | None) -> dict[str, Any]:
    placed_as = order.client_order_id
    call.exchange.cancel(order, cancel_id)
    return cancelled_order(order, placed_as)


def _order_request(call: Call) -> OrderRequest:
    """The order that the parameters describe, in the order of checks of binance-protocol.md 2.4."""
    arguments = call.arguments
    symbol = call.symbol()
    sent_type = arguments.choice("type", SentType, ApiError(-1116, "Invalid orderType."))
    side = arguments.choice("side", Side, ApiError(-1117, "Invalid side."))
    time_in_force = arguments.choice("timeInForce", TimeInForce, ApiError(-1115, "Invalid timeInForce."))
    if sent_type is None or side is None:
        raise missing("type" if sent_type is None else "side")
    amounts = {name: arguments.decimal(name) for name in ("quantity", "quoteOrderQty", "price")}
    _check_supported(call, symbol, sent_type)
    order_type = OrderType(sent_type)
    _check_combination(call, order_type)
    return OrderRequest(
        account=call.account,
        symbol=symbol,
        side=side,
        type=order_type,
        client_order_id=arguments.text("newClientOrderId") or _generated_order_id(call, symbol),
        quantity=amounts["quantity"],
        quote_quantity=amounts["quoteOrderQty"],
        price=amounts["price"],
        time_in_force=time_in_force or TimeInForce.GTC,
        strategy_id=arguments.integer("strategyId"),
        strategy_type=_strategy_type(call),
    )


def _check_supported(call: Call, symbol: str, sent_type: SentType) -> None:
    """Refuse what the symbol does not list, with the engine's text for it (binance-protocol.md 2.6)."""
    listing = call.exchange.listings[symbol]
    if sent_type not in listing["orderTypes"]:
        name = sent_type.replace("_", " ").capitalize()
        raise from_refusal(OrderRefused(f"{name} orders are not supported for this symbol."))
    if "icebergQty" in call.arguments and not listing["icebergAllowed"] and sent_type is not SentType.MARKET:
        raise from_refusal(OrderRefused("Iceberg orders are not supported for this symbol."))
    unknown_mode = ApiError(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
    mode = call.arguments.choice("selfTradePreventionMode", SelfTradePrevention, unknown_mode)
    if mode is not None and mode not in listing["allowedSelfTradePreventionModes"]:
        raise ApiError(-1013, "This symbol does not allow the specified self-trade prevention mode.")


def _check_combination(call: Call, order_type: OrderType) -> None:
    """Refuse missing and superfluous parameters."""
    for name in _REQUIRED[order_type]:
        if name not in call.arguments:
            raise missing(name)
    if (superfluous := call.arguments.first_of(_FORBIDDEN[order_type])) is not None:
        raise not_required(superfluous)
    if order_type is OrderType.MARKET:
        sent = [name for name in ("quantity", "quoteOrderQty") if name in call.arguments]
        if not sent:
            raise missing_both("quantity", "quoteOrderQty")
        if len(sent) > 1:
            raise not_required("quoteOrderQty")


def _check_filters(call: Call, request: OrderRequest) -> None:
    try:
        check_filters(request, call.exchange.rules(request.symbol), reference_price(call, request.symbol))
    except Refused as refusal:
        raise from_refusal(refusal) from None


def _response_type(call: Call, order_type: OrderType) -> ResponseType:
    default = ResponseType.ACK if order_type is OrderType.LIMIT_MAKER else ResponseType.FULL
    refusal = ApiError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return call.arguments.choice("newOrderRespType", ResponseType, refusal) or default


def _strategy_type(call: Call) -> int | None:
    value = call.arguments.integer("strategyType")
    if value is not None and value < _LEAST_STRATEGY_TYPE:
        raise ApiError(-1134, "`strategyType` was less than 1000000.")
    return value


def _generated_order_id(call: Call, symbol: str) -> str:
    next_id = call.exchange.engine.listings[symbol].last_order_id + 1
    return call.exchange.generated_id("order", symbol, next_id)


NO_DISCOUNT = {
    "enabledForAccount": False,
    "enabledForSymbol": True,
    "discountAsset": "BNB",
    "discount": "0.25000000",
}

_ORDER_PARAMETERS = (
    REQUIRED_SYMBOL,
    Parameter("side", required=True),
    Parameter("type", required=True),
    Parameter("timeInForce"),
    Parameter("quantity", DECIMAL),
    Parameter("quoteOrderQty", DECIMAL),
    Parameter("price", DECIMAL),
    Parameter("newClientOrderId", CLIENT_ID),
    Parameter("strategyId", INTEGER),
    Parameter("strategyType", INTEGER),
    Parameter("stopPrice", DECIMAL),
    Parameter("trailingDelta", INTEGER),
    Parameter("icebergQty", DECIMAL),
    Parameter("newOrderRespType"),
    Parameter("selfTradePreventionMode"),
)


def _test_weight(sent: Mapping[str, str]) -> int:
    return 20 if sent.get("computeCommissionRates", "").lower() == "true" else 1


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v3/order",
        "order.place",
        Permission.TRADE,
        1,
        _place_order,
        _ORDER_PARAMETERS,
        free_when_accepted=True,
    ),
    Endpoint(
        "POST",
        "/api/v3/order/test",
        "order.test",
        Permission.TRADE,
        _test_weight,
        _test_order,
        (*_ORDER_PARAMETERS, Parameter("computeCommissionRates", BOOLEAN)),
    ),
    Endpoint(
        "DELETE",
        "/api/v3/order",
        "order.cancel",
        Permission.TRADE,
        1,
        _cancel_order,
        (
            REQUIRED_SYMBOL,
            *ORDER_ID_PARAMETERS,
            Parameter("newClientOrderId", CLIENT_ID),
            Parameter("cancelRestrictions"),
        ),
        free_when_accepted=True,
    ),
    Endpoint(
        "DELETE",
        "/api/v3/openOrders",
        "openOrders.cancelAll",
        Permission.TRADE,
        1,
        _cancel_open_orders,
        (REQUIRED_SYMBOL,),
        free_when_accepted=True,
    ),
)
