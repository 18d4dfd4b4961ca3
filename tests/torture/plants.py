"""Bugs to be planted on purpose: each is one that trading bots have, and the torture has to find every one of them.

They are not of this program: a plant replaces a method by one that makes the mistake. `python -m tests.torture.run
--plant resend_on_timeout` says with which seed it is found.
"""

from collections.abc import Callable

from binance_trade_agent.agents.execution import Sent, TradeExecutionAgent
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.errors import ExchangeError, UnknownOutcomeError
from binance_trade_agent.ops import crash_points


def resend_on_timeout() -> None:
    """An order whose answer did not come is sent once more, as a retrying HTTP client does."""
    place = BinanceGateway.place_order

    async def place_twice(self, intent):
        try:
            return await place(self, intent)
        except UnknownOutcomeError:
            return await place(self, intent)

    BinanceGateway.place_order = place_twice


def commit_after_sending() -> None:
    """The intent is written when the exchange has answered, as bots do that store what they got."""
    execute = TradeExecutionAgent.execute

    class Answered:
        """The exchange, which answers what it has answered already; several orders may be under way."""

        def __init__(self, gateway):
            self.gateway, self.answers = gateway, {}

        def __getattr__(self, name):
            return getattr(self.gateway, name)

        async def place_order(self, intent):
            answer = self.answers.pop(intent.client_order_id, None)
            return answer or await self.gateway.place_order(intent)

    async def send_first(self, decision, intent, *told):
        if not isinstance(self._gateway, Answered):
            self._gateway = Answered(self._gateway)
        try:
            answer = await self._gateway.gateway.place_order(intent)
        except ExchangeError:
            return await execute(self, decision, intent, *told)  # the rest of the mistake is not needed
        crash_points.passed("order.answered")
        self._gateway.answers[intent.client_order_id] = answer
        return await execute(self, decision, intent, *told)

    TradeExecutionAgent.execute = send_first


def drop_fill_after_rejected() -> None:
    """An outcome that was not seen counts as a refusal, and what is refused cannot fill."""
    send, apply = TradeExecutionAgent._send, OrderKeeper.apply

    async def send_and_give_up(self, intents, *rest):
        sent = await send(self, intents, *rest)
        if sent.state is not OrderState.UNKNOWN:
            return sent
        for intent in intents:
            await self._books.transition(intent.client_order_id, OrderState.REJECTED, self._clock.now_ms())
        return Sent(OrderState.REJECTED, failure=sent.failure)

    async def apply_unless_rejected(self, report):
        entry = await self._books.order(report.client_order_id)
        if entry is not None and entry.order.state is OrderState.REJECTED:
            return None
        return await apply(self, report)

    TradeExecutionAgent._send = send_and_give_up
    OrderKeeper.apply = apply_unless_rejected


def trust_first_absence() -> None:
    """An order that the exchange does not know yet is taken for absent at once."""
    prove = OrderKeeper._prove_absent

    async def believe(self, order, *rest):
        await prove(self, replace(order, updated_ms=0), *rest)

    OrderKeeper._prove_absent = believe


def believe_every_cancel() -> None:
    """An order is cancelled once that was asked for, whatever the answer was and whatever it had sold by then."""

    async def believe(self, orders, _):
        for order in orders:
            await self._move(order, OrderState.CANCELED, "")

    OrderKeeper.conclude = believe


PLANTS: dict[str, Callable[[], None]] = {
    plant.__name__: plant
    for plant in (
        resend_on_timeout,
        commit_after_sending,
        drop_fill_after_rejected,
        trust_first_absence,
        believe_every_cancel,
    )
}
