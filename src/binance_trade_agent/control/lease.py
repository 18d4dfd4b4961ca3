"""One trader an account: a lease in Redis, and the number of the trader's generation (its fence).

The ledger's lock keeps two traders from one ledger on one machine; the lease keeps two with different ledgers, or on
different machines, from one account. Redis is not what trading depends on: while it is away trading goes on (design.md
rule 11), and when it is back the lease is taken anew. A trader that then finds one of a later generation has lost, and
sends nothing more.
"""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from binance_trade_agent.domain.order_ids import LARGEST_FENCE
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ops.tasks import spawn, stop

LEASE_SECONDS = 30.0  # for which it is good without being renewed


class LeaseHeldError(Exception):
    """Another trader has the account. The text is one sentence that names it. Exit code 2."""


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """Who trades on the account.

    Attributes:
        fence: its generation; `started` is an ISO time for people.
    """

    host: str
    pid: int
    run_id: str
    instance: str
    started: str
    fence: int = 0

    @property
    def rank(self) -> tuple[int, str]:
        """Of two holders that meet, the one with the higher rank stays."""
        return self.fence, self.run_id

    def __str__(self) -> str:
        return (
            f"process {self.pid} on {self.host} (run {self.run_id}, TRADING_INSTANCE {self.instance}, generation "
            f"{self.fence}, since {self.started})"
        )


class Lease(Protocol):
    """The right to trade on the account.

    Attributes:
        fence: generation of this trader; it stands in its client order ids.
        is_lost: whether another trader took over.
        away_since_wall_ms: since when Redis, which keeps the lease, does not answer; None while it does.
    """

    @property
    def fence(self) -> int: ...  # noqa: D102

    @property
    def is_lost(self) -> bool: ...  # noqa: D102

    @property
    def away_since_wall_ms(self) -> int | None: ...  # noqa: D102

    def may_send(self) -> bool:
        """Whether an order may be sent at this moment; asked before each, and answered without waiting."""
        ...

    def objection(self) -> str | None:
        """Why no order may be sent at this moment, for a person; None when one may."""
        ...

    def when_lost(self, tell: Callable[[str], None]) -> None:
        """Call `tell` with the reason when another trader takes over, at once when it has already."""
        ...


@dataclass(frozen=True, slots=True)
class NoLease:
    """The lease where there is no Redis: nobody can be seen, the ledger alone says which generation this is."""

    fence: int
    is_lost: bool = False
    away_since_wall_ms: int | None = None

    def may_send(self) -> bool:
        """See Lease."""
        return True

    def objection(self) -> str | None:
        """See Lease."""
        return None

    def when_lost(self, tell: Callable[[str], None]) -> None:
        """See Lease; it never is."""


@contextlib.asynccontextmanager
async def leased(
    redis_url: str | None,
    account: str,
    ledger: Ledger,
    holder: LeaseHolder,
    *,
    dead_run: str | None,
    takeover: bool,
) -> AsyncIterator[Lease]:
    """The right to trade on an account, renewed until the end of the context and then given back.

    Args:
        redis_url: without one there is no lease, only a fence.
        account: see `account_name` and `part_of`.
        ledger: knows the last fence.
        holder: this trader, its fence still open.
        dead_run: see RedisLease.
        takeover: take it from a trader that has it.

    Raises:
        LeaseHeldError: another trader has it, and this is no takeover.
    """
    least_fence = await ledger.next_fence()
    if redis_url is None:
        yield NoLease(least_fence)
        return
    from binance_trade_agent.control.redis_lease import RedisLease

    lease = RedisLease(redis_url, account, holder, least_fence=least_fence, dead_run=dead_run)
    try:
        await lease.take(takeover=takeover)
        keeping = spawn(lease.keep(), name="lease")
        try:
            yield lease
        finally:
            await stop(keeping)
    finally:
        await lease.let_go()


def account_name(rest_url: str, uid: str, api_key: str) -> str:
    """The account for the lease's key: the exchange's host and the account's uid, else a hash of the key."""
    account = uid or f"key-{hashlib.blake2b(api_key.encode(), digest_size=8).hexdigest()}"
    return f"{urlsplit(rest_url).netloc}:{account}"


def part_of(account: str, instance: str) -> str:
    """Name of the part of an account that is a daemon's own, where several share it; of all of it without one."""
    return f"{account}/{instance}" if instance else account


def holder_in(text: Any) -> LeaseHolder | None:
    """Who has a lease, by what it says; None for rubbish."""
    try:
        holder = LeaseHolder(**json.loads(text))
    except (ValueError, TypeError):
        return None
    return holder if isinstance(holder.fence, int) and 0 <= holder.fence < LARGEST_FENCE else None


def holder_text(text: str) -> str:
    """Who has a lease, for people."""
    return str(holder_in(text) or "unnamed")


def lease_key(account: str, instance: str = "") -> str:
    """Where the lease of an account is, or of the part of it that a daemon has that shares it with others."""
    return f"bta:lease:{part_of(account, instance)}"
