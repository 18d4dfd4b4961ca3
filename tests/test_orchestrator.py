"""One tick through the four agents: a decision for each symbol, whatever happens, in the same order of money."""

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import permutations

import pytest

from binance_trade_agent import orchestrator as orchestrator_module
from binance_trade_agent.agents.risk import Asked, Identity
from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.agents.suspension import Suspensions
from binance_trade_agent.agents.turns import turns
from binance_trade_agent.control.commands import CommandKind, CommandState, answer, place
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState, OrderType, Role, Side
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.orchestrator import Tick, TradingOrchestrator
from tests.agents.desk import RUN_ID, SYMBOLS, Desk, always, desk
from tests.agents.risk_desk import risk_agent

FAILURES_IN_A_ROW, TICKS_OF_REST = 5, 10


class Scripted:
    """A strategy that says what the test wants on each symbol: an action, or what it raises."""

    name = "scripted"

    def __init__(self, **opinions) -> None:
        self.opinions = dict.fromkeys(SYMBOLS, Action.HOLD) | opinions

    def evaluate(self, symbol, candles) -> Signal:
        opinion = self.opinions[symbol]
        if isinstance(opinion, Exception):
            raise opinion
        return Signal(symbol, self.name, opinion, 0.5, "the test says so", candles[-1].open_time_ms)


@dataclass
class Pipeline:
    """An orchestrator on a desk."""

    desk: Desk
    strategy: Scripted
    orchestrator: TradingOrchestrator
    cycle: int = 0

    async def tick(self, symbols=SYMBOLS):
        """The decisions of one tick by symbol, a minute after the last."""
        self.cycle += 1
        await self.desk.wait(60_000)
        decisions = await self.orchestrator.decide_all(Tick(RUN_ID, self.desk.clock.now_ms(), self.cycle), symbols)
        assert [decision.symbol for decision in decisions] == list(symbols)
        return {decision.symbol: decision for decision in decisions}


@asynccontextmanager
async def pipeline(tmp_path, *, limits=None, exits=None, **opinions):
    async with desk(tmp_path) as ready:
        strategy = Scripted(**opinions)
        risk = risk_agent(ready, strategy=strategy.name, **(limits or {}))
        orchestrator = TradingOrchestrator(
            ready.market_data(),
            SignalAgent(always(strategy)),
            risk,
            ready.execution,
            ready.protection("0", "0", **(exits or {})),
            ready.ledger,
            Suspensions(FAILURES_IN_A_ROW, TICKS_OF_REST),
        )
        yield Pipeline(ready, strategy, orchestrator)


async def test_hold_is_a_decision_with_what_was_seen(tmp_path):
    async with pipeline(tmp_path) as ready:
        decision = (await ready.tick())["BTCUSDT"]
        assert (decision.outcome, decision.detail) == (Outcome.HELD, "the test says so")
        assert decision.signal.action is Action.HOLD
        assert decision.bid < decision.ask
        assert (decision.candle_age_ms, decision.book_age_ms) == (1, 0)


async def test_buy_then_sell_goes_through_all_four_agents(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY, ETHUSDT=Action.SELL) as ready:
        decisions = await ready.tick()
        assert decisions["BTCUSDT"].outcome is Outcome.EXECUTED
        assert (decisions["ETHUSDT"].outcome, decisions["ETHUSDT"].detail) == (Outcome.SKIPPED, "no position to sell")
        ready.strategy.opinions["BTCUSDT"] = Action.SELL
        assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        decision = (await ready.tick())["BTCUSDT"]
        assert decision.outcome is Outcome.SKIPPED
        assert decision.detail.startswith("only dust to sell")
        await ready.desk.assert_reconciled()


async def test_order_of_a_candle_that_has_just_closed_is_measured_when_it_is_sent(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY, ETHUSDT=Action.BUY) as ready:
        await ready.tick()
        assert ready.orchestrator.reactions.durations.count == 0, "nothing had closed"
        await ready.desk.wait(60_000)
        tick = Tick(RUN_ID, ready.desk.clock.now_ms(), 2, {"ETHUSDT": monotonic_seconds() - 2.0})
        assert {each.outcome for each in await ready.orchestrator.decide_all(tick, SYMBOLS)} == {Outcome.EXECUTED}
        assert ready.orchestrator.reactions.vitals().count == 1
        assert ready.orchestrator.reactions.vitals().p50_ms >= 2_000


