"""Orders for tests of the gateway."""

from decimal import Decimal

from binance_trade_agent.domain.orders import OrderIntent, OrderType, Side


def order(order_id: str = "bta-BTCUSDT-1", side: Side = Side.BUY, quantity: str = "0.1", **changes) -> OrderIntent:
    """A market order for 0.1 BTC unless said otherwise."""
    values = {
        "symbol": "BTCUSDT",
        "type": OrderType.MARKET,
        "reference_price": Decimal(100_000),
        "tick_ms": 0,
        "candle_open_ms": 0,
    }
    return OrderIntent(client_order_id=order_id, side=side, quantity=Decimal(quantity), **{**values, **changes})
