"""A fresh F0 exchange for each test, and a client that signs its requests itself."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.ops import clock
from binance_trade_agent.ops.clock import wall_ms
from tests.exchange_process import API_KEY, running_exchange
from tests.simulator.signing import sign

JSON_TYPE = "application/json"


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    headers: Any
    text: str
    json: Any

    @property
    def error(self) -> tuple[int, int, str]:
        """HTTP status, code and text of an error."""
        return self.status, self.json["code"], self.json["msg"]


class RawClient:
    """Plain aiohttp: everything goes out as it is given."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def send(self, method: str, path: str, query: str = "", body: str | None = None, **headers: str) -> Reply:
        from yarl import URL

        target = URL(f"{self.url}{path}{'?' + query if query else ''}", encoded=True)
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        async with self._session.request(method, target, data=body, headers={**form, **headers}) as response:
            text = await response.text()
            is_json = response.headers.get("Content-Type", "").startswith(JSON_TYPE)
            return Reply(response.status, response.headers, text, await response.json() if is_json else None)

    async def get(self, path: str, query: str = "") -> Reply:
        return await self.send("GET", f"/api/v3/{path}", query)

    async def signed(
        self, method: str, path: str, key: str = API_KEY, timestamp: int | None = None, **params: Any
    ) -> Reply:
        named = {**params, "timestamp": wall_ms() if timestamp is None else timestamp}
        query = urlencode(named)
        return await self.send(method, f"/api/v3/{path}", f"{query}&signature={sign(query)}", **{"X-MBX-APIKEY": key})

    async def order(self, **params: Any) -> Reply:
        defaults = {"symbol": "BTCUSDT", "side": "BUY"}
        return await self.signed("POST", "order", **{**defaults, **params})


class _Slow:
    """The machine's clock with its calendar set back."""

    def __init__(self, by_ms: int) -> None:
        self._by_ms = by_ms
        self._machine = clock._machine

    def wall_ms(self) -> int:
        return self._machine.wall_ms() - self._by_ms

    def monotonic_seconds(self) -> float:
        return self._machine.monotonic_seconds()


@pytest.fixture
def young_minute():
    """By the calendar a minute has just begun, so that none ends, nor ten seconds, while a test counts what is limited.

    It is to be there before the exchange is: `pytestmark = pytest.mark.usefixtures("young_minute")`.
    """
    with clock.machine_time(_Slow(wall_ms() % MINUTE_MS)):
        yield


@pytest.fixture
async def exchange():
    async with running_exchange(fixture="F0") as running:
        yield running
        await running.state()  # which checks the invariants


@pytest.fixture
async def raw(exchange):
    async with aiohttp.ClientSession() as session:
        yield RawClient(session, exchange.url)


@pytest.fixture
async def client(exchange):
    return await exchange.client()
