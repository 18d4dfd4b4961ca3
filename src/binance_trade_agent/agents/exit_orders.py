"""The orders by which a position is left: the legs that rest on the exchange, and the sale at market."""

from binance_trade_agent.agents.exit_plan import Exit, Plan
from binance_trade_agent.agents.risk import Identity
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.order_ids import client_order_id
from binance_trade_agent.domain.orders import OrderIntent, OrderType, Role, Side
from binance_trade_agent.domain.values import changed


class ExitOrders:
    """Makes intents, each with an id of its own."""

    def __init__(self, clock: Clock, identity: Identity) -> None:
        self._clock = clock
        self._identity = identity
        self._attempt = 0

    def resting(self, symbol: str, plan: Plan) -> tuple[list[OrderIntent], str | None]:
        """What is to rest, the target first, and the id of the list where there are two."""
        self._attempt += 1
        list_id = self._id(symbol, "list") if len(plan.resting) > 1 else None
        legs = []
        if Role.TAKE_PROFIT in plan.resting:
            leg = self._intent(symbol, plan, Role.TAKE_PROFIT, OrderType.LIMIT_MAKER, plan.target_kind)
            legs.append(changed(leg, price=plan.target_price, list_id=list_id))
        if Role.STOP_LOSS in plan.resting:
            kind = OrderType.STOP_LOSS if plan.stop_limit is None else OrderType.STOP_LOSS_LIMIT
            leg = self._intent(symbol, plan, Role.STOP_LOSS, kind, plan.stop_kind)
            legs.append(changed(leg, price=plan.stop_limit, stop_price=plan.stop_price, list_id=list_id))
        return legs, list_id

    def sale(self, symbol: str, plan: Plan, exit_: Exit) -> OrderIntent:
        """The sale of all that the plan is about, at market."""
        self._attempt += 1
        kind, reason = exit_
        return self._intent(symbol, plan, Role.EXIT, OrderType.MARKET, kind, reason)

    def _intent(
        self, symbol: str, plan: Plan, role: Role, order_type: OrderType, kind: ExitKind, reason: str = ""
    ) -> OrderIntent:
        now_ms = self._clock.now_ms()
        return OrderIntent(
            client_order_id=self._id(symbol, role.value),
            symbol=symbol,
            side=Side.SELL,
            type=order_type,
            quantity=plan.quantity,
            reference_price=plan.stop_price or plan.target_price or ZERO,
            tick_ms=now_ms,
            candle_open_ms=now_ms,
            reason=reason or (_protects, plan),
            role=role,
            exit=kind,
        )

    def _id(self, symbol: str, leg: str) -> str:
        # The generation and a count of its own make the id new each time: what protects follows from the position, and
        # an intent that a crash has left is asked about or given up before the next is made.
        return client_order_id(
            instance=self._identity.instance,
            epoch=0,
            strategy=self._identity.strategy,
            symbol=symbol,
            tick_ms=self._clock.now_ms(),
            leg=f"{leg}:{self._identity.fence}",
            attempt=self._attempt,
            fence=self._identity.fence,
        )


def _protects(plan: Plan) -> str:
    return f"protects the position, {plan}"
