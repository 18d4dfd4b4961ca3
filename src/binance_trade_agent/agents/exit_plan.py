"""What should stand on the exchange for a holding, in whole lots and ticks, and what the bot has to watch itself."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Order, OrderType, Role
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value, replace
from binance_trade_agent.risk.exits import STOP_LIMIT_FRACTION, ExitSettings, Levels

_STOP_TYPES = frozenset({OrderType.STOP_LOSS.value, OrderType.STOP_LOSS_LIMIT.value})
_HUNDRED = Decimal(100)

Exit = tuple[ExitKind, str]
"""What makes the bot leave a position, and the words for it."""


class Plan(Value, frozen=True):
    """Where a holding is left. Prices in quote per base, at whole ticks; None: at no such price.

    Attributes:
        quantity: what is sold there, in base asset, in whole lots.
        stop_limit: least price at which a stop sells that cannot take the market; None when it can.
        resting: the levels that are to stand on the exchange; the bot itself watches the others.
    """

    quantity: Decimal
    stop_price: Decimal | None
    stop_kind: ExitKind
    target_price: Decimal | None
    target_kind: ExitKind
    stop_limit: Decimal | None
    resting: frozenset[Role]

    @property
    def prices(self) -> Mapping[Role, Decimal]:
        """The levels, resting or not."""
        levels = {Role.STOP_LOSS: self.stop_price, Role.TAKE_PROFIT: self.target_price}
        return {role: price for role, price in levels.items() if price is not None}

    @property
    def watched(self) -> "Plan":
        """What the exchange does not do by itself while that rests which is to rest: levels that the bot watches.

        A stop with a limit that the price has jumped over rests on and sells nothing, so its limit is watched.
        """
        stop = self.stop_limit if Role.STOP_LOSS in self.resting else self.stop_price
        target = None if Role.TAKE_PROFIT in self.resting else self.target_price
        return replace(self, stop_price=stop, target_price=target)

    def reached(self, bid: Decimal) -> Exit | None:
        """Which level the price has come to; None while it is between them, or unknown."""
        if self.stop_price is not None and 0 < bid <= self.stop_price:
            return self.stop_kind, f"the price {plain(bid)} is at or under the stop {plain(self.stop_price)}"
        if self.target_price is not None and bid >= self.target_price:
            return self.target_kind, f"the price {plain(bid)} has reached {plain(self.target_price)}"
        return None

    def with_stop(self, price: Decimal) -> "Plan":
        """The same with the stop at `price`, a whole tick."""
        limit = None if self.stop_limit is None else min(self.stop_limit, price * STOP_LIMIT_FRACTION)
        return replace(self, stop_price=price, stop_limit=limit)

    def resting_only(self, *roles: Role) -> "Plan":
        """The same with only these levels resting."""
        return replace(self, resting=self.resting & set(roles))

    def __str__(self) -> str:
        """`stop 62720, target 66560`."""
        stop = f", stop {plain(self.stop_price)}" if self.stop_price is not None else ""
        target = f", target {plain(self.target_price)}" if self.target_price is not None else ""
        return f"{stop}{target}".removeprefix(", ")


def plan_of(settings: ExitSettings, levels: Levels, holding: Holding, rules: SymbolRules) -> Plan | None:
    """The plan for `holding`; None when at its stop it would be too little to be sold.

    Where the symbol has no stop orders nothing rests, not even the target: it would lock what the bot has to sell as
    soon as the price is at the stop.
    """
    quantity = holding.position.quantity
    lowest = (levels.stop_price or holding.average_price) * STOP_LIMIT_FRACTION
    if rules.is_dust(quantity, lowest):
        return None
    stop = None if levels.stop_price is None else rules.round_price(levels.stop_price)
    target = None if levels.target_price is None else rules.round_price(levels.target_price)
    kinds = _STOP_TYPES & set(rules.order_types)
    resting = set() if settings.has_stop and not kinds else {Role.STOP_LOSS, Role.TAKE_PROFIT}
    # A stop that takes the market cannot be jumped over; one with a limit is for symbols that have no other.
    is_limited = stop is not None and OrderType.STOP_LOSS.value not in kinds
    plan = Plan(
        rules.round_market_quantity(quantity),
        stop,
        levels.stop_kind,
        target,
        levels.target_kind,
        rules.round_price(stop * STOP_LIMIT_FRACTION) if stop is not None and is_limited else None,
        frozenset(resting),
    )
    return replace(plan, resting=plan.resting & plan.prices.keys())


def stands(live: Sequence[Order], plan: Plan, tick_size: Decimal) -> bool:
    """Whether what rests protects all that is to be protected, and no more, at the prices that are wanted.

    A partial sale may move the average entry price by a rounding, and so a price by a tick: that is the same price.
    """
    for order in live:
        price, stands_at = plan.prices.get(order.role), standing_price(order)
        if price is None or stands_at is None or abs(price - stands_at) > tick_size:
            return False
        if not covers(order, plan):
            return False
    return {order.role for order in live} == plan.resting


def covers(order: Order, plan: Plan) -> bool:
    """Whether an order rests over all that is to be sold, and nobody wants it away."""
    return order.cancel_requested_ms is None and order.left_base == plan.quantity


def standing_price(order: Order) -> Decimal | None:
    """The price at which a resting order sells: a stop's trigger, a target's limit."""
    return order.stop_price if order.role is Role.STOP_LOSS else order.price


def is_step(settings: ExitSettings, standing: Decimal, wanted: Decimal) -> bool:
    """Whether a trailing stop has risen far enough to be moved."""
    return wanted - standing >= standing * settings.trailing_step_pct / _HUNDRED
