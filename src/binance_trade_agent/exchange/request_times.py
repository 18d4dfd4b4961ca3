"""How long the exchange takes to answer."""

from collections import deque

from binance_trade_agent.ops.vitals import RequestVitals

_MEASURED = 500
_P95 = 0.95


class RequestTimes:
    """Counts requests, and measures the latest 500 from sending to answer."""

    def __init__(self) -> None:
        self.sent = 0
        self.unanswered = 0
        self._times_ms: deque[float] = deque(maxlen=_MEASURED)

    def note(self, seconds: float) -> None:
        """A request was under way for so long."""
        self.sent += 1
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
