"""Rules on what a person orders: the exchange's filters on each order that is sent, and that it can be what it says.

Each refusal names the filter, the value and the nearest one that is allowed.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.manual_orders import Leg
from binance_trade_agent.domain.market import average_fill_price
from binance_trade_agent.domain.money import ZERO, floor_to_step, is_multiple, plain
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.rules import shown


def _of_legs(name: str, order: ProposedOrder, fault: Callable[[Leg], str | None], fine: str) -> Finding:
    """The first leg's fault that is found, or that all are fine."""
    for leg in order.legs:
        if said := fault(leg):
            return Finding(name, allows=False, detail=said)
    return Finding(name, allows=True, detail=fine)


class OrderTypes:
    """Refuses types of orders that the symbol does not take."""

    name: ClassVar[str] = "order_types"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Look for the types."""
        rules = context.view.rules

        def fault(leg: Leg) -> str | None:
            if leg.type in rules.order_types:
                return None
            return f"{rules.symbol} takes no {leg.type} orders, only {', '.join(rules.order_types)}"

        return _of_legs(self.name, order, fault, f"{rules.symbol} takes such orders")


class Lots:
    """Refuses a quantity that breaks LOT_SIZE or MARKET_LOT_SIZE, or has more digits than the base asset."""

    name: ClassVar[str] = "lot_size"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the quantity with the lot."""
        rules, quantity = context.view.rules, order.quantity

        def fault(leg: Leg) -> str | None:
            violation = rules.quantity_violation(leg.type, quantity)
            if violation is None and is_multiple(quantity, rules.digits_step):
                return None
            at_market = leg.type is OrderType.MARKET
            step = max(rules.market_step if at_market else rules.step_size, rules.digits_step)
            least = rules.smallest_market_quantity if at_market else rules.min_quantity
            most = rules.largest_market_quantity if at_market else rules.max_quantity or Decimal("Infinity")
            near = max(least, floor_to_step(min(quantity, most), step))
            bounds = f"at least {plain(least)}" + ("" if most.is_infinite() else f", at most {plain(most)}")
            return (
                f"{shown(quantity, rules.base_asset)} breaks {violation or 'the precision of the base asset'} "
                f"({bounds}, in steps of {plain(step)}); the nearest allowed is {shown(near, rules.base_asset)}"
            )

        return _of_legs(self.name, order, fault, f"{shown(quantity, rules.base_asset)} fits the lot")


class PriceTicks:
    """Refuses a price or a stop price that breaks PRICE_FILTER."""

    name: ClassVar[str] = "price_filter"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare each price with the tick and its bounds."""
        rules = context.view.rules

        def fault(leg: Leg) -> str | None:
            for what, price in (("price", leg.price), ("stop price", leg.stop_price)):
                if price is not None and rules.price_violation(price):
                    most = f", at most {plain(rules.max_price)}" if rules.max_price else ""
                    return (
                        f"the {what} {plain(price)} breaks PRICE_FILTER (at least {plain(rules.min_price)}{most}, in "
                        f"steps of {plain(rules.tick_size)}); the nearest allowed is {plain(_nearest(rules, price))}"
                    )
            return None

        return _of_legs(self.name, order, fault, "the prices fit the tick")


def _nearest(rules: SymbolRules, price: Decimal) -> Decimal:
    under = rules.round_price(price)
    near = under if price - under <= under + rules.tick_size - price else under + rules.tick_size
    most = rules.round_price(rules.max_price) if rules.max_price else near
    return max(rules.min_price, min(near, most))


class PercentPrices:
    """Refuses a limit too far from the market (PERCENT_PRICE, PERCENT_PRICE_BY_SIDE).

    The exchange compares with an average of minutes, which is not asked for: the middle of the book stands for it. Near
    the bound the exchange has the last word.
    """

    name: ClassVar[str] = "percent_price"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare each limit with the middle of the book."""
        rules, book = context.view.rules, context.view.book
        middle = (book.bid + book.ask) / 2
        buying = order.side is Side.BUY
        ups = (rules.multiplier_up, rules.bid_multiplier_up if buying else rules.ask_multiplier_up)
        downs = (rules.multiplier_down, rules.bid_multiplier_down if buying else rules.ask_multiplier_down)

        def fault(leg: Leg) -> str | None:
            if leg.price is None:
                return None
            violation = rules.percent_price_violation(order.side, leg.price, lambda _minutes: middle)
            if violation is None:
                return None
            most = rules.round_price(min((middle * up for up in ups if up), default=leg.price))
            least = rules.round_price(max((middle * down for down in downs if down), default=ZERO)) + rules.tick_size
            near = min(max(leg.price, least), most)
            return (
                f"the price {plain(leg.price)} breaks {violation}: it is too far from the market, {plain(middle)}; the "
                f"nearest allowed is about {plain(near)}"
            )

        return _of_legs(self.name, order, fault, "the prices are near enough to the market")


