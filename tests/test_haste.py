"""When many candles close at once: who wants something new begins first, and the others when its order is out."""

import asyncio
from types import SimpleNamespace

import pytest

from binance_trade_agent import orchestrator as module
from binance_trade_agent.domain.market import CandleView
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.ops.clock import give_way
from binance_trade_agent.ops.reactions import order_sent
from binance_trade_agent.ops.tasks import spawn
from binance_trade_agent.orchestrator import Tick, TradingOrchestrator

BUY, SELL, HOLD = Action.BUY, Action.SELL, Action.HOLD
HELD = frozenset({"SOLD", "KEPT"})
FORESEEN = {  # what the strategy will say, and what it said last
    "QUIET": (HOLD, HOLD),
    "AGAIN": (BUY, BUY),
    "BOUGHT": (BUY, HOLD),
    "NOTHING TO SELL": (SELL, HOLD),
    "KEPT": (HOLD, SELL),
    "SOLD": (SELL, HOLD),
    "UNKNOWN": None,
}
URGENT, REST = ["BOUGHT", "SOLD", "UNKNOWN"], ["AGAIN", "KEPT", "QUIET", "NOTHING TO SELL"]


class Decisions:
    """An orchestrator that knows what strategies will say; a decision is the symbol's name."""

    def __init__(self, *, side_by_side: bool = True) -> None:
        self.begun: list[str] = []
        self.foreseen: list[str] = []
        self.orders_may_go = asyncio.Event()
        self.orders_may_go.set()
        self.orchestrator = TradingOrchestrator(
            SimpleNamespace(candles=lambda symbol: CandleView(symbol, (), None, "")),
            SimpleNamespace(foresee=self._foresee),
            SimpleNamespace(marks={}),
            None,
            SimpleNamespace(holds=HELD.__contains__),
            None,
            None,
            side_by_side=side_by_side,
        )
        self.orchestrator.decide = self._decide

    def _foresee(self, view: CandleView) -> tuple[Action, Action] | None:
        self.foreseen.append(view.symbol)
        return FORESEEN[view.symbol]

    async def _decide(self, tick: Tick, symbol: str, turn) -> str:
        async with turn:
            self.begun.append(symbol)
            with self.orchestrator.reactions.to(tick.closed_seconds.get(symbol)):
                if symbol in URGENT:
                    await self.orders_may_go.wait()
                    order_sent()
            return symbol

    async def begin(self, symbols) -> dict[str, str]:
        tick = Tick("run", 1, 1, dict.fromkeys(FORESEEN, 0.0))
        return {symbol: task.result() for symbol, task in (await self.orchestrator.begin_all(tick, symbols)).items()}


async def turns_of_the_loop(count: int) -> None:
    """They take no time."""
    for _ in range(count):
        await give_way()


async def test_who_wants_something_new_begins_first_and_who_wants_nothing_last():
    decisions = Decisions()
    decided = await decisions.begin(FORESEEN)
    assert decisions.begun == URGENT + REST
    assert decided == {symbol: symbol for symbol in FORESEEN}


async def test_the_others_begin_when_the_orders_are_on_the_wire():
    decisions = Decisions()
    decisions.orders_may_go.clear()
    running = spawn(decisions.begin(FORESEEN), name="begin")
    await turns_of_the_loop(100)
    assert decisions.foreseen == list(FORESEEN)
    assert decisions.begun == URGENT
    decisions.orders_may_go.set()
    await running
    assert decisions.begun == URGENT + REST


async def test_an_order_that_takes_long_keeps_nobody_for_ever(monkeypatch):
    monkeypatch.setattr(module, "_HEAD_START_SECONDS", 0.01)
    decisions = Decisions()
    decisions.orders_may_go.clear()
    running = spawn(decisions.begin(FORESEEN), name="begin")
    async with asyncio.timeout(30):
        while len(decisions.begun) < len(FORESEEN):
            await turns_of_the_loop(10)
    decisions.orders_may_go.set()
    await running


async def test_what_closes_while_those_before_are_looked_at_is_decided_on_with_them():
    decisions = Decisions()

    def closing():
        yield "QUIET"
        yield "KEPT"
        assert decisions.begun == []
        yield "BOUGHT"

    await decisions.begin(closing())
    assert decisions.begun == ["BOUGHT", "KEPT", "QUIET"]


async def test_on_a_market_that_stands_still_symbols_begin_in_their_order():
    decisions = Decisions(side_by_side=False)
    await decisions.begin(FORESEEN)
    assert decisions.begun == list(FORESEEN)
    assert decisions.foreseen == []


async def test_who_fails_while_symbols_are_looked_at_leaves_no_decision_behind():
    decisions = Decisions()
    decisions.orders_may_go.clear()

    def closing():
        yield "BOUGHT"
        yield "KEPT"
        raise OSError("the feed is gone")

    with pytest.raises(OSError, match="the feed is gone"):
        await decisions.begin(closing())
    assert decisions.orchestrator.reactions.vitals().count == 0
    left = [task for task in asyncio.all_tasks() if task.get_name().startswith("decide")]
    assert left == []
