"""Where a feed process writes and daemons read: what the place has to do. `redis_store` is the one there is."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from binance_trade_agent.feed.candles import Key
from binance_trade_agent.feed.notes import Beat, RulesNote, Wish

BEAT_KEPT_SECONDS = 3.0
WISH_KEPT_SECONDS = 20.0
SERVER_KEPT_SECONDS = 5.0


class StoreError(Exception):
    """The store does not answer, or what it answers makes no sense. The text says why."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What a feed writes at once: readers see all of it or nothing.

    Attributes:
        renewed: all candles of symbols and intervals, in place of those before.
        added: candles behind those that are there.
        dropped: symbols and intervals that are not followed any more.
        bell: told to who listens; None when there is nothing to tell beside what was told by `ring`.
        quotes: by symbol, see `notes.QuoteNote`; None for one that is not known any more.
        rules: None when they are as before.
        trades: all that are known now, see `notes.TradesNote`, for BEAT_KEPT_SECONDS; None while those before will do.
    """

    beat: Beat
    renewed: Mapping[Key, bytes] = field(default_factory=dict)
    added: Mapping[Key, bytes] = field(default_factory=dict)
    dropped: Sequence[Key] = ()
    bell: bytes | None = None
    quotes: Mapping[str, bytes | None] = field(default_factory=dict)
    rules: bytes | None = None
    trades: bytes | None = None


class Bells(Protocol):
    """What a feed tells at once."""

    async def next(self, timeout_seconds: float) -> bytes | None:
        """The next bell, see `notes.Bell`; None when there was none for so long."""
        ...


class Store(Protocol):
    """The store of one market. Every method raises StoreError when it cannot be done."""

    async def hold(self, feed: str) -> str | None:
        """Be the feed that serves, for SERVER_KEPT_SECONDS. None when it is; else who is."""
        ...

    async def let_go(self, feed: str) -> None:
        """Serve no longer."""
        ...

    async def wishes(self) -> list[Wish]:
        """What daemons want."""
        ...

    async def write(self, writing: Writing) -> None:
        """Write all of it."""
        ...

    async def ring(self, bell: bytes) -> None:
        """Tell at once who listens."""
        ...

    async def wish(self, daemon: str, wish: Wish) -> None:
        """Want this for WISH_KEPT_SECONDS."""
        ...

    async def beat(self) -> Beat | None:
        """The last sign of life of the feed that serves; None when there is none, or none for BEAT_KEPT_SECONDS."""
        ...

    async def candles(self, feed: str, keys: Sequence[Key], most: int) -> list[bytes | None]:
        """The newest candles of each, at most so many, see `notes.rows_of`."""
        ...

    async def quotes(self, feed: str, symbols: Sequence[str]) -> tuple[Beat | None, list[bytes | None], bytes | None]:
        """The sign of life that was written with the last quotes, these, and the last trades of all symbols."""
        ...

    async def rules(self, feed: str) -> RulesNote | None:
        """The rules."""
        ...

    def listening(self) -> contextlib.AbstractAsyncContextManager[Bells]:
        """Bells, from when the context is entered."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
