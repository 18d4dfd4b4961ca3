"""Logins that failed: after a few of them an address has to wait, and after many everybody has."""

from collections import OrderedDict, deque

from binance_trade_agent.ops.clock import monotonic_seconds

WINDOW_SECONDS = 300.0
MOST_OF_ONE, MOST_OF_ALL = 5, 50
_MOST_ADDRESSES = 1_000


class Attempts:
    """Counts failures of the last five minutes."""

    def __init__(self) -> None:
        self._of_one: OrderedDict[str, deque[float]] = OrderedDict()
        self._of_all: deque[float] = deque(maxlen=MOST_OF_ALL)

    def wait_seconds(self, client: str) -> float:
        """How long `client` has to wait before the next try; 0 when it may try now."""
        return max(
            _wait(self._of_one.get(client, deque()), MOST_OF_ONE),
            _wait(self._of_all, MOST_OF_ALL),
        )

    def begin(self, client: str) -> None:
        """Count a try, as a failure until it has succeeded: those that come at once do not slip past the count."""
        now = monotonic_seconds()
        self._of_all.append(now)
        self._of_one.setdefault(client, deque(maxlen=MOST_OF_ONE)).append(now)
        self._of_one.move_to_end(client)
        while len(self._of_one) > _MOST_ADDRESSES:
            self._of_one.popitem(last=False)

    def succeeded(self, client: str) -> None:
        """Forget what failed before."""
        self._of_one.pop(client, None)
        if self._of_all:
            self._of_all.pop()


def _wait(failures: deque[float], most: int) -> float:
    """Until the oldest of the last `most` failures is out of the window."""
    if len(failures) < most:
        return 0.0
    return max(0.0, failures[0] + WINDOW_SECONDS - monotonic_seconds())
