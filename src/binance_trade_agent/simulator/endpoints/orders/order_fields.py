"""The parameters that describe one order, alone or as a leg of a list (binance-protocol.md 1.3).

A leg's parameters are those of an order with a prefix: `price` of the upper leg of an OCO is `abovePrice`.
"""

from dataclasses import dataclass

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.matching.errors import OrderRefused
from binance_trade_agent.matching.orders import STOP_TYPES, OrderRequest, SelfTradePrevention, TimeInForce
from binance_trade_agent.simulator.endpoints.endpoint import Call
from binance_trade_agent.simulator.errors import (
    ApiError,
    from_refusal,
    invalid_data,
    missing,
    missing_both,
    not_required,
)
from binance_trade_agent.simulator.parameters import CLIENT_ID, DECIMAL, INTEGER, TEXT, Parameter, Syntax

_LEAST_STRATEGY_TYPE = 1_000_000

# Per type, what must be sent beside symbol, side and type, and what must not. A stop needs stopPrice or trailingDelta.
_REQUIRED: dict[OrderType, tuple[str, ...]] = {
    OrderType.LIMIT: ("timeInForce", "quantity", "price"),
    OrderType.MARKET: (),
    OrderType.STOP_LOSS: ("quantity",),
    OrderType.STOP_LOSS_LIMIT: ("timeInForce", "quantity", "price"),
    OrderType.TAKE_PROFIT: ("quantity",),
    OrderType.TAKE_PROFIT_LIMIT: ("timeInForce", "quantity", "price"),
    OrderType.LIMIT_MAKER: ("quantity", "price"),
}
_FORBIDDEN: dict[OrderType, tuple[str, ...]] = {
    OrderType.LIMIT: ("stopPrice", "trailingDelta", "quoteOrderQty"),
    OrderType.MARKET: ("price", "timeInForce", "stopPrice", "trailingDelta", "icebergQty"),
    OrderType.STOP_LOSS: ("price", "timeInForce", "quoteOrderQty", "icebergQty"),
    OrderType.STOP_LOSS_LIMIT: ("quoteOrderQty",),
    OrderType.TAKE_PROFIT: ("price", "timeInForce", "quoteOrderQty", "icebergQty"),
    OrderType.TAKE_PROFIT_LIMIT: ("quoteOrderQty",),
    OrderType.LIMIT_MAKER: ("timeInForce", "stopPrice", "trailingDelta", "quoteOrderQty"),
}

_SYNTAX: dict[str, Syntax] = {
    "quantity": DECIMAL,
    "quoteOrderQty": DECIMAL,
    "price": DECIMAL,
    "stopPrice": DECIMAL,
    "trailingDelta": INTEGER,
    "icebergQty": DECIMAL,
    "strategyId": INTEGER,
    "strategyType": INTEGER,
    "pegOffsetValue": INTEGER,
    "newClientOrderId": CLIENT_ID,
}
_LABELS = ("newClientOrderId", "icebergQty", "strategyId", "strategyType")
_PEGS = ("pegPriceType", "pegOffsetType", "pegOffsetValue")
LIMIT_FIELDS = ("timeInForce", "price", *_LABELS, *_PEGS)
STOP_FIELDS = ("stopPrice", "trailingDelta", *LIMIT_FIELDS)
SHARED_PARAMETERS = (Parameter("newOrderRespType"), Parameter("selfTradePreventionMode"))


@dataclass(frozen=True, slots=True)
class Leg:
    """How the parameters of one order are called.

    Attributes:
        prefix: before each name; empty for an order that stands alone.
        side, quantity: the names of these two, which the legs of an OCO share.
    """

    prefix: str
    side: str
    quantity: str

    def name(self, field: str) -> str:
        """The parameter that is called `field` on an order that stands alone."""
        if field == "quantity":
            return self.quantity
        if field == "side":
            return self.side
        if not self.prefix:
            return field
        plain = field.removeprefix("new")
        return f"{self.prefix}{plain[0].upper()}{plain[1:]}"

    def parameters(self, *fields: str, required: tuple[str, ...] = ()) -> tuple[Parameter, ...]:
        """These fields as parameters of an endpoint."""
        return tuple(
            Parameter(self.name(field), _SYNTAX.get(field, TEXT), required=field in required) for field in fields
        )


ALONE = Leg("", "side", "quantity")


