"""S26: the machine sleeps for an hour: one tick, counted as a gap; first reconciled, then decided, on new candles only."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal
from urllib.parse import parse_qs

from binance_trade_agent.agents.account_watch import AccountWatch
from binance_trade_agent.agents.breakers import Breakers
from binance_trade_agent.agents.closing import Emergency
from binance_trade_agent.agents.risk import Identity
from binance_trade_agent.agents.valuation import Valuation
from binance_trade_agent.autonomous_trading_loop import AutonomousTradingLoop, RunIdentity, Schedule
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.ledger import queries
from binance_trade_agent.risk.settings import RiskSettings
from tests.agents.desk import RUN_ID, SYMBOLS, Desk
from tests.survival.test_s28_bad_candles import answer_with, klines
from tests.test_orchestrator import pipeline

HOUR_MS = 60 * MINUTE_MS


class SleepyMachine:
    """The desk's clock on a machine that sleeps: a wait ends late, and the exchange has gone on meanwhile.

    Attributes:
        sleeps_ms: for each wait that is one, by how much it is overslept; then none is.
        meanwhile: awaited at the end of the sleep, before anything else is.
    """

    def __init__(self, desk: Desk) -> None:
        self._clock = desk.clock
        self.sleeps_ms: list[int] = []
        self.meanwhile = _nothing

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def monotonic_ms(self) -> float:
        return self._clock.monotonic_ms()

    async def sleep_until(self, monotonic_ms: float) -> None:
        if monotonic_ms <= self.monotonic_ms():
            return
        late_ms = self.sleeps_ms.pop(0) if self.sleeps_ms else 0
        await self._clock.sleep_until(monotonic_ms + late_ms)
        if late_ms:
            await self.meanwhile()


async def _nothing() -> None:
    """Nothing happens meanwhile."""


@asynccontextmanager
async def trading(tmp_path, *, minutes: int, **opinions):
    """A pipeline, the loop that it runs in for so many minutes of market time, and the machine's clock."""
    async with pipeline(tmp_path, limits={"max_position_quote": Decimal(5000)}, **opinions) as ready:
        desk, machine = ready.desk, SleepyMachine(ready.desk)
        watch = AccountWatch(
            desk.gateway,
            desk.ledger,
            machine,
            desk.rules,
            desk.reconciler,
            desk.recovery,
            desk.protection("0", "0"),
            desk.gate,
            desk.alarms,
            stream_is_live=lambda: True,
            exchange_trouble=lambda: None,
            keys_trouble=lambda: None,
            disk_trouble=lambda: None,
            is_stepped=True,
        )
        loop = AutonomousTradingLoop(
            Schedule(MINUTE_MS, minutes * MINUTE_MS),
            SYMBOLS,
            ready.orchestrator,
            Valuation(ready.orchestrator._market_data, desk.ledger, SYMBOLS),
            Breakers(desk.ledger, machine, RiskSettings(), "USDT"),
            watch,
            Emergency(desk.ledger, watch, None, machine, Identity("test", "s"), desk.alarms),
            desk.ledger,
            machine,
            RunIdentity(RUN_ID, tmp_path / "heartbeat"),
            {},
            {},
            before_tick=_nothing,
            periodically=_nothing,
        )
        yield ready, loop, machine


async def decisions(desk: Desk, symbol: str = "BTCUSDT"):
    kept = await desk.ledger.read(lambda connection: queries.decisions(connection, RUN_ID))
    return sorted((each for each in kept if each.symbol == symbol), key=lambda each: each.cycle)


async def test_s26_one_tick_reconciled_before_it_and_decided_on_new_candles(tmp_path, caplog):
    async with trading(tmp_path, minutes=63, BTCUSDT=Action.BUY) as (ready, loop, machine):
        desk = ready.desk
        requests_before_waking = []

        async def meanwhile() -> None:
            await desk.exchange.control("config", deposit={"asset": "USDT", "amount": "250"})
            requests_before_waking.append(len(await desk.exchange.log()))

        machine.sleeps_ms, machine.meanwhile = [HOUR_MS], meanwhile
        await desk.exchange.fault("unknown_executed", method="POST", path="order")  # its end is not known yet
        assert await loop.run() == "the duration is over"

        kept = await decisions(desk)
        began_ms = kept[0].tick_ms
        assert [(each.cycle, (each.tick_ms - began_ms) // MINUTE_MS) for each in kept] == [(1, 0), (2, 61), (3, 62)]
        assert loop.missed_ticks == 60
        assert "60 ticks were missed and are not made up for" in caplog.text
        assert [each.outcome for each in kept] == [Outcome.UNKNOWN, Outcome.EXECUTED, Outcome.EXECUTED]
        assert (await desk.entry(kept[0])).order.state is OrderState.FILLED

        targets = [entry["target"] for entry in await desk.exchange.log()][requests_before_waking[0] :]
        paths = [target.partition("?")[0].removeprefix("/api/v3/") for target in targets]
        assert paths.index("order") < paths.index("account") < paths.index("klines") < paths.index("ticker/bookTicker")
        missed = [parse_qs(each.partition("?")[2])["limit"] for each in targets if each.startswith("/api/v3/klines?")]
        assert missed[0] == [str(61 + 2)]
        assert kept[1].candle_age_ms < MINUTE_MS
        assert kept[1].signal.candle_open_ms > began_ms + 59 * MINUTE_MS
        assert await desk.reconciler.run("the test wants to know") == []
        await desk.assert_reconciled()


async def test_s26_candles_from_before_the_sleep_give_no_signal(tmp_path):
    """The exchange is back, its candles are not: what is in the cache and what is answered are an hour old."""
    async with trading(tmp_path, minutes=62, BTCUSDT=Action.BUY, ETHUSDT=Action.BUY) as (ready, loop, machine):
        rows = await klines(ready.desk)

        async def meanwhile() -> None:
            await answer_with(ready.desk, rows, count=None)

        machine.sleeps_ms, machine.meanwhile = [HOUR_MS], meanwhile
        await loop.run()
        first, second = await decisions(ready.desk)
        assert first.outcome is Outcome.EXECUTED
        assert second.outcome is Outcome.NO_DATA
        assert second.detail.startswith("the last closed 1m candle is 36")
        assert await ready.desk.times_sent() == len(SYMBOLS)


async def test_s26_sleep_between_the_look_and_the_order_lets_the_signal_lapse(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        evaluate = ready.orchestrator._signals.evaluate

        async def evaluate_and_sleep(view):
            signal = await evaluate(view)
            await ready.desk.wait(HOUR_MS)
            return signal

        ready.orchestrator._signals.evaluate = evaluate_and_sleep
        decision = (await ready.tick(("BTCUSDT",)))["BTCUSDT"]
        assert (decision.outcome, decision.detail) == (Outcome.NO_DATA, "what was decided on is 3600 s old by now")
        assert await ready.desk.times_sent() == 0
        assert await ready.desk.ledger.open_orders() == []


async def test_s26_sleep_of_less_than_two_intervals_is_a_late_tick_and_no_gap(tmp_path):
    async with trading(tmp_path, minutes=4) as (ready, loop, machine):
        machine.sleeps_ms = [MINUTE_MS + 1000]
        await asyncio.wait_for(loop.run(), 30)
        assert loop.missed_ticks == 1
        assert [each.cycle for each in await decisions(ready.desk)] == [1, 2, 3]
