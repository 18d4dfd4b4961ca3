"""The user data stream: on the simulated exchange, and against peers that misbehave (binance-protocol.md 6, P1 to P6)."""

import asyncio
import random
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from binance_trade_agent.exchange import sockets, user_stream
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.errors import UnavailableError
from binance_trade_agent.exchange.user_stream import UserStream
from binance_trade_agent.ops.clock import ScaledClock, monotonic_seconds, sleep_seconds
from tests.exchange.running_stream import live, running, until
from tests.exchange.websocket_peer import agree, websocket_peer
from tests.exchange_process import API_KEY, API_SECRET
from tests.said import warnings_in


class Listener:
    """What the stream has told, in order: `connected` and the types of the events."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.reconcile: Callable[[], None] = lambda: None
        self.handle: Callable[[dict[str, Any]], None] = lambda _: None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def on_connected(self) -> None:
        self.told.append("connected")
        await self.may_go_on.wait()
        self.reconcile()

    async def on_event(self, event: dict[str, Any]) -> None:
        await sleep_seconds(0)
        self.handle(event)
        self.told.append(event["e"])
        self.events.append(event)

    @property
    def connections(self) -> int:
        return self.told.count("connected")


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(sockets, "_FIRST_BACK_OFF_SECONDS", 0.02)


@asynccontextmanager
async def streaming(url: str, listener: Listener, secret: str = API_SECRET):
    """A running stream; that it has not died is part of every test."""
    stream = UserStream(
        url,
        API_KEY,
        secret,
        ScaledClock(),
        on_connected=listener.on_connected,
        on_event=listener.on_event,
        jitter=random.Random(1),
    )
    async with running(stream):
        yield stream


class TestOnTheExchange:
    @pytest.fixture
    async def stream(self, exchange, listener):
        async with streaming(simulated(exchange.url).websocket_api, listener) as running:
            await live(running)
            yield running

    async def test_events_of_an_order_come_in_order(self, stream, gateway, listener, intent):
        await gateway.place_order(intent())
        await stream.catch_up()
        reports = [event for event in listener.events if event["e"] == "executionReport"]
        assert [(event["x"], event["c"]) for event in reports] == [("NEW", "bta-BTCUSDT-1"), ("TRADE", "bta-BTCUSDT-1")]
        assert listener.told[0] == "connected"
        assert "outboundAccountPosition" in listener.told

    async def test_catch_up_returns_when_everything_sent_before_is_handled(self, stream, gateway, listener, intent):
        for number in range(10):
            await gateway.place_order(intent(f"bta-BTCUSDT-{number}", quantity="0.001"))
            await stream.catch_up()
            trades = [event for event in listener.events if event.get("x") == "TRADE"]
            assert len(trades) == number + 1

    async def test_lost_connection_is_replaced_and_reconciled_before_the_next_event(
        self, stream, exchange, gateway, listener, intent, caplog
    ):
        await exchange.control("kick", target="ws-api")
        await until(lambda: listener.connections == 2)
        await live(stream)
        await gateway.place_order(intent())
        await stream.catch_up()
        assert listener.told[:3] == ["connected", "connected", "executionReport"]
        assert [text.partition(",")[0] for text in warnings_in(caplog)] == [
            "the user stream is lost",
            "the user stream is back",
        ]

    async def test_events_that_come_during_the_reconciliation_wait_for_its_end(
        self, exchange, gateway, listener, intent
    ):
        listener.may_go_on.clear()
        async with streaming(simulated(exchange.url).websocket_api, listener) as stream:
            await until(lambda: listener.told == ["connected"])
            await gateway.place_order(intent())
            await stream.catch_up()
            assert (listener.told, stream.is_live.is_set()) == (["connected"], False)
            listener.may_go_on.set()
            await live(stream)
            await stream.catch_up()
            assert "executionReport" in listener.told

    async def test_reconciliation_that_fails_is_tried_again_on_a_fresh_connection(self, exchange, listener, caplog):
        def fail_three_times() -> None:
            if listener.connections <= 3:
                raise UnavailableError("maintenance")

        listener.reconcile = fail_three_times
        async with streaming(simulated(exchange.url).websocket_api, listener) as stream:
            await live(stream)
        assert listener.connections == 4
        assert len(warnings_in(caplog)) == 2, "an outage is said once, and its end"
        assert "maintenance" in warnings_in(caplog)[0]

    async def test_event_that_cannot_be_handled_leads_to_a_reconciliation(self, exchange, gateway, listener, intent):
        def fail_once(event: dict[str, Any]) -> None:
            if event.get("x") == "TRADE" and listener.connections == 1:
                raise RuntimeError("disk full")

        listener.handle = fail_once
        async with streaming(simulated(exchange.url).websocket_api, listener) as stream:
            await live(stream)
            await gateway.place_order(intent())
            await until(lambda: listener.connections == 2)
            await live(stream)
            await gateway.place_order(intent("bta-BTCUSDT-2"))
            await stream.catch_up()
        assert [event["c"] for event in listener.events if event.get("x") == "TRADE"] == ["bta-BTCUSDT-2"]

    async def test_wrong_secret_is_said_once_and_without_the_secret(self, exchange, listener, caplog):
        async with streaming(simulated(exchange.url).websocket_api, listener, secret="W" * 64):
            await until(lambda: warnings_in(caplog) != [])
            await sleep_seconds(0.2)
        (said,) = warnings_in(caplog)
        assert "(-1022)" in said
        assert "WWWW" not in caplog.text
        assert listener.told == []


async def test_without_a_connection_catch_up_returns_at_once(unused_tcp_port, listener):
    async with streaming(f"ws://127.0.0.1:{unused_tcp_port}/ws-api/v3", listener) as stream:
        await asyncio.wait_for(stream.catch_up(), 5)
        assert not stream.is_live.is_set()


async def test_exchange_that_comes_later_is_found(unused_tcp_port, listener, caplog):
    from tests.exchange_process import running_exchange

    async with streaming(f"ws://127.0.0.1:{unused_tcp_port}/ws-api/v3", listener) as stream:
        await until(lambda: len(warnings_in(caplog)) == 1)
        async with running_exchange(fixture="F0", port=unused_tcp_port):
            await live(stream)
    assert listener.connections >= 1


async def test_silent_peer_is_found_by_a_probe_and_replaced(listener, monkeypatch, caplog):
    monkeypatch.setattr(user_stream, "_PROBE_SECONDS", 0.05)
    monkeypatch.setattr(sockets, "_ANSWER_SECONDS", 0.1)

    async def freeze_the_first(peer, socket, request):
        if len(peer.connections) > 1 or request["method"] != "session.subscriptions":
            await agree(peer, socket, request)

    async with websocket_peer(freeze_the_first) as peer, streaming(peer.url, listener) as stream:
        await until(lambda: listener.connections == 2)
        await live(stream)
        await until(lambda: len(peer.connections[1]) > 3)
    assert "session.subscriptions was not answered in 0.1 s" in warnings_in(caplog)[0]


async def test_catch_up_on_a_silent_peer_gives_up(listener, monkeypatch):
    monkeypatch.setattr(sockets, "_ANSWER_SECONDS", 0.1)

    async def only_subscribe(peer, socket, request):
        if request["method"] != "session.subscriptions":
            await agree(peer, socket, request)

    async with websocket_peer(only_subscribe) as peer, streaming(peer.url, listener) as stream:
        await live(stream)
        await asyncio.wait_for(stream.catch_up(), 5)


@pytest.mark.parametrize(
    "message",
    [
        {"id": None, "status": 401, "error": {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}},
        {"event": {"e": "eventStreamTerminated", "E": 1}},
        {"event": {"e": "serverShutdown", "E": 1}},
        {"event": {}},
        ["rubbish"],
    ],
)
async def test_unexpected_message_leads_to_a_fresh_connection(listener, message):
    async def say_it_once(peer, socket, request):
        await agree(peer, socket, request)
        if len(peer.connections) == 1:
            await socket.send_json(message)

    async with websocket_peer(say_it_once) as peer, streaming(peer.url, listener) as stream:
        await until(lambda: len(peer.connections) == 2)
        await live(stream)
        await asyncio.wait_for(stream.catch_up(), 5)
        assert len(peer.connections) == 2


async def test_text_that_is_no_json_leads_to_a_fresh_connection(listener):
    async def babble_once(peer, socket, request):
        if len(peer.connections) == 1:
            await socket.send_str("rubbish{")
        else:
            await agree(peer, socket, request)

    async with websocket_peer(babble_once) as peer, streaming(peer.url, listener) as stream:
        await live(stream)
        assert len(peer.connections) == 2


async def test_catch_up_while_the_connection_breaks_does_not_raise(listener):
    async def hang_up_on_the_question(peer, socket, request):
        if request["method"] == "session.subscriptions":
            await socket.close()
        else:
            await agree(peer, socket, request)

    async with websocket_peer(hang_up_on_the_question) as peer, streaming(peer.url, listener) as stream:
        for _ in range(5):
            await live(stream)
            await asyncio.wait_for(asyncio.gather(*(stream.catch_up() for _ in range(3))), 5)
            await until(lambda: not stream.is_live.is_set())


async def test_connection_is_renewed_before_the_exchange_cuts_it(listener, monkeypatch, caplog):
    monkeypatch.setattr(user_stream, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(user_stream, "_PROBE_SECONDS", 0.02)
    async with websocket_peer() as peer, streaming(peer.url, listener):
        await until(lambda: len(peer.connections) >= 6)
    assert warnings_in(caplog) == [], "a renewal is no outage, and its pauses do not grow"


async def test_stop_does_not_wait_for_a_peer_that_says_no_goodbye(listener, monkeypatch):
    monkeypatch.setattr(sockets, "_CLOSE_SECONDS", 0.1)

    async def freeze_after_the_subscription(peer, socket, request):
        await agree(peer, socket, request)
        await asyncio.Event().wait()

    async with websocket_peer(freeze_after_the_subscription) as peer:
        async with streaming(peer.url, listener) as stream:
            await live(stream)
            began = monotonic_seconds()
        assert monotonic_seconds() - began < 8


async def test_subscription_is_signed_over_its_sorted_parameters(listener):
    async with websocket_peer() as peer, streaming(peer.url, listener) as stream:
        await live(stream)
    (request,) = [entry for entry in peer.connections[0] if entry["method"].startswith("userDataStream")]
    assert request["method"] == "userDataStream.subscribe.signature"
    assert set(request["params"]) == {"apiKey", "timestamp", "signature"}
    assert API_SECRET not in str(peer.connections)
