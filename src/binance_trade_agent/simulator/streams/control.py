"""What clients of the market streams ask for on their connection (binance-protocol.md 5.1, control messages)."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")

_TAKES_NAMES = frozenset({"SUBSCRIBE", "UNSUBSCRIBE"})
_TAKES_PROPERTY = frozenset({"SET_PROPERTY", "GET_PROPERTY"})
_TEXT_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")  # UUIDs with their hyphens are what clients send
_INT64 = 1 << 63

UNKNOWN_PROPERTY = 0
INVALID_VALUE = 1
INVALID_REQUEST = 2
INVALID_JSON = 3


class ControlError(Exception):
    """A control message that cannot be carried out; `answer` is what the client is told, with the codes 0 to 3."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.answer: dict[str, Any] = {"code": code, "msg": message}


@dataclass(frozen=True, slots=True)
class ControlMessage:
    """One request.

    Attributes:
        method: one of METHODS.
        names: streams, of SUBSCRIBE and UNSUBSCRIBE.
        value: of SET_PROPERTY for the property `combined`, which is the only one.
        request_id: given back as it came.
    """

    method: str
    names: tuple[str, ...]
    value: bool | None
    request_id: int | str | None


def parse_control(text: str) -> ControlMessage:
    """The request in a client's message.

    Raises:
        ControlError: it is none; 3 for what is not JSON, 0 and 1 for a wrong property and value, else 2.
    """
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ControlError(INVALID_JSON, f"Invalid JSON: {error}") from None
    if not isinstance(body, dict):
        raise _invalid("expected an object")
    request_id = _request_id(body.get("id"))
    try:
        return _message(body, request_id)
    except ControlError as error:
        error.answer["id"] = request_id
        raise


def _message(body: dict[str, Any], request_id: int | str | None) -> ControlMessage:
    if "method" not in body:
        raise _invalid("missing field `method`")
    method = body["method"]
    if method not in METHODS:
        known = ", ".join(f"`{name}`" for name in METHODS)
        raise _invalid(f"unknown variant `{method}`, expected one of {known}")
    names: tuple[str, ...] = ()
    value = None
    if method in _TAKES_NAMES:
        names = _names(body.get("params"))
    elif method in _TAKES_PROPERTY:
        value = _property(method, body.get("params"))
    return ControlMessage(method, names, value, request_id)


def _request_id(value: Any) -> int | str | None:
    is_text = isinstance(value, str) and _TEXT_ID.fullmatch(value)
    is_number = isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64
    if value is None or is_text or is_number:
        return value  # type: ignore[no-any-return]
    raise _invalid("request ID must be a 64-bit integer, an alphanumeric string of at most 36 characters, or null")


def _names(params: Any) -> tuple[str, ...]:
    if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
        raise _invalid("params must be an array of stream names")
    return tuple(params)


def _property(method: str, params: Any) -> bool | None:
    if not isinstance(params, list) or not params:
        raise _invalid("params must be an array that begins with a property")
    if not isinstance(params[0], str):
        raise _invalid("property name must be a string")
    if params[0] != "combined":
        raise ControlError(UNKNOWN_PROPERTY, "Unknown property")
    if len(params) > (2 if method == "SET_PROPERTY" else 1):
        raise _invalid("too many parameters")
    if method == "GET_PROPERTY":
        return None
    if len(params) != 2 or not isinstance(params[1], bool):
        raise ControlError(INVALID_VALUE, "Invalid value type: expected Boolean")
    return params[1]


def _invalid(what: str) -> ControlError:
    return ControlError(INVALID_REQUEST, f"Invalid request: {what}")
