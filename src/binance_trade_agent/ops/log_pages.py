"""Reading the log that `log_file` writes: the newest lines that fit a question, page by page, and what comes after.

Lines are looked for as bytes and parsed only when they may fit. A place in the log is a cursor, `number:offset`: the
file's number and the offset of a line in it, which stay what they are while the log grows and old files go.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ops.log_file import TRADER, log_files

LEVELS = ("debug", "info", "warning", "error", "critical")

_BLOCK_BYTES = 1_000_000
_LINE_BYTES = 16_384  # most lines are far shorter
_LONGEST_LOOK_BYTES = 200_000_000  # for one page; then it is handed out with what was found, and where to go on
_STAMP = b'{"timestamp":"'
_HEAD_BYTES = len(_STAMP) + len("2026-01-05T14:36:00.000Z")
_EPOCH, _LATEST_MS = datetime(1970, 1, 1, tzinfo=UTC), 253_402_300_799_999
_OWN_FIELDS = frozenset(
    {"timestamp", "level", "event", "line", "logger", "symbol", "client_order_id", "run", "tick", "cycle", "exception"}
)


class CursorError(ValueError):
    """The cursor is none that was ever handed out."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines are wanted. An empty value asks for nothing.

    Attributes:
        name: of the log, `trader` or `dashboard`.
        least_level: one of LEVELS; a line whose level is not known fits none above debug.
        symbol, client_order_id: as the line's own, or named in its text.
        text: somewhere in the line's texts, in capitals or not.
        run: the run's id.
        from_ms, until_ms: wall time, both included; None for no limit.
    """

    name: str = TRADER
    least_level: str = ""
    symbol: str = ""
    text: str = ""
    client_order_id: str = ""
    run: str = ""
    from_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line.

    Attributes:
        cursor: where it begins.
        wall_ms: None where the line does not say, as one that was written in part.
        text: the sentence for a person, as the console shows it; of what is no line of ours, all of it.
        event: the text that a machine looks for.
        details: whatever else the line says, as text by name.
    """

    cursor: str
    wall_ms: int | None
    level: str
    text: str
    event: str = ""
    logger: str = ""
    symbol: str = ""
    client_order_id: str = ""
    run: str = ""
    tick: str = ""
    cycle: str = ""
    exception: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines, the newest first.

    Attributes:
        older: cursor of the page before it in time; None when nothing older is left to look at.
        end: cursor behind the newest line of the log when it was looked at, for `tail`.
        is_cut: whether so much was looked at that the rest is left for the next page.
    """

    entries: Sequence[LogEntry]
    older: str | None
    end: str
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class LogTail:
    """Lines that came after a cursor, the oldest first.

    Attributes:
        cursor: where to go on. There may be more already, when as many came as were asked for.
        has_gap: whether lines between were left out: their files are gone, or there were too many.
    """

    entries: Sequence[LogEntry]
    cursor: str
    has_gap: bool = False


def page(folder: Path, query: LogQuery, cursor: str | None = None, size: int = 100) -> LogPage:
    """The newest lines that fit, of those before `cursor` where one is given.

    Raises:
        CursorError: it is no cursor.
    """
    files = log_files(folder, query.name)
    end = _end(files)
    before = end if cursor is None else _place(cursor)
    needles, looked = _Needles(query), 0
    found: list[LogEntry] = []
    for number, path in reversed(files.items()):
        if number > before[0]:
            continue
        with _opened(path) as log:
            upper = min(before[1], log.size) if number == before[0] else log.size
            for offset, block in log.backwards(*log.span(query, upper)):
                for start, line in reversed(needles.candidates(block)):
                    entry = entry_of(line, f"{number}:{offset + start}")
                    if fits(entry, query):
                        found.append(entry)
                        if len(found) == size:
                            return LogPage(found, entry.cursor, _text(end))
                looked += len(block)
                if looked >= _LONGEST_LOOK_BYTES:
                    return LogPage(found, f"{number}:{offset}", _text(end), is_cut=True)
    return LogPage(found, None, _text(end))


def tail(folder: Path, query: LogQuery, cursor: str, size: int = 500) -> LogTail:
    """Lines that fit and came after `cursor`, at most `size`; of what came in masses the newest only.

    Raises:
        CursorError: it is no cursor.
    """
    files = log_files(folder, query.name)
    last = number, offset = _place(cursor)
    has_gap = bool(files) and 0 < number < min(files)
    needles = _Needles(query)
    found: list[LogEntry] = []
    for each, path in files.items():
        if each < number:
            continue
        with _opened(path) as log:
            begin = min(offset, log.size) if each == number else 0
            if log.size - begin > _BLOCK_BYTES:
                begin, has_gap = log.line_after(log.size - _BLOCK_BYTES), True
            block = log.read(begin, log.size)
        for start, line in needles.candidates(block):
            entry = entry_of(line, f"{each}:{begin + start}")
            if fits(entry, query):
                found.append(entry)
                if len(found) == size:
                    return LogTail(found, f"{each}:{begin + start + len(line) + 1}", has_gap)
        last = each, begin + len(block)
    return LogTail(found, _text(last), has_gap)


def download(folder: Path, query: LogQuery) -> Iterator[bytes]:
    """The lines that fit, as they stand in the files, from the oldest to what is the newest now."""
    needles = _Needles(query)
    for path in log_files(folder, query.name).values():
        with _opened(path) as log:
            for _, block in log.forwards(*log.span(query, log.size)):
                kept = [line + b"\n" for _, line in needles.candidates(block) if fits(entry_of(line, ""), query)]
                if kept:
                    yield b"".join(kept)


def checked_cursor(cursor: str) -> str:
    """The cursor itself.

    Raises:
        CursorError: it is none.
    """
    return _text(_place(cursor))


def entry_of(line: bytes, cursor: str) -> LogEntry:
    """The line's entry; of one that is not ours, its text. Never raises."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return LogEntry(cursor, None, "", line.decode("utf-8", "replace"))
    texts = {_as_text(name): _as_text(value) for name, value in said.items() if value is not None}
    own = {name: texts.pop(name, "") for name in _OWN_FIELDS}
    timestamp, line_text = own.pop("timestamp"), own.pop("line")
    return LogEntry(
        cursor=cursor,
        wall_ms=_wall_ms(timestamp),
        text=line_text or own["event"],
        details=texts,
        **own,
    )


