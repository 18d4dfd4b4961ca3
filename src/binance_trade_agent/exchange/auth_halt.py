"""The halt after the exchange has refused our keys: nothing is signed with them until it takes them again."""

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import UTC, datetime

from binance_trade_agent.exchange.errors import AuthError, ExchangeError
from binance_trade_agent.exchange.probing import Prober
from binance_trade_agent.ops.clock import MarketClock

_FIRST_DELAY_SECONDS, _LAST_DELAY_SECONDS = 60.0, 3600.0
ADVICE = (
    "check at the exchange that the key exists, may trade spot and allows this address, and that key and secret belong "
    "together"
)

# Whether the running code is the probe, which passes where others are refused.
_is_probing: ContextVar[bool] = ContextVar("is_probing", default=False)

log = logging.getLogger(__name__)


class AuthHalt:
    """Begins with the first AuthError, ends when the account can be asked for again. One owner; `close` it.

    The account is asked for at most once a minute. Keys that may read and not trade pass that probe and fail with the
    next order: each time the halt comes back within the hour it lasts twice as long.

    Attributes:
        reason: the exchange's refusal, None while there is none.
        since_ms: exchange time of its beginning, None while there is none.
        on_change: called with `reason` when the halt begins and ends.

    Args:
        clock: the exchange's time.
        probe: asks for the account.
    """

    def __init__(self, clock: MarketClock, probe: Callable[[], Awaitable[object]]) -> None:
        self.reason: str | None = None
        self.since_ms: int | None = None
        self.on_change: list[Callable[[str | None], None]] = []
        self._clock = clock
        self._probe = probe
        self._delay_seconds = 0.0
        self._ended_ms = float("-inf")  # on the clock's monotonic_ms
        self._prober = Prober("auth halt", clock, self._ask, lambda: self._delay_seconds)

    async def check(self) -> None:
        """Raise AuthError while nothing may be signed."""
        if self.reason is None or _is_probing.get():
            return
        await self._prober.catch_up()
        if self.reason is not None and self.since_ms is not None:
            since = f"{datetime.fromtimestamp(self.since_ms // 1000, UTC):%H:%M:%S} UTC"
            raise AuthError(f"the exchange has refused these API keys since {since}: {self.reason}; {ADVICE}")

    def begin(self, error: AuthError) -> None:
        """The exchange has refused the keys."""
        if self.reason is not None:
            return
        is_back = self._clock.monotonic_ms() - self._ended_ms < _LAST_DELAY_SECONDS * 1000
        self._delay_seconds = min(self._delay_seconds * 2, _LAST_DELAY_SECONDS) if is_back else _FIRST_DELAY_SECONDS
        self.reason, self.since_ms = str(error), self._clock.now_ms()
        self._prober.start()
        self._tell()

    async def close(self) -> None:
        """End the probes."""
        await self._prober.close()

    async def _ask(self) -> None:
        token = _is_probing.set(True)
        try:
            await self._probe()
        except ExchangeError:
            return
        finally:
            _is_probing.reset(token)
        self._prober.stop()
        self.reason = self.since_ms = None
        self._ended_ms = self._clock.monotonic_ms()
        log.warning("the exchange takes the API keys again")
        self._tell()

    def _tell(self) -> None:
        for call in self.on_change:
            call(self.reason)
