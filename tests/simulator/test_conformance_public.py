"""Conformance checks of binance-protocol.md 7a that need no key: C01 to C15."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from binance.exceptions import BinanceAPIException

from binance_trade_agent.domain.candles import BINANCE_INTERVALS, MINUTE_MS

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
    assert abs(client.timestamp_offset) < 10_000


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


async def test_c13_window_tickers_and_statuses(raw):
    (hour,) = (await raw.get("ticker", 'symbols=["BTCUSDT"]&windowSize=1h')).json
    assert hour["openTime"] % MINUTE_MS == 0
    assert 0 <= hour["closeTime"] - hour["openTime"] - 60 * MINUTE_MS < MINUTE_MS
    assert hour.keys() == {
        "symbol", "priceChange", "priceChangePercent", "weightedAvgPrice", "openPrice", "highPrice", "lowPrice",
        "lastPrice", "volume", "quoteVolume", "openTime", "closeTime", "firstId", "lastId", "count",
    }  # fmt: skip
    assert hour["lastId"] - hour["firstId"] == hour["count"] - 1
    assert (await raw.get("ticker")).error[:2] == (400, -1102)
    for window in ("0m", "60m", "24h", "8d", "1w", "1D"):
        assert (await raw.get("ticker", f"symbol=BTCUSDT&windowSize={window}")).error[:2] == (400, -1130)
    for path in ("depth", "ticker", "ticker/24hr", "ticker/price", "ticker/bookTicker"):
        assert (await raw.get(path, "symbol=BTCUSDT&symbolStatus=TRADING")).status == 200
        assert (await raw.get(path, "symbol=BTCUSDT&symbolStatus=HALT")).error == (
            400, -1220, "The symbol's status does not match the requested symbolStatus.",
        )  # fmt: skip
        assert (await raw.get(path, "symbol=BTCUSDT&symbolStatus=OPEN")).error == (400, -1122, "Invalid symbolStatus.")
    for path in ("ticker/24hr", "ticker/price", "ticker/bookTicker"):
        assert (await raw.get(path, "symbolStatus=BREAK")).json == []
        assert len((await raw.get(path, "symbolStatus=TRADING")).json) == 4
        assert (await raw.get(path, 'symbol=BTCUSDT&symbols=["ETHUSDT"]')).error[:2] == (400, -1128)


@pytest.mark.parametrize(
    ("path", "query", "weight"),
    [
        ("ping", "", 1),
        ("depth", "symbol=BTCUSDT", 5),
        ("depth", "symbol=BTCUSDT&limit=101", 25),
        ("depth", "symbol=BTCUSDT&limit=1000", 50),
        ("depth", "symbol=BTCUSDT&limit=99999999999", 250),
        ("trades", "symbol=BTCUSDT", 25),
        ("aggTrades", "symbol=BTCUSDT", 4),
        ("klines", "symbol=BTCUSDT&interval=1m", 2),
        ("avgPrice", "symbol=BTCUSDT", 2),
        ("ticker/24hr", "symbol=BTCUSDT", 2),
        ("ticker/24hr", 'symbols=["BTCUSDT","ETHUSDT"]', 2),
        ("ticker/24hr", "", 80),
        ("ticker", 'symbols=["BTCUSDT","ETHUSDT"]', 8),
        ("ticker/price", "symbol=BTCUSDT", 2),
        ("ticker/price", "", 4),
        ("ticker/bookTicker", 'symbols=["BTCUSDT"]', 4),
    ],
)
async def test_a_request_costs_its_weight(raw, path, query, weight):
    for _ in range(2):  # the minute may turn within the first try
        before = int((await raw.get("time")).headers["x-mbx-used-weight-1m"])
        reply = await raw.get(path, query)
        after = int(reply.headers["x-mbx-used-weight-1m"])
        if after > before:
            break
    assert reply.status == 200
    assert after - before == weight


async def test_exchange_info_is_filtered_by_permission_and_status(raw):
    async def symbols(query: str) -> list[str]:
        return [entry["symbol"] for entry in (await raw.get("exchangeInfo", query)).json["symbols"]]

    everything = await symbols("")
    assert everything == ["BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT"]
    assert await symbols("permissions=SPOT") == everything
    assert await symbols('permissions=["MARGIN","LEVERAGED"]') == everything
    assert await symbols("permissions=TRD_GRP_050") == []
    assert await symbols("symbolStatus=TRADING&permissions=SPOT") == everything
    assert await symbols("symbolStatus=BREAK") == []
    hidden = (await raw.get("exchangeInfo", "symbol=BTCUSDT&showPermissionSets=false")).json["symbols"][0]
    shown = (await raw.get("exchangeInfo", "symbol=BTCUSDT")).json["symbols"][0]
    assert (hidden["permissionSets"], shown["permissionSets"]) == ([], [["SPOT", "MARGIN"]])
    assert {**hidden, "permissionSets": shown["permissionSets"]} == shown


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('symbol=BTCUSDT&symbols=["BTCUSDT"]', -1128),
        ("symbol=BTCUSDT&permissions=SPOT", -1128),
        ('symbols=["BTCUSDT"]&symbolStatus=TRADING', -1128),
        ("symbolStatus=trading", -1122),
        ('permissions=["SPOT"', -1130),
        ("permissions=[1]", -1130),
        ("permissions=NONSENSE", -1130),
        ('symbols=["BTCUSDT",]', -1100),
        ("showPermissionSets=yes", -1100),
    ],
)
async def test_exchange_info_refuses_what_does_not_go_together(raw, query, code):
    assert (await raw.get("exchangeInfo", query)).error[:2] == (400, code)


async def test_c09_months_and_all_forms_of_a_time_zone(raw):
    async def opens(query: str) -> set[int]:
        reply = await raw.get("klines", f"symbol=BTCUSDT&{query}")
        return {row[0] for row in reply.json}

    for zone, shift_ms in (
        ("8", 8 * 3_600_000),
        ("08:00", 8 * 3_600_000),
        ("%2B08:00", 8 * 3_600_000),
        ("-3", -3 * 3_600_000),
        ("-1:30", -90 * MINUTE_MS),
        ("05:45", 345 * MINUTE_MS),
        ("-12:00", -12 * 3_600_000),
        ("14", 14 * 3_600_000),
    ):
        assert {(at_ms + shift_ms) % 86_400_000 for at_ms in await opens(f"interval=1d&timeZone={zone}")} == {0}
        months = [
            datetime.fromtimestamp((at_ms + shift_ms) / 1000, UTC)
            for at_ms in await opens(f"interval=1M&timeZone={zone}")
        ]
        assert {(month.day, month.hour, month.minute) for month in months} == {(1, 0, 0)}
    for zone in ("15", "-12:01", "14:30", "8:5", "x", "++8", "1:60"):
        reply = await raw.get("klines", f"symbol=BTCUSDT&interval=1d&timeZone={zone}")
        assert reply.error == (400, -1130, "Data sent for parameter 'timeZone' is not valid.")


async def test_c10_intervals_are_case_sensitive_and_all_there(raw):
    for interval in BINANCE_INTERVALS:
        reply = await raw.get("klines", f"symbol=BTCUSDT&interval={interval}&limit=2")
        assert reply.status == 200
        assert reply.json
        assert reply.json[-1][6] >= reply.json[-1][0]
    for interval in ("1H", "1D", "1W", "2M", "1S", "1mo"):
        assert (await raw.get("klines", f"symbol=BTCUSDT&interval={interval}")).error[:2] == (400, -1120)


async def test_c08_start_time_may_be_in_microseconds_and_nonsense_finds_nothing(raw):
    (row,) = (await raw.get("uiKlines", "symbol=BTCUSDT&interval=1m&startTime=0&limit=1")).json
    again = await raw.get("klines", f"symbol=BTCUSDT&interval=1m&startTime={row[0] * 1000}&limit=1")
    assert again.json == [row]
    assert (await raw.get("klines", "symbol=BTCUSDT&interval=1M&startTime=9223372036854775807")).json == []
    assert (await raw.get("klines", "symbol=BTCUSDT&interval=1M&endTime=0")).json == []
    assert (
        len((await raw.get("klines", "symbol=BTCUSDT&interval=1w&startTime=0&endTime=9223372036854775807")).json) >= 1
    )


async def test_minutes_after_a_trade_are_flat_at_its_price(raw, exchange):
    now_ms = (await raw.get("time")).json["serverTime"]
    await exchange.control("clock", mode="manual", now=now_ms + MINUTE_MS)
    await exchange.control("trade", symbol="BTCUSDT", price="95000", qty="2", taker="SELL")
    await exchange.advance(3 * MINUTE_MS)
    rows = (await raw.get("klines", "symbol=BTCUSDT&interval=1m&limit=3")).json
    assert [later[0] - row[0] for row, later in pairwise(rows)] == [MINUTE_MS] * 2
    assert {value for row in rows for value in row[1:5]} == {"95000.00000000"}
    assert {(row[5], row[8]) for row in rows} == {("0.00000000", 0)}


async def test_c11_one_taker_order_is_one_aggregate_at_each_price(raw, exchange, client):
    before = (await raw.get("aggTrades", "symbol=BTCUSDT&limit=1")).json[0]
    await client.create_order(
        symbol="BTCUSDT", side="SELL", type="LIMIT", timeInForce="GTC", quantity="0.1", price="100000"
    )
    await exchange.control("book", symbol="BTCUSDT", bids=[], asks=[["100000", "0.4"], ["100010", "2"]])
    order = await client.order_market_buy(symbol="BTCUSDT", quantity="0.6")
    rows = (await raw.get("aggTrades", f"symbol=BTCUSDT&fromId={before['a'] + 1}")).json
    trades = (await raw.get("trades", "symbol=BTCUSDT&limit=3")).json
    assert [fill["tradeId"] for fill in order["fills"]] == [trade["id"] for trade in trades]
    assert [(row["a"], row["p"], row["q"], row["f"], row["l"], row["m"]) for row in rows] == [
        (before["a"] + 1, "100000.00000000", "0.50000000", trades[0]["id"], trades[1]["id"], False),
        (before["a"] + 2, "100010.00000000", "0.10000000", trades[2]["id"], trades[2]["id"], False),
    ]
    assert sum(Decimal(row["q"]) for row in rows) == sum(Decimal(trade["qty"]) for trade in trades)


async def test_aggregate_trades_are_found_by_id_or_by_time(raw):
    rows = (await raw.get("aggTrades", "symbol=BTCUSDT&limit=3")).json
    assert [later["a"] - row["a"] for row, later in pairwise(rows)] == [1, 1]
    at_ms = rows[-1]["T"]
    assert (await raw.get("aggTrades", f"symbol=BTCUSDT&fromId={rows[1]['a']}")).json == rows[1:]
    assert (await raw.get("aggTrades", f"symbol=BTCUSDT&startTime={rows[0]['T']}&endTime={at_ms}")).json == rows
    assert (await raw.get("aggTrades", f"symbol=BTCUSDT&endTime={at_ms - 1}&limit=2")).json == rows[:2]
    assert (await raw.get("aggTrades", f"symbol=BTCUSDT&endTime={at_ms - 3_600_000}")).json == []
    for bound in ("startTime", "endTime"):
        refused = await raw.get("aggTrades", f"symbol=BTCUSDT&fromId=1&{bound}={at_ms}")
        assert refused.error == (400, -1128, "Combination of optional parameters invalid.")


async def test_the_fixture_has_full_pages_of_trades(raw):
    trades = (await raw.get("trades", "symbol=BTCUSDT")).json
    assert len(trades) == 500
    first_id = trades[0]["id"]
    page = (await raw.get("aggTrades", f"symbol=BTCUSDT&fromId={first_id}&limit=300")).json
    rest = (await raw.get("aggTrades", f"symbol=BTCUSDT&fromId={page[-1]['a'] + 1}&limit=300")).json
    assert [row["a"] for row in page + rest] == [trade["id"] for trade in trades]


async def test_the_average_price_closes_with_the_last_trade(raw):
    average = (await raw.get("avgPrice", "symbol=BTCUSDT")).json
    (trade,) = (await raw.get("trades", "symbol=BTCUSDT&limit=1")).json
    assert average == {"mins": 5, "price": "100000.00000000", "closeTime": trade["time"]}


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
