"""Reading the frames of a WebSocket API client (binance-protocol.md 2.2, 5.2)."""

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from binance_trade_agent.simulator.errors import ApiError, illegal_characters, invalid_json, missing

_LONGEST_ID = 36
_LEAST_INT64, _MOST_INT64 = -(2**63), 2**63 - 1
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
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
    frame = _parsed(text)
    if not isinstance(frame, dict):
        raise BadRequestError(None, invalid_json())
    request_id = _id(frame.get("id"))
    method = frame.get("method")
    if not isinstance(method, str) or isinstance(method, _Number) or not method:
        raise BadRequestError(request_id, missing("method"))
    params = _params(request_id, frame.get("params"))
    shown = params.get(_SHOWS_LIMITS, _literal(frame[_SHOWS_LIMITS]) if _SHOWS_LIMITS in frame else None)
    return Request(request_id, method.removeprefix("v3/"), params, _shows_limits(request_id, shown))


def _parsed(text: str) -> Any:
    """The JSON in a frame, its numbers as they were written: of any size, and never rounded."""
    try:
        frame = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(frame, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        raise BadRequestError(None, invalid_json()) from None
    return frame


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def _refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are no JSON, though Python reads them."""
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=_refuse_constant)


def _params(request_id: RequestId, value: Any) -> dict[str, str]:
    """Every parameter as text.

    Raises:
        BadRequestError: -1135 they are no object, or nested too deeply to be written again.
    """
    try:
        if isinstance(value, dict | None):
            return {name: _literal(each) for name, each in (value or {}).items()}
    except RecursionError:
        pass
    raise BadRequestError(request_id, invalid_json())


def _id(value: Any) -> RequestId:
    """A request's id.

    Raises:
        BadRequestError: -1100 of a kind that an id may not be.
    """
    if isinstance(value, _Number):
        if _WHOLE_NUMBER.fullmatch(value) and _LEAST_INT64 <= int(value) <= _MOST_INT64:
            return int(value)
    elif value is None or (isinstance(value, str) and len(value) <= _LONGEST_ID):
        return value
    raise BadRequestError(None, illegal_characters("id", "^[a-zA-Z0-9-_]{1,36}$"))


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _shows_limits(request_id: RequestId, shown: str | None) -> bool | None:
    match shown:
        case None:
            return None
        case "true" | "false" as text:
            return text == "true"
    raise BadRequestError(request_id, illegal_characters(_SHOWS_LIMITS, "^(true|false)$"))
