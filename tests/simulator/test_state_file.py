"""State files: exact over restarts, nothing acknowledged is lost, and what is refused."""

import asyncio
import contextlib
import random
import sqlite3
from decimal import Decimal

import aiohttp
import pytest
from binance.exceptions import BinanceAPIException

from binance_trade_agent.simulator.state_file import StateFile, StateFileError
from tests.exchange_process import exchange_process, running_exchange

KEPT = ("now", "session", "orders", "balances", "sequence", "fees")


async def kept(exchange) -> dict:
    state = await exchange.state()
    return {name: state[name] for name in KEPT}


async def test_every_kind_of_state_is_restored_exactly(tmp_path):
    options = {"speed": None, "state": tmp_path / "state", "balances": {"USDT": 100_000, "BTC": 1}}
    async with running_exchange(**options) as exchange:
        client = await exchange.client()
        price = float((await client.get_symbol_ticker(symbol="BTCUSDT"))["price"])
        near, far = f"{price * 0.98:.2f}", f"{price * 1.1:.2f}"
        limit = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC"}
        await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="1000")
        await client.create_order(**limit, side="BUY", quantity="0.01", price=near)
        await client.create_order(**limit, side="SELL", quantity="0.01", price=far, icebergQty="0.001")
        await client.create_order(symbol="BTCUSDT", side="SELL", type="STOP_LOSS", quantity="0.01", trailingDelta=100)
        await client.create_oco_order(
            symbol="BTCUSDT", side="SELL", quantity="0.1", aboveType="LIMIT_MAKER", abovePrice=far,
            belowType="STOP_LOSS_LIMIT", belowStopPrice=near, belowPrice=near, belowTimeInForce="GTC",
        )  # fmt: skip
        await exchange.control("config", account={"name": "second", "balances": {"USDT": 5}})
        await exchange.control("config", deposit={"asset": "ETH", "amount": "2.5"})
        for _ in range(20):
            await exchange.advance(7_000)
        before = await kept(exchange)
        lists = await client.get_open_oco_orders()
    async with running_exchange(**options) as exchange:
        client = await exchange.client()
        assert await kept(exchange) == before
        assert await client.get_open_oco_orders() == lists
        assert len(lists) == 1
        for order in await client.get_open_orders(symbol="BTCUSDT"):
            if order["orderListId"] == -1:
                await client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])


async def test_session_goes_on_as_if_it_had_not_stopped(tmp_path):
    async def session(stops: bool, state) -> dict:
        options = {"speed": None, "state": state, "balances": {"USDT": 100_000}}
        async with running_exchange(**options) as exchange:
            client = await exchange.client()
            await exchange.advance(60_000)
            price = float((await client.get_symbol_ticker(symbol="BTCUSDT"))["price"])
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
            for cents in range(5):
                await client.create_order(
                    **order, price=f"{price * 0.9999 - cents * 5:.2f}", newClientOrderId=f"o{cents}"
                )
            await exchange.advance(5_000)
            if not stops:
                await exchange.advance(600_000)
                return await kept(exchange)
        async with running_exchange(**options) as exchange:
            await exchange.advance(600_000)
            return await kept(exchange)

    whole, parted = await session(False, tmp_path / "a"), await session(True, tmp_path / "b")
    assert parted["orders"] == whole["orders"]
    assert any(order["status"] == "FILLED" for order in whole["orders"])