class Notionals:
    """Refuses an order whose value breaks NOTIONAL or MIN_NOTIONAL, at its limit, or at the best price without one."""

    name: ClassVar[str] = "notional"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare each order's value."""
        rules = context.view.rules

        def fault(leg: Leg) -> str | None:
            price = order.price if leg.price is None else leg.price
            worth = order.quantity * price
            violation = rules.notional_violation(leg.type, worth) or rules.extra_notional_violation(leg.type, worth)
            if violation is None:
                return None
            told = f"the order is worth {shown(worth, rules.quote_asset)} at {plain(price)} and breaks {violation}"
            step = max(rules.market_step if leg.type is OrderType.MARKET else rules.step_size, rules.digits_step)
            if rules.max_notional and worth > rules.max_notional:
                most = floor_to_step(rules.max_notional / price, step)
                bound = f"{shown(rules.max_notional, rules.quote_asset)} is the most"
                return f"{told}: {bound}; at this price at most {shown(most, rules.base_asset)}"
            least = floor_to_step(rules.smallest_notional / price, step)
            if least * price < rules.smallest_notional:
                least += step
            bound = f"{shown(rules.smallest_notional, rules.quote_asset)} is the least"
            return f"{told}: {bound}; at this price at least {shown(least, rules.base_asset)}"

        return _of_legs(self.name, order, fault, "the order is worth enough, and not too much")


class PricesApart:
    """Refuses a stop that would trigger at once, and a target of a list that would trade at once.

    A stop that sells stands under the price, one that buys above it; the target on the other side.
    """

    name: ClassVar[str] = "stop_price"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare each leg with the book."""
        bid, ask = context.view.book.bid, context.view.book.ask
        sells = order.side is Side.SELL

        def fault(leg: Leg) -> str | None:
            if leg.stop_price is not None:
                if sells and leg.stop_price >= bid:
                    return (
                        f"the stop {plain(leg.stop_price)} would trigger at once: it must be under the bid {plain(bid)}"
                    )
                if not sells and leg.stop_price <= ask:
                    return (
                        f"the stop {plain(leg.stop_price)} would trigger at once: it must be above the ask {plain(ask)}"
                    )
            if leg.type is OrderType.LIMIT_MAKER and leg.price is not None:
                if sells and leg.price <= bid:
                    return f"the target {plain(leg.price)} would trade at once: it must be above the bid {plain(bid)}"
                if not sells and leg.price >= ask:
                    return f"the target {plain(leg.price)} would trade at once: it must be under the ask {plain(ask)}"
            return None

        return _of_legs(self.name, order, fault, "the stop and the target are on their sides of the price")


class WorstPrice:
    """Refuses a market order whose average price over the book's depth is worse than the person accepts."""

    name: ClassVar[str] = "worst_price"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the expected average price."""
        worst = order.worst_price
        if worst is None:
            return Finding(self.name, allows=True, detail="no worst price is given")
        quote = context.view.rules.quote_asset
        buys, depth = order.side is Side.BUY, context.depth
        average = None if depth is None else average_fill_price(depth.asks if buys else depth.bids, order.quantity)
        if average is None and not context.is_depth_asked:
            detail = "the depth of the book was not asked for, as another rule refuses"
            return Finding(self.name, allows=None, detail=detail)
        if depth is None:
            return Finding(
                self.name, allows=False, detail="the depth of the book is not known, and a worst price is given"
            )
        if average is None:
            return Finding(self.name, allows=False, detail="the book does not hold so much")
        is_fine = average <= worst if buys else average >= worst
        at, than = plain(average.normalize()), f"{'at most' if buys else 'at least'} {plain(worst)}"
        return Finding(
            self.name, is_fine, f"it would fill at {at} on average, {than} is accepted", average, worst, quote
        )


class EnoughHeld:
    """Refuses to sell more than the ledger holds and nobody has on sale: the bot sells nothing else."""

    name: ClassVar[str] = "position"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Compare the quantity with what is free."""
        base, free = context.view.rules.base_asset, context.free_base
        on_sale = f", {shown(context.on_sale_base, base)} of it on sale already" if context.on_sale_base else ""
        held = f"the ledger holds {shown(context.held_base, base)}{on_sale}"
        words = f"{shown(order.quantity, base)} to be sold, {held}: at most {shown(free, base)}"
        return Finding(self.name, order.quantity <= free, words, order.quantity, free, base)


class NothingRestsWhileKilled:
    """Refuses what would rest while the kill switch is on: it would be cancelled at once."""

    name: ClassVar[str] = "kill_switch"

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """Look at the switch."""
        if context.is_killed and not order.takes_market:
            return Finding(self.name, allows=False, detail="the kill switch is on: only a market order may sell now")
        return Finding(self.name, allows=True, detail="it may rest" if not order.takes_market else "it does not rest")
