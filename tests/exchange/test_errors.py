"""Every way in which a request fails, by the reaction that it needs (binance-protocol.md 2.5 to 2.7, 6 P16)."""

import asyncio
import json
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from binance.exceptions import BinanceAPIException, BinanceRequestException
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.classify import classify
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.errors import (
    AuthError,
    BannedError,
    ExchangeError,
    OrderLimitError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnknownOutcomeError,
)
from binance_trade_agent.ops.clock import ScaledClock, monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.tasks import spawn
from tests.exchange_process import API_KEY, API_SECRET, READING_API_KEY

PAGE = "<html><body>Bad Gateway</body></html>"


def answered(status: int, body: object, **headers: str) -> BinanceAPIException:
    text = body if isinstance(body, str) else json.dumps(body)

    async def text_of():
        return text

    return BinanceAPIException(SimpleNamespace(headers=headers, text=text_of), status, text)


def refused(code: int, status: int = 400) -> BinanceAPIException:
    return answered(status, {"code": code, "msg": "Because."})


@pytest.mark.parametrize(
    ("failure", "of_an_order", "of_a_question"),
    [
        (refused(-1013), RejectedError, RejectedError),
        (refused(-1021), RejectedError, RejectedError),
        (refused(-1121), RejectedError, RejectedError),
        (refused(-2010), RejectedError, RejectedError),
        (refused(-2013), RejectedError, RejectedError),
        (refused(-1002, 401), AuthError, AuthError),
        (refused(-1022), AuthError, AuthError),
        (refused(-2014, 401), AuthError, AuthError),
        (refused(-2015, 401), AuthError, AuthError),
        (refused(-2015, 400), AuthError, AuthError),
        (answered(401, PAGE), AuthError, AuthError),
        (refused(-1003, 429), RateLimitedError, RateLimitedError),
        (refused(-1015, 429), OrderLimitError, OrderLimitError),
        (answered(429, PAGE), RateLimitedError, RateLimitedError),
        (refused(-1003, 418), BannedError, BannedError),
        (refused(-1003), RateLimitedError, RateLimitedError),
        (refused(-1015), OrderLimitError, OrderLimitError),
        (refused(-2022, 429), RateLimitedError, RateLimitedError),
        (refused(-2022), RejectedError, RejectedError),
        (refused(-2021, 409), UnknownOutcomeError, UnavailableError),
        (refused(-2021, 429), UnknownOutcomeError, UnavailableError),
        (refused(-1007, 429), UnknownOutcomeError, UnavailableError),
        (refused(-1006, 418), UnknownOutcomeError, UnavailableError),
        (refused(-1006, 403), UnknownOutcomeError, UnavailableError),
        (refused(-1007, 401), UnknownOutcomeError, UnavailableError),
        (answered(403, PAGE), UnavailableError, UnavailableError),
        (refused(-1000, 500), UnknownOutcomeError, UnavailableError),
        (refused(-1006, 504), UnknownOutcomeError, UnavailableError),
        (refused(-1007, 504), UnknownOutcomeError, UnavailableError),
        (refused(-1006, 400), UnknownOutcomeError, UnavailableError),
        (refused(-1007, 400), UnknownOutcomeError, UnavailableError),
        (refused(-1008, 503), UnknownOutcomeError, UnavailableError),
        (refused(-1008), UnavailableError, UnavailableError),
        (refused(-1016, 503), UnknownOutcomeError, UnavailableError),
        (refused(-1016), UnavailableError, UnavailableError),
        (refused(-1000), UnknownOutcomeError, UnavailableError),
        (refused(-1001), UnknownOutcomeError, UnavailableError),
        (refused(-2015, 500), UnknownOutcomeError, UnavailableError),
        (refused(-1003, 503), UnknownOutcomeError, UnavailableError),
        (answered(302, ""), UnknownOutcomeError, UnavailableError),
        (answered(404, ""), UnknownOutcomeError, UnavailableError),
        (answered(405, ""), UnknownOutcomeError, UnavailableError),
        (answered(410, PAGE), UnknownOutcomeError, UnavailableError),
        (refused(-2010, 502), UnknownOutcomeError, UnavailableError),
        (answered(502, PAGE), UnknownOutcomeError, UnavailableError),
        (answered(503, ""), UnknownOutcomeError, UnavailableError),
        (answered(400, PAGE), UnknownOutcomeError, UnavailableError),
        (answered(400, {}), UnknownOutcomeError, UnavailableError),
        (BinanceRequestException("Invalid Response: {"), UnknownOutcomeError, UnavailableError),
        (TimeoutError(), UnknownOutcomeError, UnavailableError),
        (aiohttp.ServerDisconnectedError(), UnknownOutcomeError, UnavailableError),
        (aiohttp.ClientPayloadError("cut"), UnknownOutcomeError, UnavailableError),
        (aiohttp.ClientOSError(104, "Connection reset by peer"), UnknownOutcomeError, UnavailableError),
        (aiohttp.SocketTimeoutError(), UnknownOutcomeError, UnavailableError),
        (ConnectionResetError(104, "reset"), UnknownOutcomeError, UnavailableError),
        (KeyError("orderId"), UnknownOutcomeError, UnavailableError),
        (aiohttp.ContentTypeError(SimpleNamespace(real_url="u"), ()), UnknownOutcomeError, UnavailableError),
        (OSError(101, "Network is unreachable"), UnknownOutcomeError, UnavailableError),
        (AttributeError("'list' object has no attribute 'get'"), UnknownOutcomeError, UnavailableError),
        (aiohttp.ConnectionTimeoutError(), UnavailableError, UnavailableError),
        (
            aiohttp.ClientConnectorError(SimpleNamespace(host="h", port=1, ssl=True), OSError(111, "refused")),
            UnavailableError,
            UnavailableError,
        ),
    ],
)
def test_class_of_a_failure(failure, of_an_order, of_a_question):
    for changes_something, expected in ((True, of_an_order), (False, of_a_question)):
        error = classify(failure, changes_something=changes_something)
        assert type(error) is expected
        assert str(error)
        assert "\n" not in str(error)
        assert "bound method" not in str(error)


