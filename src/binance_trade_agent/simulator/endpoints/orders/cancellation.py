"""DELETE order and DELETE openOrders (binance-protocol.md 1.3)."""

from collections.abc import Sequence
from enum import StrEnum

from binance_trade_agent.matching.errors import (
    CANCEL_RESTRICTED,
    UNKNOWN_ORDER,
    CancelRefused,
    Refused,
)
from binance_trade_agent.matching.orders import ExchangeOrder, Status
from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.simulator.endpoints.endpoint import REQUIRED_SYMBOL, Call, Endpoint
from binance_trade_agent.simulator.endpoints.lookup import ORDER_ID_PARAMETERS, find_order
from binance_trade_agent.simulator.errors import ApiError, from_refusal
from binance_trade_agent.simulator.keys import Permission
from binance_trade_agent.simulator.parameters import CLIENT_ID, Parameter
from binance_trade_agent.simulator.payloads import Json, cancelled_list, cancelled_order


class CancelRestriction(StrEnum):
    """In which status an order may be cancelled."""

    ONLY_NEW = "ONLY_NEW"
    ONLY_PARTIALLY_FILLED = "ONLY_PARTIALLY_FILLED"


_RESTRICTED_TO = {
    CancelRestriction.ONLY_NEW: Status.NEW,
    CancelRestriction.ONLY_PARTIALLY_FILLED: Status.PARTIALLY_FILLED,
}


def read_restriction(call: Call) -> CancelRestriction | None:
    """What `cancelRestrictions` asks for.

    Raises:
        ApiError: -1145.
    """
    return call.arguments.choice("cancelRestrictions", CancelRestriction, _bad_restriction)


def _bad_restriction() -> ApiError:
    return ApiError(-1145, "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`.")


def cancel_order(
    call: Call, order: ExchangeOrder | None, restriction: CancelRestriction | None, cancel_id: str | None
) -> Json:
    """Cancel an open order; a leg takes its whole list with it, and the answer is the list's.

    Raises:
        ApiError: -2011 there is no such open order, or it is in another status than `restriction` wants.
    """
    if order is None or not order.is_open:
        raise from_refusal(CancelRefused(UNKNOWN_ORDER))
    if restriction is not None and order.status is not _RESTRICTED_TO[restriction]:
        raise from_refusal(CancelRefused(CANCEL_RESTRICTED))
    try:
        transaction = call.exchange.cancel(order, cancel_id)
    except Refused as refusal:
        raise from_refusal(refusal) from None
    return _cancelled(transaction)


def _cancelled(transaction: Transaction) -> Json:
    if transaction.order_list is not None:
        return cancelled_list(transaction.order_list, transaction.reports)
    return cancelled_order(transaction.reports[0])


def _cancel_order(call: Call) -> Json:
    symbol = call.symbol()
    restriction = read_restriction(call)
    order = find_order(call, symbol)
    return cancel_order(call, order, restriction, call.arguments.text("newClientOrderId"))


def _cancel_open_orders(call: Call) -> Sequence[Json]:
    orders = call.exchange.engine.history.open_orders(call.account, call.symbol())
    if not orders:
        raise from_refusal(CancelRefused(UNKNOWN_ORDER))
    # The first leg of a list takes the others with it, so that the list is answered once.
    return [cancel_order(call, order, None, None) for order in orders if order.is_open]


ENDPOINTS: tuple[Endpoint, ...] = (
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
