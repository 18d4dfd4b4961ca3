"""The price stream: on the simulated exchange's real streams, and against peers that misbehave."""

import asyncio
import random
from collections.abc import Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from binance_trade_agent.exchange import price_stream, sockets
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.errors import RateLimitedError, UnavailableError
from binance_trade_agent.exchange.price_stream import STALE_SECONDS, PriceStream
from binance_trade_agent.ops.clock import machine_time, monotonic_seconds, sleep_seconds, wall_ms
from tests.exchange.running_stream import live, running, until
from tests.exchange.websocket_peer import agree, websocket_peer
from tests.said import warnings_in
from tests.torture.exchange import WorldExchange
from tests.torture.loop import run_virtual
from tests.torture.network import Network, NetworkFaults

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
SPACING_SECONDS = price_stream._SPACING_SECONDS


class Listener:
    """What the stream has told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Decimal, Decimal]] = []
        self.act: Callable[[], None] = lambda: None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def on_price(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
        self.told.append((symbol, bid, ask))
        await self.may_go_on.wait()
        self.act()

    @property
    def bids(self) -> list[Decimal]:
        return [bid for _, bid, _ in self.told]

    @property
    def latest(self) -> dict[str, Decimal]:
        return {symbol: bid for symbol, bid, _ in self.told}


class Later:
    """This machine some seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._at = monotonic_seconds() + seconds

    def wall_ms(self) -> int:
        return wall_ms()

    def monotonic_seconds(self) -> float:
        return self._at


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(sockets, "_FIRST_BACK_OFF_SECONDS", 0.02)
    monkeypatch.setattr(sockets, "_LAST_BACK_OFF_SECONDS", 0.02)
    monkeypatch.setattr(sockets, "_CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(price_stream, "_SPACING_SECONDS", 0.01)


@asynccontextmanager
async def streaming(url: str, listener: Listener, *symbols: str, **options):
    """A running stream; that it has not died is part of every test."""
    stream = PriceStream(url, on_price=listener.on_price, jitter=random.Random(1), **options)
    stream.watch(symbols)
    async with running(stream):
        yield stream


class TestOnTheExchange:
    @pytest.fixture
    def price(self, exchange):
        async def move(bid: int, symbol: str = "BTCUSDT", *, bids=None) -> None:
            bids = [[str(bid), "1"]] if bids is None else bids
            await exchange.control("book", symbol=symbol, bids=bids, asks=[[str(bid + 10), "1"]])

        return move

    @pytest.fixture
    async def stream(self, exchange, listener, price):
        """A stream that has told what the simulated exchange says of a new subscription, which the real one does not."""
        async with streaming(simulated(exchange.url).market_streams, listener, "BTCUSDT") as running:
            await live(running)
            await price(99_999)
            await until(lambda: listener.bids[-1:] == [99_999])
            listener.told.clear()
            yield running

    async def test_price_comes_with_its_age_and_each_change_is_told(self, stream, listener, price):
        await price(99_000)
        await until(lambda: listener.bids == [99_000])
        await price(98_000)
        await until(lambda: listener.bids == [99_000, 98_000])
        assert listener.told[-1] == ("BTCUSDT", Decimal(98_000), Decimal(98_010))
        bid, age_ms = stream.bid("BTCUSDT")
        assert (type(bid), bid) == (Decimal, 98_000)
        assert 0 <= age_ms < 5_000

    async def test_stale_price_is_not_told(self, stream, listener, price):
        await price(99_000)
        await until(lambda: listener.bids == [99_000])
        with machine_time(Later(STALE_SECONDS - 1)):
            bid, age_ms = stream.bid("BTCUSDT")
            assert bid == 99_000
            assert 3_000 < age_ms <= STALE_SECONDS * 1000
        with machine_time(Later(STALE_SECONDS)):
            assert stream.bid("BTCUSDT") is None
        await price(99_001)
        await until(lambda: listener.bids == [99_000, 99_001])
        assert stream.bid("BTCUSDT") is not None

    async def test_empty_side_of_the_book_is_no_price(self, stream, listener, price):
        await price(99_000)
        await until(lambda: listener.bids == [99_000])
        await price(99_000, bids=[])
        await until(lambda: stream.bid("BTCUSDT") is None)
        await price(98_000)
        await until(lambda: listener.bids == [99_000, 98_000])

    async def test_symbols_are_added_and_left_while_it_runs(self, stream, listener, exchange, price):
        stream.watch(["BTCUSDT", "ETHUSDT"])
        await until(lambda: streams_of(exchange) == {"btcusdt@bookTicker", "ethusdt@bookTicker"})
        await price(4_100, "ETHUSDT")
        await until(lambda: listener.latest == {"ETHUSDT": 4_100})
        stream.watch(["ETHUSDT", "SOLUSDT"])
        assert stream.bid("BTCUSDT") is None
        await until(lambda: streams_of(exchange) == {"ethusdt@bookTicker", "solusdt@bookTicker"})
        await price(99_000)
        await price(4_200, "ETHUSDT")
        await until(lambda: listener.latest["ETHUSDT"] == 4_200)
        assert "BTCUSDT" not in listener.latest
        assert stream.bid("ETHUSDT")[0] == 4_200
        assert connections(exchange) == 1, "all on one connection"

    async def test_nothing_is_connected_while_nothing_is_watched(self, stream, listener, exchange, price, caplog):
        assert connections(exchange) == 1
        stream.watch([])
        await until(lambda: connections(exchange) == 0)
        await until(lambda: not stream.is_live.is_set())
        stream.watch(["BTCUSDT"])
        await live(stream)
        await price(99_000)
        await until(lambda: listener.latest == {"BTCUSDT": 99_000})
        assert warnings_in(caplog) == []

    async def test_connection_that_is_cut_is_replaced_with_all_its_symbols(
        self, stream, listener, exchange, price, caplog
    ):
        stream.watch(["BTCUSDT", "ETHUSDT"])
        await until(lambda: len(streams_of(exchange)) == 2)
        await exchange.control("kick", target="streams")
        await until(lambda: not stream.is_live.is_set())
        await live(stream)
        await price(4_100, "ETHUSDT")
        await price(99_000)
        await until(lambda: listener.latest == {"ETHUSDT": 4_100, "BTCUSDT": 99_000})
        assert [text.partition(",")[0] for text in warnings_in(caplog)] == [
            "the price stream is lost",
            "the price stream is back",
        ]

    @pytest.mark.parametrize("silence", ["ws_freeze_data", "ws_freeze_all"])
    async def test_silent_stream_is_noticed_and_replaced(self, listener, exchange, price, caplog, monkeypatch, silence):
        monkeypatch.setattr(price_stream, "_PROBE_SECONDS", 0.3)
        monkeypatch.setattr(sockets, "_ANSWER_SECONDS", 0.1)
        async with streaming(simulated(exchange.url).market_streams, listener, "BTCUSDT") as stream:
            await live(stream)
            frozen = await exchange.fault(silence, target="streams")
            await until(lambda: not stream.is_live.is_set())
            await exchange._request("DELETE", f"fault/{frozen}", None)
            await live(stream)
            await price(99_000)
            await until(lambda: listener.latest == {"BTCUSDT": 99_000})
        assert "was not answered in 0.1 s" in warnings_in(caplog)[0]

    async def test_shutdown_that_is_announced_leads_to_a_fresh_connection(self, stream, exchange, caplog):
        await exchange.fault("server_shutdown", target="streams", lead_ms=60_000)
        await until(lambda: not stream.is_live.is_set())
        await live(stream)
        assert "the exchange sent serverShutdown" in warnings_in(caplog)[0]

    async def test_handler_that_is_slow_is_told_the_latest_price_only(self, stream, listener, price):
        listener.may_go_on.clear()
        await price(99_000)
        await until(lambda: listener.bids == [99_000])
        for bid in (98_000, 97_000, 96_000):
            await price(bid)
            await until(lambda bid=bid: stream.bid("BTCUSDT")[0] == bid)
        listener.may_go_on.set()
        await until(lambda: listener.bids == [99_000, 96_000])

    @pytest.mark.parametrize("failure", [UnavailableError("maintenance"), RuntimeError("a mistake")])
    async def test_handler_that_fails_is_told_the_next_price(self, stream, listener, price, caplog, failure):
        def fail_twice() -> None:
            if len(listener.told) <= 2:
                raise failure

        listener.act = fail_twice
        for number, bid in enumerate((99_000, 98_000, 97_000), 1):
            await price(bid)
            await until(lambda number=number: len(listener.told) == number)
        assert listener.bids == [99_000, 98_000, 97_000]
        await until(stream.is_live.is_set)
        said = warnings_in(caplog)
        assert len(said) == (1 if isinstance(failure, UnavailableError) else 2), "what lasts is said once"
        assert all("the price of BTCUSDT could not be acted on" in text for text in said)

    async def test_exchange_that_wants_silence_is_not_connected_to(self, exchange, listener, caplog):
        is_silenced = True

        def refuse() -> None:
            if is_silenced:
                raise RateLimitedError(60, "Too many requests.")

        url = simulated(exchange.url).market_streams
        async with streaming(url, listener, "BTCUSDT", before_connecting=refuse) as stream:
            await until(lambda: len(warnings_in(caplog)) == 1)
            assert connections(exchange) == 0
            is_silenced = False
            await live(stream)


def connections(exchange) -> int:
    """How many are connected to the market streams."""
    return len(exchange.simulation.streams.connections)


def streams_of(exchange) -> set[str]:
    """What is subscribed to."""
    return {name for connection in exchange.simulation.streams.connections for name in connection.names}


class TestOnVirtualTime:
    """The real streams of the exchange, with its limit of five messages a second, on a network in memory."""

    @staticmethod
    def followed(story, **faults):
        """Run `story` with a stream, the listener and the exchange."""

        async def work():
            network = Network(1, NetworkFaults(**faults))
            exchange = WorldExchange(network, seed=1, symbols=SYMBOLS, usdt=Decimal(1000))
            listener = Listener()
            async with exchange.running(), network.connector() as connector:
                url = exchange.endpoints.market_streams
                async with streaming(url, listener, "BTCUSDT", connector=connector) as stream:
                    await stream.is_live.wait()
                    return await story(stream, listener, exchange)

        return run_virtual(work)

    def test_changes_of_mind_never_exceed_what_the_exchange_takes(self, caplog, monkeypatch):
        monkeypatch.setattr(price_stream, "_SPACING_SECONDS", SPACING_SECONDS)

        async def change_often(stream, _, exchange):
            for number in range(1200):
                stream.watch(SYMBOLS[number % 3 :])
                await sleep_seconds(0.1)
            await sleep_seconds(3)
            return streams_of(exchange)

        assert self.followed(change_often) == {f"{symbol.lower()}@bookTicker" for symbol in SYMBOLS[1199 % 3 :]}
        assert warnings_in(caplog) == []

    def test_connection_is_renewed_before_the_exchange_cuts_it(self, caplog):
        async def follow_for_half_a_day(stream, listener, exchange):
            first = exchange.simulation.streams.connections[0]
            await sleep_seconds(12 * 3600)
            assert connections(exchange) == 1
            told = len(listener.told)
            await sleep_seconds(60)
            return first in exchange.simulation.streams.connections, len(listener.told) > told, stream.is_live.is_set()

        assert self.followed(follow_for_half_a_day) == (False, True, True)
        assert warnings_in(caplog) == [], "a renewal is no outage"

    def test_prices_come_again_after_whatever_the_network_does(self, caplog):
        async def follow_for_an_hour(stream, listener, exchange):
            await sleep_seconds(3600)
            exchange.network.heal()
            await sleep_seconds(120)
            told = len(listener.told)
            await sleep_seconds(60)
            return len(listener.told) > told, stream.bid("BTCUSDT") is not None, connections(exchange)

        faults = {"jitter_seconds": 0.02, "spike": 0.05, "reset_after": 0.01, "black_hole": 0.005, "refuse": 0.1}
        assert self.followed(follow_for_an_hour, **faults) == (True, True, 1)
        assert caplog.text.count("the price stream is back") > 5


@pytest.mark.parametrize(
    "message",
    [
        {"code": 2, "msg": "Invalid request: unknown variant `SUBSCRIB`"},
        {"stream": "btcusdt@bookTicker", "data": {}},
        {"stream": "btcusdt@bookTicker", "data": {"s": "BTCUSDT", "b": "many", "a": "1"}},
        ["rubbish"],
    ],
    ids=str,
)
async def test_unexpected_message_leads_to_a_fresh_connection(listener, message):
    async def say_it_once(peer, socket, request):
        await agree(peer, socket, request)
        if len(peer.connections) == 1:
            await socket.send_json(message)

    async with websocket_peer(say_it_once) as peer, streaming(peer.streams_url, listener, "BTCUSDT") as stream:
        await until(lambda: len(peer.connections) == 2)
        await live(stream)
    assert listener.told == []


async def test_subscription_that_is_refused_is_tried_again_on_a_fresh_connection(listener, caplog):
    async def refuse_the_first(peer, socket, request):
        if len(peer.connections) > 1:
            await agree(peer, socket, request)
        else:
            await socket.send_json({"code": 2, "msg": "Invalid request", "id": request["id"]})

    async with websocket_peer(refuse_the_first) as peer, streaming(peer.streams_url, listener, "BTCUSDT") as stream:
        await live(stream)
        assert peer.connections[1] == [{"id": 1, "method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"]}]
    assert "connecting again: Invalid request (2)" in warnings_in(caplog)[0]


