"""The protocol's errors: HTTP status, code and exact text (binance-protocol.md 2.5)."""

from typing import Any

from binance_trade_agent.matching.errors import CancelRefused, FilterRefused, OrderRefused, Refused


class ApiError(Exception):
    """An answer that is an error.

    Attributes:
        status: HTTP status.
        code: Binance's error code.
        message: Binance's text.
        retry_after_seconds: for 429 and 418, how long the client has to stay away; else None.
        data: what the answer holds beside code and text (binance-protocol.md 1.3, cancelReplace); None: nothing.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int = 400,
        retry_after_seconds: int | None = None,
        data: Any = None,
    ) -> None:
        super().__init__(code, message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.data = data

    def __str__(self) -> str:
        return f"{self.code} {self.message}"

    def payload(self) -> dict[str, Any]:
        """The error as JSON."""
        body: dict[str, Any] = {"code": self.code, "msg": self.message}
        return body if self.data is None else {**body, "data": self.data}


def illegal_characters(name: str, legal: str) -> ApiError:
    """A value that does not match its parameter's pattern."""
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def missing(name: str) -> ApiError:
    """A mandatory parameter that was not sent."""
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def missing_both(first: str, second: str) -> ApiError:
    """Neither of two parameters was sent of which one is mandatory."""
    return ApiError(-1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!")


def not_required(name: str) -> ApiError:
    """A parameter that does not go with the others."""
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


def invalid_data(name: str) -> ApiError:
    """A value out of range."""
    return ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")


def overflowed(name: str) -> ApiError:
    """A whole number that does not fit its type."""
    return ApiError(-1108, f"Parameter '{name}' overflowed.")


def bad_combination() -> ApiError:
    """Optional parameters that exclude each other."""
    return ApiError(-1128, "Combination of optional parameters invalid.")


def invalid_symbol() -> ApiError:
    """A symbol that is not listed."""
    return ApiError(-1121, "Invalid symbol.")


def key_format_invalid() -> ApiError:
    """No API key, or not 64 letters and digits."""
    return ApiError(-2014, "API-key format invalid.", status=401)


def key_refused() -> ApiError:
    """An unknown API key, or one that may not do this."""
    return ApiError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def signature_invalid() -> ApiError:
    """A signature that is not the key's, of what was sent."""
    return ApiError(-1022, "Signature for this request is not valid.")


def not_supported() -> ApiError:
    """A method that does not exist, or not for this kind of key."""
    return ApiError(-1020, "This operation is not supported.")


def invalid_json() -> ApiError:
    """A WebSocket API frame that is not a request."""
    return ApiError(-1135, "Invalid JSON Request")


def internal_error() -> ApiError:
    """A mistake of the exchange's own."""
    return ApiError(-1000, "An unknown error occurred while processing the request.", status=500)


def unknown_outcome() -> ApiError:
    """The engine did not answer in time; whether it did what was asked is not known."""
    text = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
    return ApiError(-1007, text, status=504)


def from_refusal(refusal: Refused) -> ApiError:
    """The protocol's error for a refusal of the engine."""
    match refusal:
        case FilterRefused():
            return ApiError(-1013, str(refusal))
        case OrderRefused():
            return ApiError(-2010, str(refusal))
        case CancelRefused():
            return ApiError(-2011, str(refusal))
    raise AssertionError(f"refusal without a code: {refusal!r}")
