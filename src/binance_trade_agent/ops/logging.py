"""The log: sentences for a person on a terminal, one JSON object an event for a machine.

It goes to standard error, and where the process keeps one to a file (`log_file`). The latest troubles stay in memory.
"""

import logging
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.container_log import program
from binance_trade_agent.ops.log_file import LogFile, LogFileHandler, json_line

# Libraries that log frames and requests, and with them keys and signatures, below this level (binance-protocol.md P24).
_QUIET_LIBRARIES = ("aiohttp", "aiosqlite", "asyncio", "binance", "redis", "websockets")
_PREFIXES = {"warning": "⚠️  ", "error": "❌ ", "critical": "❌ "}
_TROUBLES_KEPT, _TROUBLE_CHARACTERS = 20, 500


@dataclass(frozen=True, slots=True)
class Trouble:
    """A warning or an error that was logged.

    Attributes:
        level: warning, error or critical.
    """

    wall_ms: int
    level: str
    text: str


_troubles: deque[Trouble] = deque(maxlen=_TROUBLES_KEPT)


_file: LogFile | None = None


def log_file() -> LogFile | None:
    """The files that this process logs to; None when it logs to none."""
    return _file


def latest_troubles() -> tuple[Trouble, ...]:
    """The last 20 warnings and errors since the log was configured, the newest first."""
    return tuple(reversed(_troubles))


def configure(log_format: str, level: str, *, secrets: Iterable[str] = (), file: LogFile | None = None) -> None:
    """Set up logging for the process.

    Args:
        log_format: console or json.
        level: least level that is logged.
        secrets: texts that must never appear; each is replaced wherever it would.
        file: where each event is written as well, as one JSON object with all it says.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _timestamp,
        structlog.processors.format_exc_info,
        _redacting(tuple(secrets)),
    ]
    as_json = structlog.processors.JSONRenderer(ensure_ascii=False)
    render: list[Processor] = [_without_line, _with_program, as_json] if log_format == "json" else [_sentence]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handlers: list[tuple[logging.Handler, list[Processor]]] = [
        (logging.StreamHandler(sys.stderr), [_without_meta, *render]),
        (_Remembering(logging.WARNING), [_without_meta, _words]),
    ]
    if file is not None:
        handlers.append((LogFileHandler(file), [_with_logger, _without_meta, _file_line]))
    for handler, processors in handlers:
        handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=processors))
    root = logging.getLogger()
    for replaced in root.handlers:
        if isinstance(replaced, LogFileHandler):
            replaced.close()
    root.handlers = [handler for handler, _ in handlers]
    root.setLevel(level)
    global _file  # noqa: PLW0603 (the log is the process's)
    _file = file
    _troubles.clear()
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))


_without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta


class _Remembering(logging.Handler):
    """Keeps the latest records, without their traces."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)[:_TROUBLE_CHARACTERS]
        _troubles.append(Trouble(wall_ms(), record.levelname.lower(), text))


def _timestamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["timestamp"] = iso_utc(wall_ms())
    return event


def _redacting(secrets: tuple[str, ...]) -> Processor:
    def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {name: _without(value, secrets) for name, value in event.items()}

    return redact


def _without(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "****")
    return value


def _without_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The event without its sentence for a person, and without what it has nothing to say on."""
    return {name: value for name, value in event.items() if name != "line" and value is not None}


def _with_program(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {**event, "program": program()} if program() else event


def _words(_: WrappedLogger, __: str, event: EventDict) -> str:
    return str(event.get("line") or event["event"])


def _sentence(_: WrappedLogger, __: str, event: EventDict) -> str:
    """The event as a line for a person: its `line` when it has one, else its text."""
    text = _visible(_words(_, __, event))
    trace = f"\n{event['exception']}" if "exception" in event else ""
    return f"{_PREFIXES.get(event['level'], '')}{text}{trace}"


def _visible(text: str) -> str:
    """The text with nothing that a terminal obeys, and none of its further lines looking like a line of the log.

    It may hold what the exchange, a strategy or an assistant has said.
    """
    if text.isprintable():
        return text
    shown = (each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text)
    return "".join(shown).replace("\n", "\n  ")


def _with_logger(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {**event, "logger": event["_record"].name}


def _file_line(_: WrappedLogger, __: str, event: EventDict) -> str:
    return json_line(event)
