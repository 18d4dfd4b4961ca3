"""The filters that an order must pass before it reaches the engine (binance-protocol.md section 3).

Filters that count what the account has open (MAX_NUM_ORDERS, MAX_POSITION) are the engine's: see engine.py.
"""

from decimal import Decimal

from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.errors import FilterRefused
from binance_trade_agent.matching.orders import OrderRequest


def check_filters(request: OrderRequest, rules: SymbolRules, reference_price: Decimal) -> None:
    """Check price, quantity and value of an order against its symbol's filters.

    Args:
        request: the order.
        rules: filters of its symbol.
        reference_price: average price of the last minutes, quote per base; stands for the price of MARKET orders.

    Raises:
        FilterRefused: naming the first filter that fails.
    """
    violation = (
        _price_violation(request, rules, reference_price)
        or (request.quantity is not None and rules.quantity_violation(request.type, request.quantity))
        or rules.notional_violation(request.type, _notional(request, reference_price))
    )
    if violation:
        raise FilterRefused(violation)


def _price_violation(request: OrderRequest, rules: SymbolRules, reference_price: Decimal) -> str | None:
    if request.price is None:
        return None
    return rules.price_violation(request.price) or rules.percent_price_violation(
        request.side, request.price, reference_price
    )


def _notional(request: OrderRequest, reference_price: Decimal) -> Decimal:
    if request.quote_quantity is not None:
        return request.quote_quantity
    assert request.quantity is not None, "an order has a quantity or a quote quantity"
    return request.quantity * (reference_price if request.price is None else request.price)
