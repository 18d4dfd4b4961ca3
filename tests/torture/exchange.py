"""The simulated exchange on the network in memory: the real one behind its real HTTP server, on virtual time."""

from collections.abc import Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from binance_trade_agent.exchange.endpoints import Endpoints, simulated
from binance_trade_agent.ops import tasks
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT
from binance_trade_agent.simulator.faults.notation import read_fault
from binance_trade_agent.simulator.options import ExchangeOptions, build_exchange
from binance_trade_agent.simulator.payloads import balance_rows
from binance_trade_agent.simulator.request_log import RequestLog
from binance_trade_agent.simulator.rest import MOST_BODY_BYTES
from binance_trade_agent.simulator.server import _HTTP_LOG, ExchangeServer
from binance_trade_agent.simulator.simulation import Simulation
from tests.torture.network import Network

HOST, PORT = "exchange.test", 8090
HISTORY_MINUTES = 120
_STEP_SECONDS = 0.5


class _ListeningLog(RequestLog):
    """Tells of each request before anything is done about it."""

    def __init__(self) -> None:
        super().__init__()
        self.listeners: list[Callable[[str, str, str], None]] = []

    def add(self, method: str, target: str, body: str) -> None:
        super().add(method, target, body)
        for listener in self.listeners:
            listener(method, target, body)


class WorldExchange:
    """The exchange of a world.

    Attributes:
        simulation: see simulator/simulation.py; its `faults` can be used at will.
        request_listeners: called with method, target and body of each request as it arrives.
    """

    def __init__(
        self, network: Network, *, seed: int, symbols: tuple[str, ...], usdt: Decimal, bnb: Decimal = Decimal(0)
    ) -> None:
        balances = {"USDT": usdt} | ({"BNB": bnb} if bnb else {})
        options = ExchangeOptions(
            seed=seed, symbols=symbols, history_minutes=HISTORY_MINUTES, balances=balances, speed=Decimal(1)
        )
        self.network = network
        exchange = build_exchange(options)
        if bnb:  # what fees are paid in while there is some
            exchange.engine.settlement.commissions.discount.accounts.add(MAIN_ACCOUNT)
        exchange.timestamps.is_strict = (
            True  # as Binance: a request that is late by more than its recvWindow is refused
        )
        self.simulation = Simulation(exchange, None)
        log = _ListeningLog()
        self.simulation.log = log
        self.request_listeners = log.listeners
        self._server = ExchangeServer(self.simulation)

    @property
    def exchange(self) -> Any:
        """The exchange behind the doors."""
        return self.simulation.exchange

    @property
    def endpoints(self) -> Endpoints:
        """Where a daemon reaches it."""
        return simulated(f"http://{HOST}:{PORT}")

    @property
    def market(self) -> str:
        """As the daemon names it."""
        return f"simulated {self.exchange.session_id}"

    def fault(self, kind: str, **fields: Any) -> int:
        """Switch a fault on (docs/reference/faults.md); returns its number."""
        return self.simulation.faults.add(read_fault({"kind": kind, **fields}))

    def end_fault(self, number: int) -> None:
        """Switch a fault off."""
        self.simulation.faults.remove(number)

    def faults_met(self) -> dict[str, int]:
        """How often each kind of those that are on has happened."""
        met: dict[str, int] = {}
        for entry in self.simulation.faults.listed():
            met[entry["kind"]] = met.get(entry["kind"], 0) + entry["met"]
        return met

    def balances(self) -> dict[str, Decimal]:
        """Free and locked together, by asset."""
        rows = balance_rows(self.exchange.engine.accounts[MAIN_ACCOUNT], omit_zero=False)
        return {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in rows}

    @asynccontextmanager
    async def running(self) -> Any:
        """Serve, and let the market run, until the end of the context."""
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._server._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handle_signals=False, logger=_HTTP_LOG)
        await runner.setup()
        assert runner.server is not None
        self.network.serve(HOST, PORT, runner.server)
        driver = tasks.spawn(self._drive(), name="market driver")
        try:
            yield self
        finally:
            await tasks.stop(driver)
            await runner.cleanup()

    async def _drive(self) -> None:
        """Requests move the market themselves; this lets resting orders meet it while nobody asks."""
        while True:
            self.simulation.advance()
            await sleep_seconds(_STEP_SECONDS)


def order_ids_in(method: str, target: str, body: str) -> list[str]:
    """The client order ids that a request wants to place orders under; none in any other request."""
    path, _, query = target.partition("?")
    if method != "POST" or not path.startswith(("/api/v3/order", "/api/v3/sor/order")) or path.endswith("/test"):
        return []
    given = parse_qs(f"{query}&{body}")
    return [
        value
        for name, values in given.items()
        if name.endswith("ClientOrderId") and not name.startswith(("orig", "cancelOrig", "cancelNew", "list"))
        for value in values
    ]
