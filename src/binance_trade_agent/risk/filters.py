"""The exchange's own filters on a market order (binance-protocol.md section 3), checked before it is sent."""

from decimal import Decimal
from functools import cache
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.rules import shown

_MARKET = OrderType.MARKET
_NO_LEAST = Finding("min_notional", allows=True, detail="no least value holds for market orders")
_NO_MOST = Finding("max_notional", allows=True, detail="no largest value holds for market orders")


class LotSize:
    """Refuses a quantity that breaks LOT_SIZE or MARKET_LOT_SIZE; sizing has rounded it, to 0 when it was too small."""

    name: ClassVar[str] = "lot_size"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the quantity with the lot."""
        rules = context.view.rules
        if order.quantity <= 0:
            least = shown(rules.smallest_market_quantity or rules.market_step, rules.base_asset)
            what = shown(context.free_base, rules.base_asset) if order.side is Side.SELL else "the order size"
            return Finding(self.name, allows=False, detail=f"{what} rounds to nothing, {least} is the least (LOT_SIZE)")
        violation = rules.quantity_violation(_MARKET, order.quantity)
        if violation is None:
            return Finding(self.name, True, (_fits, order.quantity, rules))
        step = plain(rules.step_size if violation == "LOT_SIZE" else rules.market_step_size)
        quantity = shown(order.quantity, rules.base_asset)
        return Finding(self.name, allows=False, detail=f"{quantity} breaks {violation} (step {step})")


def _fits(quantity: Decimal, rules: SymbolRules) -> str:
    return f"{shown(quantity, rules.base_asset)} fits the lot (LOT_SIZE, step {plain(rules.market_step)})"


class MinNotional:
    """Refuses an order worth less than the symbol's least value, of NOTIONAL or of a MIN_NOTIONAL beside it."""

    name: ClassVar[str] = "min_notional"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the order's value with the minimum."""
        rules = context.view.rules
        least = rules.smallest_market_notional
        if not least:
            return _NO_LEAST
        worth = order.notional
        return Finding(self.name, worth >= least, (_least, worth, rules), worth, least, rules.quote_asset)


def _least(worth: Decimal, rules: SymbolRules) -> str:
    least, quote = rules.smallest_market_notional, rules.quote_asset
    is_notional = rules.min_notional_on_market and least == rules.min_notional
    source = rules.notional_filter if is_notional else "MIN_NOTIONAL"
    return f"the order is worth {shown(worth, quote)}, {shown(least, quote)} is the least ({source})"


class MaxNotional:
    """Refuses an order worth more than the symbol's maximum notional, where that holds for market orders."""

    name: ClassVar[str] = "max_notional"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the order's value with the maximum."""
        rules = context.view.rules
        most = rules.max_notional if rules.max_notional_on_market else ZERO
        if not most:
            return _NO_MOST
        worth = order.notional
        return Finding(self.name, worth <= most, (_most, worth, rules), worth, most, rules.quote_asset)


def _most(worth: Decimal, rules: SymbolRules) -> str:
    most, quote = rules.max_notional, rules.quote_asset
    return f"the order is worth {shown(worth, quote)}, {shown(most, quote)} is the most ({rules.notional_filter})"


class MaxPositionFilter:
    """Refuses an entry that takes the account's base asset over the symbol's MAX_POSITION."""

    name: ClassVar[str] = "max_position_filter"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the base asset after the order with the maximum."""
        rules = context.view.rules
        if not rules.max_position:
            return _no_max_position(rules.symbol)
        base, most = rules.base_asset, rules.max_position
        total = max(context.wallet_base, context.held_base) + order.quantity
        return Finding(self.name, total <= most, (_after, total, most, base), total, most, base)


def _after(total: Decimal, most: Decimal, base: str) -> str:
    return f"{shown(total, base)} after the order, {shown(most, base)} is the most (MAX_POSITION)"


@cache
def _no_max_position(symbol: str) -> Finding:
    return Finding("max_position_filter", allows=True, detail=f"{symbol} has no MAX_POSITION")
