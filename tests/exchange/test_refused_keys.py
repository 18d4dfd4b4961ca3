"""Keys that are revoked while the gateway runs (S30, as far as asking goes)."""

from decimal import Decimal

import pytest

from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.errors import AuthError
from binance_trade_agent.ops.clock import ScaledClock, sleep_seconds
from tests.exchange_process import API_KEY, API_SECRET, RunningExchange, running_exchange


def signed(log: list[dict]) -> int:
    return sum("signature=" in f"{entry['target']}{entry['body']}" for entry in log)


@pytest.fixture
async def exchange():
    async with running_exchange(speed=Decimal(600)) as running:
        yield running


async def switch_off(exchange: RunningExchange, fault: int) -> None:
    await exchange._request("DELETE", f"fault/{fault}", None)


async def test_revoked_key_signs_nothing_more_until_it_is_taken_again(exchange, intent):
    async with BinanceGateway(simulated(exchange.url), API_KEY, API_SECRET, ScaledClock(speed=600)) as gateway:
        heard: list[str | None] = []
        gateway.auth_halt.on_change.append(heard.append)
        await gateway.synchronise()
        await gateway.account()
        fault = await exchange.fault("revoke_key")
        with pytest.raises(AuthError):
            await gateway.open_orders("BTCUSDT")
        sent = signed(await exchange.log())
        for ask in (gateway.account(), gateway.place_order(intent()), gateway.order("BTCUSDT", "x")):
            with pytest.raises(AuthError, match=r"refused these API keys since .* check at the exchange"):
                await ask
        assert signed(await exchange.log()) == sent
        assert await gateway.candles("BTCUSDT", "1m", 2), "what needs no key goes on"
        assert gateway.breaker.state == "closed", "an exchange that refuses answers"

        while signed(await exchange.log()) == sent:
            await sleep_seconds(0.01)
        assert gateway.auth_halt.reason is not None, "the probe was refused too"
        await switch_off(exchange, fault)
        while gateway.auth_halt.reason is not None:
            await sleep_seconds(0.01)
        assert (await gateway.account()).can_trade
        assert [reason is None for reason in heard] == [False, True]
        assert API_KEY not in str(heard)


async def test_wrong_secret_halts_too_and_close_ends_the_probes(exchange):
    async with BinanceGateway(simulated(exchange.url), API_KEY, "X" * 64, ScaledClock(speed=600)) as gateway:
        await gateway.synchronise()
        with pytest.raises(AuthError, match="-1022"):
            await gateway.account()
        assert gateway.auth_halt.reason is not None
    sent = len(await exchange.log())
    await sleep_seconds(0.3)
    assert len(await exchange.log()) == sent
