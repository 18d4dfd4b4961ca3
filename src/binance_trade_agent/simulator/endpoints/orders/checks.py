"""What a new order must pass on its way to the engine: filters, then the account's order count (2.4)."""

from functools import partial

from binance_trade_agent.matching.errors import Refused
from binance_trade_agent.matching.filters import check_filters
from binance_trade_agent.matching.orders import OrderRequest
from binance_trade_agent.simulator.endpoints.endpoint import Call
from binance_trade_agent.simulator.endpoints.market_data import reference_price
from binance_trade_agent.simulator.errors import from_refusal


def check_order_filters(call: Call, *requests: OrderRequest) -> None:
    """Check each order against the filters of its symbol.

    Raises:
        ApiError: -1013.
    """
    for request in requests:
        try:
            check_filters(request, call.exchange.rules(request.symbol), partial(reference_price, call, request.symbol))
        except Refused as refusal:
            raise from_refusal(refusal) from None


def check_order_count(call: Call, number: int) -> None:
    """Whether the account may place `number` orders more now.

    Raises:
        ApiError: 429 -1015.
    """
    call.exchange.order_count(call.account).check(call.exchange.limits_now_ms(), number)
