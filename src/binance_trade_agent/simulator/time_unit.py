"""Times in microseconds for clients that want them so (binance-protocol.md, head, and 1.0).

Everything in the exchange is in milliseconds. At the door the time fields of an answer or an event are found by their
names; a name means a time in answers of one kind and something else in others, so each kind has names of its own.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from binance_trade_agent.simulator.errors import illegal_characters

_US_PER_MS = 1000

# Of answers of REST and the WebSocket API.
_ANSWER_TIMES = frozenset(
    {
        "serverTime",
        "time",
        "updateTime",
        "workingTime",
        "trailingTime",
        "transactTime",
        "transactionTime",
        "openTime",
        "closeTime",
        "authorizedSince",
        "connectedSince",
        "retryAfter",
        "T",
    }
)

# Of events of the user data stream (4.5), by type.
_EVENT_TIMES: Mapping[str, str] = {
    "executionReport": "ETOWD",
    "outboundAccountPosition": "Eu",
    "balanceUpdate": "ET",
    "listStatus": "ET",
    "externalLockUpdate": "ET",
    "eventStreamTerminated": "E",
    "serverShutdown": "E",
}


class TimeUnit(StrEnum):
    """What a client wants times in."""

    MILLISECOND = "MILLISECOND"
    MICROSECOND = "MICROSECOND"


def time_unit(text: str | None, name: str) -> TimeUnit:
    """The unit that a header or a query parameter `name` asks for, in upper or lower case; None is the default.

    Raises:
        ApiError: -1100 there is no such unit.
    """
    if text is None:
        return TimeUnit.MILLISECOND
    try:
        return TimeUnit(text.upper())
    except ValueError:
        raise illegal_characters(name, "^(MILLISECOND|MICROSECOND)$") from None


def answer_in(unit: TimeUnit, payload: Any) -> Any:
    """An answer with its times in `unit`."""
    return payload if unit is TimeUnit.MILLISECOND else _answer_in_us(payload)


def event_in(unit: TimeUnit, event: dict[str, Any]) -> dict[str, Any]:
    """An event of the user data stream with its times in `unit`."""
    if unit is TimeUnit.MILLISECOND:
        return event
    times = _EVENT_TIMES[event["e"]]
    return {name: _in_us(value) if name in times else value for name, value in event.items()}


def _answer_in_us(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _in_us(item) if name in _ANSWER_TIMES and isinstance(item, int) else _answer_in_us(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return _kline_in_us(value) if _is_kline(value) else [_answer_in_us(item) for item in value]
    return value


def _is_kline(row: list[Any]) -> bool:
    """Klines are the only rows of an answer that begin with a whole number."""
    return bool(row) and isinstance(row[0], int)


def _kline_in_us(row: list[Any]) -> list[Any]:
    """The close time is the last unit of its kline: ...999 in milliseconds, ...999999 in microseconds."""
    return [row[0] * _US_PER_MS, *row[1:6], (row[6] + 1) * _US_PER_MS - 1, *row[7:]] if len(row) > 6 else row


def _in_us(time_ms: Any) -> Any:
    """-1 stands for no time, None for none yet."""
    return time_ms * _US_PER_MS if isinstance(time_ms, int) and time_ms >= 0 else time_ms