def fits(entry: LogEntry, query: LogQuery) -> bool:
    """Whether the entry is one of those that are asked for."""
    if query.from_ms is not None and (entry.wall_ms is None or entry.wall_ms < query.from_ms):
        return False
    if query.until_ms is not None and (entry.wall_ms is None or entry.wall_ms > query.until_ms):
        return False
    if query.least_level in LEVELS[1:] and entry.level not in _levels_from(query.least_level):
        return False
    return (
        (not query.run or entry.run == query.run)
        and (not query.symbol or entry.symbol == query.symbol or _names(entry, query.symbol))
        and (
            not query.client_order_id
            or entry.client_order_id == query.client_order_id
            or _names(entry, query.client_order_id)
        )
        and (not query.text or any(query.text.lower() in text.lower() for text in _texts(entry)))
    )


class _Needles:
    """What a line has to hold, as bytes, to be worth parsing."""

    def __init__(self, query: LogQuery) -> None:
        exact = [[_written(value)] for value in (query.client_order_id, query.symbol, query.run) if value]
        if query.least_level in LEVELS[1:]:
            exact.append([f'"level":"{level}"'.encode() for level in _levels_from(query.least_level)])
        self._folded = _longest_plain_piece(query.text)
        self._exact = exact

    def candidates(self, block: bytes) -> list[tuple[int, bytes]]:
        """Offset and text (without its line feed) of each line of `block` that may fit, in their order."""
        if self._folded:
            starts = _line_starts(block, block.lower(), [self._folded])
        elif self._exact:
            starts = _line_starts(block, block, self._exact[0])
        else:
            starts = _all_line_starts(block)
        lines = ((start, block[start : block.find(b"\n", start)]) for start in starts)
        return [
            (start, line)
            for start, line in lines
            if line and all(any(needle in line for needle in needles) for needles in self._exact)
        ]


