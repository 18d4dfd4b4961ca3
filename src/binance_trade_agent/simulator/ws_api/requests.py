"""Reading the frames of a WebSocket API client (binance-protocol.md 2.2, 5.2)."""

import json
from dataclasses import dataclass
from typing import Any

import orjson

from binance_trade_agent.simulator.errors import ApiError, illegal_characters, invalid_json, missing

_LONGEST_ID = 36
_LEAST_INT64, _MOST_INT64 = -(2**63), 2**63 - 1
_SHOWS_LIMITS = "returnRateLimits"

RequestId = int | str | None


class BadRequestError(Exception):
    """A frame that is no request; `request_id` is what its answer has to show."""

    def __init__(self, request_id: RequestId, error: ApiError) -> None:
        super().__init__(str(error))
        self.request_id = request_id
        self.error = error


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        params: every parameter as text: numbers as they were written, booleans as true and false, arrays as JSON.
        shows_limits: whether the answer is to have `rateLimits`; None: as the connection has it.
    """

    id: RequestId
    method: str
    params: dict[str, str]
    shows_limits: bool | None

    @property
    def sent(self) -> list[tuple[str, str]]:
        """The parameters that the method has to know."""
        return [item for item in self.params.items() if item[0] not in {"apiKey", _SHOWS_LIMITS}]

    @property
    def signed_payload(self) -> bytes:
        """All parameters but the signature, sorted by name, as `k=v` joined by `&`."""
        return "&".join(f"{name}={self.params[name]}" for name in sorted(self.params) if name != "signature").encode()


def read_request(text: str) -> Request:
    """The request in a frame.

    Raises:
        BadRequestError: -1135 not JSON or no object, -1100 an id of another kind, -1102 no method.
    """
    frame, params = _parsed(text)
    if not isinstance(frame, dict):
        raise BadRequestError(None, invalid_json())
    request_id = frame.get("id")
    if not _is_id(request_id):
        raise BadRequestError(None, illegal_characters("id", "^[a-zA-Z0-9-_]{1,36}$"))
    method = frame.get("method")
    if not isinstance(method, str) or not method:
        raise BadRequestError(request_id, missing("method"))
    if not isinstance(frame.get("params", {}), dict | None):
        raise BadRequestError(request_id, invalid_json())
    return Request(request_id, method.removeprefix("v3/"), params, _shows_limits(request_id, params))


def _parsed(text: str) -> tuple[Any, dict[str, str]]:
    """A frame, and its parameters with numbers as they were written."""
    try:
        frame = orjson.loads(text)
        literals = json.loads(text, parse_float=str, parse_int=str)
        params = literals.get("params") if isinstance(literals, dict) else None
        return frame, {name: _literal(value) for name, value in params.items()} if isinstance(params, dict) else {}
    except (ValueError, RecursionError):
        raise BadRequestError(None, invalid_json()) from None


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_ID
    if isinstance(value, int) and not isinstance(value, bool):
        return _LEAST_INT64 <= value <= _MOST_INT64
    return value is None


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _shows_limits(request_id: RequestId, params: dict[str, str]) -> bool | None:
    match params.get(_SHOWS_LIMITS):
        case None:
            return None
        case "true" | "false" as text:
            return text == "true"
    raise BadRequestError(request_id, illegal_characters(_SHOWS_LIMITS, "^(true|false)$"))