@given(st.integers(500, 599), st.sampled_from([{"code": -2010, "msg": "No."}, {}, PAGE, "", "null no json"]))
def test_no_answer_of_5xx_ever_says_that_an_order_was_not_placed(status, body):
    assert type(classify(answered(status, body), changes_something=True)) is UnknownOutcomeError


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7), ({"Retry-After": "0"}, 1), ({"Retry-After": "soon"}, 60), ({}, 60)],
)
def test_time_to_wait_is_the_exchange_s_or_a_minute(headers, seconds):
    error = classify(answered(429, {"code": -1003, "msg": "Too much."}, **headers), changes_something=False)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == seconds


def test_refusal_carries_code_and_words_of_the_exchange():
    error = classify(refused(-2010), changes_something=True)
    assert isinstance(error, RejectedError)
    assert (error.code, error.message, str(error)) == (-2010, "Because.", "Because. (-2010)")


class TestOverHttp:
    """The same through python-binance, with what the exchange has done meanwhile."""

    @pytest.fixture(autouse=True)
    def _impatient(self, gateway):
        gateway._client.REQUEST_TIMEOUT = 0.5

    async def order_fails(self, gateway, intent, kind: type[ExchangeError]) -> ExchangeError:
        with pytest.raises(ExchangeError) as failure:
            await gateway.place_order(intent())
        assert type(failure.value) is kind, repr(failure.value)
        assert "signature" not in str(failure.value)
        return failure.value

    @pytest.mark.parametrize("kind", ["drop_after", "timeout_after", "unknown_executed"])
    async def test_lost_answer_of_an_order_that_was_executed_is_unknown(self, gateway, exchange, intent, kind):
        await exchange.fault(kind, method="POST", path="order")
        await self.order_fails(gateway, intent, UnknownOutcomeError)
        report = await gateway.order("BTCUSDT", "bta-BTCUSDT-1")
        assert report is not None
        assert report.status == "FILLED"
        assert len([entry for entry in await exchange.log() if entry["method"] == "POST"]) == 1

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "unknown_not_executed"},
            {"kind": "http", "status": 503},
            {"kind": "http", "status": 502, "body": PAGE},
            {"kind": "http", "status": 500, "body": '{"code":-1001,"msg":"Internal error."}'},
            {"kind": "http", "status": 200, "body": PAGE},
            {"kind": "http", "status": 200, "body": "{}"},
            {"kind": "http", "status": 200, "body": '{"orderId":1'},
            {"kind": "http", "status": 200, "body": '{"symbol":"BTCUSDT","orderId":"many"}'},
            {"kind": "http", "status": 200, "body": ""},
        ],
    )
    async def test_answer_that_says_nothing_clear_leaves_the_order_unknown(self, gateway, exchange, intent, fault):
        await exchange.fault(**fault, method="POST", path="order")
        await self.order_fails(gateway, intent, UnknownOutcomeError)
        assert await gateway.order("BTCUSDT", "bta-BTCUSDT-1") is None

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "drop_after"},
            {"kind": "timeout_after"},
            {"kind": "unknown_executed"},
            {"kind": "http", "status": 503},
            {"kind": "http", "status": 403, "body": PAGE},
            {"kind": "http", "status": 200, "body": PAGE},
            {"kind": "http", "status": 200, "body": "{}"},
            {"kind": "http", "status": 200, "body": '{"balances":[{"asset":"BTC","free":"x","locked":"0"}]}'},
        ],
    )
    async def test_question_that_was_not_answered_is_unavailable(self, gateway, exchange, fault):
        # A dropped connection is tried again by aiohttp itself, which is harmless for a question.
        await exchange.fault(**fault, path="account", count=None)
        with pytest.raises(UnavailableError) as failure:
            await gateway.account()
        assert "signature" not in str(failure.value)
        assert "\n" not in str(failure.value)

    async def test_too_many_requests_silences_the_gateway_for_the_time_that_was_named(self, gateway, exchange):
        await exchange.fault("http", status=429, retry_after_seconds=1, path="ticker/bookTicker")
        began = monotonic_seconds()
        with pytest.raises(RateLimitedError) as failure:
            await gateway.book_ticker("BTCUSDT")
        assert failure.value.retry_after_seconds == 1
        sent = len(await exchange.log())
        while monotonic_seconds() - began < 5:
            try:
                await gateway.account()
            except RateLimitedError:
                await sleep_seconds(0.1)
            else:
                break
        assert 0.9 < monotonic_seconds() - began < 4.5, "asking meanwhile does not prolong the silence"
        assert len(await exchange.log()) == sent + 1

    async def test_order_that_is_cancelled_on_its_way_is_cancelled_and_may_be_asked_about(
        self, gateway, exchange, intent
    ):
        await exchange.fault("latency", ms=200, method="POST", path="order")
        placing = spawn(gateway.place_order(intent()), name="order")
        while not any(entry["method"] == "POST" for entry in await exchange.log()):
            await sleep_seconds(0.005)
        placing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await placing
        assert gateway.breaker.state == "closed"
        report = None
        while report is None:
            report = await gateway.order("BTCUSDT", "bta-BTCUSDT-1")
        assert report.status == "FILLED", "whoever asked for it keeps it as sent, and asks"

    async def test_ban_is_a_ban(self, gateway, exchange, intent):
        await exchange.fault("http", status=418, retry_after_seconds=120, path="order")
        error = await self.order_fails(gateway, intent, BannedError)
        assert isinstance(error, BannedError)
        assert error.retry_after_seconds == 120
        again = await self.order_fails(gateway, intent, RateLimitedError)
        assert "asked us to wait" in str(again)
        assert len([entry for entry in await exchange.log() if entry["method"] == "POST"]) == 1

    @pytest.mark.parametrize(
        ("key", "secret"),
        [(API_KEY, "X" * 64), ("Z" * 64, API_SECRET), ("short", API_SECRET), (READING_API_KEY, API_SECRET)],
    )
    async def test_wrong_keys_are_told_as_such_and_never_shown(self, exchange, intent, key, secret):
        async with BinanceGateway(simulated(exchange.url), key, secret, ScaledClock()) as gateway:
            error = await self.order_fails(gateway, intent, AuthError)
        assert key not in str(error)
        assert secret not in str(error)

    async def test_exchange_that_is_not_there_was_never_asked(self, unused_tcp_port, intent):
        endpoints = simulated(f"http://127.0.0.1:{unused_tcp_port}")
        async with BinanceGateway(endpoints, API_KEY, API_SECRET, ScaledClock()) as gateway:
            await self.order_fails(gateway, intent, UnavailableError)

    async def test_json_that_is_no_object_is_unknown_for_an_order(self, intent):
        async def answer(request: web.Request) -> web.Response:
            return web.Response(status=400, text="null", content_type="application/json")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        endpoints = simulated(f"http://127.0.0.1:{runner.addresses[0][1]}")
        async with BinanceGateway(endpoints, API_KEY, API_SECRET, ScaledClock()) as gateway:
            await self.order_fails(gateway, intent, UnknownOutcomeError)
        await runner.cleanup()
