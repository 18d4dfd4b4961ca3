"""The simulated exchange as a process of the daemon's: started, found again, ended."""

import json
import os

import aiohttp
import pytest

from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.exchange.connect import connected
from binance_trade_agent.exchange.embedded import EmbeddedExchange, exchange_of_ledger
from binance_trade_agent.settings import Settings, shown
from tests.exchange_process import running_exchange


@pytest.fixture
def settings(tmp_path):
    return Settings(ledger_path=tmp_path / "ledger.db", trading_symbols="BTCUSDT", simulation_speed=1_000_000)


def other_market(settings: Settings) -> Settings:
    return settings.model_copy(update={"simulation_seed": settings.simulation_seed + 1})


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def market_time(exchange: EmbeddedExchange, advance_ms: int = 0) -> int:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{exchange.control_url}/sim/clock", json={"advance": advance_ms}) as answer,
    ):
        return (await answer.json())["now"]


async def test_trader_s_exchange_ends_with_it_and_goes_on_where_it_was(settings, caplog):
    caplog.set_level("INFO")
    async with exchange_of_ledger(settings, is_owner=True) as first:
        assert f" speed {shown(settings.simulation_speed)} market time " in caplog.text
        beside = {path.name: path.stat().st_mode & 0o777 for path in settings.ledger_path.parent.iterdir()}
        assert set(beside.values()) == {0o600}, beside
        left_at = await market_time(first, advance_ms=90_000)
    assert not is_running(first.pid)
    async with exchange_of_ledger(settings, is_owner=True) as second:
        assert second.pid != first.pid
        assert await market_time(second) == left_at


async def test_others_look_at_the_trader_s_exchange_and_leave_it_running(settings):
    async with exchange_of_ledger(settings, is_owner=True) as trader_s:
        async with exchange_of_ledger(settings, is_owner=False) as seen:
            assert seen.pid == trader_s.pid
        assert is_running(trader_s.pid)
        with pytest.raises(ConfigError, match="is of another market"):
            async with exchange_of_ledger(other_market(settings), is_owner=False):
                pass


async def test_exchange_that_a_killed_trader_has_left_is_taken_over_and_ended(settings):
    killed = exchange_of_ledger(settings, is_owner=True)
    left = await killed.__aenter__()
    async with exchange_of_ledger(settings, is_owner=True) as taken:
        assert taken.pid == left.pid
    assert not is_running(left.pid)
    await killed.__aexit__(None, None, None)


async def test_address_that_is_somebody_else_s_by_now_is_not_taken_for_ours(settings):
    async with running_exchange(speed=None) as foreign:
        async with exchange_of_ledger(settings, is_owner=True) as ours:
            (record,) = settings.ledger_path.parent.glob("*.exchange-*.json")
        stale = {"pid": ours.pid, "url": foreign.url, "control_url": foreign.control_url}
        record.write_text(json.dumps(stale), encoding="utf-8")
        async with exchange_of_ledger(settings, is_owner=True) as fresh:
            assert fresh.control_url != foreign.control_url


async def test_daemon_trades_on_it_in_its_own_time(settings):
    async with connected(settings, is_trader=True) as connection:
        assert connection.is_stepped
        before = connection.clock.now_ms()
        await connection.clock.sleep_until(connection.clock.monotonic_ms() + 60_000)
        assert connection.clock.now_ms() == before + 60_000
        assert (await connection.gateway.account()).balances == {"USDT": 10_000}


async def test_settings_that_make_no_market_are_told_in_the_exchange_s_own_sentence(settings):
    wrong = settings.model_copy(update={"trading_symbols": ("BTCUSD",)})
    with pytest.raises(ConfigError, match="'BTCUSD' is unknown") as refusal:
        async with exchange_of_ledger(wrong, is_owner=True):
            pass
    assert len(str(refusal.value).splitlines()) == 1
