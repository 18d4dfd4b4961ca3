"""Finding the order that a request names."""

from binance_trade_agent.matching.orders import ExchangeOrder
from binance_trade_agent.simulator.endpoints.endpoint import Call
from binance_trade_agent.simulator.errors import ApiError, missing_both
from binance_trade_agent.simulator.parameters import CLIENT_ID, INTEGER, Parameter

ORDER_ID_PARAMETERS = (Parameter("orderId", INTEGER), Parameter("origClientOrderId", CLIENT_ID))


def find_order(call: Call, symbol: str) -> ExchangeOrder | None:
    """The order named by `orderId` or `origClientOrderId`; None when there is none.

    Raises:
        ApiError: -1102 neither was sent, -2039 both were and they name different orders.
    """
    history = call.exchange.engine.history
    order_id, client_id = call.arguments.integer("orderId"), call.arguments.text("origClientOrderId")
    if order_id is not None:
        order = history.find(call.account, symbol, order_id)
        if order is not None and client_id is not None and order.client_order_id != client_id:
            raise ApiError(-2039, "Client order ID is not correct for this order ID.")
        return order
    if client_id is not None:
        return history.find_by_client_id(call.account, symbol, client_id)
    raise missing_both("origClientOrderId", "orderId")
