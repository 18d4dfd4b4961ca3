"""An entry has to leave room for its stop-loss: worth enough to be placed, and under the price."""

from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.exits import STOP_LIMIT_FRACTION
from binance_trade_agent.risk.rules import shown

# The highest fee of Binance's spot schedule, taken in the base asset of what was bought (binance-protocol.md 4.4).
_LEFT_FRACTION = 1 - Decimal("0.001")

_NO_STOP = Finding("room_for_stop", allows=True, detail="no stop-loss is set (RISK_STOP_LOSS_PCT)")


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
            return _NO_STOP
        rules = context.view.rules
        bid = context.view.book.bid if order.takes_market else order.price  # as it will be when its price has come
        quote = rules.quote_asset
        left_base = rules.round_market_quantity(order.quantity * _LEFT_FRACTION)
        worth = left_base * order.price * context.stop_fraction
        least = rules.smallest_notional
        stop = order.price / _LEFT_FRACTION - order.price * (1 - context.stop_fraction / STOP_LIMIT_FRACTION)
        is_enough = left_base > 0 and worth >= least
        if is_enough and stop >= bid:
            too_near = (
                f"the stop would stand at {shown(rules.round_price(stop), quote)}, not under the bid, "
                f"{shown(bid, quote)}: it is nearer than the fee and the spread (RISK_STOP_LOSS_PCT, _ATR)"
            )
            return Finding(self.name, False, too_near, stop, bid, quote)
        return Finding(self.name, is_enough, (_words, left_base, worth, least, rules), worth, least, quote)


def _words(left_base: Decimal, worth: Decimal, least: Decimal, rules: SymbolRules) -> str:
    quote = rules.quote_asset
    return (
        f"{shown(left_base, rules.base_asset)} after fees would be worth {shown(worth, quote)} at the stop, "
        f"{shown(least, quote)} is the least that can be protected"
    )
