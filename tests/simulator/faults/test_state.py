"""Faults that change the exchange itself."""

import pytest
from binance.exceptions import BinanceAPIException

from binance_trade_agent.ops.clock import wall_ms
from tests.exchange_process import API_KEY, running_exchange
from tests.simulator.order_calls import place, refusal
from tests.simulator.ws_api.client import ws_client


async def test_c58_used_weight_refuses_the_next_request(exchange, raw):
    await exchange.fault("weight", used=5990)
    reply = await raw.get("exchangeInfo")
    text = (
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    assert reply.error == (429, -1003, text)
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    assert (await raw.get("ping")).status == 200


async def test_ban_shuts_every_door(exchange, raw):
    await exchange.control("fault", ban={"seconds": 30})
    reply = await raw.get("ping")
    assert reply.error[:2] == (418, -1003)
    assert "IP banned until" in reply.json["msg"]
    assert 1 <= int(reply.headers["Retry-After"]) <= 30
    with pytest.raises(Exception, match="418"):
        async with ws_client(exchange.url):
            pass


async def test_ban_can_wait_for_a_request(exchange, raw):
    await exchange.fault("ban", path="time")
    assert (await raw.get("ping")).status == 200
    assert (await raw.get("time")).status == 418


async def test_used_orders_refuse_the_next_order(exchange, client):
    await exchange.fault("orders_used", n=50)
    assert await refusal(place(client, quantity="0.01", price="90000")) == (
        429, -1015, "Too many new orders; current limit is 50 orders per 10 SECOND.",
    )  # fmt: skip


@pytest.mark.parametrize("ms", [-30_000, 30_000])
async def test_clock_that_is_off_shows_and_refuses_until_it_is_measured_again(exchange, client, ms):
    number = await exchange.fault("clock_skew", ms=ms)
    server_ms = (await client.get_server_time())["serverTime"]
    assert abs(server_ms - wall_ms() - ms) < 10_000
    assert (await refusal(client.get_account()))[:2] == (400, -1021)
    client.timestamp_offset = server_ms - wall_ms()
    assert await client.get_account()
    await exchange._request("DELETE", f"fault/{number}", None)
    client.timestamp_offset = 0
    assert await client.get_account()


async def test_revoked_key_is_unknown_until_the_fault_ends(exchange, client):
    number = await exchange.fault("revoke_key", key=API_KEY)
    assert (await refusal(client.get_account()))[:2] == (401, -2015)
    await exchange._request("DELETE", f"fault/{number}", None)
    assert await client.get_account()


async def test_monthly_reset_forgets_orders_and_refills_balances(exchange, client):
    for kind, params in (("MARKET", {"quantity": "0.1"}), ("LIMIT", {"quantity": "0.1", "price": "90000"})):
        await place(client, kind=kind, **params)
    stop = {"quantity": "0.1", "price": "94900", "stopPrice": "95000", "timeInForce": "GTC"}
    await place(client, side="SELL", kind="STOP_LOSS_LIMIT", **stop)
    before = await exchange.state()
    await exchange.fault("monthly_reset")
    after = await exchange.state()
    assert (after["orders"], after["fees"]) == ([], {})
    held = {row["asset"]: (float(row["free"]), float(row["locked"])) for row in after["balances"]["main"]}
    assert (held["USDT"], held["BTC"]) == ((100_000, 0), (1, 0))
    assert (await refusal(client.get_order(symbol="BTCUSDT", orderId=1)))[1] == -2013
    assert await client.get_my_trades(symbol="BTCUSDT") == []
    assert (await place(client, quantity="0.1", price="90000"))["orderId"] == 1
    assert after["sequence"]["BTCUSDT"]["tradeId"] == before["sequence"]["BTCUSDT"]["tradeId"]


async def test_reset_is_kept_over_a_restart(tmp_path):
    options = {"speed": None, "state": tmp_path / "state", "balances": {"USDT": 1000}}
    async with running_exchange(**options) as exchange:
        client = await exchange.client()
        await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="100")
        await exchange.fault("monthly_reset")
        await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="50")
        before = await exchange.state()
    async with running_exchange(**options) as exchange:
        after = await exchange.state()
    assert [row["orderId"] for row in after["orders"]] == [1]
    assert {name: after[name] for name in ("orders", "balances", "fees")} == {
        name: before[name] for name in ("orders", "balances", "fees")
    }


async def test_exchange_reset_ends_all_faults(exchange, client):
    await exchange.fault("revoke_key", key=API_KEY)
    await exchange.fault("http", count=None)
    await exchange.control("reset", fixture="F0")
    assert await client.get_account()


async def test_fault_begins_and_ends_in_market_time():
    async with running_exchange(speed=None) as exchange:
        client = await exchange.client()
        await exchange.fault("http", at_seconds=10, for_seconds=10)
        seen = []
        for _ in range(4):
            try:
                await client.ping()
                seen.append(200)
            except BinanceAPIException as failure:
                seen.append(failure.status_code)
            await exchange.advance(8_000)
        assert seen == [200, 200, 503, 200]
