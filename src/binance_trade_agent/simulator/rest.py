"""The REST door: HTTP in, JSON out (binance-protocol.md 1.0, 2.2, 2.7, 2.8)."""

import asyncio
import itertools
from collections.abc import Mapping

from aiohttp import web

from binance_trade_agent.simulator.access import Credentials, is_percent_encoded, without_signature
from binance_trade_agent.simulator.dispatcher import Outcome, dispatch
from binance_trade_agent.simulator.endpoints.catalogue import BY_PATH
from binance_trade_agent.simulator.endpoints.endpoint import Endpoint
from binance_trade_agent.simulator.errors import ApiError, internal_error
from binance_trade_agent.simulator.faults.requests import answered
from binance_trade_agent.simulator.http_answers import Answer, error_answer, gone, json_answer, not_found, wrong_method
from binance_trade_agent.simulator.limits import AddressLimits, Window
from binance_trade_agent.simulator.parameters import read_pairs
from binance_trade_agent.simulator.simulation import Simulation
from binance_trade_agent.simulator.time_unit import answer_in, time_unit

MOST_BODY_BYTES = 64 * 1024
_BODY_SECONDS = 10.0
_REMOVED_PATH = "/api/v3/userDataStream"
_TIME_PATH = "/api/v3/time"
_TIME_UNIT_HEADER = "X-MBX-TIME-UNIT"


class RestApi:
    """Answers every HTTP request on the exchange's port that is not a WebSocket."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._uuids = itertools.count(1)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, with the faults that are switched on for it."""
        try:
            body = await _body(request)
        except ApiError as error:
            return self._marked(request, error_answer(error)).response(close=True)
        simulation = self._simulation
        simulation.log.add(request.method, request.raw_path, body.decode("latin-1"))
        meeting = simulation.faults.meeting(request.method, request.path)
        received_ms = simulation.advance() if meeting.delay_ms else None
        return await answered(meeting, request, lambda: self._answer(request, body, received_ms))

    def _answer(self, request: web.Request, body: bytes, received_ms: int | None) -> Answer:
        """Carry out a request."""
        simulation = self._simulation
        endpoint = BY_PATH.get(request.path, {}).get(request.method)
        simulation.advance()
        now_ms = simulation.exchange.limits_now_ms()
        limits = simulation.limits.of(request.remote)
        try:
            with simulation.caused_by(request.method, request.path):
                limits.admit(now_ms)
                answer = (
                    _without_endpoint(request)
                    if endpoint is None
                    else self._served(endpoint, request, body, limits, received_ms)
                )
        except ApiError as error:
            answer = error_answer(error)
        except Exception as failure:  # noqa: BLE001 (whatever it is, the client gets an answer)
            simulation.failures.note(f"{request.method} {request.path}", failure)
            answer = error_answer(internal_error())
        return self._marked(request, answer)

    def _served(
        self, endpoint: Endpoint, request: web.Request, body: bytes, limits: AddressLimits, received_ms: int | None
    ) -> Answer:
        simulation = self._simulation
        unit = time_unit(request.headers.get(_TIME_UNIT_HEADER), _TIME_UNIT_HEADER)
        query = _raw_query(request)
        payload = without_signature(query) + without_signature(body)  # no separator between them (2.2)
        credentials = Credentials(request.headers.get("X-MBX-APIKEY"), payload, is_percent_encoded(payload))
        sent = _parameters(query, b"" if request.method == "GET" else body)
        outcome = dispatch(simulation.exchange, limits, endpoint, sent, credentials, received_ms)
        simulation.settle()
        answer = error_answer(outcome.error) if outcome.error else json_answer(answer_in(unit, outcome.payload))
        answer.headers |= _order_count_headers(outcome)
        if endpoint.path == _TIME_PATH:
            answer.headers["x-simulated-session"] = simulation.exchange.session_id
            answer.headers["x-simulated-speed"] = simulation.exchange.speed_label
            if simulation.exchange.feed.ends_ms is not None:
                answer.headers["x-simulated-ends"] = str(simulation.exchange.feed.ends_ms)
        return answer

    def _marked(self, request: web.Request, answer: Answer) -> Answer:
        """An answer with the headers that all have under /api."""
        if request.path.startswith("/api/"):
            simulation = self._simulation
            used = str(simulation.limits.of(request.remote).used(simulation.exchange.limits_now_ms()))
            answer.headers["x-mbx-uuid"] = f"{next(self._uuids):032x}"
            answer.headers |= {"x-mbx-used-weight": used, "x-mbx-used-weight-1m": used}
        return answer


async def _body(request: web.Request) -> bytes:
    """The body of a request.

    Raises:
        ApiError: 413 too large, 408 it does not come, 400 not encoded as its headers say.
    """
    try:
        has_arrived = request.content.is_eof()  # as that of nearly every order has: then no timer is needed
        async with asyncio.timeout(None if has_arrived else _BODY_SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(-1000, f"The body of a request has at most {MOST_BODY_BYTES} bytes.", status=413) from None
    except TimeoutError:
        raise ApiError(-1000, "The body of the request took too long.", status=408) from None
    except web.RequestPayloadError:
        raise ApiError(-1000, "The body of the request is not encoded as its headers say.") from None


def _without_endpoint(request: web.Request) -> Answer:
    """Paths that do not exist, do not exist any more, or know other methods."""
    if request.path == _REMOVED_PATH:
        return gone()
    if request.path in BY_PATH:
        return wrong_method(BY_PATH[request.path])
    return not_found(as_page="text/html" in request.headers.get("Accept", ""))


def _order_count_headers(outcome: Outcome) -> Mapping[str, str]:
    """On successful order placements only (binance-protocol.md 2.8)."""
    counts: Mapping[Window, int] = {} if outcome.error else outcome.order_counts
    return {f"x-mbx-order-count-{window.length}": str(count) for window, count in counts.items()}


def _raw_query(request: web.Request) -> bytes:
    """The query as it was sent: signatures are about these very bytes. aiohttp keeps those that are no UTF-8."""
    return request.raw_path.partition("?")[2].encode("utf-8", "surrogateescape")


def _parameters(query: bytes, body: bytes) -> list[tuple[str, str]]:
    """Parameters of query and body; where both have a name, the query wins."""
    in_query, in_body = read_pairs(query), read_pairs(body)
    if not (in_query and in_body):
        return in_query or in_body
    names = {name for name, _ in in_query}
    return in_query + [(name, value) for name, value in in_body if name not in names]
