"""The project's values turned into the parameters of requests (binance-protocol.md 1.1 and 1.3)."""

import json
from collections.abc import Sequence

from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import OrderIntent, OrderType

_NAMES_A_REQUEST = 300  # they stand in the address, some 20 characters each, of which servers take about 8 kB
_WITH_TIME_IN_FORCE = frozenset({OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


def addressed(symbols: Sequence[str]) -> list[str]:
    """The names as the addresses of requests have them, a text for each request."""
    parts = (symbols[first : first + _NAMES_A_REQUEST] for first in range(0, len(symbols), _NAMES_A_REQUEST))
    return [json.dumps(list(part), separators=(",", ":"), ensure_ascii=False) for part in parts]


def one_order(intent: OrderIntent) -> dict[str, str]:
    """Of POST order and of the new order of POST order/cancelReplace."""
    parameters = {
        "symbol": intent.symbol,
        "side": intent.side.value,
        "type": intent.type.value,
        "quantity": plain(intent.quantity),
        "newClientOrderId": intent.client_order_id,
        "newOrderRespType": "FULL",
    }
    if intent.price is not None:
        parameters["price"] = plain(intent.price)
    if intent.type in _WITH_TIME_IN_FORCE:
        parameters["timeInForce"] = "GTC"
    if intent.stop_price is not None:
        parameters["stopPrice"] = plain(intent.stop_price)
    return parameters


def order_list(intents: Sequence[OrderIntent], list_id: str) -> dict[str, str]:
    """Of POST orderList/oco: first the order above the price, then the one below."""
    above, below = intents
    return {
        "symbol": above.symbol,
        "side": above.side.value,
        "quantity": plain(above.quantity),
        "listClientOrderId": list_id,
        "newOrderRespType": "FULL",
        **_leg("above", above),
        **_leg("below", below),
    }


def _leg(place: str, intent: OrderIntent) -> dict[str, str]:
    """Of one leg; `place` is `above` or `below` the price."""
    leg = {f"{place}Type": intent.type.value, f"{place}ClientOrderId": intent.client_order_id}
    if intent.price is not None:
        leg[f"{place}Price"] = plain(intent.price)
    if intent.stop_price is not None:
        leg[f"{place}StopPrice"] = plain(intent.stop_price)
    if intent.type in _WITH_TIME_IN_FORCE:
        leg[f"{place}TimeInForce"] = "GTC"
    return leg
