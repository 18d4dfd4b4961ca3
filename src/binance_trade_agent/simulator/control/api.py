"""The routes of the control port and what they do."""

from collections.abc import Sequence

from aiohttp import web

from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ops import tasks
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.simulator.control.bodies import (
    BookBody,
    KickBody,
    ResetBody,
    TradeBody,
    answer,
    levels,
    mistakes_as_json,
    no_pages,
    positive,
    read_clock,
    read_json,
)
from binance_trade_agent.simulator.control.clocks import set_mode, set_time
from binance_trade_agent.simulator.control.config import configure
from binance_trade_agent.simulator.control.state import state_payload
from binance_trade_agent.simulator.faults.notation import read_fault
from binance_trade_agent.simulator.fields import read_fields
from binance_trade_agent.simulator.options import fixture_exchange
from binance_trade_agent.simulator.simulation import Simulation


class ControlApi:
    """Handlers of the control port."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def application(self) -> web.Application:
        """The web application of the control port."""
        app = web.Application(middlewares=[no_pages, mistakes_as_json])
        app.add_routes(self._routes())
        return app

    def _routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/sim/clock", self._clock),
            web.post("/sim/book", self._book),
            web.post("/sim/trade", self._trade),
            web.post("/sim/reset", self._reset),
            web.post("/sim/config", self._configure),
            web.post("/sim/fault", self._add_fault),
            web.get("/sim/fault", self._list_faults),
            web.get("/sim/faults", self._list_faults),
            web.delete("/sim/fault/{number}", self._remove_fault),
            web.post("/sim/kick", self._kick),
            web.get("/sim/state", self._state),
            web.get("/sim/log", self._log),
        ]

    async def _clock(self, request: web.Request) -> web.Response:
        body = await read_clock(request)
        if body.mode is not None:
            set_mode(self._simulation, body.mode)
        if body.advance is not None:
            clock = self._simulation.exchange.clock
            clock.advance_to(clock.now_ms() + body.advance)
        elif body.now is not None:
            set_time(self._simulation, body.now)
        now_ms = self._simulation.advance()
        self._simulation.settle()
        return answer({"now": now_ms})

    async def _book(self, request: web.Request) -> web.Response:
        body = read_fields(await read_json(request), BookBody, "book")
        bids, asks = levels(body.bids, "bids"), levels(body.asks, "asks")
        if bids and asks and bids[0][0] >= asks[0][0]:
            raise ValueError(f"the best bid {bids[0][0]} must be below the best ask {asks[0][0]}")
        symbol = self._symbol(body.symbol)
        self._simulation.advance()
        self._simulation.exchange.replace_book(symbol, bids, asks)
        self._simulation.settle()
        return answer({})

    async def _trade(self, request: web.Request) -> web.Response:
        body = read_fields(await read_json(request), TradeBody, "trade")
        symbol, price, quantity = self._symbol(body.symbol), positive(body.price, "price"), positive(body.qty, "qty")
        self._simulation.advance()
        self._simulation.exchange.print_trade(symbol, price, quantity, Side(body.taker))
        self._simulation.settle()
        return answer({})

    async def _reset(self, request: web.Request) -> web.Response:
        body = read_fields(await read_json(request), ResetBody, "reset")
        self._simulation.replace(fixture_exchange(body.fixture))
        return answer({"now": self._simulation.advance()})

    async def _configure(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        self._simulation.advance()
        configure(self._simulation, body)
        self._simulation.settle()
        return answer({})

    async def _add_fault(self, request: web.Request) -> web.Response:
        fault = read_fault(await read_json(request))
        self._simulation.advance()
        number = self._simulation.faults.add(fault)
        self._simulation.settle()
        return answer({"id": number})

    async def _list_faults(self, _request: web.Request) -> web.Response:
        return answer({"faults": self._simulation.faults.listed()})

    async def _remove_fault(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        if not number.isdecimal() or not self._simulation.faults.remove(int(number)):
            raise ValueError(f"there is no fault {number}")
        return answer({})

    async def _kick(self, request: web.Request) -> web.Response:
        body = read_fields(await read_json(request), KickBody, "kick")
        outboxes = self._simulation.sockets.outboxes(body.target)
        for outbox in outboxes:
            tasks.spawn(outbox.disconnect(body.code), name="kick a websocket")
        await sleep_seconds(0)  # the goodbyes are on their way; whoever asked may be the one who has to answer them
        return answer({"closed": len(outboxes)})

    async def _state(self, _request: web.Request) -> web.Response:
        now_ms = self._simulation.advance()
        self._simulation.settle()
        return answer(state_payload(self._simulation, now_ms))

    async def _log(self, _request: web.Request) -> web.Response:
        return answer({"requests": self._simulation.log.entries()})

    def _symbol(self, symbol: str) -> str:
        listed = self._simulation.exchange.listings
        if symbol not in listed:
            hint = f"; did you mean {near}?" if (near := nearest(symbol, listed)) else ""
            raise ValueError(f"symbol {symbol!r} is not listed; listed are {', '.join(listed)}{hint}")
        return symbol
