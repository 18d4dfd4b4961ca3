"""How long the exchange takes to answer."""

from collections import deque

from binance_trade_agent.ops.durations import Durations
from binance_trade_agent.ops.vitals import RequestVitals

_MEASURED = 500
_BOUNDS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_P95 = 0.95


class RequestTimes:
    """Counts requests, and measures the latest 500 from sending to answer.

    Attributes:
        by_endpoint: all requests, by endpoint such as `GET klines` and how they ended (see errors.py).
    """

    def __init__(self) -> None:
        self.sent = 0
        self.unanswered = 0
        self.by_endpoint: dict[tuple[str, str], Durations] = {}
        self._times_ms: deque[float] = deque(maxlen=_MEASURED)

    def note(self, seconds: float, endpoint: str = "", outcome: str = "ok") -> None:
        """A request was under way for so long, and ended so."""
        self.sent += 1
        self.by_endpoint.setdefault((endpoint, outcome), Durations(_BOUNDS_SECONDS)).note(seconds)
        self._times_ms.append(1000 * seconds)

    def vitals(self) -> RequestVitals:
        """What was counted and measured. The 95th percentile is the smallest time that 95 % do not exceed."""
        ordered = sorted(self._times_ms)
        if not ordered:
            return RequestVitals(sent=self.sent, unanswered=self.unanswered)
        return RequestVitals(
            sent=self.sent,
            unanswered=self.unanswered,
            measured=len(ordered),
            mean_ms=round(sum(ordered) / len(ordered), 1),
            p95_ms=round(ordered[max(0, -int(-_P95 * len(ordered) // 1) - 1)], 1),
            longest_ms=round(ordered[-1], 1),
        )
