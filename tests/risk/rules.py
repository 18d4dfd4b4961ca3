"""The filters of the symbol that tests of limits trade."""

from decimal import Decimal

from binance_trade_agent.domain.symbols import SymbolRules

RULES = SymbolRules(
    symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    min_quantity=Decimal("0.00001"),
    max_quantity=Decimal(9000),
    step_size=Decimal("0.00001"),
    market_max_quantity=Decimal(100),
    min_notional=Decimal(5),
    max_notional=Decimal(9_000_000),
)
