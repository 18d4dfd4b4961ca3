"""The exchange's own filters on a market order (binance-protocol.md section 3), checked before it is sent."""

from typing import ClassVar

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.rules import shown


class LotSize:
    """Refuses a quantity that breaks LOT_SIZE or MARKET_LOT_SIZE; sizing has rounded it, to 0 when it was too small."""

    name: ClassVar[str] = "lot_size"

    def review(self, context: RiskContext, order: ProposedOrder) -> Refusal | None:
        """Compare the quantity with the lot."""
        rules = context.view.rules
        if order.quantity <= 0:
            least = shown(rules.smallest_market_quantity or rules.market_step, rules.base_asset)
            what = shown(context.held_base, rules.base_asset) if order.side is Side.SELL else "the order size"
            return Refusal(self.name, f"{what} rounds to nothing, {least} is the least (LOT_SIZE)")
        violation = rules.quantity_violation(OrderType.MARKET, order.quantity)
        if violation is None:
            return None
        step = rules.step_size if violation == "LOT_SIZE" else rules.market_step_size
        return Refusal(self.name, f"{shown(order.quantity, rules.base_asset)} breaks {violation} (step {plain(step)})")


class MinNotional:
    """Refuses an order worth less than the symbol's minimum notional."""

    name: ClassVar[str] = "min_notional"

    def review(self, context: RiskContext, order: ProposedOrder) -> Refusal | None:
        """Compare the order's value with the minimum."""
        rules = context.view.rules
        if not rules.min_notional_on_market or order.notional >= rules.min_notional:
            return None
        worth, least = (shown(amount, rules.quote_asset) for amount in (order.notional, rules.min_notional))
        return Refusal(self.name, f"the order is worth {worth}, {least} is the least ({rules.notional_filter})")


class MaxNotional:
    """Refuses an order worth more than the symbol's maximum notional, where that holds for market orders."""

    name: ClassVar[str] = "max_notional"

    def review(self, context: RiskContext, order: ProposedOrder) -> Refusal | None:
        """Compare the order's value with the maximum."""
        rules = context.view.rules
        if not (rules.max_notional and rules.max_notional_on_market) or order.notional <= rules.max_notional:
            return None
        worth, most = (shown(amount, rules.quote_asset) for amount in (order.notional, rules.max_notional))
        return Refusal(self.name, f"the order is worth {worth}, {most} is the most ({rules.notional_filter})")


class MaxPositionFilter:
    """Refuses an entry that takes the account's base asset over the symbol's MAX_POSITION."""

    name: ClassVar[str] = "max_position_filter"

    def review(self, context: RiskContext, order: ProposedOrder) -> Refusal | None:
        """Compare the base asset after the order with the maximum."""
        rules = context.view.rules
        total = max(context.wallet_base, context.held_base) + order.quantity
        if not rules.max_position or total <= rules.max_position:
            return None
        after, most = shown(total, rules.base_asset), shown(rules.max_position, rules.base_asset)
        return Refusal(self.name, f"{after} after the order, {most} is the most (MAX_POSITION)")
