"""The exchange as a process: its ready line, its end, its state file, and what it says of mistakes."""

import asyncio
import re
from decimal import Decimal

import pytest

from tests.exchange_process import exchange_process, start_process

READY = re.compile(
    r"simulated exchange ready: http://127\.0\.0\.1:\d+ control http://127\.0\.0\.1:\d+ "
    r"symbols BTCUSDT,ETHUSDT seed 7 speed 60 market time 2026-01-05T00:00:00Z\n"
)


async def ended(process) -> tuple[int, str, str]:
    output, errors = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, output.decode(), errors.decode()


async def test_process_prints_one_line_and_ends_on_sigterm():
    process = await start_process(speed=Decimal(60))
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    assert READY.fullmatch(line)
    process.terminate()
    assert await asyncio.wait_for(ended(process), 2) == (0, "", "")


async def test_process_ends_by_itself_when_nobody_comes():
    assert (await ended(await start_process(exit_when_idle_seconds=0.2)))[0] == 0


async def test_killed_exchange_goes_on_where_it_stopped(tmp_path):
    options = {"speed": None, "state": tmp_path / "exchange.json"}
    async with exchange_process(**options) as exchange:
        client = await exchange.client()
        await exchange.advance(90_000)
        await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="1000", newClientOrderId="s-1")
        resting = await client.create_order(
            symbol="ETHUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price="3000"
        )
        before = await exchange.state()
        klines = await client.get_klines(symbol="ETHUSDT", interval="1m", limit=5)
        await exchange.close_clients()
        await exchange.kill()
    async with exchange_process(**options) as exchange:
        client = await exchange.client()
        after = await exchange.state()
        compared = ("now", "session", "orders", "balances", "sequence", "fees")
        assert {name: after[name] for name in compared} == {name: before[name] for name in compared}
        again = await client.get_klines(symbol="ETHUSDT", interval="1m", limit=5)
        assert [row[:6] for row in again] == [row[:6] for row in klines]
        cancelled = await client.cancel_order(symbol="ETHUSDT", orderId=resting["orderId"])
        assert cancelled["status"] == "CANCELED"
        assert (await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="10"))["orderId"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbols": ("BTCUSDX",)}, "BTCUSDX"),
        ({"start": "yesterday"}, "start 'yesterday' is not a time"),
        ({"fixture": "F9"}, "known are F0, F1, F2"),
        ({"speed": Decimal(-1)}, "simulation speed -1 must be above 0"),
    ],
)
async def test_mistake_is_one_sentence_and_exit_code_two(options, message):
    code, output, errors = await ended(await start_process(**options))
    assert (code, output) == (2, "")
    assert message in errors
    assert errors.count("\n") == 1


async def test_missing_replay_file_is_named(tmp_path):
    code, _, errors = await ended(await start_process(replay=(tmp_path / "BTCUSDT-1m.csv",)))
    assert code == 2
    assert "BTCUSDT-1m.csv" in errors


async def test_port_that_is_taken_is_refused(exchange):
    port = int(exchange.url.rsplit(":", 1)[1])
    code, _, errors = await ended(await start_process(port=port))
    assert code == 2
    assert str(port) in errors


async def test_state_file_of_another_market_is_refused(tmp_path):
    state = tmp_path / "exchange.json"
    async with exchange_process(state=state, seed=1):
        pass
    code, _, errors = await ended(await start_process(state=state, seed=2))
    assert code == 2
    assert f"state file {state} belongs to another market" in errors


async def test_file_that_is_no_state_is_refused_and_kept(tmp_path):
    state = tmp_path / "exchange.json"
    state.write_text("[]")
    code, _, errors = await ended(await start_process(state=state))
    assert code == 2
    assert "is not the state of a simulated exchange" in errors
    assert state.read_text() == "[]"
