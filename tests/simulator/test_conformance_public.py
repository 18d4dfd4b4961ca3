"""Conformance checks of binance-protocol.md 7a that need no key: C01 to C15."""

from itertools import pairwise

import pytest
from binance.exceptions import BinanceAPIException

from binance_trade_agent.domain.candles import MINUTE_MS

SYMBOL_KEYS = {
    "symbol", "status", "baseAsset", "baseAssetPrecision", "quoteAsset", "quotePrecision", "quoteAssetPrecision",
    "baseCommissionPrecision", "quoteCommissionPrecision", "orderTypes", "icebergAllowed", "ocoAllowed", "otoAllowed",
    "opoAllowed", "quoteOrderQtyMarketAllowed", "allowTrailingStop", "cancelReplaceAllowed", "amendAllowed",
    "pegInstructionsAllowed", "isSpotTradingAllowed", "isMarginTradingAllowed", "filters", "permissions",
    "permissionSets", "defaultSelfTradePreventionMode", "allowedSelfTradePreventionModes",
}  # fmt: skip


async def test_c01_client_pings_and_reads_the_time(exchange, client):
    assert [(entry["method"], entry["target"]) for entry in await exchange.log()] == [
        ("GET", "/api/v3/ping"),
        ("GET", "/api/v3/time"),
    ]
    assert abs(client.timestamp_offset) < 1000


async def test_c02_exchange_info_has_limits_and_counts_weight(raw):
    first, second = await raw.get("exchangeInfo"), await raw.get("exchangeInfo")
    assert first.headers["Content-Type"].startswith("application/json")
    used = [int(reply.headers["x-mbx-used-weight-1m"]) for reply in (first, second)]
    assert used[1] - used[0] == 20 or used == [20, 20]  # the minute may have turned
    limits = [(limit["rateLimitType"], limit["limit"], limit["interval"]) for limit in first.json["rateLimits"]]
    assert limits == [
        ("REQUEST_WEIGHT", 6000, "MINUTE"),
        ("ORDERS", 50, "SECOND"),
        ("ORDERS", 160000, "DAY"),
        ("RAW_REQUESTS", 300000, "MINUTE"),
    ]


async def test_c03_exchange_info_takes_arrays_raw_and_encoded(raw):
    for query in ('symbols=["BTCUSDT","ETHUSDT"]', "symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D"):
        reply = await raw.get("exchangeInfo", query)
        assert [entry["symbol"] for entry in reply.json["symbols"]] == ["BTCUSDT", "ETHUSDT"]
        assert all(entry.keys() == SYMBOL_KEYS for entry in reply.json["symbols"])
        price_filter = reply.json["symbols"][0]["filters"][0]
        assert price_filter["tickSize"] == "0.01000000"


async def test_c04_unknown_symbol_is_refused(raw):
    assert (await raw.get("exchangeInfo", "symbol=NOPEUSDT")).error == (400, -1121, "Invalid symbol.")
    repeated = await raw.get("exchangeInfo", 'symbols=["BTCUSDT","BTCUSDT"]')
    assert repeated.error == (400, -1151, "Symbol is present multiple times in the list.")


async def test_c06_klines_end_with_the_open_candle(client):
    rows = await client.get_klines(symbol="BTCUSDT", interval="1m", limit=5)
    now_ms = (await client.get_server_time())["serverTime"]
    assert [len(row) for row in rows] == [12] * 5
    assert all(isinstance(row[index], int) == (index in {0, 6, 8}) for row in rows for index in range(12))
    assert [later[0] - row[0] for row, later in pairwise(rows)] == [MINUTE_MS] * 4
    assert all(row[6] == row[0] + MINUTE_MS - 1 for row in rows)
    assert rows[-1][6] >= now_ms - 1000


async def test_c07_kline_limit_is_clamped_and_must_be_a_number(raw):
    rows = await raw.get("klines", "symbol=BTCUSDT&interval=1m&limit=2000")
    assert len(rows.json) == 1000
    assert (await raw.get("klines", "symbol=BTCUSDT&interval=1m&limit=abc")).error[:2] == (400, -1100)
    assert (await raw.get("klines", "symbol=BTCUSDT&interval=1m&limit=0")).error[:2] == (400, -1130)


