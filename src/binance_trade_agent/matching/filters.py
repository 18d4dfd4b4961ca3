"""The filters that an order must pass before it reaches the engine (binance-protocol.md section 3).

Filters that count what the account has open (MAX_NUM_ORDERS, MAX_POSITION and their like) are the engine's: see
admission.py.
"""

from decimal import Decimal

from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.errors import FilterRefused
from binance_trade_agent.matching.orders import OrderRequest


def check_filters(request: OrderRequest, rules: SymbolRules, reference_price: Decimal) -> None:
    """Check prices, quantities, trailing delta and value of an order against its symbol's filters.

    Args:
        request: the order, or one leg of a list.
        rules: filters of its symbol.
        reference_price: average price of the last minutes, quote per base; stands for the price of MARKET orders.

    Raises:
        FilterRefused: naming the first filter that fails.
    """
    violation = (
        _price_violation(request, rules, reference_price)
        or _quantity_violation(request, rules)
        or _trailing_delta_violation(request, rules)
        or rules.notional_violation(request.type, _notional(request, reference_price))
    )
    if violation:
        raise FilterRefused(violation)


def _price_violation(request: OrderRequest, rules: SymbolRules, reference_price: Decimal) -> str | None:
    """PRICE_FILTER holds for price and stop price, PERCENT_PRICE for the price alone."""
    for price in (request.price, request.stop_price):
        if price is not None and (violation := rules.price_violation(price)):
            return violation
    if request.price is None:
        return None
    return rules.percent_price_violation(request.side, request.price, reference_price)


def _quantity_violation(request: OrderRequest, rules: SymbolRules) -> str | None:
    if request.quantity is None:
        return None
    violation = rules.quantity_violation(request.type, request.quantity)
    if violation or request.iceberg_quantity is None:
        return violation
    return rules.iceberg_violation(request.type, request.quantity, request.iceberg_quantity)


def _trailing_delta_violation(request: OrderRequest, rules: SymbolRules) -> str | None:
    if request.trailing_delta is None:
        return None
    return rules.trailing_delta_violation(request.type, request.side, request.trailing_delta)


def _notional(request: OrderRequest, reference_price: Decimal) -> Decimal:
    """The order's value: at its price, else at its stop price, else at the reference price."""
    if request.quote_quantity is not None:
        return request.quote_quantity
    assert request.quantity is not None, "an order has a quantity or a quote quantity"
    return request.quantity * (request.price or request.stop_price or reference_price)