class _Log:
    """One file of a log, as far as it is written in whole lines."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self.size = 0
        size = 0 if descriptor is None else os.fstat(descriptor).st_size
        look = _LINE_BYTES
        while size and not self.size:
            begin = max(0, size - look)
            found = self.read(begin, size).rfind(b"\n")
            if found >= 0:
                self.size = begin + found + 1
            elif begin == 0:
                break
            look *= 4

    def read(self, begin: int, end: int) -> bytes:
        """The bytes from `begin` to `end`, fewer where the file has ended meanwhile."""
        return b"" if self._descriptor is None else os.pread(self._descriptor, end - begin, begin)

    def line_after(self, position: int) -> int:
        """Where the first line begins that begins at `position` or later; `size` when none does."""
        at = position - 1
        while 0 <= at < self.size:
            piece = self.read(at, min(self.size, at + _LINE_BYTES))
            if (found := piece.find(b"\n")) >= 0:
                return at + found + 1
            if not piece:
                break
            at += len(piece)
        return self.size if at >= 0 else 0

    def span(self, query: LogQuery, upper: int) -> tuple[int, int]:
        """Offsets between which all lines before `upper` are that are of the time that is asked for, and few others."""
        lower = 0
        if query.from_ms is not None:
            lower, _ = self._around(_stamp(query.from_ms))
        if query.until_ms is not None:
            _, after = self._around(_stamp(query.until_ms + 1))
            upper = min(upper, self.line_after(after))
        return lower, upper

    def backwards(self, lower: int, upper: int) -> Iterator[tuple[int, bytes]]:
        """Offset and text of blocks of whole lines, the newest first."""
        look = _BLOCK_BYTES
        while upper > lower:
            begin = max(lower, upper - look)
            if begin > lower:
                begin = self.line_after(begin)
            if begin >= upper:  # within one line
                look *= 2
                continue
            look = _BLOCK_BYTES
            yield begin, self.read(begin, upper)
            upper = begin

    def forwards(self, lower: int, upper: int) -> Iterator[tuple[int, bytes]]:
        """Offset and text of blocks of whole lines, the oldest first."""
        while lower < upper:
            end = min(upper, self.line_after(lower + _BLOCK_BYTES))
            yield lower, self.read(lower, end)
            lower = end

    def _around(self, stamp: bytes) -> tuple[int, int]:
        """Offsets near to each other: lines before the first are earlier than `stamp`, from the second on none is."""
        lower, upper = 0, self.size
        while upper - lower > _LINE_BYTES:
            middle = (lower + upper) // 2
            start, found = self._stamp_after(middle, upper)
            if found is not None and found < stamp:
                lower = start
            else:
                upper = middle
        return lower, upper

    def _stamp_after(self, position: int, end: int) -> tuple[int, bytes | None]:
        """Offset and time of the first line from `position` on, and before `end`, that has one."""
        start = self.line_after(position)
        while start < end:
            head = self.read(start, start + _HEAD_BYTES)
            if head.startswith(_STAMP) and len(head) == _HEAD_BYTES:
                return start, head[len(_STAMP) :]
            start = self.line_after(start + 1)
        return start, None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Log]:
    """The file; an empty one where it has just been removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield _Log(None)
        return
    try:
        yield _Log(descriptor)
    finally:
        os.close(descriptor)


def _line_starts(block: bytes, haystack: bytes, needles: Sequence[bytes]) -> list[int]:
    starts = set()
    for needle in needles:
        at = haystack.find(needle)
        while at >= 0:
            starts.add(block.rfind(b"\n", 0, at) + 1)
            end = block.find(b"\n", at)
            at = haystack.find(needle, end) if end >= 0 else -1
    return sorted(starts)


def _all_line_starts(block: bytes) -> list[int]:
    starts, at = [], 0
    while 0 <= at < len(block):
        starts.append(at)
        at = block.find(b"\n", at) + 1 or -1
    return starts


def _longest_plain_piece(text: str) -> bytes:
    """The longest part of `text` that looks alike in any file: ASCII in small letters, nothing that JSON escapes."""
    pieces = re.findall(r"[ !#-\[\]-~]+", text.lower())
    return max(pieces, key=len, default="").encode()


def _written(value: str) -> bytes:
    """As it stands within a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "backslashreplace")


def _levels_from(level: str) -> tuple[str, ...]:
    return LEVELS[LEVELS.index(level) :]


def _names(entry: LogEntry, what: str) -> bool:
    """Whether the entry's texts name it as a whole word, as messages do that have no field for it."""
    word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(what)}(?![A-Za-z0-9])")
    return any(word.search(text) for text in _texts(entry))


def _texts(entry: LogEntry) -> tuple[str, ...]:
    named = (entry.text, entry.event, entry.logger, entry.symbol, entry.client_order_id, entry.exception)
    return (*named, *entry.details.values())


def _as_text(value: Any) -> str:
    """A value as text that can be encoded."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()


def _wall_ms(timestamp: str) -> int | None:
    try:
        return (datetime.fromisoformat(timestamp) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError):  # no time, or one without a zone
        return None


def _stamp(at_ms: int) -> bytes:
    return iso_utc(min(max(at_ms, 0), _LATEST_MS)).encode()


def _end(files: Mapping[int, Path]) -> tuple[int, int]:
    """The place behind the newest whole line."""
    if not files:
        return 0, 0
    number = max(files)
    with _opened(files[number]) as log:
        return number, log.size


def _place(cursor: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,12}):(\d{1,15})", cursor, re.ASCII)
    if match is None:
        raise CursorError(f"{cursor[:40]!r} is no place in the log: it must be two numbers, such as 1:4096.")
    return int(match[1]), int(match[2])


def _text(place: tuple[int, int]) -> str:
    return f"{place[0]}:{place[1]}"
