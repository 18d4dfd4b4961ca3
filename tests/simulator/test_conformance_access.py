"""Keys, signatures and timestamps over HTTP: C16 to C24 of binance-protocol.md 7a, and what else 2.1 to 2.5 say."""

import asyncio
import itertools
from urllib.parse import quote

import aiohttp
import pytest

from binance_trade_agent.ops.clock import wall_ms
from tests.exchange_process import API_KEY, READING_API_KEY
from tests.simulator.signing import ed25519_pair, rsa_pair, sign

ORDER = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=90000"
BAD_SIGNATURE = (400, -1022, "Signature for this request is not valid.")
TOO_OLD = (400, -1021, "Timestamp for this request is outside of the recvWindow.")
TOO_NEW = (400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
REFUSED = (401, -2015, "Invalid API-key, IP, or permissions for action.")
MALFORMED_KEY = (401, -2014, "API-key format invalid.")
NO_TIMESTAMP = (400, -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.")
NO_SIGNATURE = (400, -1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
LIMIT_TEXT = (
    "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
    "Please use WebSocket Streams for live updates to avoid polling the API."
)
pytestmark = pytest.mark.usefixtures("young_minute")
PAIRS = {"E" * 64: ed25519_pair, "A" * 64: rsa_pair}


async def send(raw, method="POST", path="order", query="", body=None, key=API_KEY):
    headers = {} if key is None else {"X-MBX-APIKEY": key}
    return await raw.send(method, f"/api/v3/{path}", query, body, **headers)


def now(payload: str = "") -> str:
    return f"{payload}{'&' if payload else ''}timestamp={wall_ms()}"


@pytest.mark.parametrize("case", [str.lower, str.upper])
async def test_c16_hex_signature_in_either_case(raw, case):
    payload = now()
    reply = await send(raw, "GET", "account", f"{payload}&signature={case(sign(payload))}")
    assert reply.status == 200
    free = {row["asset"]: row["free"] for row in reply.json["balances"]}
    assert (free["BTC"], free["USDT"], reply.json["makerCommission"]) == ("1.00000000", "100000.00000000", 10)


async def test_c17_query_and_body_are_signed_without_separator(raw):
    query, body = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC", now("quantity=0.01&price=90000")
    reply = await send(raw, query=query, body=f"{body}&signature={sign(query + body)}")
    assert (reply.status, reply.json["status"]) == (200, "NEW")
    reply = await send(raw, query=query, body=f"{body}&signature={sign(f'{query}&{body}')}")
    assert reply.error == BAD_SIGNATURE


async def test_c18_one_wrong_digit_spoils_the_signature(raw):
    payload = now()
    signature = sign(payload)
    wrong = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    assert (await send(raw, "GET", "account", f"{payload}&signature={wrong}")).error == BAD_SIGNATURE


async def test_c19_missing_malformed_and_unknown_keys(raw):
    for key, error in (
        (None, MALFORMED_KEY),
        ("", MALFORMED_KEY),
        ("K" * 63, MALFORMED_KEY),
        ("K" * 63 + "-", MALFORMED_KEY),
        ("X" * 64, REFUSED),
    ):
        payload = now()
        assert (await send(raw, "GET", "account", f"{payload}&signature={sign(payload)}", key=key)).error == error


async def test_c20_key_that_may_only_read_places_nothing(raw, exchange):
    payload = now(ORDER)
    reply = await send(raw, body=f"{payload}&signature={sign(payload)}", key=READING_API_KEY)
    assert reply.error == REFUSED
    assert (await exchange.state())["orders"] == []
    payload = now()
    assert (
        await send(raw, "GET", "account", f"{payload}&signature={sign(payload)}", key=READING_API_KEY)
    ).status == 200


async def test_c21_old_timestamp_needs_a_wider_window(raw):
    assert (await raw.signed("GET", "account", timestamp=wall_ms() - 6000)).error == TOO_OLD
    assert (await raw.signed("GET", "account", timestamp=wall_ms() - 6000, recvWindow=60000)).status == 200
    too_wide = await raw.signed("GET", "account", recvWindow=60001)
    assert too_wide.error == (400, -1102, "'recvWindow' contains unexpected value. Cannot be greater than 60000.")


async def test_c22_timestamp_ahead_of_the_server(raw):
    assert (await raw.signed("GET", "account", timestamp=wall_ms() + 20_000)).error == TOO_NEW


async def test_timestamp_in_microseconds(raw):
    assert (await raw.signed("GET", "account", timestamp=wall_ms() * 1000 + 999)).status == 200
    assert (await raw.signed("GET", "account", timestamp=(wall_ms() - 6000) * 1000)).error == TOO_OLD
    assert (await raw.signed("GET", "account", timestamp=(wall_ms() + 20_000) * 1000)).error == TOO_NEW


async def test_c23_signed_request_needs_timestamp_and_signature(raw):
    assert (
        await send(raw, "GET", "account", f"recvWindow=5000&signature={sign('recvWindow=5000')}")
    ).error == NO_TIMESTAMP
    assert (await send(raw, "GET", "account", now())).error == NO_SIGNATURE


@pytest.mark.parametrize("key", PAIRS)
async def test_c24_client_with_a_pem(exchange, key):
    pair = PAIRS[key]()
    exchange.register(key, pair.public_pem)
    client = await exchange.client(key, None, private_key=pair.private_pem)
    limit = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.1",
        "price": "99000",
    }
    assert (await client.get_account())["accountType"] == "SPOT"
    assert await client.create_test_order(**limit) == {}
    assert (await exchange.state())["orders"] == []
    order = await client.create_order(**limit)
    assert (await client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"]))["status"] == "CANCELED"
    async with exchange.socket_manager(client).user_socket() as user:
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
        assert (await asyncio.wait_for(user.recv(), 20))["x"] == "NEW"


@pytest.mark.parametrize("key", PAIRS)
async def test_base64_signature_is_percent_encoded_and_case_sensitive(raw, exchange, key):
    pair = PAIRS[key]()
    exchange.register(key, pair.public_pem)
    payload = now(ORDER)
    signature = pair.sign(payload)
    assert (await send(raw, body=f"{payload}&signature={quote(signature, safe='')}", key=key)).status == 200
    lower = quote(signature, safe="").replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d")
    assert (await send(raw, body=f"{payload}&signature={lower}", key=key)).status == 200
    swapped = quote(signature.swapcase(), safe="")
    assert (await send(raw, body=f"{payload}&signature={swapped}", key=key)).error == BAD_SIGNATURE


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_signature_may_stand_anywhere(raw, method):
    for place, in_body in itertools.product(("first", "middle", "last"), (True, False)):
        if method == "DELETE":
            await raw.order(type="LIMIT", timeInForce="GTC", quantity="0.01", price="90000", newClientOrderId="mine")
        pairs = now(ORDER if method == "POST" else "symbol=BTCUSDT&origClientOrderId=mine").split("&")
        signature = f"signature={sign('&'.join(pairs))}"
        pairs.insert({"first": 0, "middle": len(pairs) // 2, "last": len(pairs)}[place], signature)
        sent = "&".join(pairs)
        reply = await send(raw, method, body=sent) if in_body else await send(raw, method, query=sent)
        assert reply.status == 200


@pytest.mark.parametrize("in_query", [True, False])
async def test_signature_in_one_half_covers_both(raw, in_query):
    query, body = "symbol=BTCUSDT&side=BUY&type=LIMIT", now("timeInForce=GTC&quantity=0.01&price=90000")
    signature = f"signature={sign(query + body)}"
    halves = (f"{query}&{signature}", body) if in_query else (query, f"{signature}&{body}")
    assert (await send(raw, query=halves[0], body=halves[1])).status == 200


async def test_query_wins_over_body(raw):
    query, body = "price=80000&type=LIMIT", now(ORDER)
    reply = await send(raw, query=query, body=f"{body}&signature={sign(query + body)}")
    assert reply.json["price"] == "80000.00000000"


async def test_doubled_signature_is_refused(raw):
    payload = now()
    signature = f"signature={sign(payload)}"
    reply = await send(raw, "GET", "account", f"{signature}&{payload}&{signature}")
    assert reply.error == (400, -1101, "Duplicate values for a parameter detected.")


@pytest.mark.parametrize(
    "payload", ["symbol=BTC\u00c9USDT", 'symbol=["BTCUSDT"]', "symbol=BTC|USDT", "symbol=BTC\uff11"]
)
@pytest.mark.parametrize("in_body", [True, False])
async def test_payload_that_is_not_percent_encoded_is_not_signed(raw, payload, in_body):
    signed = now(payload)
    sent = f"{signed}&signature={sign(signed)}"
    if in_body:
        reply = await send(raw, "DELETE", "openOrders", body=sent)
    else:
        reply = await send(raw, "GET", "openOrders", sent)
    assert reply.status == 400
    if payload.isascii() or in_body:  # aiohttp itself refuses a request line that is not ASCII
        assert reply.json["code"] in {-1022, -1100}


async def test_percent_encoding_of_either_case_is_signed_as_it_was_sent(raw):
    for symbol in ("%EF%BC%91", "%ef%bc%91"):
        payload = now(f"symbol={symbol}")
        reply = await send(raw, "GET", "openOrders", f"{payload}&signature={sign(payload)}")
        assert reply.error == (400, -1121, "Invalid symbol.")


async def test_signature_is_over_the_bytes_that_were_sent(raw):
    payload = now("symbol=%42TCUSDT")
    assert (await send(raw, "GET", "openOrders", f"{payload}&signature={sign(payload)}")).json == []
    decoded = payload.replace("%42", "B")
    assert (await send(raw, "GET", "openOrders", f"{payload}&signature={sign(decoded)}")).error == BAD_SIGNATURE


async def test_bytes_that_are_no_text_are_refused(exchange):
    """Written on the wire by hand: no client library sends them."""
    host, port = exchange.url.removeprefix("http://").split(":")
    for target in (b"account?timestamp=1&signature=\xff", b"time?\xff=\xfe", b"ticker/price?symbol=\xff\xfe", b"\xff"):
        reader, writer = await asyncio.open_connection(host, int(port))
        key = f"X-MBX-APIKEY: {API_KEY}".encode()
        writer.write(b"GET /api/v3/" + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + key + b"\r\n\r\n")
        status = int((await asyncio.wait_for(reader.read(), 5)).split(b" ", 2)[1])
        assert 400 <= status < 500
        writer.close()
    await exchange.log()


async def test_connector_and_ccxt_forms_are_accepted(raw):
    payload = now(ORDER)
    signed = f"{payload}&signature={sign(payload)}"
    headers = {"X-MBX-APIKEY": API_KEY, "Content-Type": "application/json"}
    assert (await raw.send("POST", "/api/v3/order/test", signed, **headers)).json == {}
    assert (await raw.send("POST", "/api/v3/order/test", signed, **{"X-MBX-APIKEY": API_KEY})).json == {}


@pytest.mark.parametrize("unit", ["MICROSECOND", "microsecond"])
async def test_times_are_in_microseconds_on_request(raw, unit):
    server_ms = (await raw.get("time")).json["serverTime"]
    server_us = (await raw.send("GET", "/api/v3/time", **{"X-MBX-TIME-UNIT": unit})).json["serverTime"]
    assert 0 <= server_us - server_ms * 1000 < 5_000_000
    klines = await raw.send("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1m&limit=1", **{"X-MBX-TIME-UNIT": unit})
    assert (klines.json[0][0] % 60_000_000, klines.json[0][6] - klines.json[0][0]) == (0, 59_999_999)


async def test_unknown_time_unit_is_refused_and_nothing_is_carried_out(raw, exchange):
    payload = now(ORDER)
    headers = {"X-MBX-APIKEY": API_KEY, "X-MBX-TIME-UNIT": "SECOND"}
    reply = await raw.send("POST", "/api/v3/order", f"{payload}&signature={sign(payload)}", **headers)
    assert (reply.status, reply.json["code"]) == (400, -1100)
    assert (await exchange.state())["orders"] == []


async def test_faults_of_public_parameters(raw):
    for path, query, code in (
        ("time", "a=1", -1101),
        ("depth", "symbol=BTCUSDT&symbol=BTCUSDT", -1101),
        ("depth", "limit=5", -1102),
        ("depth", "symbol=BTCUSDT&foo=1", -1104),
        ("depth", "symbol=", -1105),
        ("depth", "symbol=btcusdt", -1100),
        ("depth", f"symbol=BTCUSDT&limit={2**63}", -1108),
        ("depth", "symbol=BTCUSDT&limit=0", -1130),
        ("depth", "symbol=NOPE", -1121),
    ):
        reply = await raw.get(path, query)
        assert (reply.status, reply.json["code"]) == (400, code), query


async def test_revoked_key_is_refused_until_it_is_registered_again(raw, exchange):
    access = exchange.simulation.exchange.access
    key = next(key for key in access.keys if key.key == API_KEY)
    access.revoke(API_KEY)
    assert (await raw.signed("GET", "account")).error == REFUSED
    access.register(key)
    assert (await raw.signed("GET", "account")).status == 200


async def test_order_counts_belong_to_the_account_not_to_the_key(raw, exchange):
    exchange.register("E" * 64, ed25519_pair().public_pem)
    first = await raw.order(type="LIMIT", timeInForce="GTC", quantity="0.01", price="90000")
    payload = now(ORDER)
    second = await send(raw, body=f"{payload}&signature={ed25519_pair().sign_for_url(payload)}", key="E" * 64)
    counts = [int(reply.headers["X-MBX-ORDER-COUNT-1D"]) for reply in (first, second)]
    assert counts == [1, 2]


async def test_limits_are_of_the_address(raw, exchange):
    """C58, and a second address that is none the wiser."""
    simulation = exchange.simulation
    simulation.limits.of("127.0.0.1").set_used(5990, simulation.exchange.limits_now_ms())
    reply = await raw.get("exchangeInfo")
    assert reply.error == (429, -1003, LIMIT_TEXT)
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with (
        aiohttp.ClientSession(connector=connector) as other,
        other.get(f"{exchange.url}/api/v3/exchangeInfo") as answer,
    ):
        assert (answer.status, answer.headers["x-mbx-used-weight-1m"]) == (200, "20")


async def test_repeated_refusals_end_in_a_ban_at_every_door(raw, exchange):
    simulation = exchange.simulation
    now_ms = simulation.exchange.limits_now_ms()
    simulation.limits.of("127.0.0.1").set_used(6000, now_ms)
    assert [(await raw.get("ping")).status for _ in range(10)] == [429] * 10
    banned = await raw.get("nope")
    assert (banned.status, banned.json["code"]) == (418, -1003)
    assert 118 <= int(banned.headers["Retry-After"]) <= 120
    until_ms = int(banned.json["msg"].split("until ")[1].split(".")[0])
    assert 119_000 <= until_ms - now_ms <= 125_000
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{exchange.url}/ws-api/v3")
        assert refused.value.status == 418


async def test_every_api_answer_shows_the_weight(raw):
    used = []
    for path in ("ping", "nope", "klines", "userDataStream", "time?foo=1"):
        reply = await raw.get(*path.split("?"))
        assert len(reply.headers["x-mbx-uuid"]) >= 32
        assert reply.headers["x-mbx-used-weight"] == reply.headers["x-mbx-used-weight-1m"]
        used.append(int(reply.headers["x-mbx-used-weight-1m"]))
    assert used == [1, 1, 3, 3, 4]


async def test_orders_are_free_when_they_succeed_and_cost_when_they_fail(raw):
    async def used_after(**order: str) -> int:
        return int(
            (await raw.order(type="LIMIT", timeInForce="GTC", quantity="0.01", **order)).headers["x-mbx-used-weight-1m"]
        )

    assert await used_after(price="90000") == 0
    assert await used_after(price="99000.005") == 1


async def test_fifty_orders_fit_into_ten_seconds(raw, exchange):
    counts = exchange.simulation.exchange.order_count("main")
    counts.set_used(49, exchange.simulation.exchange.limits_now_ms())
    order = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "90000"}
    last = await raw.order(**order)
    assert (last.status, last.headers["x-mbx-order-count-10s"]) == (200, "50")
    refused = await raw.order(**order)
    assert refused.error == (429, -1015, "Too many new orders; current limit is 50 orders per 10 SECOND.")
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    assert "x-mbx-order-count-10s" not in refused.headers
