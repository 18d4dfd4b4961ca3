"""The filters that an order must pass before it reaches the engine (binance-protocol.md section 3).

Filters that count what the account has open (MAX_NUM_ORDERS, MAX_POSITION and their like) are the engine's: see
admission.py.
"""

from decimal import Decimal

from binance_trade_agent.domain.symbols import AveragePrice, SymbolRules
from binance_trade_agent.matching.errors import FilterRefused
from binance_trade_agent.matching.orders import OrderRequest


def check_filters(request: OrderRequest, rules: SymbolRules, average_price: AveragePrice) -> None:
    """Check prices, quantities, trailing delta and value of an order against its symbol's filters.

    Args:
        request: the order, or one leg of a list.
        rules: filters of its symbol.
        average_price: what price bands go by; it stands for the price of MARKET orders too.

    Raises:
        FilterRefused: naming the first filter that fails.
    """
    violation = (
        _price_violation(request, rules, average_price)
        or _quantity_violation(request, rules)
        or _trailing_delta_violation(request, rules)
        or _notional_violation(request, rules, average_price)
    )
    if violation:
        raise FilterRefused(violation)


def _price_violation(request: OrderRequest, rules: SymbolRules, average_price: AveragePrice) -> str | None:
    """PRICE_FILTER holds for price and stop price, PERCENT_PRICE for the price alone."""
    for price in (request.price, request.stop_price):
        if price is not None and (violation := rules.price_violation(price)):
            return violation
    if request.price is None:
        return None
    return rules.percent_price_violation(request.side, request.price, average_price)


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


def _notional_violation(request: OrderRequest, rules: SymbolRules, average_price: AveragePrice) -> str | None:
    notional = _notional(request, average_price, rules.notional_minutes)
    if (violation := rules.notional_violation(request.type, notional)) or not rules.extra_min_notional:
        return violation
    notional = _notional(request, average_price, rules.extra_min_notional_minutes)
    return rules.extra_notional_violation(request.type, notional)


def _notional(request: OrderRequest, average_price: AveragePrice, minutes: int) -> Decimal:
    """The order's value: at its price, else at its stop price, else at the average price."""
    if request.quote_quantity is not None:
        return request.quote_quantity
    assert request.quantity is not None, "an order has a quantity or a quote quantity"
    return request.quantity * (request.price or request.stop_price or average_price(minutes))
