"""Failures that repeat over restarts, told once an hour: a supervisor starts again what has failed, at once, for ever.

What was told stands in a file beside the ledger, one for each address; where none can be written, in a folder of this
user for temporary files. A run that lasts a minute ends it: what fails after it is news.
"""

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.values import Value, replace
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.reports.wording import utc_text

LASTING_SECONDS = 60.0
_HOUR_MS = 60 * MINUTE_MS
_KINDS_KEPT = 20
_CHANGING = re.compile(r"\S*\d\S*")  # process numbers, times and amounts: the failure is the same


class _Failure(Value, frozen=True):
    """How often it came since when; when it was told (0: never) and tried last, and how often in a row in vain."""

    since_wall_ms: int
    times: int = 0
    told_wall_ms: int = 0
    tried_wall_ms: int = 0
    missed: int = 0


class Failures:
    """What has failed since the last run that lasted, as one address knows it.

    Args:
        folder: where it is noted.
        key: of the address.
        clock: the machine's time in ms UTC.
    """

    def __init__(self, folder: Path, key: str, clock: Callable[[], int] = wall_ms) -> None:
        self._paths = [folder / f"{key}.failures.json", _own_folder() / f"{folder.name}-{key}.json"]
        self._clock = clock

    def any(self) -> bool:
        """Whether the last start failed, or has not lasted."""
        return bool(self._read())

    def due(self, text: str, *, backs_off: bool = False) -> str:
        """What to tell of a failure that has come now: `text`, with how often it came; empty where it was told lately.

        Args:
            text: the sentence; another one with other numbers is the same failure.
            backs_off: whether what could not be delivered is tried less and less often, as every start is a new try.
        """
        now_ms, kind, known = self._clock(), _kind(text), self._read()
        was = known.pop(kind, None) or _Failure(now_ms)
        # A clock that was set back must not make anything wait for longer.
        is_quiet = 0 <= now_ms - was.told_wall_ms < _HOUR_MS
        wait_ms = min(_HOUR_MS, MINUTE_MS << min(was.missed - 1, 6)) if backs_off and was.missed else 0
        if is_quiet or 0 <= now_ms - was.tried_wall_ms < wait_ms:
            self._write({**known, kind: replace(was, times=was.times + 1)})
            return ""
        # It counts as tried in vain from here on: the process may end meanwhile.
        tried = replace(was, times=was.times + 1, tried_wall_ms=now_ms, missed=was.missed + 1)
        if not self._write({**known, kind: tried}):
            return ""
        return text if tried.times == 1 else f"{text} ({tried.times:,} times since {utc_text(was.since_wall_ms)} UTC)"

    def told(self, text: str) -> None:
        """It was delivered: it is told again in an hour."""
        kind, known = _kind(text), self._read()
        if kind in known:
            self._write({**known, kind: replace(known[kind], told_wall_ms=self._clock(), missed=0)})

    def forget(self) -> None:
        """A run has lasted."""
        for path in self._paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _read(self) -> dict[str, _Failure]:
        for path in self._paths:
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                _refuse_foreign(path.parent)
                return msgspec.json.decode(path.read_bytes(), type=dict[str, _Failure])
        return {}

    def _write(self, failures: dict[str, _Failure]) -> bool:
        """False where it could be noted nowhere."""
        text = msgspec.json.encode(dict(list(failures.items())[-_KINDS_KEPT:]))
        for path in self._paths:
            with contextlib.suppress(OSError):
                path.parent.mkdir(mode=0o700, exist_ok=True)
                _refuse_foreign(path.parent)
                fresh = path.with_suffix(".new")
                fresh.write_bytes(text)
                fresh.replace(path)
                return True
        return False


def _kind(text: str) -> str:
    return _CHANGING.sub("…", text)


def _own_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"trade-agent-{os.getuid()}"


def _refuse_foreign(folder: Path) -> None:
    """A folder for temporary files is everybody's: one of this name may be somebody else's, or lead elsewhere."""
    found = folder.lstat()
    if folder == _own_folder() and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid()):
        raise PermissionError(f"{folder} is not ours")
