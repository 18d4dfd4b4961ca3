"""POST order/cancelReplace: a cancel and a new order, each on its own (binance-protocol.md 1.3).

Filters and the order count are looked at before anything happens; what comes after is answered in one table of results.
"""

from enum import StrEnum

from binance_trade_agent.matching.errors import OrderRefused
from binance_trade_agent.matching.orders import OrderRequest
from binance_trade_agent.simulator.endpoints.endpoint import Call, Endpoint
from binance_trade_agent.simulator.endpoints.lookup import find_order
from binance_trade_agent.simulator.endpoints.orders.cancellation import cancel_order, read_restriction
from binance_trade_agent.simulator.endpoints.orders.checks import check_order_count, check_order_filters
from binance_trade_agent.simulator.endpoints.orders.order_fields import ALONE, read_order
from binance_trade_agent.simulator.endpoints.orders.placement import (
    ORDER_PARAMETERS,
    place_order,
    read_response_type,
    usual_response_type,
)
from binance_trade_agent.simulator.errors import ApiError, from_refusal, invalid_data, missing_both
from binance_trade_agent.simulator.keys import Permission
from binance_trade_agent.simulator.parameters import CLIENT_ID, INTEGER, Parameter
from binance_trade_agent.simulator.payloads import Json, ResponseType


class ReplaceMode(StrEnum):
    """Whether the new order is tried when the cancel has failed."""

    STOP_ON_FAILURE = "STOP_ON_FAILURE"
    ALLOW_FAILURE = "ALLOW_FAILURE"


class ExceededMode(StrEnum):
    """What to do when the account has placed too many orders."""

    DO_NOTHING = "DO_NOTHING"
    CANCEL_ONLY = "CANCEL_ONLY"


class Outcome(StrEnum):
    """What became of one half."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    NOT_ATTEMPTED = "NOT_ATTEMPTED"


_PARTIALLY_FAILED = (-2021, "Order cancel-replace partially failed.")
_FAILED = (-2022, "Order cancel-replace failed.")


def _cancel_replace(call: Call) -> Json:
    mode = call.arguments.choice("cancelReplaceMode", ReplaceMode, lambda: invalid_data("cancelReplaceMode"))
    exceeded_mode = call.arguments.choice(
        "orderRateLimitExceededMode", ExceededMode, lambda: invalid_data("orderRateLimitExceededMode")
    )
    assert mode is not None, "cancelReplaceMode is mandatory"
    request = read_order(call, ALONE)
    kind = read_response_type(call, usual_response_type(request.type))
    read_restriction(call)
    if call.arguments.first_of(("cancelOrderId", "cancelOrigClientOrderId")) is None:
        raise missing_both("cancelOrigClientOrderId", "cancelOrderId")
    check_order_filters(call, request)
    too_many = _too_many_orders(call)
    if too_many is not None and exceeded_mode is not ExceededMode.CANCEL_ONLY:
        raise too_many
    if not call.exchange.listings[request.symbol]["cancelReplaceAllowed"]:
        raise from_refusal(OrderRefused("Order cancel-replace is not supported for this symbol."))
    return _carry_out(call, mode, request, kind, too_many)


def _too_many_orders(call: Call) -> ApiError | None:
    try:
        check_order_count(call, 1)
    except ApiError as too_many:
        return too_many
    return None


def _carry_out(
    call: Call, mode: ReplaceMode, request: OrderRequest, kind: ResponseType, too_many: ApiError | None
) -> Json:
    """Cancel, then place; `too_many` keeps the new order from being placed."""
    cancel_outcome, cancel_answer = _try_cancel(call)
    if cancel_outcome is Outcome.FAILURE and mode is ReplaceMode.STOP_ON_FAILURE:
        call.exchange.count_orders(call.account, 1)  # a new order that is not attempted counts too
        placed: tuple[Outcome, Json | None] = (Outcome.NOT_ATTEMPTED, None)
    elif too_many is not None:
        placed = (Outcome.FAILURE, too_many.payload())
    else:
        placed = _try_placement(call, request, kind)
    new_outcome, new_answer = placed
    answer: Json = {
        "cancelResult": cancel_outcome,
        "newOrderResult": new_outcome,
        "cancelResponse": cancel_answer,
        "newOrderResponse": new_answer,
    }
    if cancel_outcome is new_outcome is Outcome.SUCCESS:
        return answer
    raise _failure(answer, too_many if mode is ReplaceMode.STOP_ON_FAILURE else None)


def _try_cancel(call: Call) -> tuple[Outcome, Json]:
    try:
        order = find_order(call, call.symbol(), id_name="cancelOrderId", client_id_name="cancelOrigClientOrderId")
        answer = cancel_order(call, order, read_restriction(call), call.arguments.text("cancelNewClientOrderId"))
    except ApiError as error:
        return Outcome.FAILURE, error.payload()
    return Outcome.SUCCESS, answer


def _try_placement(call: Call, request: OrderRequest, kind: ResponseType) -> tuple[Outcome, Json]:
    try:
        return Outcome.SUCCESS, place_order(call, request, kind)
    except ApiError as error:
        return Outcome.FAILURE, error.payload()


def _failure(answer: Json, too_many: ApiError | None) -> ApiError:
    """The error of a request of which a half has failed, or both.

    Args:
        answer: what became of both halves.
        too_many: the refusal that decides on the status; None when none does.
    """
    half = Outcome.SUCCESS in {answer["cancelResult"], answer["newOrderResult"]}
    code, text = _PARTIALLY_FAILED if half else _FAILED
    if too_many is not None:
        return ApiError(code, text, status=429, retry_after_seconds=too_many.retry_after_seconds, data=answer)
    return ApiError(code, text, status=409 if half else 400, data=answer)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/api/v3/order/cancelReplace",
        "order.cancelReplace",
        Permission.TRADE,
        1,
        _cancel_replace,
        (
            *ORDER_PARAMETERS,
            Parameter("cancelReplaceMode", required=True),
            Parameter("cancelOrderId", INTEGER),
            Parameter("cancelOrigClientOrderId", CLIENT_ID),
            Parameter("cancelNewClientOrderId", CLIENT_ID),
            Parameter("cancelRestrictions"),
            Parameter("orderRateLimitExceededMode"),
        ),
        free_when_accepted=True,
        places_orders=True,
    ),
)
