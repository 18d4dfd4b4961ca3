"""S12: 429 and 418 with Retry-After, obeyed by every process and kept over a restart; weight kept for what matters."""

import asyncio
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.connect import connected
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.errors import BannedError, OrderLimitError, RateLimitedError
from binance_trade_agent.exchange.limits_store import LimitsFile, RedisLimits, place_of
from binance_trade_agent.exchange.rate_budget import LONGEST_WAIT_SECONDS, RateBudget
from binance_trade_agent.ops.clock import ScaledClock, monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn
from binance_trade_agent.settings import Settings
from tests.cache.redis_server import REDIS_SERVER, RedisServer
from tests.exchange.orders import order
from tests.exchange_process import API_KEY, API_SECRET, RunningExchange, running_exchange

AFTER_THE_MINUTE_BEGAN = "2026-01-05T00:00:20Z"


class Machine:
    """Where gateways run: they share a folder, a Redis or nothing."""

    def __init__(self, stack: AsyncExitStack, exchange: RunningExchange, speed: float) -> None:
        self._stack = stack
        self._exchange = exchange
        self._speed = speed

    async def gateway(
        self, folder: Path | None = None, redis_url: str | None = None, *, waits: bool = False
    ) -> BinanceGateway:
        """A gateway of a process that has just begun."""
        place = place_of(self._exchange.url)
        clock = ScaledClock(speed=self._speed)
        budget = RateBudget(
            clock,
            file=LimitsFile(folder, place) if folder else None,
            shared=RedisLimits(redis_url, place) if redis_url else None,
            longest_wait_seconds=LONGEST_WAIT_SECONDS if waits else 0,
        )
        self._stack.push_async_callback(budget.close)
        gateway = BinanceGateway(simulated(self._exchange.url), API_KEY, API_SECRET, clock, budget=budget)
        return await self._stack.enter_async_context(gateway)


@pytest.fixture
async def exchange():
    async with running_exchange(start=AFTER_THE_MINUTE_BEGAN, speed=Decimal(1)) as running:
        yield running


@pytest.fixture
async def machine(exchange):
    async with AsyncExitStack() as stack:
        yield Machine(stack, exchange, 1.0)


async def complain(exchange: RunningExchange, status: int) -> None:
    if status == 418:
        await exchange.fault("ban", seconds=120)
    else:
        await exchange.fault("http", status=429, retry_after_seconds=120, body='{"code":-1003,"msg":"Too much."}')


async def assert_silent(exchange: RunningExchange, *gateways: BinanceGateway) -> None:
    sent = len(await exchange.log())
    for gateway in gateways:
        with pytest.raises(RateLimitedError, match="asked us to wait") as refusal:
            await gateway.account()
        assert 110 <= refusal.value.retry_after_seconds <= 120
        with pytest.raises(RateLimitedError):
            await gateway.cancel_order("BTCUSDT", 1)
    assert len(await exchange.log()) == sent


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitedError), (418, BannedError)])
async def test_s12_retry_after_holds_for_the_machine_and_over_a_restart(exchange, machine, tmp_path, status, kind):
    first, second = await machine.gateway(tmp_path), await machine.gateway(tmp_path)
    for gateway in (first, second):
        await gateway.synchronise()
    await complain(exchange, status)
    with pytest.raises(kind) as refusal:
        await first.account()
    assert type(refusal.value) is kind
    assert 119 <= refusal.value.retry_after_seconds <= 120
    restarted = await machine.gateway(tmp_path)
    await assert_silent(exchange, first, second, restarted)
    elsewhere = await machine.gateway(tmp_path / "another")
    if status == 418:
        with pytest.raises(BannedError):
            await elsewhere.account()
    else:
        assert (await elsewhere.account()).can_trade


@pytest.mark.redis
@pytest.mark.skipif(REDIS_SERVER is None, reason="there is no redis-server on this machine")
@pytest.mark.parametrize("status", [429, 418])
async def test_s12_retry_after_holds_for_all_who_share_a_redis(exchange, machine, tmp_path, status):
    redis = RedisServer(tmp_path)
    await redis.start()
    try:
        first, second = await machine.gateway(redis_url=redis.url), await machine.gateway(redis_url=redis.url)
        for gateway in (first, second):
            await gateway.synchronise()
        await complain(exchange, status)
        with pytest.raises(RateLimitedError):
            await first.account()
        await assert_silent(exchange, first, second, await machine.gateway(redis_url=redis.url))
    finally:
        redis.kill()


