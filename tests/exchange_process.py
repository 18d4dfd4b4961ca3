"""A simulated exchange for tests: in this process on free ports, or as a process of its own.

async with running_exchange(speed=None) as exchange:
    client = await exchange.client()
    await exchange.advance(60_000)
"""

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import aiohttp.web_app

from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT, Exchange
from binance_trade_agent.simulator.keys import ApiKey, public_key
from binance_trade_agent.simulator.main import run_exchange
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.synthetic_candles import SyntheticCandles
from binance_trade_agent.simulator.options import (
    READING_KEY,
    SECRET,
    TRADING_KEY,
    ExchangeOptions,
    build_exchange,
    state_file,
)
from binance_trade_agent.simulator.server import ExchangeServer
from binance_trade_agent.simulator.simulation import Simulation
from tests.warm_python import WarmProcess, start, start_cold

API_KEY = TRADING_KEY.key
API_SECRET = SECRET
READING_API_KEY = READING_KEY.key
_ROOT = Path(__file__).parents[1]


@dataclass
class RunningExchange:
    """Where an exchange is reached, and its control port as methods."""

    url: str
    control_url: str
    process: WarmProcess | asyncio.subprocess.Process | None = None
    simulation: Simulation | None = None  # of an exchange in this process
    server: ExchangeServer | None = None  # the same
    _clients: list[Any] = field(default_factory=list)

    @property
    def urls(self) -> dict[str, str]:
        """The settings of a daemon that is to trade here, and that moves the market on when it is a stepped one."""
        return {"EXCHANGE_URL": self.url, "EXCHANGE_CONTROL_URL": self.control_url}

    async def advance(self, milliseconds: int) -> int:
        """Move a stepped market on; returns market time."""
        return (await self.control("clock", advance=milliseconds))["now"]

    async def advance_to(self, now_ms: int) -> int:
        """Move a stepped market to a time; returns it."""
        return (await self.control("clock", now=now_ms))["now"]

    async def state(self) -> dict[str, Any]:
        """GET /sim/state; fails when an invariant is broken."""
        state = await self._request("GET", "state", None)
        assert state["violations"] == []
        return state

    async def log(self) -> list[dict[str, Any]]:
        """Every request that has come, as it came."""
        return (await self._request("GET", "log", None))["requests"]

    async def control(self, command: str, **body: Any) -> dict[str, Any]:
        """POST a command to the control port: clock, book, trade, reset, fault, kick."""
        return await self._request("POST", command, body)

    async def fault(self, kind: str, **fields: Any) -> int:
        """Switch a fault on; see simulator/faults.py for the fields."""
        return (await self.control("fault", kind=kind, **fields))["id"]

    def register(self, key: str, public_pem: str, account: str = MAIN_ACCOUNT) -> None:
        """Let an RSA or Ed25519 key in."""
        assert self.simulation is not None
        self.simulation.exchange.access.register(ApiKey(key, public_key(public_pem), account))

    async def client(self, key: str = API_KEY, secret: str | None = API_SECRET, **options: Any) -> Any:
        """A python-binance AsyncClient with these options; closed at the end of the exchange."""
        from binance import AsyncClient

        urls = {
            "API_URL": f"{self.url}/api",
            "MARGIN_API_URL": f"{self.url}/sapi",
            "WS_API_URL": f"{self.url.replace('http', 'ws', 1)}/ws-api/v3",
            "WS_FUTURES_URL": f"{self.url.replace('http', 'ws', 1)}/none",
        }
        client = await type("LocalClient", (AsyncClient,), urls).create(key, secret, **options)
        self._clients.append(client)
        return client

    def socket_manager(self, client: Any) -> Any:
        """A python-binance BinanceSocketManager."""
        from binance import BinanceSocketManager

        manager = type("LocalSockets", (BinanceSocketManager,), {"STREAM_URL": f"{self.url.replace('http', 'ws', 1)}/"})
        return manager(client)

    async def kill(self) -> None:
        """End a process of its own with SIGKILL."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def close_clients(self) -> None:
        """Close what `client` has opened."""
        for client in self._clients:
            await close_socket(client.ws_api)
            await client.close_connection()
        self._clients.clear()

    async def _request(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.control_url}/sim/{path}", json=body) as response,
        ):
            answer = await response.json()
            assert response.status == 200, answer
            return answer


async def close_socket(socket: Any) -> None:
    """Close a socket of python-binance at once; by itself that takes ten seconds (binance-protocol.md 6, P10)."""
    from binance.ws.constants import WSListenerState

    if socket.ws is not None:
        socket.ws_state = WSListenerState.EXITING
        await socket.ws.close()


_draw_past = SyntheticCandles._past


@lru_cache(maxsize=100)
def _past(name: str, genesis_ms: int) -> list[CandleColumns]:
    seed, symbol = name.split("/")
    return _draw_past(SyntheticCandles(symbol, seed=int(seed), genesis_ms=genesis_ms))


def made_exchange(options: ExchangeOptions) -> Exchange:
    """`build_exchange`; the six weeks before a market's first minute, the same for the same seed, are drawn once."""
    with mock.patch.object(SyntheticCandles, "_past", lambda candles: _past(candles._name, candles._genesis_ms)):
        return build_exchange(options)


@asynccontextmanager
async def running_exchange(**options: Any) -> AsyncIterator[RunningExchange]:
    """An exchange in this process. Options are those of ExchangeOptions; ports are free ones unless given."""
    wanted = ExchangeOptions(**options)
    simulation = Simulation(made_exchange(wanted), state_file(wanted))
    server = ExchangeServer(simulation, exit_when_idle_seconds=wanted.exit_when_idle_seconds)
    await server.start(wanted.host, wanted.port, wanted.control_port)
    exchange = RunningExchange(server.url, server.control_url, simulation=simulation, server=server)
    try:
        yield exchange
    finally:
        await exchange.close_clients()
        await server.stop()
        # aiohttp remembers a thousand handlers of applications with a middleware, and each keeps its whole exchange.
        aiohttp.web_app._cached_build_middleware.cache_clear()


@asynccontextmanager
async def exchange_process(*, is_cold: bool = False, **options: Any) -> AsyncIterator[RunningExchange]:
    """An exchange as a process of its own, ended with SIGTERM; one whose memory is measured has to be a cold one."""
    process = await start_process(is_cold=is_cold, **options)
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    words = line.split()
    if not words:
        raise AssertionError(f"the exchange did not start: {(await process.communicate())[1].decode()}")
    exchange = RunningExchange(words[3], words[5], process)
    try:
        yield exchange
    finally:
        await exchange.close_clients()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 10)


async def start_process(*, is_cold: bool = False, **options: Any) -> WarmProcess | asyncio.subprocess.Process:
    """Start the process and return at once; its first line of output says where it is reached."""
    argument = pickle.dumps(ExchangeOptions(**options)).hex()
    begin = start_cold if is_cold else start
    return await begin("tests.exchange_process", argument, folder=_ROOT, environment=os.environ)


if __name__ == "__main__":
    sys.exit(run_exchange(pickle.loads(bytes.fromhex(sys.argv[1]))))
