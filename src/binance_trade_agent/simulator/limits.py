"""Request weight, order count, and what happens to those who exceed them (binance-protocol.md 2.8).

Windows are aligned to the calendar. They run on the time they are given, which is the limits' own: see exchange.py.
"""

from collections import Counter
from dataclasses import dataclass

from binance_trade_agent.simulator.errors import ApiError

_MINUTE_MS = 60_000
_FIRST_BAN_SECONDS = 120
_LONGEST_BAN_SECONDS = 3 * 86_400
_REFUSALS_BEFORE_BAN = 10


@dataclass(frozen=True, slots=True)
class Window:
    """A limit per calendar window, as exchangeInfo shows it."""

    kind: str
    interval: str
    interval_number: int
    length_ms: int
    limit: int

    def start_ms(self, at_ms: int) -> int:
        """Start of the window that contains `at_ms`."""
        return at_ms // self.length_ms * self.length_ms

    def payload(self) -> dict[str, str | int]:
        """The window as exchangeInfo's `rateLimits` has it."""
        return {
            "rateLimitType": self.kind,
            "interval": self.interval,
            "intervalNum": self.interval_number,
            "limit": self.limit,
        }


WEIGHT = Window("REQUEST_WEIGHT", "MINUTE", 1, _MINUTE_MS, 6000)
ORDER_WINDOWS = (
    Window("ORDERS", "SECOND", 10, 10_000, 50),
    Window("ORDERS", "DAY", 1, 86_400_000, 160_000),
)
RAW_REQUESTS = Window("RAW_REQUESTS", "MINUTE", 5, 5 * _MINUTE_MS, 300_000)
ALL_WINDOWS = (WEIGHT, *ORDER_WINDOWS, RAW_REQUESTS)


class WeightLimit:
    """Weight used by one IP address, and its ban."""

    def __init__(self) -> None:
        self._minute_ms = 0
        self._refusals = 0
        self._bans = 0
        self._banned_until_ms = 0
        self.used = 0

    def check_ban(self, now_ms: int) -> None:
        """Refuse whoever is banned.

        Raises:
            ApiError: 418 -1003.
        """
        if now_ms < self._banned_until_ms:
            text = (
                f"Way too much request weight used; IP banned until {self._banned_until_ms}. "
                "Please use WebSocket Streams for live updates to avoid bans."
            )
            seconds = _whole_seconds(self._banned_until_ms - now_ms)
            raise ApiError(-1003, text, status=418, retry_after_seconds=seconds)

    def charge(self, weight: int, now_ms: int) -> None:
        """Add `weight` to the running minute.

        Raises:
            ApiError: 429 -1003 when the minute is used up; ten of these in a minute lead to a ban.
        """
        self._roll(now_ms)
        if self.used + weight <= WEIGHT.limit:
            self.used += weight
            return
        self._refusals += 1
        if self._refusals >= _REFUSALS_BEFORE_BAN:
            ban_seconds = min(_FIRST_BAN_SECONDS * 2**self._bans, _LONGEST_BAN_SECONDS)
            self._banned_until_ms = now_ms + ban_seconds * 1000
            self._bans += 1
            self.check_ban(now_ms)
        text = (
            f"Too much request weight used; current limit is {WEIGHT.limit} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        seconds = _whole_seconds(self._minute_ms + _MINUTE_MS - now_ms)
        raise ApiError(-1003, text, status=429, retry_after_seconds=seconds)

    def _roll(self, now_ms: int) -> None:
        minute_ms = WEIGHT.start_ms(now_ms)
        if minute_ms != self._minute_ms:
            self._minute_ms, self.used, self._refusals = minute_ms, 0, 0


class OrderCount:
    """Unfilled orders that one account has placed in the running windows."""

    def __init__(self) -> None:
        self._starts_ms: dict[Window, int] = {}
        self._counts: Counter[Window] = Counter()

    def check(self, now_ms: int) -> None:
        """Refuse one more order when a window is full.

        Raises:
            ApiError: 429 -1015.
        """
        for window, count in self.counts(now_ms).items():
            if count >= window.limit:
                per = f"{window.interval_number} {window.interval}"
                seconds = _whole_seconds(window.start_ms(now_ms) + window.length_ms - now_ms)
                raise ApiError(
                    -1015,
                    f"Too many new orders; current limit is {window.limit} orders per {per}.",
                    status=429,
                    retry_after_seconds=seconds,
                )

    def add(self, number: int, now_ms: int) -> None:
        """Count `number` orders more; less than 0 gives back for fills, never below 0."""
        for window, count in self.counts(now_ms).items():
            self._counts[window] = max(0, count + number)

    def counts(self, now_ms: int) -> dict[Window, int]:
        """Orders counted in each running window."""
        for window in ORDER_WINDOWS:
            if self._starts_ms.get(window) != window.start_ms(now_ms):
                self._starts_ms[window] = window.start_ms(now_ms)
                self._counts[window] = 0
        return {window: self._counts[window] for window in ORDER_WINDOWS}


def _whole_seconds(duration_ms: int) -> int:
    return max(1, -(-duration_ms // 1000))
