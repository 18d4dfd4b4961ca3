"""The REST door: HTTP in, JSON out (binance-protocol.md 1.0, 2.2, 2.7, 2.8)."""

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.simulator.access import Credentials, without_signature
from binance_trade_agent.simulator.dispatcher import dispatch
from binance_trade_agent.simulator.endpoints.catalogue import BY_PATH
from binance_trade_agent.simulator.endpoints.endpoint import Endpoint
from binance_trade_agent.simulator.errors import ApiError, unknown_outcome
from binance_trade_agent.simulator.faults import Fault, FaultKind
from binance_trade_agent.simulator.simulation import Simulation

_JSON = "application/json;charset=UTF-8"
_NOT_FOUND_PAGE = "<html><body><h2>404 Not found</h2></body></html>"
_GONE_PAGE = (
    "<html>\r\n<head><title>410 Gone</title></head>\r\n<body>\r\n<center><h1>410 Gone</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_REMOVED_PATH = "/api/v3/userDataStream"
_LONGEST_SILENCE_SECONDS = 60.0
_SILENCE_STEP_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer to be sent."""

    status: int
    payload: Any
    headers: dict[str, str]


class RestApi:
    """Answers every HTTP request on the exchange's port that is not a WebSocket."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._uuids = itertools.count(1)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, with the fault that is switched on for it."""
        body = await request.read()
        self._simulation.log.add(request.method, request.raw_path, body.decode("latin-1"))
        endpoint = BY_PATH.get(request.path, {}).get(request.method)
        if endpoint is None:
            return self._without_endpoint(request)
        fault = self._simulation.faults.meeting(request.method, request.path)
        if fault is None:
            return self._response(self._answer(endpoint, request, body))
        return await self._faulty(fault, endpoint, request, body)

    def _answer(self, endpoint: Endpoint, request: web.Request, body: bytes) -> Answer:
        simulation = self._simulation
        simulation.advance()
        try:
            payload, headers = dispatch(
                simulation.exchange,
                simulation.weights,
                endpoint,
                _parameters(request, body),
                Credentials(request.headers.get("X-MBX-APIKEY"), _signed_payload(request, body)),
            )
            answer = Answer(200, payload, headers)
        except ApiError as error:
            answer = _error_answer(error)
        simulation.settle()
        if endpoint.path == "/api/v3/time":
            answer.headers["x-simulated-session"] = simulation.exchange.session_id
            answer.headers["x-simulated-speed"] = simulation.exchange.speed_label
        return answer

    async def _faulty(self, fault: Fault, endpoint: Endpoint, request: web.Request, body: bytes) -> web.StreamResponse:
        if fault.kind is FaultKind.HTTP:
            headers = {} if fault.retry_after_seconds is None else {"Retry-After": str(fault.retry_after_seconds)}
            is_json = fault.body.startswith("{")
            content_type = "application/json" if is_json else "text/html"
            return web.Response(status=fault.status, text=fault.body, headers=headers, content_type=content_type)
        if fault.kind is FaultKind.UNKNOWN_NOT_EXECUTED:
            return self._response(_error_answer(unknown_outcome()))
        if fault.kind is FaultKind.LATENCY:
            await sleep_seconds(fault.ms / 1000)
        answer = self._answer(endpoint, request, body)
        if fault.kind is FaultKind.UNKNOWN_EXECUTED:
            return self._response(_error_answer(unknown_outcome()))
        if fault.kind is FaultKind.TIMEOUT_AFTER:
            await _wait_until_gone(request.transport)
        if fault.kind in {FaultKind.DROP_AFTER, FaultKind.TIMEOUT_AFTER} and request.transport is not None:
            request.transport.abort()
        return self._response(answer)

    def _without_endpoint(self, request: web.Request) -> web.Response:
        """Paths that do not exist, do not exist any more, or know other methods."""
        if request.path == _REMOVED_PATH:
            return web.Response(status=410, text=_GONE_PAGE, content_type="text/html")
        if request.path in BY_PATH:
            return web.Response(status=405, headers={"Allow": ", ".join(sorted(BY_PATH[request.path]))})
        if "text/html" in request.headers.get("Accept", ""):
            return web.Response(status=404, text=_NOT_FOUND_PAGE, content_type="text/html")
        return web.Response(status=404)

    def _response(self, answer: Answer) -> web.Response:
        used = str(self._simulation.weights.used)
        headers = {
            "Content-Type": _JSON,
            "x-mbx-uuid": f"{next(self._uuids):032x}",
            "x-mbx-used-weight": used,
            "x-mbx-used-weight-1m": used,
            **answer.headers,
        }
        return web.Response(status=answer.status, body=orjson.dumps(answer.payload), headers=headers)


def _error_answer(error: ApiError) -> Answer:
    headers = {} if error.retry_after_seconds is None else {"Retry-After": str(error.retry_after_seconds)}
    return Answer(error.status, {"code": error.code, "msg": error.message}, headers)


def _raw_query(request: web.Request) -> str:
    """The query as it was sent: signatures are about these very bytes."""
    return request.raw_path.partition("?")[2]


def _signed_payload(request: web.Request, body: bytes) -> bytes:
    """Query and body without separator, each without its signature (binance-protocol.md 2.2)."""
    return without_signature(_raw_query(request).encode()) + without_signature(body)


def _parameters(request: web.Request, body: bytes) -> list[tuple[str, str]]:
    """Parameters of query and body; where both have a name, the query wins."""
    in_query = parse_qsl(_raw_query(request), keep_blank_values=True)
    if request.method == "GET":
        return in_query
    names = {name for name, _ in in_query}
    in_body = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return in_query + [(name, value) for name, value in in_body if name not in names]


async def _wait_until_gone(transport: asyncio.Transport | None) -> None:
    """Return when the client has given up, at the latest after a minute."""
    waited_seconds = 0.0
    while transport is not None and not transport.is_closing() and waited_seconds < _LONGEST_SILENCE_SECONDS:
        await sleep_seconds(_SILENCE_STEP_SECONDS)
        waited_seconds += _SILENCE_STEP_SECONDS
