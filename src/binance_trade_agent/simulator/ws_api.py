"""The WebSocket API, `/ws-api/v3`: the endpoints of REST, and the user data stream (binance-protocol.md 5.2, 5.3)."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from binance_trade_agent.simulator.access import Credentials, Permission, check_key_format
from binance_trade_agent.simulator.dispatcher import check_limits, dispatch
from binance_trade_agent.simulator.endpoints.catalogue import BY_WEBSOCKET_METHOD
from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.limits import WEIGHT
from binance_trade_agent.simulator.outbox import Outbox
from binance_trade_agent.simulator.parameters import INTEGER, SIGNED_PARAMETERS, Parameter, read_parameters
from binance_trade_agent.simulator.simulation import Simulation
from binance_trade_agent.simulator.user_events import UserSubscriptions

_PING_SECONDS = 20.0
_CONNECT_WEIGHT = 2
_SESSION_WEIGHT = 2
_SESSION_METHODS = frozenset(
    {"userDataStream.subscribe.signature", "userDataStream.unsubscribe", "session.subscriptions"}
)


class WsApiConnection:
    """One connection to the WebSocket API."""

    def __init__(
        self,
        simulation: Simulation,
        socket: web.WebSocketResponse,
        transport: asyncio.BaseTransport | None,
        *,
        shows_limits: bool,
    ) -> None:
        self._simulation = simulation
        self._shows_limits = shows_limits
        self.outbox = Outbox(socket, transport)
        self._subscriptions: UserSubscriptions = simulation.user_events.open(self.outbox)

    async def close(self) -> None:
        """The connection is gone."""
        self._simulation.user_events.close(self._subscriptions)
        self.outbox.stop()

    def receive(self, text: str) -> None:
        """Answer one request."""
        answer = self._answer(text)
        self.outbox.put(orjson.dumps(answer).decode())

    def _answer(self, text: str) -> dict[str, Any]:
        self._simulation.advance()
        try:
            request = orjson.loads(text)
            params = _literal_params(text)
        except ValueError:
            return {"id": None, **_failure(ApiError(-1135, "Invalid JSON Request"))}
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            request_id = request.get("id") if isinstance(request, dict) else None
            return {"id": request_id, **_failure(ApiError(-1135, "Invalid JSON Request"))}
        shows_limits = self._shows_limits and params.pop("returnRateLimits", "true") != "false"
        method = request["method"].removeprefix("v3/")
        self._simulation.log.add("WS", method, json.dumps(request.get("params", {})))
        try:
            answer = {"status": 200, "result": self._result(method, params)}
        except ApiError as error:
            answer = _failure(error)
            if error.retry_after_seconds is not None:
                answer["error"]["data"] = self._stay_away(error.retry_after_seconds)
        self._simulation.settle()
        limits = {"rateLimits": self._rate_limits()} if shows_limits else {}
        return {"id": request.get("id"), **answer, **limits}

    def _result(self, method: str, params: dict[str, str]) -> Any:
        if method in _SESSION_METHODS:
            check_limits(self._simulation.exchange, self._simulation.weights, _SESSION_WEIGHT)
            return self._session_method(method)(params)
        endpoint = BY_WEBSOCKET_METHOD.get(method)
        if endpoint is None:
            raise ApiError(-1020, "This operation is not supported.")
        credentials = _credentials(params)
        sent = [(name, value) for name, value in params.items() if name != "apiKey"]
        return dispatch(self._simulation.exchange, self._simulation.weights, endpoint, sent, credentials)[0]

    def _session_method(self, method: str) -> Callable[[dict[str, str]], Any]:
        match method:
            case "userDataStream.subscribe.signature":
                return self._subscribe
            case "userDataStream.unsubscribe":
                return self._unsubscribe
            case _:
                return lambda _params: [{"subscriptionId": number} for number in self._subscriptions.ids]

    def _subscribe(self, params: dict[str, str]) -> dict[str, int]:
        credentials = _credentials(params)
        check_key_format(credentials.key)
        sent = [(name, value) for name, value in params.items() if name != "apiKey"]
        arguments = read_parameters(SIGNED_PARAMETERS, sent)
        exchange = self._simulation.exchange
        account = exchange.access.authorise(credentials, arguments, Permission.USER_STREAM, exchange.now_ms)
        return {"subscriptionId": self._subscriptions.subscribe(account)}

    def _unsubscribe(self, params: dict[str, str]) -> dict[str, int]:
        arguments = read_parameters((Parameter("subscriptionId", INTEGER),), params.items())
        number = arguments.integer("subscriptionId")
        self._subscriptions.unsubscribe(number, self._simulation.exchange.now_ms)
        return {}

    def _rate_limits(self) -> list[dict[str, Any]]:
        return [{**WEIGHT.payload(), "count": self._simulation.weights.used}]

    def _stay_away(self, seconds: int) -> dict[str, int]:
        now_ms = self._simulation.exchange.limits_now_ms()
        return {"serverTime": self._simulation.exchange.now_ms, "retryAfter": now_ms + seconds * 1000}


async def serve_ws_api(simulation: Simulation, request: web.Request) -> web.StreamResponse:
    """Serve one connection until it ends."""
    check_limits(simulation.exchange, simulation.weights, _CONNECT_WEIGHT)
    socket = web.WebSocketResponse(heartbeat=_PING_SECONDS)
    await socket.prepare(request)
    shows_limits = request.query.get("returnRateLimits", "true") != "false"
    connection = WsApiConnection(simulation, socket, request.transport, shows_limits=shows_limits)
    simulation.ws_api_outboxes.append(connection.outbox)
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                connection.receive(message.data)
    finally:
        simulation.ws_api_outboxes.remove(connection.outbox)
        await connection.close()
    return socket


def _failure(error: ApiError) -> dict[str, Any]:
    return {"status": error.status, "error": {"code": error.code, "msg": error.message}}


def _literal_params(text: str) -> dict[str, str]:
    """Parameters as text: numbers as they were written, booleans as true and false, arrays as JSON.

    Raises:
        ValueError: not JSON.
    """
    request = json.loads(text, parse_float=str, parse_int=str)
    params = request.get("params") if isinstance(request, dict) else None
    return {name: _literal(value) for name, value in params.items()} if isinstance(params, dict) else {}


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else json.dumps(value, separators=(",", ":"))


def _credentials(params: dict[str, str]) -> Credentials:
    """The key, and what is signed: all parameters but the signature, sorted by name, as `k=v` joined by `&`."""
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
    return Credentials(params.get("apiKey"), payload.encode())