async def test_exchange_that_accepts_and_hangs_up_is_tried_again_at_growing_intervals(listener, monkeypatch):
    """It allows 300 connections in five minutes (binance-protocol.md 2.8)."""
    pauses = []

    async def noted(seconds):
        pauses.append(seconds)
        await sleep_seconds(0)

    async def hang_up(_, socket, __):
        await socket.close()

    monkeypatch.setattr(sockets, "_FIRST_BACK_OFF_SECONDS", 0.2)
    monkeypatch.setattr(sockets, "_LAST_BACK_OFF_SECONDS", 30.0)
    monkeypatch.setattr(sockets, "sleep_seconds", noted)
    async with websocket_peer(hang_up) as peer, streaming(peer.streams_url, listener, "BTCUSDT"):
        await until(lambda: len(pauses) > 10)
    assert all(0.1 * 2**n <= pause <= 0.2 * 2**n for n, pause in enumerate(pauses[:7]))
    assert all(15 <= pause <= 30 for pause in pauses[8:])


async def test_nothing_is_asked_of_an_exchange_while_nothing_is_watched(listener):
    async with websocket_peer() as peer, streaming(peer.streams_url, listener) as stream:
        for _ in range(20):
            await sleep_seconds(0)
        assert peer.connections == []
        stream.watch(["BTCUSDT"])
        await live(stream)
        assert len(peer.connections) == 1
