"""Everything that talking to the exchange can raise, classed by the reaction that it needs.

What python-binance, aiohttp and the operating system raise is looked at in `classify.py` only. A backtest, which talks
to nobody, has these errors without those libraries.
"""

AUTH_CODES = frozenset({-1002, -1022, -2014, -2015})  # -1022: the secret does not belong to the key
CLOCK_CODE = -1021
NO_SUCH_ORDER_CODE = -2013
UNKNOWN_SYMBOL_CODE = -1121
# Whatever the status: the exchange does not know itself (-1000, -1001, -1006, -1007), or half of it is done (-2021).
OUTCOME_UNKNOWN_CODES = frozenset({-1000, -1001, -1006, -1007, -2021})


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
