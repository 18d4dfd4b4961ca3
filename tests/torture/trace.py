"""What happened in a simulated world, in order: a hash that tells two runs apart, and the lines for who wants to read."""

import hashlib
import logging
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from binance_trade_agent.ledger.errors import LedgerError
from tests.torture.loop import VirtualLoop
from tests.torture.machine import MACHINE

_KEPT_LINES = 100_000
# aiohttp's server trips when a connection is lost between the arrival of a request and the step of its task.
_AIOHTTP_RACE = "coro=<RequestHandler.start()"
_LOGGER = logging.getLogger()


class Trace:
    """Events with their virtual times.

    Attributes:
        lines: the last of them as text.
        is_printed: whether each is printed as it happens.
        mistakes: what the program under test has logged with a trace: something that nobody foresaw.
        sentences: how often each log message (without its arguments) came.
        is_over: whether the world is being taken down, which may be noisy.
    """

    def __init__(self, loop: VirtualLoop, *, is_printed: bool = False) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.is_printed = is_printed
        self.mistakes: list[str] = []
        self.sentences: dict[str, int] = {}
        self.is_over = False
        self._loop = loop
        self._digest = hashlib.blake2b(digest_size=8)

    def add(self, kind: str, text: str = "") -> None:
        """Note an event; it becomes part of the hash."""
        line = f"{self._loop.elapsed_seconds:12.6f} {kind} {text}"
        self._digest.update(line.encode() + b"\n")
        self._show(line)

    def say(self, text: str) -> None:
        """Note something for readers only."""
        self._show(f"{self._loop.elapsed_seconds:12.6f}   {text}")

    @property
    def hash(self) -> str:
        """Of all events so far."""
        return self._digest.hexdigest()

    def _show(self, line: str) -> None:
        self.lines.append(line)
        if self.is_printed:
            print(line, flush=True)


class _LogReader(logging.Handler):
    """Takes the log of whoever lives; the dead may say what they like."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(logging.WARNING)
        self._trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        machine = MACHINE.get()
        if machine is not None and machine.is_dead:
            return
        sentence = str(record.msg)
        self._trace.sentences[sentence] = self._trace.sentences.get(sentence, 0) + 1
        who = machine.name if machine else "world"
        self._trace.say(f"log {who} {record.levelname} {record.name}: {record.getMessage()}")
        if self._trace.is_over or _AIOHTTP_RACE in record.getMessage():
            return
        if record.exc_info and record.exc_info[1] is not None and not _is_foreseen(record.exc_info[1]):
            text = "".join(traceback.format_exception(record.exc_info[1]))
            self._trace.mistakes.append(f"{record.getMessage()}\n{text}")
            self._trace.say(text)


def _is_foreseen(failure: BaseException) -> bool:
    """The ledger's refusals are: disks fail here. And aiohttp asserts that no connection is lost in a handshake."""
    frames = traceback.extract_tb(failure.__traceback__)
    return isinstance(failure, LedgerError) or bool(frames and "/aiohttp/" in frames[-1].filename)


@contextmanager
def log_of_world(trace: Trace) -> Iterator[None]:
    """Let the log go into `trace` instead of anywhere else."""
    handlers, level = _LOGGER.handlers, _LOGGER.level
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if trace.is_printed else logging.CRITICAL),
        processors=[_told_to(trace)],
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _LOGGER.handlers = [_LogReader(trace)]
    _LOGGER.setLevel(logging.INFO if trace.is_printed else logging.WARNING)
    try:
        yield
    finally:
        _LOGGER.handlers = handlers
        _LOGGER.setLevel(level)
        structlog.configure(**before)


def _told_to(trace: Trace) -> Any:
    def tell(_: Any, __: str, event: Any) -> str:
        machine = MACHINE.get()
        if machine is None or not machine.is_dead:
            trace.say(str(event.get("line") or event["event"]))
        return ""

    return tell
