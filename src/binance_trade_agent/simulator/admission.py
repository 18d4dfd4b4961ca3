"""What an order needs of its symbol and of its account, beside filters and balance (binance-protocol.md 2.6)."""

from collections.abc import Iterable, Mapping
from typing import Any

from binance_trade_agent.matching.errors import MARKET_CLOSED, OrderRefused
from binance_trade_agent.matching.orders import OrderRequest


def check_admission(request: OrderRequest, listing: Mapping[str, Any], permissions: Iterable[str]) -> None:
    """Refuse what the symbol's flags or its permission sets exclude.

    Args:
        request: the order.
        listing: the symbol's entry in exchangeInfo.
        permissions: those of the account; it needs one out of each set of the symbol.

    Raises:
        OrderRefused: with the engine's text for it.
    """
    if not listing["isSpotTradingAllowed"]:
        # Of the texts of 2.6 the one about the market: the others are about an account or a kind of order.
        raise OrderRefused(MARKET_CLOSED)
    held = set(permissions)
    if not all(held & set(alternatives) for alternatives in listing["permissionSets"]):
        raise OrderRefused("This symbol is not permitted for this account.")
    if request.type not in listing["orderTypes"]:
        name = request.type.replace("_", " ").capitalize()
        raise OrderRefused(f"{name} orders are not supported for this symbol.")
    if request.iceberg_quantity is not None and not listing["icebergAllowed"]:
        raise OrderRefused("Iceberg orders are not supported for this symbol.")
    if request.trailing_delta is not None and not listing["allowTrailingStop"]:
        raise OrderRefused("Trailing stop orders are not supported for this symbol.")
    if request.quote_quantity is not None and not listing["quoteOrderQtyMarketAllowed"]:
        raise OrderRefused("Quote order qty market orders are not support for this symbol.")
