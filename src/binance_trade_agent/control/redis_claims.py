"""RedisClaims: the claims of the daemons that share an account, in Redis.

The truth is in each daemon's ledger, from which it writes its claim anew every few seconds. Redis may forget them: what
a daemon remembers of the others' it puts back.
Whose lease is held there is alive; the claim of one that is not stays, for what it holds is held.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from redis.exceptions import RedisError, ResponseError, WatchError

from binance_trade_agent.control.claims import Claims, ClaimsAwayError
from binance_trade_agent.control.lease import LEASE_SECONDS, LeaseHeldError, lease_key, part_of
from binance_trade_agent.domain.claims import Claim, Halt
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.redis_client import redis_client

_VERSION = 1  # of what is written: programs that write otherwise use other keys
_TIMEOUT_SECONDS = 2.0
_TRIES = 50
_KEPT_SECONDS = 400 * 86_400  # after the last change
_LOOK_SECONDS = 1.0
_LET_GO = b""  # in place of a claim: so that nobody takes it for forgotten

log = logging.getLogger(__name__)


class RedisClaims:
    """See ClaimStore. Close it at the end.

    Args:
        url: of Redis.
        account: see `account_name`.
    """

    def __init__(self, url: str, account: str) -> None:
        self._redis = redis_client(url, _TIMEOUT_SECONDS)
        self._account = account
        self._key = f"bta:claims:{_VERSION}:{account}"
        self._unreadable: set[str] = set()
        self._last: dict[bytes, bytes] = {}  # what was in Redis at the last look, and before

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._redis.aclose()

    async def look(self) -> Claims:
        """See ClaimStore."""
        return await self.change(lambda _: None)

    async def change(self, decide: Callable[[Claims], Claim | None]) -> Claims:
        """See ClaimStore."""
        try:
            for _ in range(_TRIES):
                async with self._redis.pipeline(transaction=True) as pipe:
                    await pipe.watch(self._key, lease_key(self._account))
                    forgotten, is_rubbish = await self._look_for_forgotten(pipe)
                    claims = await self._read(pipe)
                    claim = decide(claims)
                    if claim is None:
                        return claims
                    own = {claim.instance.encode(): msgspec.json.encode(claim)}
                    pipe.multi()
                    if is_rubbish:
                        pipe.delete(self._key)
                    pipe.hset(self._key, mapping=forgotten | own)
                    pipe.expire(self._key, _KEPT_SECONDS)
                    try:
                        await pipe.execute()
                    except WatchError:
                        continue
                    self._last = self._last | own
                    return claims
        except (RedisError, OSError) as failure:
            raise ClaimsAwayError(_unavailable(failure)) from None
        raise ClaimsAwayError("the claims of this account's daemons change all the time")

    async def forget(self, instance: str) -> bool:
        """See ClaimStore."""
        try:
            there = await self._redis.hget(self._key, instance)
            await self._redis.hset(self._key, instance, _LET_GO)
            await self._redis.delete(self._halts(instance))
        except (RedisError, OSError) as failure:
            raise ClaimsAwayError(_unavailable(failure)) from None
        return there not in {None, _LET_GO}

    async def ask(self, instances: Collection[str], halt: Halt) -> None:
        """See ClaimStore."""
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                for instance in instances:
                    pipe.rpush(self._halts(instance), msgspec.json.encode(halt))
                    pipe.expire(self._halts(instance), _KEPT_SECONDS)
                await pipe.execute()
        except (RedisError, OSError) as failure:
            raise ClaimsAwayError(_unavailable(failure)) from None

    async def hear(self, instance: str, obey: Callable[[Sequence[Halt]], Awaitable[None]]) -> None:
        """See ClaimStore."""
        try:
            left = await self._redis.lrange(self._halts(instance), 0, -1)
            if not left:
                return
            await obey([halt for each in left if (halt := _halt(each)) is not None])
            await self._redis.ltrim(self._halts(instance), len(left), -1)
        except (RedisError, OSError) as failure:
            raise ClaimsAwayError(_unavailable(failure)) from None

    def _halts(self, instance: str) -> str:
        return f"bta:halts:{_VERSION}:{part_of(self._account, instance)}"

    async def _look_for_forgotten(self, pipe: Any) -> tuple[dict[bytes, bytes], bool]:
        """Read what is there; returns what was there once and is not, for Redis forgets and nobody takes anything away.

        Whose claim it is writes it anew within seconds if it lives; if it does not, nobody else would. The second is
        whether there is something of another kind.
        """
        try:
            there, is_rubbish = await pipe.hgetall(self._key), False
        except ResponseError as failure:
            if not str(failure).startswith("WRONGTYPE"):
                raise
            there, is_rubbish = {}, True
        forgotten = {name: value for name, value in self._last.items() if name not in there}
        self._last = forgotten | there
        return forgotten, is_rubbish

    async def _read(self, pipe: Any) -> Claims:
        noted = self._last
        names = [name.decode(errors="replace") for name in noted]
        whole, *leases = await pipe.mget(
            [lease_key(self._account), *(lease_key(self._account, name) for name in names)]
        )
        found = {name: self._claim(name, value) for name, value in zip(names, noted.values(), strict=True)}
        return Claims(
            {name: claim for name, claim in found.items() if claim is not None},
            frozenset(name for name, lease in zip(names, leases, strict=True) if lease is not None),
            "" if whole is None else whole.decode(errors="replace"),
        )

    def _claim(self, name: str, value: bytes) -> Claim | None:
        if value == _LET_GO:
            return None
        with contextlib.suppress(msgspec.MsgspecError):
            claim = msgspec.json.decode(value, type=Claim)
            if claim.is_sound and claim.instance == name:
                self._unreadable.discard(name)
                return claim
        if name not in self._unreadable:
            self._unreadable.add(name)
            log.warning("the claim of %s in Redis cannot be read; it is passed over", name)
        return None


async def refuse_shared(url: str, account: str) -> None:
    """Return when nobody has a part of the account, which is to be traded as a whole.

    To be asked before its lease is taken, which would disturb those that have, and again afterwards.

    Raises:
        LeaseHeldError: somebody has, and it is no daemon that was killed: it writes its claim anew.
    """
    deadline = monotonic_seconds() + LEASE_SECONDS + _LOOK_SECONDS
    first: dict[str, int] = {}
    async with RedisClaims(url, account) as claims:
        while True:
            try:
                seen = await claims.look()
            except ClaimsAwayError:
                return  # nobody can be seen; the lease says so
            parts = [claim for name, claim in sorted(seen.by_instance.items()) if name in seen.live]
            if not parts:
                return
            lives = any(first.setdefault(each.instance, each.noted_wall_ms) != each.noted_wall_ms for each in parts)
            if lives or monotonic_seconds() >= deadline:
                raise LeaseHeldError(
                    f"{parts[0].instance} trades a part of this account ({parts[0].holder}): set TRADING_CAPITAL_QUOTE "
                    "here too, to what this daemon is to have of it, or end the other one first"
                )
            await sleep_seconds(_LOOK_SECONDS)


def _halt(left: bytes) -> Halt | None:
    """What was left in Redis for a daemon; None for rubbish."""
    with contextlib.suppress(msgspec.MsgspecError):
        return msgspec.json.decode(left, type=Halt)
    log.warning("what was left in Redis for this daemon cannot be read; it is passed over")
    return None


def _unavailable(failure: Exception) -> str:
    said = str(failure).rpartition(" caused error: ")[2]  # before it redis-py repeats the command, with all of a claim
    return f"Redis, through which the daemons of an account agree, does not answer ({said})"
