"""User data stream and market streams: C53, C54, C56, C57 of binance-protocol.md 7a; C55 is in ws_api/."""

import asyncio
from decimal import Decimal

import aiohttp
import pytest

from tests.exchange_process import close_socket, running_exchange

SUBSCRIBE = "userDataStream.subscribe.signature"


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as opened:
        yield opened


async def ask(socket, method: str, request_id="1", **request):
    await socket.send_json({"id": request_id, "method": method, **request})
    return await socket.receive_json(timeout=20)


async def events(socket, number: int) -> list[dict]:
    return [await asyncio.wait_for(socket.recv(), 20) for _ in range(number)]


async def test_c53_resting_and_cancelling_are_reported(exchange, client):
    async with exchange.socket_manager(client).user_socket() as user:
        order = await client.create_order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.1", price="99000",
            newClientOrderId="c25",
        )  # fmt: skip
        new, position = await events(user, 2)
        assert (new["e"], new["x"], new["X"], new["c"], new["i"]) == (
            "executionReport", "NEW", "NEW", "c25", order["orderId"],
        )  # fmt: skip
        assert (Decimal(new["z"]), new["N"], new["n"], new["w"]) == (0, None, "0", True)
        usdt = {row["a"]: (Decimal(row["f"]), Decimal(row["l"])) for row in position["B"]}["USDT"]
        assert (position["e"], usdt) == ("outboundAccountPosition", (90_100, 9_900))
        await client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
        cancelled, position = await events(user, 2)
        assert (cancelled["x"], cancelled["X"], cancelled["C"]) == ("CANCELED", "CANCELED", "c25")
        assert cancelled["c"] != "c25"
        assert position["e"] == "outboundAccountPosition"
    first = next(entry for entry in await exchange.log() if entry["method"] == "WS")
    assert first["target"] == SUBSCRIBE


async def test_c54_market_order_is_reported_as_new_and_traded(exchange, client):
    async with exchange.socket_manager(client).user_socket() as user:
        order = await client.order_market_buy(symbol="BTCUSDT", quantity="0.5")
        new, traded, position = await events(user, 3)
        assert (new["x"], traded["x"], traded["X"]) == ("NEW", "TRADE", "FILLED")
        assert (Decimal(traded["l"]), Decimal(traded["L"])) == (Decimal("0.5"), 100_000)
        assert (Decimal(traded["n"]), traded["N"], traded["m"]) == (Decimal("0.0005"), "BTC", False)
        assert traded["t"] == order["fills"][0]["tradeId"]
        assert {row["a"] for row in position["B"]} == {"BTC", "USDT"}


async def test_kick_closes_connections_with_a_code(exchange, session):
    async with session.ws_connect(f"{exchange.url}/ws-api/v3") as socket:
        await ask(socket, "ping")
        assert await exchange.control("kick", target="ws-api", code=1008) == {"closed": 1}
        message = await socket.receive(timeout=20)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)


async def test_c56_every_candle_closes_once_and_equals_rest():
    async with running_exchange(speed=None, symbols=("BTCUSDT",)) as exchange:
        client = await exchange.client()
        closed = []
        async with exchange.socket_manager(client).kline_socket("BTCUSDT", "1m") as klines:
            for _ in range(60):
                await exchange.advance(3_000)
                message = await asyncio.wait_for(klines.recv(), 20)
                while message["k"]["x"]:
                    closed.append(message["k"])
                    message = await asyncio.wait_for(klines.recv(), 20)
            await close_socket(klines)
        rows = await client.get_klines(symbol="BTCUSDT", interval="1m", limit=4)
        assert [(kline["t"], kline["o"], kline["h"], kline["l"], kline["c"], kline["v"]) for kline in closed] == [
            (row[0], *row[1:6]) for row in rows[:3]
        ]


async def test_c56_multiplexed_messages_are_wrapped():
    async with running_exchange(speed=None, symbols=("BTCUSDT",)) as exchange:
        client = await exchange.client()
        streams = ["btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@depth5", "btcusdt@miniTicker"]
        async with exchange.socket_manager(client).multiplex_socket(streams) as socket:
            seen = set()
            await exchange.advance(60_000)
            while seen != set(streams):
                message = await asyncio.wait_for(socket.recv(), 20)
                seen.add(message["stream"])
                assert isinstance(message["data"], dict)
            await close_socket(socket)


async def test_c57_control_messages_of_streams(exchange, session):
    async with session.ws_connect(f"{exchange.url}/ws") as socket:
        assert await ask(socket, "SUBSCRIBE", 1, params=["btcusdt@aggTrade", "nope@trade"]) == {"result": None, "id": 1}
        assert (await ask(socket, "LIST_SUBSCRIPTIONS", 2))["result"] == ["btcusdt@aggTrade", "nope@trade"]
        assert (await ask(socket, "UNSUBSCRIBE", 3, params=["nope@trade"]))["result"] is None
        assert (await ask(socket, "FOO", 6))["code"] == 2
        await socket.send_str("{")
        assert (await socket.receive_json())["code"] == 3
        await exchange.control("trade", symbol="BTCUSDT", price="100000", qty="1", taker="BUY")
        message = await socket.receive_json(timeout=20)
        assert (message["e"], message["q"]) == ("aggTrade", "1.00000000")


async def test_c57_unknown_stream_in_the_path_stays_silent(exchange, session):
    async with session.ws_connect(f"{exchange.url}/ws/0") as socket:
        assert (await ask(socket, "LIST_SUBSCRIPTIONS", 1))["result"] == ["0"]


@pytest.mark.parametrize(
    "frame", ["[]", "1", "null", '{"method":5}', '{"id":[],"method":"ping","params":[1]}', '{"id":1}']
)
async def test_nonsense_frames_are_answered_and_the_connection_stays(exchange, session, frame):
    for path in ("ws-api/v3", "ws"):
        async with session.ws_connect(f"{exchange.url}/{path}") as socket:
            await socket.send_str(frame)
            assert isinstance(await socket.receive_json(timeout=20), dict)
            await socket.send_json({"id": 2, "method": "LIST_SUBSCRIPTIONS" if path == "ws" else "ping"})
            assert (await socket.receive_json(timeout=20))["id"] == 2
