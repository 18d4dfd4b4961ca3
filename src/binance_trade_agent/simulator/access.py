"""Who may do what: signed requests and their timestamps (binance-protocol.md 2.1 to 2.4)."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.simulator.errors import ApiError, key_format_invalid, key_refused, missing, signature_invalid
from binance_trade_agent.simulator.keys import ApiKey, Permission
from binance_trade_agent.simulator.parameters import Arguments

_KEY_PATTERN = re.compile(r"[A-Za-z0-9]{64}")
_SIGNATURE_PAIR = re.compile(rb"(^|&)signature=[^&]*")
# What RFC 3986 allows in a query; all else has to be percent-encoded before it is signed (binance-protocol.md 2.2).
_PERCENT_ENCODED = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*")
_FUTURE_TOLERANCE_US = 1_000_000
_DEFAULT_RECV_WINDOW_US = 5_000_000
_LONGEST_RECV_WINDOW_MS = 60_000


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows of its sender.

    Attributes:
        key: the API key that it names.
        signed_payload: the bytes that its signature is about.
        is_encoded: whether those bytes are percent-encoded where they have to be.
        session_key: the key of a WebSocket session that has logged on, when the request is signed by no other.
    """

    key: str | None
    signed_payload: bytes
    is_encoded: bool = True
    session_key: ApiKey | None = None


def check_key_format(key: str | None) -> None:
    """Refuse a missing key, or one that is not 64 letters and digits.

    Raises:
        ApiError: -2014.
    """
    if key is None or not _KEY_PATTERN.fullmatch(key):
        raise key_format_invalid()


def without_signature(raw: bytes) -> bytes:
    """A raw query or body without its `signature` pair and the `&` that joins it."""
    stripped = _SIGNATURE_PAIR.sub(b"", raw)
    return stripped.removeprefix(b"&") if raw.startswith(b"signature=") else stripped


def is_percent_encoded(payload: bytes) -> bool:
    """Whether a payload has no character that a query or a form must not hold as it is."""
    return _PERCENT_ENCODED.fullmatch(payload) is not None


class TimestampPolicy:
    """Which timestamps are timely.

    On the wall clock, and on a clock that is set by hand for a check, the rule is Binance's. A market that runs at
    another pace leaves a client's clock behind: there a timestamp is good also when it is timely against the wall
    clock, or lies between the session's start and now. Timestamps and windows are in microseconds, so that both edges
    are exact for either unit.

    Attributes:
        is_strict: whether the rule is Binance's, against market time.
        skew_ms: how much later the exchange believes that it is (a fault); strict then, against either clock.
    """

    def __init__(self, *, session_start_ms: int, is_strict: bool, wall_ms: Callable[[], int]) -> None:
        self._session_start_ms = session_start_ms
        self.is_strict = is_strict
        self.skew_ms = 0
        self._wall_ms = wall_ms

    def check(self, timestamp_us: int, recv_window_us: int, now_ms: int) -> None:
        """Refuse what is too old or too new.

        Raises:
            ApiError: -1021.
        """
        if not self.is_strict and self._is_lenient(timestamp_us, recv_window_us, now_ms):
            return
        now_us = (now_ms + self.skew_ms) * 1000
        if timestamp_us >= now_us + _FUTURE_TOLERANCE_US:
            raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_us - timestamp_us > recv_window_us:
            raise ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")

    def _is_lenient(self, timestamp_us: int, recv_window_us: int, now_ms: int) -> bool:
        wall_us = (self._wall_ms() + self.skew_ms) * 1000
        timely_by_wall = wall_us - recv_window_us <= timestamp_us < wall_us + _FUTURE_TOLERANCE_US
        if self.skew_ms:
            return timely_by_wall
        since_us, until_us = self._session_start_ms * 1000 - recv_window_us, now_ms * 1000 + _FUTURE_TOLERANCE_US
        return timely_by_wall or since_us <= timestamp_us < until_us


class Access:
    """The keys of an exchange, and the check of a signed request."""

    def __init__(self, keys: Iterable[ApiKey], timestamps: TimestampPolicy) -> None:
        self._keys = {key.key: key for key in keys}
        self._timestamps = timestamps

    @property
    def keys(self) -> list[ApiKey]:
        """Every key that is registered."""
        return list(self._keys.values())

    def register(self, key: ApiKey) -> None:
        """Let a key in; one of the same name is replaced."""
        self._keys[key.key] = key

    def revoke(self, key: str) -> bool:
        """Shut a key out; False when it was not registered."""
        return self._keys.pop(key, None) is not None

    def knows(self, key: ApiKey) -> bool:
        """Whether a key is registered still, as it is."""
        return self._keys.get(key.key) is key

    def authorise(
        self, credentials: Credentials, arguments: Arguments, permission: Permission | None, now_ms: int
    ) -> ApiKey:
        """The key that has signed a request.

        Args:
            credentials: the key that the request names, and what is signed.
            arguments: with timestamp, signature and perhaps recvWindow.
            permission: what the key must have; None: nothing beyond its being known.
            now_ms: market time.

        Raises:
            ApiError: -1102 no signature or too long a recvWindow, -2015 unknown key or no permission, -1021, -1022.
        """
        if credentials.session_key is not None:
            self.check_time(arguments, now_ms)
            check_permission(credentials.session_key, permission)
            return credentials.session_key
        signature = arguments.text("signature")
        if signature is None:
            raise missing("signature")
        key = self._keys.get(credentials.key or "")
        if key is None:
            raise key_refused()
        self.check_time(arguments, now_ms)
        if not (credentials.is_encoded and key.signs(credentials.signed_payload, signature)):
            raise signature_invalid()
        check_permission(key, permission)
        return key

    def check_time(self, arguments: Arguments, now_ms: int) -> None:
        """Refuse a signed request that is not timely.

        Raises:
            ApiError: -1102 too long a recvWindow, -1021.
        """
        timestamp_us = arguments.time_us("timestamp")
        assert timestamp_us is not None, "signed endpoints have a mandatory timestamp"
        self._timestamps.check(timestamp_us, _recv_window_us(arguments), now_ms)


def check_permission(key: ApiKey, permission: Permission | None) -> None:
    """Refuse a key that may not do this.

    Raises:
        ApiError: -2015.
    """
    if permission is not None and permission not in key.permissions:
        raise key_refused()


def _recv_window_us(arguments: Arguments) -> int:
    text = arguments.text("recvWindow")
    if text is None:
        return _DEFAULT_RECV_WINDOW_US
    window_ms = Decimal(text)
    if window_ms > _LONGEST_RECV_WINDOW_MS:
        raise ApiError(-1102, "'recvWindow' contains unexpected value. Cannot be greater than 60000.")
    return int(window_ms * 1000)
