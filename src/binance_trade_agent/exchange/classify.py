"""What a failed request raised, as one of the errors of `errors.py`.

The only place that looks at what python-binance, aiohttp and the operating system raise.
"""

import asyncio
import contextlib
from typing import Any

import aiohttp
import orjson
from binance.exceptions import BinanceAPIException, BinanceRequestException

from binance_trade_agent.exchange.errors import (
    AUTH_CODES,
    OUTCOME_UNKNOWN_CODES,
    AuthError,
    BannedError,
    ExchangeError,
    OrderLimitError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
    UnknownOutcomeError,
)

_REPLACEMENT_CODES = frozenset({-2021, -2022})
_TOO_MANY_CODE, _TOO_MANY_ORDERS_CODE = -1003, -1015
_OVERLOADED_CODES = frozenset({-1008, -1016})
_DEFAULT_RETRY_AFTER_SECONDS = 60


def classify(failure: BaseException, *, changes_something: bool) -> ExchangeError:
    """The class of `failure`, raised by one request.

    Args:
        failure: what the request raised.
        changes_something: whether it was a POST or DELETE, whose outcome is unknown unless the answer was a clean
            refusal or the connection was never made (binance-protocol.md 2.7, 6 P16).
    """
    if isinstance(failure, BinanceAPIException) and (answer := _classify_answer(failure)):
        return answer
    if isinstance(failure, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return UnavailableError(f"the exchange cannot be reached: {failure}")
    if changes_something:
        return UnknownOutcomeError(f"the outcome is unknown: {_told(failure)}")
    return UnavailableError(f"the exchange did not answer properly: {_told(failure)}")


_OUTCOMES = {
    RejectedError: "rejected",
    OrderLimitError: "rate_limited",
    RateLimitedError: "rate_limited",
    BannedError: "banned",
    AuthError: "auth",
    UnavailableError: "unavailable",
    UnknownOutcomeError: "unknown",
}


def outcome_of(failure: BaseException, *, changes_something: bool) -> str:
    """One word for how a request ended that raised: its class, or `cancelled` when we did not wait for it."""
    if isinstance(failure, asyncio.CancelledError):
        return "cancelled"
    return _OUTCOMES.get(type(classify(failure, changes_something=changes_something)), "unavailable")


async def told_of_halves(failure: BinanceAPIException) -> Any | None:
    """What an error says of both halves of a replacement (binance-protocol.md 1.3), None when it does not say it.

    The library keeps the code and the text of an answer only, and leaves the rest of it to be read again.
    """
    if failure.status_code not in {400, 409} or failure.code not in _REPLACEMENT_CODES:
        return None
    return orjson.loads(await failure.response.text()).get("data")


def _told(failure: BaseException) -> str:
    """What went wrong, without the address: it carries the signature."""
    if isinstance(failure, TimeoutError):
        return "no answer in time"
    if isinstance(failure, BinanceAPIException):
        return f"{_message(failure)} ({failure.code or 0})"
    if isinstance(failure, aiohttp.ClientResponseError):
        return f"{failure.message} (HTTP {failure.status})"
    if isinstance(failure, aiohttp.ClientError | OSError | BinanceRequestException):
        return str(failure) or type(failure).__name__
    return f"the answer cannot be read ({type(failure).__name__}: {failure})"


def _message(failure: BinanceAPIException) -> str:
    """The exchange's own words; of an answer that is not JSON the library keeps none (P16)."""
    return str(failure.message) if failure.code else f"HTTP {failure.status_code} without a reason"


def _classify_answer(failure: BinanceAPIException) -> ExchangeError | None:
    """What a non-2xx answer means, None when it does not say that nothing happened. 5xx never says so (2.7)."""
    status, code, message = failure.status_code, failure.code or 0, _message(failure)
    if not 400 <= status < 500 or status == 409 or code in OUTCOME_UNKNOWN_CODES:
        return None
    if status in {418, 429} or code in {_TOO_MANY_CODE, _TOO_MANY_ORDERS_CODE}:
        kind = BannedError if status == 418 else OrderLimitError if code == _TOO_MANY_ORDERS_CODE else RateLimitedError
        return kind(_retry_after(failure), message)
    if status == 401 or code in AUTH_CODES:
        return AuthError(f"{message} ({code})")
    if status == 403:
        return UnavailableError("the exchange's firewall refused the request (403)")
    if code in _OVERLOADED_CODES:
        return UnavailableError(f"{message} ({code})")
    return RejectedError(code, message) if code < 0 else None


def _retry_after(failure: BinanceAPIException) -> int:
    with contextlib.suppress(KeyError, ValueError, AttributeError):
        return max(1, int(failure.response.headers["Retry-After"]))
    return _DEFAULT_RETRY_AFTER_SECONDS
