"""Faults of requests: waiting before they are carried out, and what REST answers instead."""

import asyncio
from collections.abc import Callable

import orjson
from aiohttp import web

from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.simulator.errors import unknown_outcome
from binance_trade_agent.simulator.faults.kinds import (
    NOT_CARRIED_OUT,
    DropAfter,
    DropBefore,
    Html,
    Http,
    TimeoutAfter,
    TruncateJson,
    UnknownExecuted,
    UnknownNotExecuted,
)
from binance_trade_agent.simulator.faults.register import Meeting
from binance_trade_agent.simulator.http_answers import JSON_TYPE, Answer, error_answer, page

_LONGEST_SILENCE_SECONDS = 60.0
_SILENCE_STEP_SECONDS = 0.1


async def wait(milliseconds: int) -> None:
    """Let real time pass, if there is any to pass."""
    if milliseconds:
        await sleep_seconds(milliseconds / 1000)


async def answered(meeting: Meeting, request: web.Request, carry_out: Callable[[], Answer]) -> web.StreamResponse:
    """Answer a request as the faults have it that meet it; `carry_out` does what it asks."""
    await wait(meeting.delay_ms)
    fault = meeting.outcome
    if isinstance(fault, NOT_CARRIED_OUT):
        return _dropped(request) if isinstance(fault, DropBefore) else _refusal(fault).response()
    answer = carry_out()
    await wait(meeting.hold_ms or 0)
    match fault:
        case UnknownExecuted():
            answer = error_answer(unknown_outcome())
        case TruncateJson():
            answer.body = answer.body[: len(answer.body) // 2]
        case TimeoutAfter():
            await _wait_until_gone(request.transport)
            return _dropped(request)
        case DropAfter():
            return _dropped(request)
    return answer.response()


def _refusal(fault: Http | Html | UnknownNotExecuted) -> Answer:
    match fault:
        case Http():
            return http_answer(fault)
        case Html():
            return page(fault.status)
    return error_answer(unknown_outcome())


def http_answer(fault: Http) -> Answer:
    """The answer that a fault prescribes. Without a content type a body that looks like JSON is JSON, else a page."""
    body = fault.body if isinstance(fault.body, str) else orjson.dumps(fault.body).decode()
    content_type = fault.content_type or (JSON_TYPE if body.startswith(("{", "[")) else "text/html")
    headers = {"Content-Type": content_type}
    if fault.retry_after_seconds is not None:
        headers["Retry-After"] = str(fault.retry_after_seconds)
    return Answer(fault.status, body.encode(), headers | fault.headers)


def _dropped(request: web.Request) -> web.Response:
    """Close the connection; what is returned does not arrive."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _wait_until_gone(transport: asyncio.Transport | None) -> None:
    """Return when the client has given up, at the latest after a minute."""
    waited_seconds = 0.0
    while transport is not None and not transport.is_closing() and waited_seconds < _LONGEST_SILENCE_SECONDS:
        await sleep_seconds(_SILENCE_STEP_SECONDS)
        waited_seconds += _SILENCE_STEP_SECONDS
