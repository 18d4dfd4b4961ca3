"""The log: sentences for a person on a terminal, one JSON object an event for a machine. It goes to standard error."""

import logging
import sys
from collections.abc import Iterable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ops.clock import wall_ms

# Libraries that log frames and requests, and with them keys and signatures, below this level (binance-protocol.md P24).
_QUIET_LIBRARIES = ("aiohttp", "aiosqlite", "asyncio", "binance", "redis", "websockets")
_PREFIXES = {"warning": "⚠️  ", "error": "❌ ", "critical": "❌ "}


def configure(log_format: str, level: str, *, secrets: Iterable[str] = ()) -> None:
    """Set up logging for the process.

    Args:
        log_format: console or json.
        level: least level that is logged.
        secrets: texts that must never appear; each is replaced wherever it would.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _timestamp,
        structlog.processors.format_exc_info,
        _redacting(tuple(secrets)),
    ]
    as_json = structlog.processors.JSONRenderer(ensure_ascii=False)
    render: list[Processor] = [_without_line, as_json] if log_format == "json" else [_sentence]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))


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


def _sentence(_: WrappedLogger, __: str, event: EventDict) -> str:
    """The event as a line for a person: its `line` when it has one, else its text."""
    text = str(event.get("line") or event["event"])
    trace = f"\n{event['exception']}" if "exception" in event else ""
    return f"{_PREFIXES.get(event['level'], '')}{text}{trace}"
