"""The exchange as a process: its ready line, its end, its state file, and what it says of mistakes."""

import asyncio
import re
from collections.abc import Mapping
from decimal import Decimal

import aiohttp
import pytest

from binance_trade_agent.ops.clock import monotonic_seconds
from tests.exchange_process import RunningExchange, exchange_process, start_process
from tests.simulator.market.candles import MINUTE_MS, START_MS, candle, write_candles

_AT_ONCE_SECONDS = 10  # a noisy machine with two cores; alone it is a third of a second
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
    assert await asyncio.wait_for(ended(process), 20) == (0, "", "")


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


async def test_host_that_is_not_ours_is_refused():
    code, _, errors = await ended(await start_process(host="192.0.2.1"))
    assert code == 2
    assert errors.startswith("exchange: --host 192.0.2.1 is not an address of this machine")


async def test_announcement_that_cannot_be_written_is_refused(tmp_path):
    code, _, errors = await ended(await start_process(announce=tmp_path / "no" / "place"))
    assert code == 2
    assert "place cannot be written: No such file or directory" in errors


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


async def server_time(exchange) -> tuple[int, Mapping[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(f"{exchange.url}/api/v3/time") as answer:
        return (await answer.json())["serverTime"], answer.headers


@pytest.mark.parametrize("symbols", [("BTCUSDT",), tuple(f"SIM{number}USDT" for number in range(1, 41))])
async def test_at_the_highest_speed_it_answers_and_ends_at_once(symbols):
    async with exchange_process(speed=Decimal(1_000_000), symbols=symbols, history_minutes=60) as exchange:
        first_ms, _ = await server_time(exchange)
        for _ in range(5):
            began = monotonic_seconds()
            now_ms, _ = await server_time(exchange)
            assert monotonic_seconds() - began < _AT_ONCE_SECONDS
        assert now_ms - first_ms > 60_000
        client = await exchange.client()  # whose timestamps are of the machine's clock
        client.timestamp_offset = 0
        assert (await client.order_market_buy(symbol=symbols[0], quoteOrderQty="20"))["status"] == "FILLED"
        await exchange.close_clients()
        began = monotonic_seconds()
        exchange.process.terminate()
        assert await exchange.process.wait() == 0
        assert monotonic_seconds() - began < _AT_ONCE_SECONDS


async def test_the_end_of_a_recorded_market_is_announced_and_said_once(tmp_path):
    rows = [candle(START_MS + n * MINUTE_MS, "100 101 99 100.5", "10") for n in range(6)]
    replay = (write_candles(tmp_path / "BTCUSDT-1m.csv", rows),)
    process = await start_process(replay=replay, speed=Decimal(1_000))
    words = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().split()
    exchange = RunningExchange(words[3], words[5], process)
    ends_ms = START_MS + 6 * MINUTE_MS
    now_ms, headers = await server_time(exchange)
    assert headers["x-simulated-ends"] == str(ends_ms)
    while now_ms < ends_ms + 5 * MINUTE_MS:
        now_ms, _ = await server_time(exchange)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{exchange.url}/api/v3/klines?symbol=BTCUSDT&interval=1m") as answer:
            klines = await answer.json()
        async with session.get(f"{exchange.url}/api/v3/ticker/price?symbol=BTCUSDT") as answer:
            assert (await answer.json())["price"] == "100.50000000"
    assert [row[0] for row in klines] == [row.open_time_ms for row in rows]
    process.terminate()
    _, _, errors = await ended(process)
    assert errors.splitlines() == ["the recorded market ended at 2026-01-05T00:06:00Z: its prices stand still"]


@pytest.mark.parametrize("start", ["2026-01-05T00:06:00Z", "2026-02-01T00:00:00Z", "2026-01-04T23:59:59Z"])
async def test_a_start_outside_the_recorded_market_is_refused(tmp_path, start):
    rows = [candle(START_MS + n * MINUTE_MS, "100 101 99 100.5", "10") for n in range(6)]
    replay = (write_candles(tmp_path / "BTCUSDT-1m.csv", rows),)
    code, _, errors = await ended(await start_process(replay=replay, start=start))
    assert (code, errors.count("\n")) == (2, 1)
    assert f"start {start} is outside the recorded data" in errors


async def test_faults_of_a_file_are_met(tmp_path):
    schedule = tmp_path / "storm.toml"
    schedule.write_text('[[fault]]\nkind = "http"\npath = "time"\nstatus = 503\n')
    async with exchange_process(faults=schedule) as exchange, aiohttp.ClientSession() as session:
        for status in (503, 200):
            async with session.get(f"{exchange.url}/api/v3/time") as answer:
                assert answer.status == status