async def test_c08_klines_are_selected_by_open_time(raw):
    at_ms = (await raw.get("klines", "symbol=BTCUSDT&interval=1m&limit=100")).json[0][0]

    async def opens(query: str) -> list[int]:
        reply = await raw.get("klines", f"symbol=BTCUSDT&interval=1m&{query}")
        return [(row[0] - at_ms) // MINUTE_MS for row in reply.json]

    assert await opens(f"startTime={at_ms}&endTime={at_ms + 180_000}") == [0, 1, 2, 3]
    assert await opens(f"startTime={at_ms}&limit=2") == [0, 1]
    assert await opens(f"endTime={at_ms}&limit=2") == [-1, 0]


async def test_c09_daily_klines_follow_the_time_zone_and_weeks_open_on_monday(raw):
    daily = await raw.get("klines", "symbol=BTCUSDT&interval=1d&timeZone=8")
    assert {row[0] % 86_400_000 for row in daily.json} == {57_600_000}
    weekly = await raw.get("klines", "symbol=BTCUSDT&interval=1w")
    assert {(row[0] // 86_400_000 + 3) % 7 for row in weekly.json} == {0}


async def test_c10_unknown_interval_is_refused(raw):
    reply = await raw.get("klines", "symbol=BTCUSDT&interval=7m")
    assert reply.error == (400, -1120, "Invalid interval.")


async def test_historical_klines_go_back_to_the_first_candle(client):
    rows = await client.get_historical_klines("BTCUSDT", "1m", start_str=0)
    assert len(rows) in {3000, 3001}  # the minute may have turned


async def test_c12_depth_shows_the_book_as_strings(client):
    book = await client.get_order_book(symbol="BTCUSDT", limit=5)
    assert book["bids"][0] == ["99990.00000000", "1.00000000"]
    assert book["asks"][0] == ["100000.00000000", "1.00000000"]
    assert isinstance(book["lastUpdateId"], int)


async def test_own_order_is_in_the_public_depth(client):
    await client.create_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.5", price="99990"
    )
    assert (await client.get_order_book(symbol="BTCUSDT", limit=1))["bids"] == [["99990.00000000", "1.50000000"]]


async def test_c13_tickers_are_objects_for_a_symbol_and_arrays_otherwise(client, raw):
    assert await client.get_symbol_ticker(symbol="BTCUSDT") == {"symbol": "BTCUSDT", "price": "100000.00000000"}
    assert len(await client.get_all_tickers()) == 4
    assert len((await raw.get("ticker/price", 'symbols=["BTCUSDT"]')).json) == 1
    mini = await raw.get("ticker/24hr", "symbol=BTCUSDT&type=MINI")
    assert mini.json["lastPrice"] == "100000.00000000"
    assert "bidPrice" not in mini.json
    full = await raw.get("ticker/24hr", "symbol=BTCUSDT")
    assert full.json["bidPrice"] == "99990.00000000"
    assert (await raw.get("ticker/24hr", "symbol=BTCUSDT&type=ALL")).error[:2] == (400, -1139)
    best = await client.get_orderbook_ticker(symbol="ETHUSDT")
    assert (best["bidPrice"], best["askPrice"]) == ("3999.90000000", "4000.00000000")
    assert (await raw.get("avgPrice", "symbol=BTCUSDT")).json["price"] == "100000.00000000"


async def test_trades_and_aggregate_trades_have_the_same_ids(raw):
    trades = (await raw.get("trades", "symbol=BTCUSDT&limit=3")).json
    aggregates = (await raw.get("aggTrades", "symbol=BTCUSDT&limit=3")).json
    assert [trade["id"] for trade in trades] == [row["a"] for row in aggregates]
    from_first = (await raw.get("aggTrades", f"symbol=BTCUSDT&fromId={trades[1]['id']}")).json
    assert [row["a"] for row in from_first] == [trade["id"] for trade in trades[1:]]


async def test_c14_unknown_paths_are_not_found(raw):
    assert await _status_and_text(raw, "/api/v3/nope", Accept="*/*") == (404, "")
    status, text = await _status_and_text(raw, "/api/v3/nope", Accept="text/html")
    assert status == 404
    assert "404" in text
    assert (await raw.send("GET", "/sapi/v1/system/status")).status == 404
    assert (await raw.send("POST", "/api/v3/klines")).status == 405


async def _status_and_text(raw, path: str, **headers: str) -> tuple[int, str]:
    reply = await raw.send("GET", path, **headers)
    return reply.status, reply.text


async def test_c15_listen_keys_are_gone(client):
    with pytest.raises(BinanceAPIException) as failure:
        await client.stream_get_listen_key()
    assert (failure.value.status_code, failure.value.code) == (410, 0)


async def test_unknown_empty_and_repeated_parameters_are_refused(raw):
    assert (await raw.get("depth", "symbol=BTCUSDT&foo=1")).error == (
        400, -1104, "Not all sent parameters were read; read '1' parameter(s) but was sent '2'.",
    )  # fmt: skip
    assert (await raw.get("depth", "symbol=")).error == (400, -1105, "Parameter 'symbol' was empty.")
    assert (await raw.get("depth", "symbol=BTCUSDT&symbol=BTCUSDT")).error[:2] == (400, -1101)
    assert (await raw.get("depth", "symbol=btcusdt")).error[:2] == (400, -1100)
    assert (await raw.get("depth")).error[:2] == (400, -1102)
