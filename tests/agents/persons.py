"""A person at a desk: places commands as another process does, and has them carried out as the trading loop does."""

from dataclasses import dataclass, field
from decimal import Decimal

from binance_trade_agent.agents.closing import Closer, Emergency
from binance_trade_agent.agents.manual_orders import ManualOrders
from binance_trade_agent.agents.risk import Identity
from binance_trade_agent.control.carriers import Moment
from binance_trade_agent.control.commands import Command, CommandKind, answer, command, pending, place
from binance_trade_agent.control.switch_carriers import SwitchCarriers
from tests.agents.desk import RUN_ID, Desk
from tests.agents.risk_desk import risk_agent
from tests.agents.watching import Watched, watched

ASKED_WALL_MS = 1_767_225_600_000


@dataclass
class Person:
    """Who asks, and the parts of the daemon that carry it out.

    Attributes:
        wall_ms: what the machine's clock says when commands are carried out.
        fence: generation of the daemon.
    """

    desk: Desk
    watch: Watched
    limits: dict = field(default_factory=dict)
    wall_ms: int = ASKED_WALL_MS + 1_000
    fence: int = 1
    is_stopping: bool = False

    def __post_init__(self) -> None:
        ready, protection = self.desk, self.watch.protection
        market_data, risk = ready.market_data(), risk_agent(ready, **self.limits)
        identity = Identity("test", "s", self.fence)
        self.closer = Closer(
            market_data, risk, ready.execution, protection, ready.keeper, ready.ledger, ready.clock, ready.rules
        )
        self.emergency = Emergency(ready.ledger, self.watch.watch, self.closer, ready.clock, identity, ready.alarms)
        self.manual = ManualOrders(
            market_data,
            risk,
            ready.execution,
            protection,
            ready.keeper,
            ready.ledger,
            self.closer,
            identity,
            tuple(ready.rules),
            wall_ms=lambda: self.wall_ms,
            is_stopping=lambda: self.is_stopping,
        )
        switches = SwitchCarriers(ready.ledger, "test", self.emergency.obey_and_tell)
        self.carriers = {**switches.by_kind, **self.manual.by_kind}

    def place(self, kind: CommandKind, **payload: str) -> int:
        """Place a command."""
        return place(self.desk.ledger.path, kind, requested_by="ann", requested_wall_ms=ASKED_WALL_MS, payload=payload)

    async def carry_out(self) -> None:
        """What the loop does with commands between two ticks."""
        for each in await pending(self.desk.ledger):
            now_ms = self.desk.clock.now_ms()
            carried = await self.carriers[each.kind](each, Moment(RUN_ID, now_ms, now_ms))
            if carried is not None:
                await answer(
                    self.desk.ledger,
                    each.command_id,
                    carried.state,
                    carried.answer,
                    now_ms,
                    client_order_id=carried.client_order_id,
                )

    async def ask(self, kind: CommandKind, **payload: str) -> Command:
        """Place a command and have it carried out."""
        number = self.place(kind, **payload)
        await self.carry_out()
        return await self.command(number)

    async def order(self, side: str, quantity: str, kind: str = "market", symbol: str = "BTCUSDT", **prices: str):
        """Order something; the answered command."""
        return await self.ask(CommandKind.ORDER, symbol=symbol, side=side, type=kind, quantity=quantity, **prices)

    async def command(self, number: int) -> Command:
        """A command as it is now."""
        found = await self.desk.ledger.read(lambda connection: command(connection, number))
        assert found is not None
        return found


def person(ready: Desk, stop: str = "2", target: str = "4", *, fence: int = 1, **limits) -> Person:
    """A person whose daemon protects positions at these distances in percent, with no limit but those that are named."""
    generous = {"max_position_quote": Decimal("Infinity"), **limits}
    return Person(ready, watched(ready, stop, target, fence=fence), generous, fence=fence)
