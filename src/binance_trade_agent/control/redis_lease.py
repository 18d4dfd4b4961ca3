"""The account's lease in Redis: taken, renewed by compare-and-set, lost to a later generation, given back."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from redis.exceptions import ResponseError

from binance_trade_agent.control.lease import LEASE_SECONDS, LeaseHeldError, LeaseHolder, holder_in, lease_key
from binance_trade_agent.domain.order_ids import LARGEST_FENCE
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.ops.redis_client import redis_client

RENEW_SECONDS = 10.0
_TIMEOUT_SECONDS = 2.0
_LET_GO_SECONDS = 0.5
_LOOK_SECONDS = 1.0  # asyncio's timers stand still while the machine sleeps
# A trader that was taken over from finds out at its next renewal and ends within 10 s more.
_FAREWELL_SECONDS = RENEW_SECONDS + 12.0
_COUNTER_SECONDS = 400 * 86_400
_IS_GONE = -2  # of PTTL

# The next generation: one more than the last that anybody was given, and at least what our own ledger asks for. What is
# no number, or too large for an order's id, is rubbish.
_NEXT_FENCE = """
local last = tonumber(redis.pcall('GET', KEYS[1])) or 0
local fence = math.max(last + 1, tonumber(ARGV[1]))
if fence > tonumber(ARGV[2]) then fence = tonumber(ARGV[1]) end
redis.call('SET', KEYS[1], string.format('%d', fence), 'EX', ARGV[3])
return fence
"""
# Compare and set: the lease is ours, nobody's, rubbish, or what we mean to replace. Else: whose it is. The counter is
# raised too, for a trader that was given its fence by its ledger while Redis was away.
_HOLD = """
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'string' and held ~= ARGV[1] and held ~= ARGV[2] then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
local last = tonumber(redis.pcall('GET', KEYS[2])) or 0
if last < tonumber(ARGV[4]) then redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5]) end
return false
"""
_LET_GO = """
if redis.pcall('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[2], '1', 'EX', 60)
"""

log = logging.getLogger(__name__)


class RedisLease:
    """The lease in Redis. `take` it, `keep` it in a task, `let_go` of it at the end; `leased` does all three.

    Args:
        url: of Redis.
        account: see `account_name`.
        holder: this trader, without its fence.
        least_fence: one more than the last in the ledger.
        dead_run: a run that has surely ended without giving its lease back; a lease of it is nobody's.
    """

    def __init__(self, url: str, account: str, holder: LeaseHolder, *, least_fence: int, dead_run: str | None) -> None:
        self._redis = redis_client(url, _TIMEOUT_SECONDS, decode_responses=True)
        self._key = lease_key(account)
        self._counter = f"bta:fence:{account}"
        self._holder = holder
        self._least_fence = least_fence
        self._dead_run = dead_run
        self._name = ""
        self._sure_until = 0.0
        self._away_since_wall_ms: int | None = None
        self._lost = ""
        self._tell: Callable[[str], None] | None = None

    @property
    def fence(self) -> int:
        """See Lease."""
        return self._holder.fence

    @property
    def is_lost(self) -> bool:
        """See Lease."""
        return bool(self._lost)

    @property
    def away_since_wall_ms(self) -> int | None:
        """See Lease."""
        return self._away_since_wall_ms

    def may_send(self) -> bool:
        """See Lease: not after it was lost, nor after a freeze in which somebody else may have taken over.

        Each renewal is good for the lease's 30 s from when it was begun; one that failed because Redis is away, too.
        """
        return self.objection() is None

    def objection(self) -> str | None:
        """See Lease."""
        if self._lost:
            return self._lost
        if monotonic_seconds() >= self._sure_until:
            return "the account's lease was not renewed for 30 s; another daemon may have taken over"
        return None

    def when_lost(self, tell: Callable[[str], None]) -> None:
        """See Lease."""
        self._tell = tell
        if self._lost:
            tell(self._lost)

    async def take(self, *, takeover: bool) -> None:
        """Take the lease and a fence; without Redis, the fence of the ledger.

        A lease that nobody renews any more is waited for: whoever had it was killed.

        Raises:
            LeaseHeldError: another trader has it, and this is no takeover.
        """
        self._be_of(self._least_fence)
        begun = monotonic_seconds()
        try:
            if not takeover:
                await self._until_free()
            fence = await self._run(_NEXT_FENCE, [self._counter], self._least_fence, LARGEST_FENCE, _COUNTER_SECONDS)
            self._be_of(int(fence))
            begun = monotonic_seconds()
            if (held := await self._hold()) is not None:
                begun = await self._take_from(held, takeover=takeover)
        except LeaseHeldError:
            raise
        except Exception as failure:  # noqa: BLE001 (rubbish for an answer raises ValueError and more)
            self._went_down(failure)
        self._sure_until = begun + LEASE_SECONDS

    async def keep(self) -> None:
        """Renew it every 10 s, for ever or until it is lost."""
        due = monotonic_seconds() + RENEW_SECONDS
        while not self._lost:
            await sleep_seconds(max(0.0, min(_LOOK_SECONDS, due - monotonic_seconds())))
            if monotonic_seconds() >= due:
                await self.renew()
                due = monotonic_seconds() + RENEW_SECONDS

    async def renew(self) -> None:
        """Renew it now; take it anew when Redis has forgotten it, lose it when a later generation has it."""
        begun = monotonic_seconds()
        try:
            while (held := await self._hold()) is not None:
                other = holder_in(held)
                if other is not None and other.rank > self._holder.rank:
                    self._lose(f"another daemon took over: {other}")
                    return
                log.warning("%s has the account's lease; this is the later generation and takes it back", other)
                await self._hold(replacing=held)
        except Exception as failure:  # noqa: BLE001 (see take)
            self._went_down(failure)
        else:
            self._came_back()
        self._sure_until = begun + LEASE_SECONDS

    async def let_go(self) -> None:
        """Give it back; nothing is sent any more."""
        self._sure_until = 0.0
        with contextlib.suppress(Exception):  # it ends by itself after 30 s
            async with asyncio.timeout(_LET_GO_SECONDS):
                await self._run(_LET_GO, [self._key, self._farewell(self._holder)], self._name)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_LET_GO_SECONDS):
                await self._redis.aclose()

    def _be_of(self, fence: int) -> None:
        self._holder = replace(self._holder, fence=fence)
        self._name = _text(self._holder)

    async def _until_free(self) -> None:
        """Return when nobody has the lease that may be alive.

        Raises:
            LeaseHeldError: whoever has it has renewed it, so it lives.
        """
        left_ms = None
        while (other := await self._seen()) is not None and other.run_id != self._dead_run:
            now_left_ms = await self._redis.pttl(self._key)
            if now_left_ms == _IS_GONE:
                continue
            if now_left_ms < 0 or (left_ms is not None and now_left_ms > left_ms):
                raise LeaseHeldError(_refusal(other))
            if left_ms is None:
                log.info("%s has the account's lease; looking whether it still renews it", other)
            left_ms = now_left_ms
            await sleep_seconds(min(_LOOK_SECONDS, now_left_ms / 1000))

    async def _seen(self) -> LeaseHolder | None:
        """Who has the lease; None for nobody, and for rubbish."""
        with contextlib.suppress(ResponseError):  # the key holds something of another kind
            return holder_in(await self._redis.get(self._key))
        return None

    async def _hold(self, *, replacing: str | None = None) -> str | None:
        """Take or renew the lease; when it is somebody else's, what it says (`holder_in` reads it)."""
        lease_ms = round(LEASE_SECONDS * 1000)
        held = await self._run(
            _HOLD,
            [self._key, self._counter],
            self._name,
            replacing or self._name,
            lease_ms,
            self.fence,
            _COUNTER_SECONDS,
        )
        if held is None:
            return None
        return str(held) if holder_in(held) else await self._hold(replacing=str(held))  # rubbish is nobody's

    async def _take_from(self, held: str, *, takeover: bool) -> float:
        """Take it from a dead trader, or from one that lives and gets the time to find out; returns when.

        Raises:
            LeaseHeldError: it lives, and this is no takeover.
        """
        while (other := holder_in(held)) is not None and (other.run_id == self._dead_run or takeover):
            if other.rank >= self._holder.rank:  # the counter was lost
                self._be_of(other.fence + 1)
            begun = monotonic_seconds()
            changed = await self._hold(replacing=held)
            if changed is None:
                return begun if other.run_id == self._dead_run else await self._wait_for_the_end_of(other)
            held = changed
        raise LeaseHeldError(_refusal(other))

    async def _wait_for_the_end_of(self, other: LeaseHolder) -> float:
        """Give a trader that was taken over from the time to send its last; returns when the lease was last ours."""
        log.warning("--takeover: the account's lease is taken from %s", other)
        deadline = monotonic_seconds() + _FAREWELL_SECONDS
        while not await self._redis.exists(self._farewell(other)):
            if monotonic_seconds() >= deadline:
                log.warning("--takeover: %s has said nothing in %d s; going on", other, _FAREWELL_SECONDS)
                break
            await sleep_seconds(_LOOK_SECONDS)
            await self._hold()
        else:
            log.warning("--takeover: %s has ended", other)
        begun = monotonic_seconds()
        await self._hold()
        return begun

    def _farewell(self, holder: LeaseHolder) -> str:
        return f"{self._key}:ended:{holder.run_id}"

    async def _run(self, script: str, keys: list[str], *arguments: Any) -> Any:
        return await self._redis.eval(script, len(keys), *keys, *(str(argument) for argument in arguments))

    def _lose(self, reason: str) -> None:
        self._lost = reason
        log.error("%s; no order is sent any more", reason)
        if self._tell is not None:
            self._tell(reason)

    def _went_down(self, failure: Exception) -> None:
        if self._away_since_wall_ms is None:
            self._away_since_wall_ms = wall_ms()
            log.warning(
                "no lease can be held in Redis, so another daemon on this account would not be seen; going on: %s",
                failure,
            )

    def _came_back(self) -> None:
        if self._away_since_wall_ms is not None:
            self._away_since_wall_ms = None
            log.warning("the account's lease is held again")


def _refusal(other: LeaseHolder | None) -> str:
    return (
        f"another trader has this account: {other}; end it first, or take over deliberately with "
        "`trade-agent run --takeover`. A second one beside it needs a TRADING_INSTANCE and a TRADING_CAPITAL_QUOTE of "
        "its own, as the first one does"
    )


def _text(holder: LeaseHolder) -> str:
    return json.dumps(asdict(holder), sort_keys=True)
