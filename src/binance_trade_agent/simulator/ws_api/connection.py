"""One connection to the WebSocket API: each request gets one answer, behind it come the events that it caused."""

import json
from typing import Any

import orjson
from aiohttp import web

from binance_trade_agent.simulator.access import Credentials
from binance_trade_agent.simulator.client_socket import ClientSocket
from binance_trade_agent.simulator.dispatcher import Outcome, dispatch
from binance_trade_agent.simulator.endpoints.catalogue import BY_WEBSOCKET_METHOD
from binance_trade_agent.simulator.errors import ApiError, internal_error, key_refused, not_supported
from binance_trade_agent.simulator.faults.requests import wait
from binance_trade_agent.simulator.limits import WEIGHT, AddressLimits
from binance_trade_agent.simulator.simulation import Simulation
from binance_trade_agent.simulator.time_unit import TimeUnit, answer_in, time_unit
from binance_trade_agent.simulator.ws_api.faulty import respond
from binance_trade_agent.simulator.ws_api.requests import BadRequestError, Request, RequestId, read_request
from binance_trade_agent.simulator.ws_api.session import Session
from binance_trade_agent.simulator.ws_api.session_methods import SESSION_METHODS, SESSION_WEIGHT, SessionCall

WS_API_PATH = "/ws-api/v3"
_CONNECT_WEIGHT = 2
_OK = 200

Json = dict[str, Any]


class WsApiConnection:
    """A client of the WebSocket API."""

    def __init__(
        self, simulation: Simulation, socket: ClientSocket, address: str | None, session: Session, unit: TimeUnit
    ) -> None:
        self.outbox = socket.outbox
        self._simulation = simulation
        self._address = address
        self._session = session
        self._unit = unit
        self._subscriptions = simulation.user_events.open(socket.outbox, unit)

    def close(self) -> None:
        """The connection is gone."""
        self._simulation.user_events.close(self._subscriptions)

    async def receive(self, text: str) -> None:
        """Answer one request."""
        simulation = self._simulation
        simulation.advance()
        limits = simulation.limits.of(self._address)
        try:
            request = read_request(text)
        except BadRequestError as refusal:
            simulation.log.add("WS", "", text)
            outcome = Outcome(error=refusal.error)
            self.outbox.put(self._text(self._framed(refusal.request_id, outcome, limits, shows_limits=None)))
            return
        simulation.log.add("WS", request.method, json.dumps(request.params))
        meeting = simulation.faults.meeting("WS", request.method, self.outbox)
        received_ms = simulation.exchange.now_ms if meeting.delay_ms else None
        await wait(meeting.delay_ms)
        simulation.advance()

        def framed(outcome: Outcome) -> str:
            return self._text(self._framed(request.id, outcome, limits, shows_limits=request.shows_limits))

        with self._subscriptions.behind_the_answer(events_first=meeting.hold_ms is not None):
            respond(meeting.outcome, self.outbox, lambda: self._answer(request, limits, received_ms), framed)

    def _answer(self, request: Request, limits: AddressLimits, received_ms: int | None) -> str | None:
        """The answer; None when the news that the session's key was revoked takes its place."""
        simulation = self._simulation
        credentials = self._session.credentials(request)
        if self._session.is_revoked(simulation.exchange.access):
            self._revoke()
            if credentials.session_key is not None and _needs_key(request.method):
                return None
        with simulation.caused_by("WS", request.method):
            outcome = self._outcome(request, credentials, limits, received_ms)
        simulation.settle()
        return self._text(self._framed(request.id, outcome, limits, shows_limits=request.shows_limits))

    def _outcome(
        self, request: Request, credentials: Credentials, limits: AddressLimits, received_ms: int | None
    ) -> Outcome:
        exchange = self._simulation.exchange
        try:
            limits.admit(exchange.limits_now_ms())
            if request.method in SESSION_METHODS:
                return Outcome(self._session_result(request, credentials, limits))
            endpoint = BY_WEBSOCKET_METHOD.get(request.method)
            if endpoint is None:
                return Outcome(error=not_supported())
            return dispatch(exchange, limits, endpoint, request.sent, credentials, received_ms)
        except ApiError as error:
            return Outcome(error=error)
        except Exception as failure:  # noqa: BLE001 (whatever it is, the client gets an answer)
            self._simulation.failures.note(f"WS {request.method}", failure)
            return Outcome(error=internal_error())

    def _session_result(self, request: Request, credentials: Credentials, limits: AddressLimits) -> Any:
        exchange = self._simulation.exchange
        limits.charge(SESSION_WEIGHT, exchange.limits_now_ms())
        method = SESSION_METHODS[request.method]
        arguments = method.form.read(request.sent)
        return method.handle(SessionCall(exchange, self._session, self._subscriptions, credentials, arguments))

    def _revoke(self) -> None:
        """The session's key is good no more: the client is told, and nobody is logged on (binance-protocol.md 5.2)."""
        self._session.log_out()
        self._subscriptions.end_of_logon(self._simulation.exchange.now_ms)
        self.outbox.put(self._text({"id": None, **_failure(key_refused())}))

    def _framed(
        self, request_id: RequestId, outcome: Outcome, limits: AddressLimits, *, shows_limits: bool | None
    ) -> Json:
        answer = _failure(outcome.error) if outcome.error else {"status": _OK, "result": outcome.payload}
        if outcome.error is not None and outcome.error.retry_after_seconds is not None:
            answer["error"].setdefault("data", self._stay_away(outcome.error.retry_after_seconds))
        if self._session.shows_limits if shows_limits is None else shows_limits:
            answer["rateLimits"] = self._rate_limits(outcome, limits)
        return {"id": request_id, **answer}

    def _rate_limits(self, outcome: Outcome, limits: AddressLimits) -> list[Json]:
        orders = [{**window.payload(), "count": count} for window, count in outcome.order_counts.items()]
        used = limits.used(self._simulation.exchange.limits_now_ms())
        return [*orders, {**WEIGHT.payload(), "count": used}]

    def _stay_away(self, seconds: int) -> dict[str, int]:
        now_ms = self._simulation.exchange.limits_now_ms()
        return {"serverTime": now_ms, "retryAfter": now_ms + seconds * 1000}

    def _text(self, answer: Json) -> str:
        return orjson.dumps(answer_in(self._unit, answer)).decode()


