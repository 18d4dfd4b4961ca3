"""Symbols that act side by side, as on a market that goes on by itself: fast, and never beyond a limit together."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.agents.suspension import Suspensions
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.orchestrator import Tick, TradingOrchestrator
from tests.agents.desk import RUN_ID, always, desk
from tests.agents.risk_desk import risk_agent
from tests.test_orchestrator import FAILURES_IN_A_ROW, TICKS_OF_REST, Pipeline, Scripted

MANY = ("BTCUSDT", "ETHUSDT", "SIM1USDT", "SIM2USDT", "SIM3USDT", "SIM4USDT")


@asynccontextmanager
async def side_by_side(tmp_path, *, opinions, stop="0", target="0", exits=None, limits=None, **exchange_options):
    """A trader of many symbols, and what it has on the wire: see Wire."""
    async with desk(tmp_path, symbols=MANY, **exchange_options) as ready:
        strategy = Scripted(**opinions)
        orchestrator = TradingOrchestrator(
            ready.market_data(),
            SignalAgent(always(strategy)),
            risk_agent(ready, strategy=strategy.name, **(limits or {})),
            ready.execution,
            ready.protection(stop, target, **(exits or {})),
            ready.ledger,
            Suspensions(FAILURES_IN_A_ROW, TICKS_OF_REST),
            side_by_side=True,
        )
        yield Pipeline(ready, strategy, orchestrator), Wire(ready.gateway)


class Wire:
    """Holds back what the exchange is to answer, until `let_go`.

    Attributes:
        orders, lists: symbols of the orders and lists that were sent.
    """

    def __init__(self, gateway) -> None:
        self.orders: list[str] = []
        self.lists: list[str] = []
        self.holds_lists_of: set[str] = set()
        self._may_go = asyncio.Event()
        place_order, place_list = gateway.place_order, gateway.place_list

        async def held_order(intent):
            self.orders.append(intent.symbol)
            await self._may_go.wait()
            return await place_order(intent)

        async def held_list(intents, list_id):
            self.lists.append(intents[0].symbol)
            if intents[0].symbol in self.holds_lists_of:
                await asyncio.Event().wait()
            return await place_list(intents, list_id)

        gateway.place_order, gateway.place_list = held_order, held_list

    def let_go(self) -> None:
        """Let the exchange answer."""
        self._may_go.set()


async def begun(ready: Pipeline):
    """The decisions of one tick by symbol, as tasks, when each verdict is final."""
    ready.cycle += 1
    await ready.desk.wait(60_000)
    tick = Tick(RUN_ID, ready.desk.clock.now_ms(), ready.cycle)
    return await asyncio.wait_for(ready.orchestrator.begin_all(tick, MANY), 30)


@pytest.mark.parametrize(
    ("limits", "usdt", "rule"),
    [
        ({"max_open_positions": 3}, "10000", "max_open_positions"),
        ({"max_open_positions": 6, "max_exposure_pct": Decimal("3.5")}, "10000", "max_exposure"),
        ({"max_open_positions": 6, "max_exposure_pct": Decimal(0)}, "350", "balance"),
    ],
)
async def test_many_that_enter_at_once_are_on_the_wire_together_and_never_beyond_a_limit(tmp_path, limits, usdt, rule):
    buying = dict.fromkeys(MANY, Action.BUY)
    balances = {"USDT": Decimal(usdt)}
    async with side_by_side(tmp_path, opinions=buying, limits=limits, balances=balances) as (ready, wire):
        tasks = await begun(ready)
        under_way = [symbol for symbol, task in tasks.items() if not task.done()]
        assert len(under_way) == 3, "each counts from its intent on, though none is answered"
        refused = [task.result() for task in tasks.values() if task.done()]
        assert {(decision.outcome, decision.rule) for decision in refused} == {(Outcome.REFUSED, rule)}
        wire.let_go()
        decisions = await asyncio.gather(*tasks.values())
        assert sorted(wire.orders) == sorted(under_way)
        assert sum(decision.outcome is Outcome.EXECUTED for decision in decisions) == 3
        await ready.desk.assert_reconciled()


async def test_protection_of_one_waits_for_no_other(tmp_path):
    opinions = {"BTCUSDT": Action.BUY, "ETHUSDT": Action.BUY}
    async with side_by_side(tmp_path, opinions=opinions | {"SIM1USDT": Action.HOLD}, stop="2", target="4") as (
        ready,
        wire,
    ):
        for symbol in MANY[2:]:
            ready.strategy.opinions[symbol] = Action.HOLD
        wire.holds_lists_of.add("BTCUSDT")
        wire.let_go()
        tasks = await begun(ready)
        protected = await asyncio.wait_for(tasks["ETHUSDT"], 30)
        assert (protected.outcome, "protected" in str(protected.detail)) == (Outcome.EXECUTED, True)
        assert not tasks["BTCUSDT"].done()
        tasks["BTCUSDT"].cancel()
        await asyncio.gather(tasks["BTCUSDT"], return_exceptions=True)


async def test_exit_and_entry_go_at_once_and_an_exit_waits_for_no_turn(tmp_path):
    opinions = dict.fromkeys(MANY, Action.HOLD) | {"BTCUSDT": Action.BUY}
    async with side_by_side(tmp_path, opinions=opinions, limits={"max_open_positions": 1}) as (ready, wire):
        wire.let_go()
        assert (await (await begun(ready))["BTCUSDT"]).outcome is Outcome.EXECUTED
        ready.strategy.opinions |= {"BTCUSDT": Action.SELL, "ETHUSDT": Action.BUY}
        tasks = await begun(ready)
        sold, refused = await tasks["BTCUSDT"], await tasks["ETHUSDT"]
        assert (sold.outcome, sold.exit) == (Outcome.EXECUTED, ExitKind.STRATEGY)
        assert (refused.outcome, refused.rule) == (Outcome.REFUSED, "max_open_positions"), "it is held until it is sold"
        assert (await (await begun(ready))["ETHUSDT"]).outcome is Outcome.EXECUTED
        await ready.desk.assert_reconciled()


async def test_one_whose_order_is_unknown_holds_up_nobody(tmp_path):
    opinions = dict.fromkeys(MANY, Action.HOLD) | {"BTCUSDT": Action.BUY, "ETHUSDT": Action.BUY}
    async with side_by_side(tmp_path, opinions=opinions, limits={"max_unknown_orders": 5}) as (ready, wire):
        await ready.desk.exchange.fault("unknown_executed", method="POST", path="order", count=1)
        wire.let_go()
        decisions = await asyncio.gather(*(await begun(ready)).values())
        assert sorted(each.outcome for each in decisions if each.symbol in {"BTCUSDT", "ETHUSDT"}) == [
            Outcome.EXECUTED,
            Outcome.UNKNOWN,
        ]
        await ready.desk.recovery.catch_up()
        states = {entry.order.state for entry in await ready.desk.orders()}
        assert states == {OrderState.FILLED}
        await ready.desk.assert_reconciled()