async def test_refusal_names_its_rule(tmp_path):
    async with pipeline(tmp_path, limits={"cooldown_seconds": 600}, BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        decision = (await ready.tick())["BTCUSDT"]
        assert (decision.outcome, decision.rule) == (Outcome.REFUSED, "cooldown")


async def test_strategy_that_raises_stays_with_its_symbol_and_is_suspended(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=ArithmeticError("no band")) as ready:
        for _ in range(FAILURES_IN_A_ROW):
            decisions = await ready.tick()
            failed = decisions["BTCUSDT"]
            assert failed.outcome is Outcome.FAILED
            assert re.fullmatch(
                r"strategy scripted raised ArithmeticError: no band, at .*test_orchestrator.py:\d+", failed.detail
            )
            assert (failed.signal, failed.candle_count) == (None, decisions["ETHUSDT"].candle_count)
            assert None not in {failed.bid, failed.ask, failed.candle_count}, "what was seen is kept"
            assert decisions["ETHUSDT"].outcome is Outcome.HELD
        ready.strategy.opinions["BTCUSDT"] = Action.HOLD
        for _ in range(TICKS_OF_REST):
            decision = (await ready.tick())["BTCUSDT"]
            assert (decision.outcome, decision.signal) == (Outcome.FAILED, None)
            assert "suspended after 5 failures in a row" in decision.detail
        assert (await ready.tick())["BTCUSDT"].outcome is Outcome.HELD


@pytest.mark.parametrize(
    "fault",
    [{"status": 503}, {"status": 200, "body": "<html>"}, {"status": 400, "body": '{"code": -1100, "msg": "No."}'}],
)
async def test_market_that_cannot_be_seen_is_no_data_and_never_a_failure(tmp_path, fault):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        await ready.desk.exchange.fault("http", path="klines", count=None, **fault)
        for _ in range(FAILURES_IN_A_ROW + 1):
            decision = (await ready.tick())["BTCUSDT"]
            assert (decision.outcome, decision.signal) == (Outcome.NO_DATA, None)
            assert decision.detail
        assert await ready.desk.times_sent() == 0


async def test_position_is_left_in_time_though_the_candles_are_not_sound(tmp_path):
    async with pipeline(tmp_path, exits={"time_stop_minutes": 3}, BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        ready.strategy.opinions["BTCUSDT"] = Action.HOLD
        candles = ready.desk.gateway.candles

        async def late(*arguments):
            return (await candles(*arguments))[:-9]

        ready.desk.gateway.candles = late
        for _ in range(2):
            await ready.tick()
        decision = (await ready.tick())["BTCUSDT"]
        assert (decision.outcome, decision.exit, decision.signal) == (Outcome.EXECUTED, ExitKind.TIME_STOP, None)
        assert (decision.candles, decision.candle_age_ms) == ((), None)
        decision = (await ready.tick())["BTCUSDT"]
        assert (decision.outcome, decision.signal) == (Outcome.NO_DATA, None)
        assert re.fullmatch(r"the last closed 1m candle is \d+ s old", decision.detail)
        await ready.desk.assert_reconciled()


async def test_slow_exchange_costs_its_symbol_the_tick(tmp_path, monkeypatch):
    monkeypatch.setattr(orchestrator_module, "OBSERVE_SECONDS", 0.3)
    async with pipeline(tmp_path) as ready:
        await ready.tick()
        await ready.desk.exchange.fault("latency", path="klines", ms=800)
        outcomes = sorted(decision.outcome for decision in (await ready.tick()).values())
        assert outcomes == [Outcome.HELD, Outcome.NO_DATA]


async def test_unknown_order_is_told_and_its_symbol_waits_for_it(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        await ready.desk.exchange.fault("unknown_executed", method="POST", path="order")
        decision = (await ready.tick())["BTCUSDT"]
        assert decision.outcome is Outcome.UNKNOWN
        waiting = (await ready.tick())["BTCUSDT"]
        assert (waiting.outcome, waiting.rule) == (Outcome.REFUSED, "open_order")
        await ready.desk.recovery.catch_up()
        assert (await ready.desk.entry(decision)).order.state is OrderState.FILLED
        assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        assert await ready.desk.times_sent() == 2
        await ready.desk.assert_reconciled()


async def test_stopping_daemon_still_speaks_and_orders_nothing(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        ready.orchestrator.is_stopping = True
        decision = (await ready.tick())["BTCUSDT"]
        assert (decision.outcome, decision.detail) == (Outcome.SKIPPED, "the daemon is stopping")
        assert decision.signal.action is Action.BUY
        assert await ready.desk.times_sent() == 0


@pytest.mark.parametrize("slow", SYMBOLS)
async def test_money_is_decided_in_the_symbols_order_whoever_looks_faster(tmp_path, slow):
    buying = dict.fromkeys(SYMBOLS, Action.BUY)
    async with pipeline(tmp_path, limits={"max_open_positions": 1}, **buying) as ready:
        observe = ready.orchestrator._market_data.observe

        async def observe_at_its_pace(symbol: str):
            await sleep_seconds(0.05 if symbol == slow else 0)
            return await observe(symbol)

        ready.orchestrator._market_data.observe = observe_at_its_pace
        decisions = await ready.tick()
        assert decisions["BTCUSDT"].outcome is Outcome.EXECUTED
        assert (decisions["ETHUSDT"].outcome, decisions["ETHUSDT"].rule) == (Outcome.REFUSED, "max_open_positions")


async def test_earlier_symbol_that_fails_passes_its_turn_on(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=ArithmeticError("no band"), ETHUSDT=Action.BUY) as ready:
        assert (await ready.tick())["ETHUSDT"].outcome is Outcome.EXECUTED


@pytest.mark.parametrize("arrival", list(permutations("ABC")))
async def test_turns_come_in_their_order_whoever_arrives_first(arrival):
    row = turns("ABC")
    came: list[str] = []

    async def take(name: str) -> None:
        async with row[name]:
            await row[name].comes()
            came.append(name)

    async with asyncio.TaskGroup() as group:
        for name in arrival:
            group.create_task(take(name))
            await sleep_seconds(0)
    assert came == ["A", "B", "C"]


async def paused_wholly(ready: Pipeline) -> None:
    number = place(
        ready.desk.ledger.path,
        CommandKind.PAUSE,
        requested_by="test",
        requested_wall_ms=1,
        payload={"scope": "everything"},
    )
    await answer(ready.desk.ledger, number, CommandState.DONE, "paused", 1)


async def test_pause_of_everything_keeps_the_strategy_from_selling_and_never_a_time_stop(tmp_path):
    async with pipeline(tmp_path, exits={"time_stop_minutes": 3}, BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        await paused_wholly(ready)
        ready.strategy.opinions["BTCUSDT"] = Action.SELL
        refused = (await ready.tick())["BTCUSDT"]
        assert (refused.outcome, refused.rule, refused.exit) == (Outcome.REFUSED, "pause", ExitKind.STRATEGY)
        assert refused.findings[-1].rule == "pause"
        await ready.tick()
        left = (await ready.tick())["BTCUSDT"]
        assert (left.outcome, left.exit) == (Outcome.EXECUTED, ExitKind.TIME_STOP)


async def test_strategy_leaves_a_person_what_is_on_sale_and_a_time_stop_takes_it_back(tmp_path):
    async with pipeline(tmp_path, exits={"time_stop_minutes": 3}, BTCUSDT=Action.BUY) as ready:
        await ready.tick()
        held = (await ready.desk.ledger.positions())["BTCUSDT"].quantity
        asked = Asked(1, 1, "ann")
        order_id = asked.order_id(Identity("test", "s"), "BTCUSDT", "leg 0")
        sale = replace(
            await ready.desk.intent(Side.SELL, "0.001"),
            client_order_id=order_id,
            type=OrderType.LIMIT,
            price=Decimal(90_000),
            role=Role.EXIT,
            exit=ExitKind.MANUAL,
        )
        await ready.desk.execution.place([sale])
        ready.strategy.opinions["BTCUSDT"] = Action.SELL
        sold = (await ready.tick())["BTCUSDT"]
        assert sold.outcome is Outcome.EXECUTED
        left = (await ready.desk.ledger.positions())["BTCUSDT"].quantity
        assert Decimal("0.001") <= left < Decimal("0.00101") < held
        refused = (await ready.tick())["BTCUSDT"]
        assert (refused.outcome, refused.rule) == (Outcome.REFUSED, "lot_size")
        (await ready.tick())
        taken_back = await ready.desk.ledger.order(order_id)
        assert taken_back.order.state is OrderState.CANCELED
        assert (await ready.desk.ledger.positions())["BTCUSDT"].quantity < Decimal("0.00001")