async def test_s12_ban_that_is_over_is_over(tmp_path):
    async with running_exchange(speed=Decimal(200)) as exchange, AsyncExitStack() as stack:
        machine = Machine(stack, exchange, 200.0)
        first = await machine.gateway(tmp_path)
        await first.synchronise()
        await exchange.fault("ban", seconds=120)
        with pytest.raises(BannedError):
            await first.account()
        patient = await machine.gateway(tmp_path, waits=True)
        began = monotonic_seconds()
        assert (await patient.account()).can_trade
        assert 0.3 < monotonic_seconds() - began < 30, "120 s of the exchange's time"


async def test_s12_daemon_that_starts_under_a_ban_does_not_ask(exchange, tmp_path):
    settings = Settings(exchange_url=exchange.url, ledger_path=tmp_path / "ledger.db", exchange_startup_seconds=0)
    async with connected(settings) as connection:
        await exchange.fault("http", status=418, retry_after_seconds=120, path="account")
        with pytest.raises(BannedError):
            await connection.gateway.account()
    sent = len(await exchange.log())
    with pytest.raises(RateLimitedError, match="asked us to wait"):
        async with connected(settings):
            pass
    assert (await exchange.log())[sent:] == []


async def test_s12_last_weight_of_a_minute_is_kept_for_cancels_and_queries(exchange, machine):
    gateway = await machine.gateway()
    await gateway.synchronise()
    await gateway.place_order(order("bta-BTCUSDT-0", quantity="0.02"))
    price = int((await gateway.book_ticker("BTCUSDT")).bid * Decimal("0.9"))
    resting = await gateway.place_order(order(type=OrderType.LIMIT, price=Decimal(price), quantity="0.02"))
    await exchange.fault("weight", used=5950)
    assert await gateway.order("BTCUSDT", "bta-BTCUSDT-1") is not None
    assert gateway.used_weight == 5954
    sent = len(await exchange.log())
    for ask in (gateway.candles("BTCUSDT", "1m", 2), gateway.book_ticker("BTCUSDT"), gateway.all_symbols()):
        with pytest.raises(RateLimitedError, match=r"5954 of the 6000 .* what is left is for open orders"):
            await ask
    with pytest.raises(RateLimitedError):
        await gateway.place_order(order("bta-BTCUSDT-2"))
    assert len(await exchange.log()) == sent
    await gateway.cancel_order("BTCUSDT", resting.exchange_order_id)
    cancelled = await gateway.order_by_exchange_id("BTCUSDT", resting.exchange_order_id)
    assert cancelled is not None
    assert cancelled.status == "CANCELED"
    assert (await gateway.account()).can_trade
    sold = await gateway.place_order(order("bta-BTCUSDT-3", Side.SELL, "0.01"))
    assert sold.executed_base, "an exit may use the last of it"


async def test_s12_market_data_waits_for_the_next_minute_while_others_pass():
    async with (
        running_exchange(start="2026-01-05T00:00:40Z", speed=Decimal(30)) as exchange,
        AsyncExitStack() as stack,
    ):
        gateway = await Machine(stack, exchange, 30.0).gateway(waits=True)
        await gateway.synchronise()
        await exchange.fault("weight", used=5950)
        await gateway.order("BTCUSDT", "bta-1")
        candles = spawn(gateway.candles("BTCUSDT", "1m", 2), name="candles")
        while not gateway.budget.waiting:
            await sleep_seconds(0)
        await gateway.order("BTCUSDT", "bta-2")
        assert not candles.done()
        assert len(await asyncio.wait_for(candles, 20)) == 2
        asked = [entry["target"].partition("?")[0].rpartition("/")[2] for entry in await exchange.log()]
        assert asked[-2:] == ["order", "klines"]
        assert (await exchange.state())["violations"] == []


async def test_s12_too_many_orders_stop_new_orders_only(exchange, machine, tmp_path):
    gateway = await machine.gateway(tmp_path)
    await gateway.synchronise()
    await exchange.fault("orders_used", n=50)
    with pytest.raises(OrderLimitError):
        await gateway.place_order(order(quantity="0.001"))
    sent = len(await exchange.log())
    for opened in (gateway, await machine.gateway(tmp_path)):
        with pytest.raises(OrderLimitError):
            await opened.place_order(order("bta-BTCUSDT-2", quantity="0.001"))
    assert len(await exchange.log()) == sent
    assert await gateway.order("BTCUSDT", "bta-BTCUSDT-1") is None, "it was not executed"
