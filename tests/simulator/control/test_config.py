"""POST /sim/config: each setting by its effect."""

import base64
from decimal import Decimal

import aiohttp
import pytest

from tests.simulator.order_calls import balance, place, refusal
from tests.simulator.signing import ed25519_pair, rsa_pair
from tests.simulator.ws_api.client import EVENTS, ws_client

KEY = "T" * 64
RESTING = {"quantity": "0.01", "price": "90000"}


@pytest.mark.parametrize("pair", [ed25519_pair, rsa_pair])
async def test_public_key_is_registered_as_pem(exchange, pair):
    keys = pair()
    await exchange.control("config", api_key={"key": KEY, "public_key": keys.public_pem})
    client = await exchange.client(KEY, None, private_key=keys.private_pem)
    assert Decimal((await client.get_asset_balance(asset="BTC"))["free"]) == 1


@pytest.mark.parametrize("setting", ["keys", "apiKey"])
async def test_key_is_registered_under_the_names_of_other_programs(exchange, setting):
    keys = ed25519_pair()
    entry = {"apiKey": KEY, "publicKey": keys.public_pem, "type": "ED25519"}
    await exchange.control("config", **{setting: [entry] if setting == "keys" else entry})
    assert await (await exchange.client(KEY, None, private_key=keys.private_pem)).get_account()


async def test_public_key_is_registered_as_base64(exchange):
    keys = ed25519_pair()
    der = base64.b64decode("".join(keys.public_pem.splitlines()[1:-1]))
    for text in (base64.b64encode(der).decode(), base64.b64encode(der[-32:]).decode()):
        await exchange.control("config", api_key={"key": KEY, "public_key": text})
        client = await exchange.client(KEY, None, private_key=keys.private_pem)
        assert await client.get_account()


async def test_account_of_its_own_trades_with_its_own_key(exchange, client):
    await exchange.control(
        "config",
        account={"name": "second", "balances": {"USDT": "1000"}},
        api_key={"key": KEY, "secret": "s", "account": "second", "permissions": ["TRADE", "USER_DATA"]},
    )
    second = await exchange.client(KEY, "s")
    await place(second, **RESTING)
    assert await balance(second, "USDT") == (100, 900)
    assert await balance(client, "USDT") == (100_000, 0)
    assert await client.get_open_orders() == []


async def test_revoked_key_is_refused(exchange, client):
    await exchange.control("config", revoke_api_key="K" * 64)
    assert (await refusal(client.get_account()))[:2] == (401, -2015)


@pytest.mark.parametrize(("amount", "free"), [("25.5", 100_025.5), ("-100000", 0)])
async def test_deposit_and_withdrawal_are_told(exchange, client, amount, free):
    async with ws_client(exchange.url) as ws:
        await ws.signed(EVENTS)
        await exchange.control("config", deposit={"asset": "USDT", "amount": amount})
        event = (await ws.receive())["event"]
        assert (event["e"], event["a"], Decimal(event["d"])) == ("balanceUpdate", "USDT", Decimal(amount))
    assert (await balance(client, "USDT"))[0] == Decimal(str(free))
    await exchange.state()


async def test_commission_and_discount(exchange, client):
    await exchange.control("config", commission={"maker": "0", "taker": "0.002"})
    order = await client.order_market_buy(symbol="BTCUSDT", quantity="0.1")
    assert Decimal(order["fills"][0]["commission"]) == Decimal("0.0002")
    await exchange.control(
        "config", deposit={"asset": "BNB", "amount": 1}, bnb_discount={"enabled": True, "rate": "0.5"}
    )
    order = await client.order_market_buy(symbol="BTCUSDT", quantity="0.1")
    fill = order["fills"][0]
    assert (fill["commissionAsset"], Decimal(fill["commission"])) == ("BNB", Decimal("0.0125"))


