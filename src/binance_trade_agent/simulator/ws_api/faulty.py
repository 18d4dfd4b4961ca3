"""Faults of requests to the WebSocket API: what is sent instead of an answer."""

from collections.abc import Callable
from typing import Any

import orjson

from binance_trade_agent.simulator.dispatcher import Outcome
from binance_trade_agent.simulator.errors import ApiError, unknown_outcome
from binance_trade_agent.simulator.faults.kinds import (
    DropAfter,
    DropBefore,
    Html,
    Http,
    RequestFault,
    TimeoutAfter,
    TruncateJson,
    UnknownExecuted,
    UnknownNotExecuted,
)
from binance_trade_agent.simulator.http_answers import page
from binance_trade_agent.simulator.outbox import Outbox

_UNKNOWN_CODE = -1000

Json = dict[str, Any]


def respond(
    fault: RequestFault | None, outbox: Outbox, carry_out: Callable[[], str | None], failed: Callable[[Outcome], str]
) -> None:
    """Send what a request is answered with.

    Args:
        fault: what meets the request, None: nothing.
        outbox: the connection.
        carry_out: does what is asked; returns the answer, None when none is due.
        failed: the answer with an outcome that is an error.
    """
    match fault:
        case Http():
            outbox.put(failed(Outcome(error=_prescribed(fault))))
            return
        case Html():
            outbox.put(page(fault.status).body.decode())
            return
        case UnknownNotExecuted():
            outbox.put(failed(Outcome(error=unknown_outcome())))
            return
        case DropBefore():
            outbox.abort()
            return
    answer = carry_out()
    match fault:
        case UnknownExecuted():
            outbox.put(failed(Outcome(error=unknown_outcome())))
        case DropAfter():
            outbox.abort()
        case TruncateJson() if answer is not None:
            outbox.put(answer[: len(answer) // 2])
        case TimeoutAfter():
            pass
        case _ if answer is not None:
            outbox.put(answer)


def _prescribed(fault: Http) -> ApiError:
    """The error that the body of an HTTP fault is."""
    try:
        body = orjson.loads(fault.body) if isinstance(fault.body, str) else fault.body
    except orjson.JSONDecodeError:
        body = None
    fields: Json = body if isinstance(body, dict) else {}
    code, text = fields.get("code", _UNKNOWN_CODE), fields.get("msg", fault.body)
    return ApiError(code, str(text), status=fault.status, retry_after_seconds=fault.retry_after_seconds)
