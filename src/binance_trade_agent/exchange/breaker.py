"""The breaker: an exchange that does not answer is left alone and only asked for its time now and then."""

import logging
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Literal

from binance_trade_agent.exchange.errors import ExchangeError, UnavailableError
from binance_trade_agent.exchange.probing import Prober
from binance_trade_agent.ops.clock import MarketClock

_FAILURES_BEFORE_OPEN = 3
_GOOD_PROBES_BEFORE_CLOSED = 2
_FIRST_DELAY_SECONDS, _LAST_DELAY_SECONDS = 1.0, 30.0
_JITTER_FRACTION = 0.5  # so that daemons which lost the exchange together do not ask together

log = logging.getLogger(__name__)


class Breaker:
    """Opens after three requests in a row that the exchange did not answer, closes after two good probes.

    While it is open every request is refused at once, questions and cancels too: what could not be asked changes no
    order's state. One owner; `close` it.

    Attributes:
        state: `closed`: requests pass; `open`; `probing`: one good probe was seen.
        open_since_ms: exchange time, None while it is closed.
        reason: what the last request met, empty while it is closed.
        on_opened: called when it opens.
        on_closed: called when it closes: everything may have changed meanwhile.

    Args:
        clock: the exchange's time.
        probe: asks for the exchange's time; its outcome is told to `succeeded` or `failed` like any other.
        jitter: spreads the probes.
    """

    def __init__(self, clock: MarketClock, probe: Callable[[], Awaitable[object]], jitter: random.Random) -> None:
        self.state: Literal["closed", "open", "probing"] = "closed"
        self.open_since_ms: int | None = None
        self.reason = ""
        self.on_opened: list[Callable[[], None]] = []
        self.on_closed: list[Callable[[], None]] = []
        self._clock = clock
        self._probe = probe
        self._jitter = jitter
        self._failures = 0
        self._good_probes = 0
        self._delay_seconds = _FIRST_DELAY_SECONDS
        self._prober = Prober("breaker", clock, self._ask, self._next_delay_seconds)

    async def check(self) -> None:
        """Raise UnavailableError while requests are refused."""
        if self.state == "closed":
            return
        await self._prober.catch_up()
        if self.open_since_ms is not None:
            raise UnavailableError(
                f"the exchange has not answered since {_time_text(self.open_since_ms)} ({self.reason}); "
                f"it is asked again at {_time_text(self._prober.next_ms)}"
            )

    def succeeded(self) -> None:
        """A request was answered, with a refusal perhaps."""
        self._failures = 0
        if self.open_since_ms is None:
            return
        self._good_probes += 1
        if self._good_probes < _GOOD_PROBES_BEFORE_CLOSED:
            self.state = "probing"
            return
        seconds = (self._clock.now_ms() - self.open_since_ms) // 1000
        self._prober.stop()
        self.state, self.open_since_ms, self.reason = "closed", None, ""
        log.warning("the exchange answers again, after %d s", seconds)
        for call in self.on_closed:
            call()

    def failed(self, error: ExchangeError) -> None:
        """A request was not answered, or by something that is not the exchange."""
        self._failures += 1
        self._good_probes = 0
        if self.open_since_ms is not None:
            self.state, self.reason = "open", str(error)
        elif self._failures >= _FAILURES_BEFORE_OPEN:
            self._open(error)

    async def close(self) -> None:
        """End the probes."""
        await self._prober.close()

    def _open(self, error: ExchangeError) -> None:
        self.state, self.open_since_ms, self.reason = "open", self._clock.now_ms(), str(error)
        self._delay_seconds = _FIRST_DELAY_SECONDS
        self._prober.start()
        log.warning("nothing is asked of the exchange until it answers again: %s", error)
        for call in self.on_opened:
            call()

    async def _ask(self) -> None:
        try:
            await self._probe()
        except ExchangeError:
            self._good_probes = 0  # one that was not sent, because we must be silent, was not good either

    def _next_delay_seconds(self) -> float:
        if self._good_probes:
            return 0.0 if self._prober.is_stepped else _FIRST_DELAY_SECONDS
        seconds = self._delay_seconds * (1 + _JITTER_FRACTION * self._jitter.uniform(0, 1))
        self._delay_seconds = min(self._delay_seconds * 2, _LAST_DELAY_SECONDS)
        return min(seconds, _LAST_DELAY_SECONDS)


def _time_text(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%H:%M:%S} UTC"
