"""Finding the order or the list that a request names."""

from binance_trade_agent.matching.lists import OrderList
from binance_trade_agent.matching.orders import ExchangeOrder
from binance_trade_agent.simulator.endpoints.endpoint import Call
from binance_trade_agent.simulator.errors import ApiError, missing_both
from binance_trade_agent.simulator.parameters import CLIENT_ID, INTEGER, Parameter

ORDER_ID_PARAMETERS = (Parameter("orderId", INTEGER), Parameter("origClientOrderId", CLIENT_ID))


def find_order(
    call: Call, symbol: str, *, id_name: str = "orderId", client_id_name: str = "origClientOrderId"
) -> ExchangeOrder | None:
    """The order that the parameters of these names mean; None when there is none.

    Raises:
        ApiError: -1102 neither was sent, -2039 both were and they name different orders.
    """
    history = call.exchange.engine.history
    order_id, client_id = call.arguments.integer(id_name), call.arguments.text(client_id_name)
    if order_id is not None:
        order = history.find(call.account, symbol, order_id)
        if order is not None and client_id is not None and order.client_order_id != client_id:
            raise _ids_disagree()
        return order
    if client_id is not None:
        return history.find_by_client_id(call.account, symbol, client_id)
    raise missing_both(client_id_name, id_name)


def find_order_list(call: Call, *, client_id_name: str) -> OrderList | None:
    """The list that `orderListId` or the parameter `client_id_name` means; None when there is none.

    Raises:
        ApiError: -1102 neither was sent, -2039 both were and they name different lists.
    """
    history = call.exchange.engine.history
    list_id, client_id = call.arguments.integer("orderListId"), call.arguments.text(client_id_name)
    if list_id is not None:
        order_list = history.find_list(call.account, list_id)
        if order_list is not None and client_id is not None and order_list.client_list_id != client_id:
            raise _ids_disagree()
        return order_list
    if client_id is not None:
        return history.find_list_by_client_id(call.account, client_id)
    raise missing_both(client_id_name, "orderListId")


def _ids_disagree() -> ApiError:
    return ApiError(-2039, "Client order ID is not correct for this order ID.")