async def test_symbol_is_halted_and_its_filters_change(exchange, client):
    await exchange.control(
        "config",
        symbol={
            "symbol": "BTCUSDT",
            "filters": [{"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "9", "stepSize": "1"}],
            "remove_filters": ["NOTIONAL"],
            "fields": {"allowedSelfTradePreventionModes": ["EXPIRE_TAKER"], "icebergAllowed": False},
        },
    )
    order = {**RESTING, "selfTradePreventionMode": "EXPIRE_TAKER"}
    assert (await refusal(place(client, **order)))[2] == "Filter failure: LOT_SIZE"
    entry = await client.get_symbol_info("BTCUSDT")
    assert [each["minQty"] for each in entry["filters"] if each["filterType"] == "LOT_SIZE"] == ["1"]
    assert (entry["allowedSelfTradePreventionModes"], entry["icebergAllowed"]) == (["EXPIRE_TAKER"], False)
    await exchange.control("config", symbol={"symbol": "ETHUSDT", "status": "BREAK"})
    order = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    assert (await refusal(client.create_order(**order)))[1:] == (-2010, "Market is closed.")


async def test_permission_of_an_account_opens_a_symbol(exchange):
    await exchange.control("reset", fixture="F2")
    client = await exchange.client()
    order = {"symbol": "BNBUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    assert "not permitted" in (await refusal(client.create_order(**order)))[2]
    await exchange.control("config", account_permissions={"permissions": ["SPOT", "TRD_GRP_050"]})
    assert (await client.create_order(**order))["status"] == "FILLED"


async def test_cancelled_order_keeps_its_client_id_when_asked_to(exchange, client):
    await exchange.control("config", cancel_replaces_client_id=False)
    await place(client, newClientOrderId="kept", **RESTING)
    await client.cancel_order(symbol="BTCUSDT", origClientOrderId="kept")
    assert (await client.get_order(symbol="BTCUSDT", origClientOrderId="kept"))["status"] == "CANCELED"


async def test_refused_orders_are_reported_when_asked_to(exchange, client):
    await exchange.control("config", rejected_reports=True)
    async with ws_client(exchange.url) as ws:
        await ws.signed(EVENTS)
        await refusal(place(client, quantity="2", price="99000"))
        event = (await ws.receive())["event"]
        assert (event["x"], event["r"]) == ("REJECTED", "INSUFFICIENT_BALANCES")


@pytest.mark.parametrize(("is_consumed", "price"), [(True, 100_010), (False, 100_000)])
async def test_liquidity_is_consumed_or_not(exchange, client, is_consumed, price):
    await exchange.control("config", liquidity_is_consumed=is_consumed)
    await client.order_market_buy(symbol="BTCUSDT", quantity="0.5")
    await client.order_market_sell(symbol="BTCUSDT", quantity="0.5")
    await client.order_market_buy(symbol="BTCUSDT", quantity="0.4")
    order = await client.order_market_buy(symbol="BTCUSDT", quantity="0.2")
    assert Decimal(order["fills"][-1]["price"]) == price


async def test_websocket_age_is_bounded(exchange):
    await exchange.control("config", websocket={"age_seconds": 0.1, "ping_seconds": 0.05})
    for path in ("/ws", "/ws-api/v3"):
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.url}{path}") as socket:
            assert (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"apikey": {}}, "config key 'apikey' is unknown, known are .*; did you mean api_key"),
        ({"api_key": {"key": "short", "secret": "s"}}, "'key' must be 64 letters and digits"),
        ({"api_key": {"key": KEY}}, "needs either the field 'secret'"),
        ({"api_key": {"key": KEY, "public_key": "nonsense"}}, "a public key must be"),
        ({"api_key": {"key": KEY, "secret": "s", "account": "man"}}, "account 'man' is unknown.*did you mean main"),
        ({"api_key": {"key": KEY, "secret": "s", "permissions": ["TRAD"]}}, "api_key field 'permissions'"),
        ({"revoke_api_key": "x"}, "must be a key that is registered"),
        ({"account": {"name": "main"}}, "account 'main' exists already"),
        ({"account": {"name": "a", "balances": {"BTC": -1}}}, "must not be below 0"),
        ({"deposit": {"asset": "USDT", "amount": "-1e9"}}, "is free"),
        ({"commission": {"maker": 2, "taker": 0}}, "maker must be a fraction"),
        ({"symbol": {"symbol": "BTCUSDT", "status": "BRAKE"}}, "did you mean BREAK"),
        ({"symbol": {"symbol": "BTCUSDT", "fields": {"icebergAlowed": True}}}, "did you mean icebergAllowed"),
        (
            {"symbol": {"symbol": "BTCUSDT", "filters": [{"filterType": "LOT_SIZE"}]}},
            "one of them has no field 'minQty'",
        ),
        ({"cancel_replaces_client_id": 1}, "must be true or false"),
        ({"websocket": {"age_seconds": 0}}, "must be above 0"),
    ],
)
async def test_mistake_is_one_sentence(exchange, body, sentence):
    with pytest.raises(AssertionError, match=sentence):
        await exchange.control("config", **body)
