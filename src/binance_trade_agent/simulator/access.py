"""Who may do what: API keys, signatures, timestamps (binance-protocol.md 2.1 to 2.3)."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from binance_trade_agent.simulator.errors import ApiError, key_format_invalid, key_refused
from binance_trade_agent.simulator.parameters import Arguments

_KEY_PATTERN = re.compile(r"[A-Za-z0-9]{64}")
_SIGNATURE_PAIR = re.compile(rb"(^|&)signature=[^&]*")
_FUTURE_TOLERANCE_MS = 1000
_DEFAULT_RECV_WINDOW_MS = Decimal(5000)
_LONGEST_RECV_WINDOW_MS = Decimal(60_000)


class Permission(StrEnum):
    """What an endpoint needs; NONE is open to everybody."""

    NONE = "NONE"
    TRADE = "TRADE"
    USER_DATA = "USER_DATA"
    USER_STREAM = "USER_STREAM"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An HMAC key of an account."""

    key: str
    secret: str
    account: str
    permissions: frozenset[Permission]

    def signs(self, payload: bytes, signature: str) -> bool:
        """Whether `signature` (hex, either case) is this key's HMAC-SHA256 of `payload`."""
        expected = hmac.new(self.secret.encode(), payload, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows of its sender: the key it names, and the bytes that its signature is about."""

    key: str | None
    signed_payload: bytes


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


class TimestampPolicy:
    """Which timestamps are timely.

    When market time is wall time the rule is Binance's. A market that runs at another pace leaves a client's clock
    behind: there a timestamp is good also when it is timely against the wall clock, or lies between the session's start
    and now.

    Attributes:
        is_wall_time: whether market time is wall time.
    """

    def __init__(self, *, session_start_ms: int, is_wall_time: bool, wall_ms: Callable[[], int]) -> None:
        self._session_start_ms = session_start_ms
        self.is_wall_time = is_wall_time
        self._wall_ms = wall_ms

    def check(self, timestamp_ms: int, recv_window_ms: Decimal, now_ms: int) -> None:
        """Refuse what is too old or too new.

        Raises:
            ApiError: -1021.
        """
        if not self.is_wall_time and self._is_lenient(timestamp_ms, recv_window_ms, now_ms):
            return
        if timestamp_ms >= now_ms + _FUTURE_TOLERANCE_MS:
            raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_ms - timestamp_ms > recv_window_ms:
            raise ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")

    def _is_lenient(self, timestamp_ms: int, recv_window_ms: Decimal, now_ms: int) -> bool:
        wall_ms = self._wall_ms()
        timely_by_wall = wall_ms - recv_window_ms <= timestamp_ms < wall_ms + _FUTURE_TOLERANCE_MS
        within_session = self._session_start_ms - recv_window_ms <= timestamp_ms < now_ms + _FUTURE_TOLERANCE_MS
        return timely_by_wall or within_session


class Access:
    """The keys of an exchange, and the check of a signed request."""

    def __init__(self, keys: Mapping[str, ApiKey], timestamps: TimestampPolicy) -> None:
        self._keys = keys
        self._timestamps = timestamps

    def authorise(self, credentials: Credentials, arguments: Arguments, permission: Permission, now_ms: int) -> str:
        """The account for which a signed request speaks.

        Raises:
            ApiError: -2015 unknown key or no permission, -1102 recvWindow, -1021 timestamp, -1022 signature.
        """
        key = self._keys.get(credentials.key or "")
        if key is None:
            raise key_refused()
        self._timestamps.check(_required_time(arguments), _recv_window(arguments), now_ms)
        if not key.signs(credentials.signed_payload, arguments.text("signature") or ""):
            raise ApiError(-1022, "Signature for this request is not valid.")
        if permission not in key.permissions:
            raise key_refused()
        return key.account


def _required_time(arguments: Arguments) -> int:
    timestamp = arguments.time_ms("timestamp")
    assert timestamp is not None, "signed endpoints have a mandatory timestamp"
    return timestamp


def _recv_window(arguments: Arguments) -> Decimal:
    text = arguments.text("recvWindow")
    window = _DEFAULT_RECV_WINDOW_MS if text is None else Decimal(text)
    if window > _LONGEST_RECV_WINDOW_MS:
        raise ApiError(-1102, "'recvWindow' contains unexpected value. Cannot be greater than 60000.")
    return window