def read_order(call: Call, leg: Leg, *, number: int = 0) -> OrderRequest:
    """The order that a leg's parameters describe, in the order of checks of binance-protocol.md 2.4.

    Args:
        call: the request.
        leg: which of its parameters.
        number: how many orders of the same request come before it, for the client id that is made up for it.

    Raises:
        ApiError: -1121 symbol, -1115 -1116 -1117 enums, -1111 precision, -1102 -1106 -1160 combination, -1134, and
            -1013 for a mode of self-trade prevention that the symbol does not allow.
    """
    arguments, name = call.arguments, leg.name
    symbol = call.symbol()
    order_type = read_type(call, leg)
    side = read_side(call, leg)
    time_in_force = arguments.choice(name("timeInForce"), TimeInForce, lambda: ApiError(-1115, "Invalid timeInForce."))
    mode = arguments.choice(
        "selfTradePreventionMode", SelfTradePrevention, lambda: invalid_data("selfTradePreventionMode")
    ) or SelfTradePrevention(call.exchange.listings[symbol]["defaultSelfTradePreventionMode"])
    request = OrderRequest(
        account=call.account,
        symbol=symbol,
        side=side,
        type=order_type,
        client_order_id=arguments.text(name("newClientOrderId")) or _generated_id(call, symbol, number),
        quantity=arguments.decimal(name("quantity")),
        quote_quantity=arguments.decimal(name("quoteOrderQty")),
        price=arguments.decimal(name("price")),
        time_in_force=time_in_force or TimeInForce.GTC,
        stop_price=arguments.decimal(name("stopPrice")),
        trailing_delta=arguments.integer(name("trailingDelta")),
        iceberg_quantity=arguments.decimal(name("icebergQty")) or None,
        self_trade_prevention=mode,
        strategy_id=arguments.integer(name("strategyId")),
        strategy_type=arguments.integer(name("strategyType")),
    )
    _check_combination(call, leg, request)
    if mode not in call.exchange.listings[symbol]["allowedSelfTradePreventionModes"]:
        raise ApiError(-1013, "This symbol does not allow the specified self-trade prevention mode.")
    return request


def read_type(call: Call, leg: Leg) -> OrderType:
    """A leg's order type.

    Raises:
        ApiError: -1116 unknown.
    """
    order_type = call.arguments.choice(leg.name("type"), OrderType, lambda: ApiError(-1116, "Invalid orderType."))
    assert order_type is not None, "an order's type is mandatory"
    return order_type


def read_side(call: Call, leg: Leg) -> Side:
    """A leg's side.

    Raises:
        ApiError: -1117 unknown.
    """
    side = call.arguments.choice(leg.name("side"), Side, lambda: ApiError(-1117, "Invalid side."))
    assert side is not None, "an order's side is mandatory"
    return side


def _check_combination(call: Call, leg: Leg, request: OrderRequest) -> None:
    """Refuse missing and superfluous parameters."""
    arguments = call.arguments
    for field in _REQUIRED[request.type]:
        if leg.name(field) not in arguments:
            raise missing(leg.name(field))
    if (superfluous := arguments.first_of(map(leg.name, _FORBIDDEN[request.type]))) is not None:
        raise not_required(superfluous)
    if request.type is OrderType.MARKET:
        _check_market_amount(request)
    if request.type in STOP_TYPES and request.stop_price is None and request.trailing_delta is None:
        raise missing_both(leg.name("stopPrice"), leg.name("trailingDelta"))
    if request.iceberg_quantity is not None and request.time_in_force is not TimeInForce.GTC:
        raise _iceberg_without_gtc(leg)
    if request.strategy_type is not None and request.strategy_type < _LEAST_STRATEGY_TYPE:
        raise ApiError(-1134, "`strategyType` was less than 1000000.")
    if arguments.first_of(map(leg.name, _PEGS)) is not None:
        raise from_refusal(OrderRefused("Pegged orders are not supported for this symbol."))


def _check_market_amount(request: OrderRequest) -> None:
    if request.quantity is None and request.quote_quantity is None:
        raise missing_both("quantity", "quoteOrderQty")
    if request.quantity is not None and request.quote_quantity is not None:
        raise not_required("quoteOrderQty")


def _iceberg_without_gtc(leg: Leg) -> ApiError:
    if not leg.prefix:
        return not_required("icebergQty")
    text = f"Parameter '{leg.name('icebergQty')}' is not supported if `aboveTimeInForce`/`belowTimeInForce` is not GTC."
    return ApiError(-1160, text)


def _generated_id(call: Call, symbol: str, number: int) -> str:
    next_id = call.exchange.engine.listings[symbol].last_order_id + 1 + number
    return call.exchange.generated_id("order", symbol, next_id)