@pytest.mark.parametrize("seed", range(2))
async def test_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path, seed):
    chance = random.Random(seed)
    options = {"speed": Decimal(60), "state": tmp_path / "state", "balances": {"USDT": 1_000_000}}
    acknowledged: dict[str, dict] = {}

    async def trade(client, worker: int) -> None:
        for number in range(1000):
            client_id = f"w{worker}-{len(acknowledged)}-{number}"
            with contextlib.suppress(BinanceAPIException):
                order = await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="20", newClientOrderId=client_id)
                acknowledged[client_id] = order

    for _ in range(2):
        async with exchange_process(**options) as exchange:
            client = await exchange.client()
            workers = [asyncio.ensure_future(trade(client, worker)) for worker in range(3)]
            await asyncio.wait(workers, timeout=chance.uniform(0.05, 0.6))
            await exchange.kill()
            await asyncio.gather(*workers, return_exceptions=True)
            with contextlib.suppress(aiohttp.ClientError):
                await exchange.close_clients()
    async with exchange_process(**options) as exchange:
        found = {order["clientOrderId"]: order for order in (await exchange.state())["orders"]}
        assert acknowledged
        for client_id, order in acknowledged.items():
            assert (found[client_id]["orderId"], found[client_id]["executedQty"]) == (
                order["orderId"], order["executedQty"],
            ), f"seed {seed}"  # fmt: skip


async def test_work_does_not_grow_with_what_was_traded_before(tmp_path):
    async with running_exchange(speed=None, state=tmp_path / "state", balances={"USDT": 1_000_000}) as exchange:
        client = await exchange.client()
        simulation = exchange.simulation

        async def written() -> int:
            rows = simulation._state_file._database.total_changes
            await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="10")
            return simulation._state_file._database.total_changes - rows

        first = await written()
        for _ in range(20):
            await exchange.control("clock", advance=10_000)
            await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="10")
        assert await written() <= first + 3


def state_file(tmp_path, content: bytes | None = None) -> StateFile:
    path = tmp_path / "state"
    if content is not None:
        path.write_bytes(content)
    return StateFile(path)


@pytest.mark.parametrize("content", [None, b""], ids=["no file", "killed before it wrote anything"])
async def test_missing_file_is_no_state_and_a_new_one_is_for_its_owner(tmp_path, content):
    assert state_file(tmp_path, content).load("m") is None
    async with running_exchange(speed=None, state=tmp_path / "state"):
        pass
    if content is None:
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
    async with running_exchange(speed=None, state=tmp_path / "state"):
        pass


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"[]", "is not the state of a simulated exchange"),
        (b'{"format":1,"session_id":"m"}', "earlier version of this program.*move it away"),
        (b"SQLite format 3\x00 but then nonsense", "is not the state of a simulated exchange"),
    ],
)
def test_other_file_is_refused_in_one_sentence_and_kept(tmp_path, content, complaint):
    with pytest.raises(StateFileError, match=complaint):
        state_file(tmp_path, content).load("m")
    assert (tmp_path / "state").read_bytes() == content


async def test_state_of_a_newer_format_or_of_another_market_is_refused(tmp_path):
    async with running_exchange(speed=None, state=tmp_path / "state") as exchange:
        session_id = (await exchange.state())["session"]
    file = state_file(tmp_path)
    assert file.load(session_id) is not None
    with pytest.raises(StateFileError, match="belongs to another market"):
        file.load("other")
    with contextlib.closing(sqlite3.connect(tmp_path / "state")) as database, database:
        database.execute("UPDATE meta SET value = '3' WHERE name = 'format'")
    with pytest.raises(StateFileError, match="has format 3, this program reads 2"):
        file.load(session_id)


async def test_file_that_cannot_be_written_makes_the_request_fail(tmp_path):
    async with running_exchange(speed=None, state=tmp_path / "state") as exchange:
        client = await exchange.client()
        with contextlib.closing(sqlite3.connect(tmp_path / "state", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            exchange.simulation._state_file._database.execute("PRAGMA busy_timeout = 50")
            with pytest.raises(BinanceAPIException) as failure:
                await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="10")
            assert (failure.value.status_code, failure.value.code) == (500, -1000)
            other.execute("ROLLBACK")
        assert len((await exchange.state())["orders"]) == 1  # and is written with the next one
    async with running_exchange(speed=None, state=tmp_path / "state") as exchange:
        assert len((await exchange.state())["orders"]) == 1
