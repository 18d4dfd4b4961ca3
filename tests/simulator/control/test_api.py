"""The control port's routes, and its sentences for mistakes."""

import aiohttp
import pytest

from binance_trade_agent.ops.clock import sleep_seconds
from tests.simulator.order_calls import place


async def asked(exchange, method: str, path: str, body: object = None) -> tuple[int, dict]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{exchange.control_url}/sim/{path}", data=body if isinstance(body, str) else None,
                        json=None if isinstance(body, str) else body) as answer,
    ):  # fmt: skip
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        ("POST", "reset", {"fixture": "F9"}, "fixture 'F9' is unknown, known are F0, F1, F2"),
        ("POST", "reset", {}, "reset: object missing required field fixture"),
        ("POST", "clock", {"mode": "manul"}, "must be one of real, manual, stepped, not 'manul'; did you mean manual?"),
        ("POST", "clock", {"advanse": 1}, "clock field 'advanse' is unknown"),
        ("POST", "book", {"symbol": "BTCUSD"}, "did you mean BTCUSDT"),
        ("POST", "book", {"symbol": "BTCUSDT", "bids": [["1"]]}, "book field 'bids' must be"),
        ("POST", "book", {"symbol": "BTCUSDT", "bids": [["1", "1"], ["2", "1"]]}, "bids must come best price first"),
        ("POST", "book", {"symbol": "BTCUSDT", "bids": [["2", 1]], "asks": [["1", 1]]}, "must be below the best ask"),
        ("POST", "trade", {"symbol": "BTCUSDT", "price": "x", "qty": 1, "taker": "BUY"}, "price must be a number"),
        ("POST", "trade", {"symbol": "BTCUSDT", "price": 1, "qty": 0, "taker": "BUY"}, "qty must be above 0"),
        ("POST", "trade", {"symbol": "BTCUSDT", "price": 1, "qty": 1, "taker": "BYE"}, "did you mean BUY?"),
        ("POST", "kick", {"target": "streams", "code": 5}, "kick field 'code' must be int >= 1000, not 5"),
        ("DELETE", "fault/7", None, "there is no fault 7"),
        ("POST", "fault", "{", "the body is not JSON"),
        ("POST", "config", "[]", "the body must be a JSON object"),
    ],
)
async def test_mistake_is_400_and_one_sentence(exchange, method, path, body, sentence):
    status, answer = await asked(exchange, method, path, body)
    assert status == 400
    assert sentence in answer["error"]
    assert "\n" not in answer["error"]


async def test_unknown_path_and_method_are_explained(exchange):
    status, answer = await asked(exchange, "POST", "resett", {})
    assert (status, "did you mean /sim/reset?" in answer["error"]) == (404, True)
    status, answer = await asked(exchange, "GET", "reset")
    assert (status, answer["error"]) == (405, "/sim/reset knows POST, not GET")


async def test_state_shows_what_is_inside(exchange, client):
    await place(client, quantity="0.01", price="90000")
    await exchange.fault("latency", path="order")
    state = await exchange.state()
    assert [(row["account"], row["orderId"], row["status"]) for row in state["orders"]] == [("main", 1, "NEW")]
    assert state["sequence"]["BTCUSDT"]["orderId"] == 1
    assert state["books"]["BTCUSDT"]["updateId"] > 0
    assert state["connections"] == {"ws-api": 0, "streams": 0}
    assert state["orders_used"]["main"] == {"10s": 1, "1d": 1}
    assert state["weight"]["127.0.0.1"] > 0
    assert state["invariants"] == {"ok": True, "violations": []}
    assert (state["failures"], [fault["kind"] for fault in state["faults"]]) == (0, ["latency"])


async def test_manual_clock_is_set_and_advanced(exchange, raw):
    now_ms = (await exchange.control("clock", mode="manual"))["now"]
    assert (await exchange.control("clock", advance=1000))["now"] == now_ms + 1000
    assert (await exchange.control("clock", mode="manual", now=now_ms + 5000))["now"] == now_ms + 5000
    assert (await raw.get("time")).json["serverTime"] == now_ms + 5000


async def test_log_has_the_raw_request(exchange, raw):
    await raw.get("klines", "symbol=BTCUSDT&interval=%31m")
    assert (await exchange.log())[-1] == {
        "number": 1, "method": "GET", "target": "/api/v3/klines?symbol=BTCUSDT&interval=%31m", "body": "",
    }  # fmt: skip


async def test_reset_keeps_connections(exchange):
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{exchange.url}/ws/btcusdt@trade") as socket,
    ):
        await exchange.control("reset", fixture="F1")
        await exchange.control("trade", symbol="BTCUSDT", price="99995", qty="1", taker="BUY")
        assert (await socket.receive_json(timeout=20))["p"] == "99995.00000000"


async def test_kicked_client_that_looks_later_still_sees_the_code(exchange):
    async with aiohttp.ClientSession() as session:
        for path in ("ws", "ws-api/v3"):
            async with session.ws_connect(f"{exchange.url}/{path}") as socket:
                await sleep_seconds(0.05)
                await exchange.control("kick", target="streams" if path == "ws" else "ws-api", code=1012)
                assert (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE
                assert socket.close_code == 1012


async def test_a_page_in_a_browser_commands_nothing(exchange):
    origin = {"Origin": "http://evil.example", "Content-Type": "text/plain"}  # what any page may send without asking
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{exchange.control_url}/sim/reset", data='{"fixture": "F1"}', headers=origin) as answer,
    ):
        assert answer.status == 403
        assert (await answer.json())["error"] == "this was asked for by a page in a browser: refused"
