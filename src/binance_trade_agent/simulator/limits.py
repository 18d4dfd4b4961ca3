"""Request weight, raw requests, order count, and what happens to those who exceed them (binance-protocol.md 2.8).

Windows are aligned to the calendar. They run on the time they are given, which is the limits' own: see exchange.py.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from binance_trade_agent.simulator.errors import ApiError

_MINUTE_MS = 60_000
_FIRST_BAN_SECONDS = 120
_LONGEST_BAN_SECONDS = 3 * 86_400
_REFUSALS_BEFORE_BAN = 10


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A limit per calendar window, as exchangeInfo shows it; there is one object of each."""

    kind: str
    interval: str
    interval_number: int
    length_ms: int
    limit: int

    @property
    def length(self) -> str:
        """The window's length as headers have it, such as `10s`."""
        return f"{self.interval_number}{self.interval[0].lower()}"

    def start_ms(self, at_ms: int) -> int:
        """Start of the window that contains `at_ms`."""
        return at_ms // self.length_ms * self.length_ms

    def seconds_left(self, at_ms: int) -> int:
        """Whole seconds until the next window begins, at least 1."""
        return _whole_seconds(self.start_ms(at_ms) + self.length_ms - at_ms)

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
STREAM_CONNECTIONS = Window("CONNECTIONS", "MINUTE", 5, 5 * _MINUTE_MS, 300)


class Counter:
    """A count that begins anew with each window."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._number = 0  # of the window, since the epoch
        self._count = 0

    def count(self, now_ms: int) -> int:
        """What is counted in the running window."""
        number = now_ms // self.window.length_ms
        if number != self._number:
            self._number, self._count = number, 0
        return self._count

    def set(self, count: int, now_ms: int) -> None:
        """Put a count in the place of the one of the running window."""
        self._number, self._count = now_ms // self.window.length_ms, count


class AddressLimits:
    """What one IP address has used up, through all doors together, and its ban."""

    def __init__(self) -> None:
        self._weight, self._raw_requests = Counter(WEIGHT), Counter(RAW_REQUESTS)
        self._stream_connections = Counter(STREAM_CONNECTIONS)
        self._refusals_ms: deque[int] = deque(maxlen=_REFUSALS_BEFORE_BAN)
        self._bans = 0
        self._banned_until_ms = 0

    def used(self, now_ms: int) -> int:
        """Weight of the running minute."""
        return self._weight.count(now_ms)

    def set_used(self, used: int, now_ms: int) -> None:
        """Put the weight of the running minute at `used`."""
        self._weight.set(used, now_ms)

    def ban(self, seconds: float, now_ms: int) -> None:
        """Shut the address out for `seconds` from now; 0 ends a ban."""
        self._banned_until_ms = now_ms + round(seconds * 1000)

    def admit(self, now_ms: int) -> None:
        """Let in a request of any kind.

        Raises:
            ApiError: 418 -1003 the address is banned, 429 -1003 too many requests.
        """
        self.check_ban(now_ms)
        self._add(self._raw_requests, 1, now_ms)

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
        """Add a request's weight before it is carried out.

        Raises:
            ApiError: 429 -1003 when it does not fit into the running minute; then it is not added.
        """
        self._add(self._weight, weight, now_ms)

    def charge_afterwards(self, weight: int, now_ms: int) -> None:
        """Add the weight of a request whose outcome stands already."""
        self.set_used(self.used(now_ms) + weight, now_ms)

    def open_stream(self, now_ms: int) -> None:
        """Count an attempt to connect to the market streams.

        Raises:
            ApiError: 418 -1003 banned, 429 -1003 more than 300 attempts in five minutes.
        """
        self.check_ban(now_ms)
        self._add(self._stream_connections, 1, now_ms)

    def refused(self, now_ms: int) -> None:
        """A request was answered with 429; the tenth within a minute leads to a ban, each twice as long as the last."""
        self._refusals_ms.append(now_ms)
        if len(self._refusals_ms) == _REFUSALS_BEFORE_BAN and now_ms - self._refusals_ms[0] < _MINUTE_MS:
            self.ban(min(_FIRST_BAN_SECONDS * 2**self._bans, _LONGEST_BAN_SECONDS), now_ms)
            self._bans += 1
            self._refusals_ms.clear()

    def _add(self, counter: Counter, number: int, now_ms: int) -> None:
        window, count = counter.window, counter.count(now_ms)
        if count + number > window.limit:
            self.refused(now_ms)
            text = (
                f"Too much request weight used; current limit is {window.limit} request weight per "
                f"{window.interval_number} {window.interval}. "
                "Please use WebSocket Streams for live updates to avoid polling the API."
            )
            raise ApiError(-1003, text, status=429, retry_after_seconds=window.seconds_left(now_ms))
        counter.set(count + number, now_ms)


class Limits:
    """The limits of every IP address."""

    def __init__(self) -> None:
        self._addresses: dict[str, AddressLimits] = {}
        self._used_by_all: Callable[[AddressLimits], None] | None = None
        self._ban_of_all: Callable[[AddressLimits], None] | None = None

    def of(self, address: str | None) -> AddressLimits:
        """The limits of an address; None: of a connection that has gone already."""
        limits = self._addresses.get(address or "")
        if limits is None:
            limits = self._addresses[address or ""] = AddressLimits()
            for put in (self._used_by_all, self._ban_of_all):
                if put is not None:
                    put(limits)
        return limits

    def used(self, now_ms: int) -> dict[str, int]:
        """Weight of the running minute per address."""
        return {address: limits.used(now_ms) for address, limits in self._addresses.items()}

    def set_used_by_all(self, used: int, now_ms: int) -> None:
        """Put the weight of the running minute at `used`, for addresses that are yet to come too."""
        self._used_by_all = lambda limits: limits.set_used(used, now_ms)
        for limits in self._addresses.values():
            limits.set_used(used, now_ms)

    def ban_all(self, seconds: float, now_ms: int) -> None:
        """Shut every address out for `seconds` from now, those that are yet to come too."""
        self._ban_of_all = lambda limits: limits.ban(seconds, now_ms)
        for limits in self._addresses.values():
            limits.ban(seconds, now_ms)


class OrderCount:
    """Unfilled orders that one account has placed in the running windows."""

    def __init__(self) -> None:
        self._counters = tuple(map(Counter, ORDER_WINDOWS))

    def check(self, now_ms: int, number: int = 1) -> None:
        """Refuse `number` orders more when they do not fit into a window.

        Raises:
            ApiError: 429 -1015.
        """
        for counter in self._counters:
            window = counter.window
            if counter.count(now_ms) + number > window.limit:
                raise ApiError(
                    -1015,
                    f"Too many new orders; current limit is {window.limit} orders per "
                    f"{window.interval_number} {window.interval}.",
                    status=429,
                    retry_after_seconds=window.seconds_left(now_ms),
                )

    def add(self, number: int, now_ms: int) -> None:
        """Count `number` orders more; less than 0 gives back for fills, never below 0."""
        for counter in self._counters:
            counter.set(max(0, counter.count(now_ms) + number), now_ms)

    def set_used(self, number: int, now_ms: int) -> None:
        """Put the count of every running window at `number`."""
        for counter in self._counters:
            counter.set(number, now_ms)

    def counts(self, now_ms: int) -> dict[Window, int]:
        """Orders counted in each running window."""
        return {counter.window: counter.count(now_ms) for counter in self._counters}


def _whole_seconds(duration_ms: int) -> int:
    return max(1, -(-duration_ms // 1000))
