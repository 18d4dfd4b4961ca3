"""The exchange at 60 times the speed and stepped: what a client sees of its time and its market."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.ops.clock import sleep_seconds
from tests.exchange_process import running_exchange

START_MS = 1_767_571_200_000  # 2026-01-05T00:00:00Z


async def server_time(exchange) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{exchange.url}/api/v3/time") as response:
        return (
            (await response.json())["serverTime"],
            response.headers["x-simulated-speed"],
            response.headers["x-simulated-session"],
        )


async def test_stepped_market_moves_only_when_told():
    async with running_exchange(speed=None) as exchange:
        first, speed, session_id = await server_time(exchange)
        assert (first, speed) == (START_MS, "stepped")
        assert await exchange.advance(90_000) == START_MS + 90_000
        assert await server_time(exchange) == (START_MS + 90_000, "stepped", session_id)


async def test_client_that_synchronised_once_stays_welcome():
    async with running_exchange(speed=None) as exchange:
        client = await exchange.client()
        await exchange.advance(3_600_000)
        order = await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="100")
        assert order["status"] == "FILLED"
        assert order["transactTime"] == START_MS + 3_600_000
        client.timestamp_offset = 0  # wall time
        assert Decimal((await client.get_asset_balance(asset="BTC"))["free"]) > 0


async def test_market_has_history_and_goes_on_at_sixty_times_the_speed():
    async with running_exchange(speed=Decimal(60)) as exchange:
        client = await exchange.client()
        rows = await client.get_klines(symbol="ETHUSDT", interval="1m", limit=1000)
        assert len(rows) == 1000
        assert {later[0] - row[0] for row, later in pairwise(rows)} == {MINUTE_MS}
        before = (await client.get_server_time())["serverTime"]
        await sleep_seconds(0.5)
        assert 25_000 <= (await client.get_server_time())["serverTime"] - before <= 120_000
        order = await client.order_market_buy(symbol="ETHUSDT", quoteOrderQty="100")
        trades = await client.get_my_trades(symbol="ETHUSDT")
        assert sum(Decimal(trade["qty"]) for trade in trades) == Decimal(order["executedQty"])


async def test_resting_order_fills_as_the_market_comes_to_it():
    async with running_exchange(speed=None, symbols=("BTCUSDT",)) as exchange:
        client = await exchange.client()
        bid = Decimal((await client.get_orderbook_ticker(symbol="BTCUSDT"))["bidPrice"])
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        await client.create_order(price=str(bid - 20), **order)
        for _ in range(200):
            await exchange.advance(MINUTE_MS)
            if not await client.get_open_orders(symbol="BTCUSDT"):
                break
        (trade,) = await client.get_my_trades(symbol="BTCUSDT")
        assert (Decimal(trade["price"]), trade["isMaker"]) == (bid - 20, True)
        await exchange.state()


async def play(options: dict) -> tuple:
    """A short session with orders; what the client saw of it."""
    async with running_exchange(speed=None, **options) as exchange:
        client = await exchange.client()
        for minute in range(5):
            await exchange.advance(MINUTE_MS)
            await client.order_market_buy(
                symbol="BTCUSDT", quoteOrderQty=str(100 + minute), newClientOrderId=f"m{minute}"
            )
            await client.create_order(
                symbol="ETHUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price="3000",
                newClientOrderId=f"l{minute}",
            )  # fmt: skip
        klines = await client.get_klines(symbol="BTCUSDT", interval="1m", limit=10)
        state = await exchange.state()
        return klines, state["orders"], state["balances"], await client.get_my_trades(symbol="BTCUSDT")


async def test_same_seed_and_same_requests_give_the_same_session():
    assert await play({"seed": 3}) == await play({"seed": 3})


async def test_other_seed_gives_another_market():
    assert (await play({"seed": 3}))[0] != (await play({"seed": 4}))[0]


@pytest.fixture
def candle_file(tmp_path: Path) -> Path:
    rows = [
        f"{START_MS + minute * MINUTE_MS},{100 + minute}.00,{102 + minute}.50,{99 + minute}.25,{101 + minute}.75,{10 + minute}.5"
        for minute in range(30)
    ]
    path = tmp_path / "SOLUSDT-1m.csv"
    path.write_text("open_time_ms,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return path


async def test_replayed_market_equals_its_file(candle_file):
    async with running_exchange(speed=None, replay=(candle_file,), start="2026-01-05T00:10:00Z") as exchange:
        client = await exchange.client()
        assert len(await client.get_klines(symbol="SOLUSDT", interval="1m")) == 11  # the last is open
        await exchange.advance(20 * MINUTE_MS)
        rows = await client.get_klines(symbol="SOLUSDT", interval="1m")
        expected = [line.split(",") for line in candle_file.read_text().splitlines()[1:]]
        assert [[Decimal(value) for value in row[:6]] for row in rows] == [
            [Decimal(value) for value in line] for line in expected
        ]


async def test_clock_refuses_what_it_cannot_do(exchange):
    with pytest.raises(AssertionError, match="only a stepped clock can be set"):
        await exchange.advance(1000)
    with pytest.raises(AssertionError, match="must be one of real, manual, stepped"):
        await exchange.control("clock", mode="fast")
