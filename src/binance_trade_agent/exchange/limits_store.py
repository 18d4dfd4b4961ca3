"""Where the processes of one machine tell each other what the exchange has told them: a file, and Redis if there.

An address is limited as a whole (binance-protocol.md 2.8), so a ban that one process was told of holds for all, and for
the next start. Times in both places are wall milliseconds: those of one machine agree.
"""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms
from binance_trade_agent.ops.redis_client import redis_client

ALL, ORDERS = "all", "orders"  # what is silent: every request, or only new orders
LONGEST_SILENCE_MS = 3 * 86_400_000 + 60_000  # binance-protocol.md 2.7: bans last up to three days

_TIMEOUT_SECONDS = 0.25
_REST_SECONDS = 15.0  # after a failure Redis is left alone for so long, so that an order never waits for it twice
_WEIGHT_KEPT_MS = 120_000
# One step for all processes: what is used is at least what the asker knows of, and is raised when the request fits.
_TAKE = """
local used = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') or 0, tonumber(ARGV[2]))
local fits = 0
if used + ARGV[1] <= tonumber(ARGV[3]) then used = used + ARGV[1]; fits = 1 end
redis.call('SET', KEYS[1], string.format('%d', used), 'PX', ARGV[4])
return {used, fits, redis.call('GET', KEYS[2]) or '0', redis.call('GET', KEYS[3]) or '0'}
"""

log = logging.getLogger(__name__)

Silences = Mapping[str, int]  # ALL or ORDERS -> wall ms of the end


def place_of(address: str) -> str:
    """Host and port of an address of the exchange, such as `api.binance.com:443`."""
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


class LimitsFile:
    """The silences as a small file. It is only there once the exchange has complained.

    Args:
        folder: where the ledger is; the processes that share it share the file.
        place: see `place_of`.
    """

    def __init__(self, folder: Path, place: str) -> None:
        self._path = folder / f"limits-{place.replace(':', '-')}.json"
        self._place = place
        self._read_version: tuple[int, int] | None = None

    def changes(self) -> Silences:
        """The silences, nothing when the file is as it was at the last reading. Rubbish is no silence."""
        try:
            status = self._path.stat()
        except OSError:
            return {}
        version = (status.st_mtime_ns, status.st_ino)
        if version == self._read_version:
            return {}
        self._read_version = version
        content, was_set_back = self._content()
        if was_set_back:
            self._replace(content)  # so that the wait goes on from here, and does not begin anew with each start
        return content

    def write(self, silences: Silences) -> None:
        """Add silences; a shorter one does not shorten. A folder that takes nothing is said and borne."""
        content, _ = self._content()
        longest = {scope: max(until, content.get(scope, 0)) for scope, until in silences.items()}
        self._replace({**content, **longest})

    def _replace(self, silences: Silences) -> None:
        text = json.dumps({"place": self._place, "noted_ms": wall_ms(), "silent_until_ms": dict(silences)})
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            draft.write_text(text, encoding="utf-8")
            draft.replace(self._path)
        except OSError as failure:
            log.warning("%s cannot be written (%s); a restart will not know of the wait", self._path, failure.strerror)

    def _content(self) -> tuple[dict[str, int], bool]:
        """The silences, and whether the wall clock was set back since they were noted: that makes no wait longer."""
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            if document["place"] != self._place:
                return {}, False
            set_back_ms = max(0, int(document.get("noted_ms", 0)) - wall_ms())
            silences = document["silent_until_ms"].items()
            content = {scope: until - set_back_ms for scope, until in silences if _is_possible(until)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}, False
        return content, set_back_ms > 0


def _is_possible(until_ms: Any) -> bool:
    return isinstance(until_ms, int) and until_ms <= wall_ms() + LONGEST_SILENCE_MS


@dataclass(frozen=True, slots=True)
class SharedAnswer:
    """What the processes together have used of a minute, whether the request was added to it, and the silences."""

    used: int
    fits: bool
    silences: Silences


class RedisLimits:
    """The same over Redis, and the weight of the running minute, so that several daemons share one budget.

    With Redis gone each counts for itself: that is said once, and its end too.
    """

    def __init__(self, url: str, place: str) -> None:
        self._redis = redis_client(url, _TIMEOUT_SECONDS)
        self._prefix = f"bta:limits:{place}"
        self._rests_until = 0.0
        self._is_down = False

    async def take(self, minute: int, weight: int, *, room: int, at_least: int) -> SharedAnswer | None:
        """Add `weight` to the minute's when it fits into `room`. None: Redis does not answer.

        Args:
            minute: number of the minute on the exchange's clock.
            weight: of the request.
            room: how much may be used.
            at_least: how much is used already, as far as the asker knows.
        """
        keys = [f"{self._prefix}:weight:{minute}", *(self._silence_key(scope) for scope in (ALL, ORDERS))]
        answer = await self._asked("EVAL", _TAKE, len(keys), *keys, weight, at_least, room, _WEIGHT_KEPT_MS)
        if answer is None:
            return None
        try:
            used, fits, *ends = (int(value) for value in answer)
        except (TypeError, ValueError) as rubbish:
            self._went_down(rubbish)
            return None
        silences = {scope: end for scope, end in zip((ALL, ORDERS), ends, strict=True) if end and _is_possible(end)}
        return SharedAnswer(used, bool(fits), silences)

    async def write(self, silences: Silences) -> None:
        """Tell the others."""
        for scope, until_ms in silences.items():
            left_ms = until_ms - wall_ms()
            if left_ms > 0:
                await self._asked("SET", self._silence_key(scope), until_ms, "PX", left_ms)

    async def close(self) -> None:
        """Close the connections."""
        with contextlib.suppress(Exception):
            await self._redis.aclose()

    def _silence_key(self, scope: str) -> str:
        return f"{self._prefix}:silent_until_ms:{scope}"

    async def _asked(self, *command: Any) -> Any:
        if monotonic_seconds() < self._rests_until:
            return None
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                answer = await cast("Any", self._redis).execute_command(*command)
        except Exception as failure:  # noqa: BLE001 (rubbish for an answer raises ValueError and more)
            self._went_down(failure)
            return None
        if self._is_down:
            self._is_down = False
            log.warning("Redis answers again; the request weight is shared again")
        return answer

    def _went_down(self, failure: Exception) -> None:
        self._rests_until = monotonic_seconds() + _REST_SECONDS
        if not self._is_down:
            self._is_down = True
            reason = str(failure) or type(failure).__name__
            log.warning("Redis does not answer (%s); request weight is counted in this process alone", reason)