class WsApi:
    """The door at `/ws-api/v3`."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends.

        Raises:
            ApiError: 418 or 429 of the address, -1100 an unknown `timeUnit`.
        """
        simulation = self._simulation
        limits, now_ms = simulation.limits.of(request.remote), simulation.exchange.limits_now_ms()
        limits.admit(now_ms)
        limits.charge(_CONNECT_WEIGHT, now_ms)
        unit = time_unit(request.query.get("timeUnit"), "timeUnit")
        shows_limits = request.query.get("returnRateLimits", "true").lower() != "false"
        socket = await ClientSocket.accept(request, simulation.ws_api_rules)
        session = Session(simulation.exchange.now_ms, shows_limits=shows_limits)
        connection = WsApiConnection(simulation, socket, request.remote, session, unit)
        simulation.ws_api_outboxes.append(connection.outbox)
        simulation.sockets.connected("ws-api", connection.outbox)
        try:
            await socket.serve(connection.receive)
        finally:
            simulation.ws_api_outboxes.remove(connection.outbox)
            connection.close()
        return socket.response


def _needs_key(method: str) -> bool:
    """Whether a method is answered to somebody who has logged on, or not at all."""
    endpoint = BY_WEBSOCKET_METHOD.get(method)
    return endpoint.is_signed if endpoint else method == "userDataStream.subscribe"


def _failure(error: ApiError) -> Json:
    return {"status": error.status, "error": error.payload()}
