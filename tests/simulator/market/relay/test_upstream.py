"""What the relayed exchange is asked, and what is made of its answers and of its mistakes."""

from decimal import Decimal

import pytest
from aiohttp import web

from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.simulator.market.relay.upstream import Place, Upstream, UpstreamError, place_of
from tests.exchange_process import running_exchange


def test_mainnet_and_testnet_are_known_by_name():
    assert place_of("mainnet") == Place("https://api.binance.com", "wss://stream.binance.com:9443")
    assert place_of("testnet").rest == "https://testnet.binance.vision"


def test_an_address_serves_rest_and_streams():
    assert place_of("http://127.0.0.1:8090/") == Place("http://127.0.0.1:8090", "ws://127.0.0.1:8090")
    assert place_of("https://exchange.example").streams == "wss://exchange.example"


@pytest.mark.parametrize(
    "name", ["", "maintest", "127.0.0.1:8090", "ftp://host", "http://", "http://user:pass@host", "http://host/api/v3"]
)
def test_anything_else_is_refused_in_a_sentence(name):
    with pytest.raises(FeedError, match="it must be mainnet, testnet or an address such as"):
        place_of(name)


def test_a_slip_of_the_pen_is_answered_with_the_nearest_name():
    with pytest.raises(FeedError, match="the nearest is testnet"):
        place_of("testent")


async def test_public_data_are_read_without_a_key():
    async with running_exchange(fixture="F0") as exchange, Upstream(place_of(exchange.url)) as upstream:
        time = await upstream.time()
        assert time.speed == "1"
        assert list(await upstream.listings(["ETHUSDT", "BTCUSDT"])) == ["ETHUSDT", "BTCUSDT"]
        assert (await upstream.book("BTCUSDT"))[1][0] == (Decimal(100_000), Decimal(1))
        (last,) = await upstream.trades("BTCUSDT")
        assert last.trade.price == Decimal(100_000)
        assert await upstream.trades("BTCUSDT", from_id=last.trade_id + 1) == []
        candles = await upstream.candles("BTCUSDT", "1m", limit=3, before_ms=time.now_ms - 60_000)
        assert len(candles) == 3
        assert candles[-1].open_time_ms < time.now_ms - 60_000
        log = await exchange.log()
        assert "X-MBX-APIKEY" not in str(log)


async def test_a_symbol_that_is_not_listed_is_named_with_the_nearest():
    async with running_exchange(fixture="F0") as exchange, Upstream(place_of(exchange.url)) as upstream:
        with pytest.raises(FeedError, match=r"symbol BTCUSD is not listed on .*; the nearest that it lists is BTCUSDT"):
            await upstream.listings(["ETHUSDT", "BTCUSD"])


async def test_a_busy_exchange_says_how_long_it_wants_to_be_left_alone():
    async with running_exchange(fixture="F0") as exchange, Upstream(place_of(exchange.url)) as upstream:
        await exchange.control("fault", kind="http", path="time", status=429, retry_after_seconds=17)
        with pytest.raises(UpstreamError, match="answered time with 429") as refusal:
            await upstream.time()
        assert refusal.value.retry_after_seconds == 17


async def test_an_answer_that_is_no_json_and_a_host_that_is_not_there_are_said(unused_tcp_port):
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<html>")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    async with Upstream(place_of(f"http://127.0.0.1:{unused_tcp_port}")) as upstream:
        with pytest.raises(UpstreamError, match="something else than JSON"):
            await upstream.time()
        await runner.cleanup()
        with pytest.raises(UpstreamError, match="cannot be reached"):
            await upstream.time()
