"""A relay of a second simulated exchange: the same market, orders matched here, and every way to lose the other."""

import asyncio
from decimal import Decimal

import aiohttp
import pytest

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.exchange_process import exchange_process, start_process

pytestmark = pytest.mark.slow
SYMBOLS = ("BTCUSDT", "ETHUSDT")


async def public(exchange, path: str):
    async with aiohttp.ClientSession() as session, session.get(f"{exchange.url}/api/v3/{path}") as answer:
        return await answer.json()


async def until(condition, seconds: float = 40.0):
    """Ask until the answer is true; returns it."""
    deadline = monotonic_seconds() + seconds
    while not (answer := await condition()):
        assert monotonic_seconds() < deadline, "it did not come to pass"
        await sleep_seconds(0.2)
    return answer


async def relay_row(exchange, **wanted):
    async def fits():
        row = (await exchange.state())["relay"]
        return all(row[name] == value for name, value in wanted.items()) and row

    return await until(fits)


async def same_book(upstream, relay, symbol: str = "BTCUSDT"):
    async def is_same():
        path = f"depth?symbol={symbol}&limit=20"
        here, there = await public(relay, path), await public(upstream, path)
        return all(here[side] == there[side] for side in ("bids", "asks"))

    await until(is_same)


async def same_klines(upstream, relay, interval: str):
    """The two are asked one after the other, and a minute may end in between or within the lag of the relay."""

    async def is_same():
        path = f"klines?symbol=BTCUSDT&interval={interval}&limit=500"
        here, there = await public(relay, path), await public(upstream, path)
        return len(here) == 500 and [row[:6] for row in here[:-1]] == [row[:6] for row in there[:-1]]

    await until(is_same)


async def test_relayed_market_shows_the_other_s_and_orders_stay_here():
    async with (
        exchange_process(start="now", symbols=SYMBOLS) as upstream,
        exchange_process(relay=upstream.url, symbols=("BTCUSDT",)) as relay,
    ):
        await relay_row(relay, connected=True, open=True)
        await same_book(upstream, relay)
        for interval in ("1m", "5m", "1h"):
            await same_klines(upstream, relay, interval)
        client = await relay.client()
        order = await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="100")
        assert order["status"] == "FILLED"
        assert (await upstream.state())["orders"] == []
        seen = await upstream.log()
        assert {request["method"] for request in seen} == {"GET"}
        assert "MBX" not in str(seen).upper().replace("X-MBX-USED-WEIGHT", "")
        with pytest.raises(AssertionError, match="is not listed"):
            await relay.control("trade", symbol="ETHUSDT", price="1", qty="1", taker="BUY")


async def test_resting_order_fills_when_the_other_market_trades_through_it():
    async with (
        exchange_process(fixture="F0") as upstream,
        exchange_process(relay=upstream.url, symbols=("BTCUSDT",)) as relay,
    ):
        await relay_row(relay, connected=True)
        client = await relay.client()
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        placed = await client.create_order(price="99995", **order)
        assert placed["status"] == "NEW"
        await upstream.control("trade", symbol="BTCUSDT", price="99990", qty="0.5", taker="SELL")

        async def is_filled():
            found = await client.get_order(symbol="BTCUSDT", orderId=placed["orderId"])
            return found["status"] == "FILLED" and found

        filled = await until(is_filled)
        assert Decimal(filled["cummulativeQuoteQty"]) == Decimal("999.95")


async def test_trades_missed_while_the_streams_were_cut_are_made_up_for():
    async with (
        exchange_process(fixture="F0") as upstream,
        exchange_process(relay=upstream.url, symbols=("BTCUSDT",)) as relay,
    ):
        await relay_row(relay, connected=True, connections=1)
        await upstream.control("kick", target="streams")
        for price in ("99991", "99992", "99993"):
            await upstream.control("trade", symbol="BTCUSDT", price=price, qty="0.5", taker="SELL")
        await relay_row(relay, connected=True, connections=2)

        async def has_them():
            rows = await public(relay, "trades?symbol=BTCUSDT&limit=3")
            return [Decimal(row["price"]) for row in rows] == [99_991, 99_992, 99_993]

        await until(has_them)
        rows = await public(relay, "trades?symbol=BTCUSDT&limit=100")
        assert sum(Decimal(row["price"]) < 99_995 for row in rows) == 3  # each of them once


async def test_market_that_is_not_seen_is_closed_and_opens_when_it_is_back(unused_tcp_port):
    async with exchange_process(fixture="F0", port=unused_tcp_port) as upstream:
        process = await start_process(relay=upstream.url, symbols=("BTCUSDT",))
        words = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().split()
        relay = type(upstream)(words[3], words[5], process)
        await relay_row(relay, connected=True)
    try:
        await relay_row(relay, connected=False, open=True)
        row = await relay_row(relay, open=False)
        assert row["ageMs"] >= 10_000
        client = await relay.client()
        with pytest.raises(Exception, match="Market is closed"):
            await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="100")
        assert (await public(relay, "exchangeInfo?symbol=BTCUSDT"))["symbols"][0]["status"] == "BREAK"
        assert (await public(relay, "ticker/price?symbol=BTCUSDT"))["price"] == "100000.00000000"
        async with exchange_process(fixture="F0", port=unused_tcp_port):
            await relay_row(relay, connected=True, open=True)
            assert (await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="100"))["status"] == "FILLED"
    finally:
        await relay.close_clients()
        process.terminate()
        await asyncio.wait_for(process.communicate(), 30)


async def ended(**options) -> tuple[int, str]:
    process = await start_process(**options)
    _, errors = await asyncio.wait_for(process.communicate(), 90)
    return process.returncode, errors.decode()


async def test_host_that_is_not_there_ends_the_start_with_one_clear_line(unused_tcp_port):
    code, errors = await ended(relay=f"http://127.0.0.1:{unused_tcp_port}")
    assert code == 1
    last = errors.splitlines()[-1]
    assert last.startswith(f"exchange: http://127.0.0.1:{unused_tcp_port} cannot be reached")


async def test_market_that_runs_fast_and_a_symbol_that_is_not_there_are_refused():
    async with exchange_process(speed=Decimal(60)) as fast:
        code, errors = await ended(relay=fast.url)
        assert (code, errors.count("\n")) == (2, 1)
        assert "only one at speed 1 can be relayed" in errors
    async with exchange_process(fixture="F0") as upstream:
        code, errors = await ended(relay=upstream.url, symbols=("BTCUSD",))
        assert (code, errors.count("\n")) == (2, 1)
        assert "symbol BTCUSD is not listed on" in errors


async def test_accounts_of_a_relay_outlive_it(tmp_path):
    async with exchange_process(fixture="F0") as upstream:
        options = {"relay": upstream.url, "symbols": ("BTCUSDT",), "state": tmp_path / "paper.state"}
        async with exchange_process(**options) as relay:
            await (await relay.client()).order_market_buy(symbol="BTCUSDT", quoteOrderQty="1000")
            before = await relay.state()
        async with exchange_process(**options) as relay:
            after = await relay.state()
    assert [after[name] for name in ("orders", "balances", "session")] == [
        before[name] for name in ("orders", "balances", "session")
    ]
