"""Hours of market time with a client that trades: memory is as large after the last as after the first."""

import asyncio
import os

import aiohttp

from binance_trade_agent.ops.clock import wall_ms
from tests.exchange_process import API_KEY, RunningExchange, exchange_process
from tests.simulator.robustness.memory import rss_mb
from tests.simulator.signing import sign

_HOUR_MS = 3_600_000
# By hand: MARKET_HOURS=200 pytest -s tests/simulator/robustness/test_hours.py
_HOURS = int(os.environ.get("MARKET_HOURS", "8"))
_WARM_UP_HOURS = _HOURS // 2


async def test_memory_is_flat_over_hours_of_trading():
    async with (
        exchange_process(is_cold=True, speed=None, balances={"USDT": 1_000_000, "BTC": 10}) as exchange,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{exchange.url}/stream?streams=btcusdt@depth@100ms/btcusdt@trade") as socket,
    ):
        drain = asyncio.ensure_future(read_all(socket))
        memory_mb = []
        for _ in range(_HOURS):
            await trade_for_an_hour(exchange, session)
            memory_mb.append(rss_mb(exchange.process.pid))
        await socket.close()
        assert await drain > 20 * _HOURS
        print([round(each, 1) for each in memory_mb])
        assert memory_mb[-1] - memory_mb[_WARM_UP_HOURS] < 6
        await exchange.state()


async def trade_for_an_hour(exchange: RunningExchange, session: aiohttp.ClientSession) -> None:
    """Twenty times three minutes, an order that fills and one that is cancelled in each."""
    await exchange.fault("orders_used", n=0)
    await exchange.fault("weight", used=0)
    for number in range(20):
        await exchange.advance(_HOUR_MS // 20)
        side = "BUY" if number % 2 else "SELL"
        amount = {"quoteOrderQty": "50"} if side == "BUY" else {"quantity": "0.0001"}
        await send(session, "POST", exchange, "order", side=side, type="MARKET", **amount)
        async with session.get(f"{exchange.url}/api/v3/ticker/price?symbol=BTCUSDT") as answer:
            below = f"{float((await answer.json())['price']) * 0.9:.2f}"
        resting = {"type": "LIMIT", "timeInForce": "GTC", "price": below, "quantity": "0.001"}
        await send(session, "POST", exchange, "order", side="BUY", **resting)
        await send(session, "DELETE", exchange, "openOrders")
        await send(session, "GET", exchange, "myTrades")


async def send(
    session: aiohttp.ClientSession, method: str, exchange: RunningExchange, path: str, **params: str
) -> None:
    query = "&".join(
        f"{name}={value}" for name, value in {"symbol": "BTCUSDT", "timestamp": wall_ms(), **params}.items()
    )
    url = f"{exchange.url}/api/v3/{path}?{query}&signature={sign(query)}"
    async with session.request(method, url, headers={"X-MBX-APIKEY": API_KEY}) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()


async def read_all(socket: aiohttp.ClientWebSocketResponse) -> int:
    """Read until the end of a connection; returns how many messages there were."""
    number = 0
    async for _ in socket:
        number += 1
    return number
