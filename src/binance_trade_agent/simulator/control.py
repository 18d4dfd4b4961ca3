"""The control port: time, faults, the market by hand, and a look inside (binance-protocol.md Appendix A)."""

import os
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from aiohttp import web

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level
from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.simulator.faults import fault_from_json
from binance_trade_agent.simulator.options import OptionsError, fixture_exchange
from binance_trade_agent.simulator.payloads import balance_rows, order_row
from binance_trade_agent.simulator.simulation import Simulation

_GOING_AWAY = 1001
_MODES = {"real": Decimal(1), "stepped": None, "manual": None}

Json = dict[str, Any]


class ControlApi:
    """Handlers of the control port. A mistake is answered with 400 and one sentence in `error`."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def application(self) -> web.Application:
        """The web application of the control port."""
        app = web.Application(middlewares=[_mistakes_as_json])
        app.add_routes(
            [
                web.post("/sim/clock", self._clock),
                web.post("/sim/book", self._book),
                web.post("/sim/trade", self._trade),
                web.post("/sim/reset", self._reset),
                web.post("/sim/fault", self._add_fault),
                web.delete("/sim/fault/{number}", self._remove_fault),
                web.post("/sim/kick", self._kick),
                web.get("/sim/state", self._state),
                web.get("/sim/log", self._log),
            ]
        )
        return app

    async def _clock(self, request: web.Request) -> web.Response:
        body = await _body(request)
        exchange = self._simulation.exchange
        if "mode" in body:
            if body["mode"] not in _MODES:
                raise ValueError(f"clock mode {body['mode']!r} is unknown, known are {', '.join(_MODES)}")
            self._simulation.advance()
            exchange.clock.set_speed(_MODES[body["mode"]])
            exchange.timestamps.is_wall_time = False
        if "advance" in body:
            exchange.clock.advance_to(exchange.clock.now_ms() + _integer(body, "advance"))
        elif "now" in body:
            exchange.clock.advance_to(_integer(body, "now"))
        now_ms = self._simulation.advance()
        self._simulation.settle()
        return _answer({"now": now_ms})

    async def _book(self, request: web.Request) -> web.Response:
        body = await _body(request)
        symbol = self._symbol(body)
        self._simulation.advance()
        self._simulation.exchange.replace_book(symbol, _levels(body, "bids"), _levels(body, "asks"))
        self._simulation.settle()
        return _answer({})

    async def _trade(self, request: web.Request) -> web.Response:
        body = await _body(request)
        symbol = self._symbol(body)
        side = Side(str(body.get("taker")))
        self._simulation.advance()
        self._simulation.exchange.print_trade(symbol, _decimal(body.get("price")), _decimal(body.get("qty")), side)
        self._simulation.settle()
        return _answer({})

    async def _reset(self, request: web.Request) -> web.Response:
        body = await _body(request)
        self._simulation.replace(fixture_exchange(str(body.get("fixture"))))
        return _answer({"now": self._simulation.advance()})

    async def _add_fault(self, request: web.Request) -> web.Response:
        return _answer({"id": self._simulation.faults.add(fault_from_json(await _body(request)))})

    async def _remove_fault(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        if not number.isdigit() or not self._simulation.faults.remove(int(number)):
            raise ValueError(f"there is no fault {number}")
        return _answer({})

    async def _kick(self, request: web.Request) -> web.Response:
        body = await _body(request)
        outboxes = {
            "ws-api": list(self._simulation.ws_api_outboxes),
            "streams": [connection.outbox for connection in self._simulation.streams.connections],
        }
        target = body.get("target")
        if target not in outboxes:
            raise ValueError(f"target {target!r} is unknown, known are {', '.join(outboxes)}")
        for outbox in outboxes[target]:
            await outbox.disconnect(_integer(body, "code") if "code" in body else _GOING_AWAY)
        return _answer({"closed": len(outboxes[target])})

    async def _state(self, _request: web.Request) -> web.Response:
        now_ms = self._simulation.advance()
        self._simulation.settle()
        exchange = self._simulation.exchange
        engine = exchange.engine
        state = {
            "pid": os.getpid(),
            "now": now_ms,
            "session": exchange.session_id,
            "speed": exchange.speed_label,
            "balances": {name: balance_rows(account, omit_zero=False) for name, account in engine.accounts.items()},
            "fees": {asset: str(amount) for asset, amount in sorted(engine.settlement.fees.items())},
            "orders": [order_row(order) for order in engine.history.all_orders()],
            "sequence": {
                symbol: {"orderId": listing.last_order_id, "tradeId": listing.last_trade_id}
                for symbol, listing in engine.listings.items()
            },
            "connections": {
                "ws-api": len(self._simulation.ws_api_outboxes),
                "streams": len(self._simulation.streams.connections),
            },
            "weight": self._simulation.weights.used,
            "violations": violations(engine),
        }
        return _answer(state)

    async def _log(self, _request: web.Request) -> web.Response:
        return _answer({"requests": self._simulation.log.entries()})

    def _symbol(self, body: Json) -> str:
        symbol = body.get("symbol")
        if symbol not in self._simulation.exchange.listings:
            raise ValueError(
                f"symbol {symbol!r} is not listed; listed are {', '.join(self._simulation.exchange.listings)}"
            )
        return str(symbol)


@web.middleware
async def _mistakes_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except (ValueError, OptionsError) as error:
        return web.Response(status=400, body=orjson.dumps({"error": str(error)}), content_type="application/json")


async def _body(request: web.Request) -> Json:
    text = await request.read()
    try:
        body = orjson.loads(text or b"{}")
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 (answered with 400 like every other mistake)
    return body


def _answer(payload: Json) -> web.Response:
    return web.Response(body=orjson.dumps(payload), content_type="application/json")


def _integer(body: Json, name: str) -> int:
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, not {value!r}")  # noqa: TRY004 (see _body)
    return value


def _decimal(value: Any) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not amount.is_finite() or amount <= 0:
        raise ValueError(f"{value!r} must be above 0")
    return amount


def _levels(body: Json, name: str) -> list[Level]:
    rows = body.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == 2 for row in rows):
        raise ValueError(f"{name} must be an array of [price, quantity]")
    levels = [(_decimal(price), _decimal(quantity)) for price, quantity in rows]
    if levels != sorted(levels, reverse=name == "bids"):
        raise ValueError(f"{name} must come best price first")
    return levels
