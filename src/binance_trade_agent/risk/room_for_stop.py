"""An entry has to leave room for its stop-loss: worth enough to be placed, and under the price."""

from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.exits import STOP_LIMIT_FRACTION
from binance_trade_agent.risk.rules import shown

# The highest fee of Binance's spot schedule, taken in the base asset of what was bought (binance-protocol.md 4.4).
_HIGHEST_FEE_FRACTION = Decimal("0.001")


class RoomForStop:
    """Refuses an entry that could not be sold at its stop, or would be sold by it at once.

    What it leaves after the fee, rounded down to the step, has to be worth the least value of an order at
    `context.stop_fraction` of the entry's price. A stop may be a LIMIT order, for which the least value holds where it
    does not for market orders. Stops are measured from what was paid, the fee included, so one that is nearer than fee
    and spread would stand above the bid.
    """

    name: ClassVar[str] = "room_for_stop"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the value at the stop with the least value."""
        if context.stop_fraction is None:
            return Finding(self.name, allows=True, detail="no stop-loss is set (RISK_STOP_LOSS_PCT)")
        rules = context.view.rules
        left_base = rules.round_market_quantity(order.quantity * (1 - _HIGHEST_FEE_FRACTION))
        worth, least = (
            left_base * order.price * context.stop_fraction,
            max(rules.min_notional, rules.extra_min_notional),
        )
        detail = (
            f"{shown(left_base, rules.base_asset)} after fees would be worth {shown(worth, rules.quote_asset)} at the "
            f"stop, {shown(least, rules.quote_asset)} is the least that can be protected"
        )
        if left_base <= 0 or worth < least:
            return Finding(self.name, False, detail, worth, least, rules.quote_asset)
        paid = order.price / (1 - _HIGHEST_FEE_FRACTION)
        stop = paid - order.price * (1 - context.stop_fraction / STOP_LIMIT_FRACTION)
        if stop < context.view.book.bid:
            return Finding(self.name, True, detail, worth, least, rules.quote_asset)
        at, bid = (shown(price, rules.quote_asset) for price in (rules.round_price(stop), context.view.book.bid))
        too_near = (
            f"the stop would stand at {at}, not under the bid, {bid}: it is nearer than the fee and the spread "
            "(RISK_STOP_LOSS_PCT, _ATR)"
        )
        return Finding(self.name, False, too_near, stop, context.view.book.bid, rules.quote_asset)
