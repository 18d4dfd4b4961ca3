"""S11: the exchange is down for minutes: it is left alone, no order changes its state, and after two probes all goes on."""

import asyncio
from decimal import Decimal

import pytest

from binance_trade_agent.agents.order_keeper import QUIET_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.errors import RejectedError, UnavailableError, UnknownOutcomeError
from binance_trade_agent.ops.clock import ScaledClock, sleep_seconds
from tests.agents.desk import desk
from tests.exchange.orders import order
from tests.exchange_process import API_KEY, API_SECRET, RunningExchange, running_exchange

SPEED = 100


@pytest.fixture
async def exchange():
    async with running_exchange(speed=Decimal(SPEED)) as running:
        yield running
        await running.state()


@pytest.fixture
async def gateway(exchange):
    async with BinanceGateway(simulated(exchange.url), API_KEY, API_SECRET, ScaledClock(speed=SPEED)) as opened:
        await opened.synchronise()
        yield opened


async def asked(exchange: RunningExchange) -> int:
    return len(await exchange.log())


async def test_s11_minutes_of_503_are_met_with_a_handful_of_probes(exchange, gateway):
    heard: list[str] = []
    gateway.breaker.on_opened.append(lambda: heard.append("opened"))
    gateway.breaker.on_closed.append(lambda: heard.append("closed"))
    before = await asked(exchange)
    await exchange.fault("http", status=503, for_seconds=180)
    refusals = 0
    while True:
        try:
            await gateway.open_orders("BTCUSDT")
        except UnavailableError as refusal:
            refusals += 1
            last = str(refusal)
            await sleep_seconds(0.005)
        else:
            break
    assert "has not answered since" in last
    assert heard == ["opened", "closed"]
    assert refusals > 50
    probes = [entry["target"] for entry in (await exchange.log())[before + 3 : -1]]
    assert set(probes) == {"/api/v3/time"}
    assert 6 <= len(probes) <= 16, "1, 2, 4, 8, 16 and then 30 s apart, and two that were answered"
    assert (gateway.breaker.state, gateway.breaker.open_since_ms, gateway.breaker.reason) == ("closed", None, "")


async def test_s11_what_could_not_be_asked_changes_no_order(tmp_path):
    async with desk(tmp_path) as ready:
        closed: list[str] = []
        ready.gateway.breaker.on_closed.append(lambda: closed.append("closed"))
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        lost = await ready.trade()
        assert lost.outcome is Outcome.UNKNOWN
        await ready.wait(QUIET_MS + 1)
        intent = await ready.intent(symbol="ETHUSDT")
        outage = await ready.exchange.fault("http", status=503, count=None)
        for _ in range(3):
            with pytest.raises(UnavailableError):
                await ready.recovery.catch_up()
        assert ready.gateway.breaker.state == "open"
        sent = await asked(ready.exchange)
        with pytest.raises(UnavailableError, match="has not answered since"):
            await ready.recovery.catch_up()
        with pytest.raises(UnavailableError):
            await ready.gateway.order("BTCUSDT", lost.client_order_id)
        with pytest.raises(UnavailableError):
            await ready.gateway.cancel_order("BTCUSDT", 1)
        refused = await ready.execution.execute(ready.decision(intent), intent)
        assert await asked(ready.exchange) == sent
        assert (await ready.entry(lost)).order.state is OrderState.UNKNOWN
        assert (await ready.entry(refused)).order.state is OrderState.DENIED, "it never left the house"

        await ready.wait(120_000)
        with pytest.raises(UnavailableError):
            await ready.recovery.catch_up()
        assert await asked(ready.exchange) == sent + 1, "one probe, which failed"
        await ready.exchange._request("DELETE", f"fault/{outage}", None)
        await ready.wait(120_000)
        await ready.recovery.catch_up()
        assert closed == ["closed"]
        assert (await ready.entry(lost)).order.state is OrderState.FILLED
        assert await ready.times_sent() == 1
        await ready.assert_reconciled()


async def test_s11_one_overloaded_endpoint_does_not_open_the_breaker(exchange, gateway):
    for _ in range(5):
        await exchange.fault(
            "http", status=503, body='{"code":-1008,"msg":"Server is currently overloaded."}', path="account", count=2
        )
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await gateway.account()
        assert (await gateway.account()).can_trade
    assert gateway.breaker.state == "closed"


async def test_s11_orders_without_an_answer_open_it_and_stay_unknown(exchange, gateway):
    await exchange.fault("unknown_executed", method="POST", path="order", count=None)
    for number in range(3):
        with pytest.raises(UnknownOutcomeError):
            await gateway.place_order(order(f"bta-{number}", quantity="0.001"))
    assert gateway.breaker.state == "open"
    sent = [entry for entry in await exchange.log() if entry["method"] == "POST"]
    with pytest.raises(UnavailableError):
        await gateway.place_order(order("bta-3"))
    assert [entry for entry in await exchange.log() if entry["method"] == "POST"] == sent


async def test_s11_refusals_are_answers(exchange, gateway):
    for _ in range(5):
        with pytest.raises(RejectedError):
            await gateway.place_order(order(symbol="NOSUCHTHING"))
    assert gateway.breaker.state == "closed"
    assert await asked(exchange) == 3 + 5


async def test_s11_start_reaches_an_exchange_that_comes_back_late(exchange):
    await exchange.fault("http", status=503, path="time", count=7)
    async with BinanceGateway(simulated(exchange.url), API_KEY, API_SECRET, ScaledClock(speed=SPEED)) as gateway:
        for _ in range(7):
            with pytest.raises(UnavailableError):
                await gateway.synchronise()  # each asks in earnest: the time is what probes ask for
        await gateway.synchronise()
        assert gateway.breaker.state == "closed"
        assert (await gateway.account()).can_trade


async def test_s11_close_ends_the_probes(unused_tcp_port):
    before = asyncio.all_tasks()
    clock = ScaledClock(speed=SPEED)
    async with BinanceGateway(simulated(f"http://127.0.0.1:{unused_tcp_port}"), API_KEY, API_SECRET, clock) as gateway:
        for _ in range(3):
            with pytest.raises(UnavailableError, match="cannot be reached"):
                await gateway.account()
        assert gateway.breaker.state == "open"
        assert asyncio.all_tasks() > before
    assert asyncio.all_tasks() == before
