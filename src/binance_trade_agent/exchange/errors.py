"""Everything that talking to the exchange can raise, classed by the reaction that it needs.

`classify` is the only place that looks at what python-binance, aiohttp and the operating system raise.
"""

import contextlib
from typing import Any

import aiohttp
import orjson
from binance.exceptions import BinanceAPIException, BinanceRequestException

AUTH_CODES = frozenset({-1002, -1022, -2014, -2015})  # -1022: the secret does not belong to the key
CLOCK_CODE = -1021
NO_SUCH_ORDER_CODE = -2013
_REPLACEMENT_CODES = frozenset({-2021, -2022})
UNKNOWN_SYMBOL_CODE = -1121
# Whatever the status: the exchange does not know itself (-1000, -1001, -1006, -1007), or half of it is done (-2021).
OUTCOME_UNKNOWN_CODES = frozenset({-1000, -1001, -1006, -1007, -2021})
_TOO_MANY_CODE, _TOO_MANY_ORDERS_CODE = -1003, -1015
_OVERLOADED_CODES = frozenset({-1008, -1016})
_DEFAULT_RETRY_AFTER_SECONDS = 60


class ExchangeError(Exception):
    """Talking to the exchange failed. The text is one sentence for a person."""


class RejectedError(ExchangeError):
    """The exchange refused the request; nothing happened there. Asking the same again gives the same answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


class ReplaceRefusedError(RejectedError):
    """The new order of a replacement was not placed.

    Attributes:
        cancelled: whether the old order is cancelled: then nothing stands now, and `code` and `message` say why the new
            one was refused. Otherwise they say why the old one was not cancelled (-2011: it is not open any more, or
            was never known), and the new one was not tried.
    """

    def __init__(self, code: int, message: str, *, cancelled: bool) -> None:
        super().__init__(code, message)
        self.cancelled = cancelled

    def __str__(self) -> str:
        told = (
            "the old order is cancelled and the new one refused"
            if self.cancelled
            else "the old order was not cancelled"
        )
        return f"{told}: {super().__str__()}"


class RateLimitedError(ExchangeError):
    """Too many requests (429). Nothing happened; nothing may be sent for `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: int, message: str) -> None:
        super().__init__(f"{message} Retry after {retry_after_seconds} s.")
        self.retry_after_seconds = retry_after_seconds


class BannedError(RateLimitedError):
    """This address is banned (418) for `retry_after_seconds`."""


class OrderLimitError(RateLimitedError):
    """The account has placed too many orders (-1015): no new one for `retry_after_seconds`; all else may be asked."""


class AuthError(ExchangeError):
    """The keys are wrong, lack a permission, or were revoked. Trading stops until a person acts."""


class ClockError(ExchangeError):
    """The exchange refuses the time of signed requests, although its own was taken over."""


class UnavailableError(ExchangeError):
    """The exchange could not be asked, and the request surely changed nothing there. Try again later."""


class UnknownOutcomeError(ExchangeError):
    """A request that changes something was sent and its outcome was not seen. It must never be sent again."""


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
