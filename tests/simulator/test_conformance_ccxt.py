"""The checks of binance-protocol.md 7a that ccxt 4.5.90 makes: C05, C11, C34, C41, C49, C57, C58."""

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import spawn
from tests.exchange_process import API_KEY, API_SECRET


def configuration(url: str) -> dict:
    """Where ccxt finds the exchange, and what keeps it from asking other hosts (binance-protocol.md 1.5, B1)."""
    socket = url.replace("http", "ws", 1)
    return {
        "apiKey": API_KEY,
        "secret": API_SECRET,
        "options": {
            "defaultType": "spot",
            "fetchCurrencies": False,
            "fetchMargins": False,
            "fetchMarkets": {"types": ["spot"]},
        },
        "urls": {
            "api": {
                "public": f"{url}/api/v3",
                "private": f"{url}/api/v3",
                "v1": f"{url}/api/v1",
                "sapi": f"{url}/sapi/v1",
                "ws": {
                    "spot": f"{socket}/ws",
                    "margin": f"{socket}/ws",
                    "ws-api": {"spot": f"{socket}/ws-api/v3"},
                },
            }
        },
    }


@pytest.fixture
async def bot(exchange):
    async with ccxt.async_support.binance(configuration(exchange.url)) as client:
        yield client


@pytest.fixture
async def streaming_bot(exchange):
    async with ccxt.pro.binance(configuration(exchange.url)) as client:
        yield client


async def test_c05_markets_load_with_one_request(bot, exchange):
    market = (await bot.load_markets())["BTC/USDT"]
    assert market["active"]
    assert market["precision"]["amount"] == 1e-05
    assert market["precision"]["price"] == 0.01
    assert market["limits"]["cost"]["min"] == 5
    assert {entry["target"].partition("?")[0] for entry in await exchange.log()} <= {
        "/api/v3/exchangeInfo",
        "/api/v3/time",
    }


async def test_c11_market_data_arrives_in_ccxt_form(bot):
    candles = await bot.fetch_ohlcv("BTC/USDT", "1m", limit=10)
    assert len(candles) == 10
    assert (await bot.fetch_ticker("BTC/USDT"))["last"] == 100_000
    assert len(await bot.fetch_tickers(["BTC/USDT", "ETH/USDT"])) == 2
    book = await bot.fetch_order_book("BTC/USDT", limit=5)
    assert (book["bids"][0][0], book["asks"][0][0]) == (99_990, 100_000)
    assert len(await bot.fetch_trades("BTC/USDT", limit=3)) == 3


async def test_an_order_lives_from_placement_to_cancellation(bot):
    placed = await bot.create_order("BTC/USDT", "limit", "buy", 0.001, 90_000)
    assert placed["status"] == "open"
    assert [order["id"] for order in await bot.fetch_open_orders("BTC/USDT")] == [placed["id"]]
    assert (await bot.fetch_balance())["USDT"]["used"] == 90
    assert (await bot.cancel_order(placed["id"], "BTC/USDT"))["status"] == "canceled"
    assert (await bot.fetch_order(placed["id"], "BTC/USDT"))["status"] == "canceled"
    assert (await bot.fetch_balance())["USDT"]["used"] == 0


async def test_a_market_order_reports_its_fills_and_fee(bot):
    bought = await bot.create_order("BTC/USDT", "market", "buy", 0.5)
    assert (bought["status"], bought["average"], bought["filled"]) == ("closed", 100_000, 0.5)
    (trade,) = await bot.fetch_my_trades("BTC/USDT")
    assert (trade["order"], trade["fee"]["currency"], trade["fee"]["cost"]) == (bought["id"], "BTC", 0.0005)


async def test_c34_post_only_order_that_would_take_is_refused(bot):
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await bot.create_order("BTC/USDT", "limit", "buy", 0.01, 100_000, {"postOnly": True})


async def test_c41_order_beyond_the_balance_is_refused(bot):
    with pytest.raises(ccxt.InsufficientFunds):
        await bot.create_order("BTC/USDT", "limit", "buy", 2, 99_000)


async def test_c49_unknown_orders_are_not_found(bot):
    with pytest.raises(ccxt.OrderNotFound):
        await bot.cancel_order("999999", "BTC/USDT")
    with pytest.raises(ccxt.OrderNotFound):
        await bot.fetch_order("999999", "BTC/USDT")


async def test_edit_order_is_a_cancel_replace(bot):
    placed = await bot.create_order("BTC/USDT", "limit", "buy", 0.001, 90_000)
    edited = await bot.edit_order(placed["id"], "BTC/USDT", "limit", "buy", 0.002, 91_000)
    assert edited["id"] != placed["id"]
    (left,) = await bot.fetch_open_orders("BTC/USDT")
    assert (left["id"], left["price"], left["amount"]) == (edited["id"], 91_000, 0.002)


async def test_c57_candles_of_ccxt_pro_arrive(streaming_bot, exchange):
    candles = spawn(streaming_bot.watch_ohlcv("BTC/USDT", "1m"), name="candles")
    while not candles.done():
        await exchange.control("trade", symbol="BTCUSDT", price="100000", qty="0.1", taker="BUY")
        await sleep_seconds(0.05)
    assert (await candles)[-1][4] == 100_000


async def test_c57_orders_of_ccxt_pro_arrive(streaming_bot):
    await streaming_bot.load_markets()
    orders = spawn(streaming_bot.watch_orders("BTC/USDT"), name="orders")
    placed = set()
    while not orders.done():
        placed.add((await streaming_bot.create_order("BTC/USDT", "limit", "buy", 0.001, 90_000))["id"])
        await sleep_seconds(0.05)
    assert (await orders)[0]["id"] in placed


async def test_c58_used_up_weight_is_rate_limiting_to_ccxt(bot, exchange):
    await exchange.fault("weight", used=5990)
    with pytest.raises(ccxt.DDoSProtection):
        await bot.load_markets()
