"""What should stand on the exchange for a holding, in whole lots and ticks, and what the bot has to watch itself."""

from collections.abc import Sequence
from decimal import Decimal

from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import Order, OrderType, Role
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value, changed
from binance_trade_agent.risk.exits import STOP_LIMIT_FRACTION, ExitSettings, Levels

_TAKES_MARKET, _TAKES_LIMIT = OrderType.STOP_LOSS.value, OrderType.STOP_LOSS_LIMIT.value
_STOP_LOSS, _TAKE_PROFIT = Role.STOP_LOSS, Role.TAKE_PROFIT
_NOTHING: frozenset[Role] = frozenset()
# What is to rest, by whether there is a stop, and a target.
_RESTING = {
    (True, True): frozenset({_STOP_LOSS, _TAKE_PROFIT}),
    (True, False): frozenset({_STOP_LOSS}),
    (False, True): frozenset({_TAKE_PROFIT}),
    (False, False): _NOTHING,
}
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
    def has_level(self) -> bool:
        """Whether there is a price at which it is left, resting or not."""
        return self.stop_price is not None or self.target_price is not None

    @property
    def watched_stop(self) -> Decimal | None:
        """The stop as far as the exchange does not do it by itself while that rests which is to rest: the bot does.

        A stop with a limit that the price has jumped over rests on and sells nothing, so its limit is watched.
        """
        return self.stop_limit if _STOP_LOSS in self.resting else self.stop_price

    @property
    def watched_target(self) -> Decimal | None:
        """The target that the bot watches."""
        return None if _TAKE_PROFIT in self.resting else self.target_price

    @property
    def is_watched(self) -> bool:
        """Whether the bot watches a level."""
        return self.watched_stop is not None or self.watched_target is not None

    def price(self, role: Role) -> Decimal | None:
        """The level of a role."""
        return self.stop_price if role is _STOP_LOSS else self.target_price if role is _TAKE_PROFIT else None

    def reached(self, bid: Decimal) -> Exit | None:
        """Which level the price has come to; None while it is between them, or unknown."""
        return self._reached(bid, self.stop_price, self.target_price)

    def watched_reached(self, bid: Decimal) -> Exit | None:
        """Which level that the bot watches the price has come to."""
        return self._reached(bid, self.watched_stop, self.watched_target)

    def _reached(self, bid: Decimal, stop: Decimal | None, target: Decimal | None) -> Exit | None:
        if stop is not None and 0 < bid <= stop:
            return self.stop_kind, f"the price {plain(bid)} is at or under the stop {plain(stop)}"
        if target is not None and bid >= target:
            return self.target_kind, f"the price {plain(bid)} has reached {plain(target)}"
        return None

    def with_stop(self, price: Decimal) -> "Plan":
        """The same with the stop at `price`, a whole tick."""
        limit = None if self.stop_limit is None else min(self.stop_limit, price * STOP_LIMIT_FRACTION)
        return changed(self, stop_price=price, stop_limit=limit)

    def resting_only(self, *roles: Role) -> "Plan":
        """The same with only these levels resting."""
        return changed(self, resting=self.resting.intersection(roles))

    def __str__(self) -> str:
        """`stop 62720, target 66560`."""
        stop = f", stop {plain(self.stop_price)}" if self.stop_price is not None else ""
        target = f", target {plain(self.target_price)}" if self.target_price is not None else ""
        return f"{stop}{target}".removeprefix(", ")


def plan_of(
    settings: ExitSettings, levels: Levels, holding: Holding, rules: SymbolRules, on_sale_base: Decimal = ZERO
) -> Plan | None:
    """The plan for `holding` less what persons have on sale; None when at its stop it would be too little to be sold.

    Where the symbol has no stop orders nothing rests, not even the target: it would lock what the bot has to sell as
    soon as the price is at the stop.
    """
    stop, target = levels.stop_price, levels.target_price
    quantity = rules.round_market_quantity(max(ZERO, holding.position.quantity - on_sale_base))
    if rules.is_rounded_dust(quantity, (stop or holding.average_price) * STOP_LIMIT_FRACTION):
        return None
    stop = None if stop is None else rules.round_price(stop)
    target = None if target is None else rules.round_price(target)
    # A stop that takes the market cannot be jumped over; one with a limit is for symbols that have no other.
    takes_market = _TAKES_MARKET in rules.order_types
    has_stops = takes_market or _TAKES_LIMIT in rules.order_types
    limit = rules.round_price(stop * STOP_LIMIT_FRACTION) if stop is not None and not takes_market else None
    resting = _NOTHING if settings.has_stop and not has_stops else _RESTING[stop is not None, target is not None]
    return Plan(quantity, stop, levels.stop_kind, target, levels.target_kind, limit, resting)


def stands(live: Sequence[Order], plan: Plan, tick_size: Decimal) -> bool:
    """Whether what rests protects all that is to be protected, and no more, at the prices that are wanted.

    A partial sale may move the average entry price by a rounding, and so a price by a tick: that is the same price.
    """
    if {order.role for order in live} != plan.resting:
        return False
    for order in live:
        price, stands_at = plan.price(order.role), standing_price(order)
        if price is None or stands_at is None or abs(price - stands_at) > tick_size:
            return False
        if not covers(order, plan):
            return False
    return True


def covers(order: Order, plan: Plan) -> bool:
    """Whether an order rests over all that is to be sold, and nobody wants it away."""
    return order.cancel_requested_ms is None and order.left_base == plan.quantity


def standing_price(order: Order) -> Decimal | None:
    """The price at which a resting order sells: a stop's trigger, a target's limit."""
    return order.stop_price if order.role is _STOP_LOSS else order.price


def is_step(settings: ExitSettings, standing: Decimal, wanted: Decimal) -> bool:
    """Whether a trailing stop has risen far enough to be moved."""
    return wanted - standing >= standing * settings.trailing_step_pct / _HUNDRED
