"""The log as a person sees it and as a machine reads it; what must never be in it."""

import json
import logging

import pytest
import structlog

from binance_trade_agent.ops.logging import configure

SECRET = "b2" * 32
LIBRARIES = ("aiohttp", "aiosqlite", "asyncio", "binance", "redis", "websockets")


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    yield
    root.handlers, root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


@pytest.fixture
def written(capsys):
    """What has come on standard error, line by line; nothing of it on standard output."""

    def lines() -> list[str]:
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err.splitlines()

    return lines


def test_person_reads_the_line_of_an_event_or_its_text(written):
    configure("console", "INFO")
    structlog.get_logger("trading").info("decision", line="BTCUSDT: HOLD signal", symbol="BTCUSDT")
    logging.getLogger("somewhere").warning("Redis does not answer: %s", "refused")
    logging.getLogger("somewhere").error("no")
    assert written() == ["BTCUSDT: HOLD signal", "⚠️  Redis does not answer: refused", "❌ no"]


def test_what_others_have_said_moves_no_cursor_and_makes_no_line_of_its_own(written):
    configure("console", "INFO")
    logging.getLogger("somewhere").warning("it says %s", "\x1b[2Jno\r\n❌ all is sold\u202e")
    assert written() == ["⚠️  it says \\x1b[2Jno\\r", "  ❌ all is sold\\u202e"]


def test_machine_reads_one_object_an_event_with_what_is_bound(written):
    configure("json", "INFO")
    with structlog.contextvars.bound_contextvars(run="run-a", cycle=3):
        structlog.get_logger("trading").info("decision", line="BTCUSDT: ⛔", symbol="BTCUSDT", rule=None)
        logging.getLogger("somewhere").warning("two\nlines %d", 7)
    first, second = (json.loads(line) for line in written())
    assert {**first, "timestamp": ""} == {
        "event": "decision",
        "symbol": "BTCUSDT",
        "run": "run-a",
        "cycle": 3,
        "level": "info",
        "timestamp": "",
    }
    assert (second["event"], second["level"], second["run"]) == ("two\nlines 7", "warning", "run-a")
    assert first["timestamp"].endswith("Z")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_secret_appears_nowhere(written, log_format):
    configure(log_format, "DEBUG", secrets=[SECRET])
    structlog.get_logger("trading").info(f"key {SECRET}", line=f"key {SECRET}", detail=SECRET)
    logging.getLogger("somewhere").warning("signed with %s", SECRET)
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("somewhere").exception("failed")
    text = "\n".join(written())
    assert SECRET not in text
    assert "****" in text
    assert "ValueError" in text


def test_less_than_the_level_is_not_written(written):
    configure("console", "WARNING")
    logging.getLogger("somewhere").info("no")
    structlog.get_logger("trading").info("no")
    assert written() == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_that_log_frames_and_requests_stay_quiet(written, library):
    configure("console", "DEBUG")
    logging.getLogger(f"{library}.client").debug("frame with a signature")
    logging.getLogger(f"{library}.client").info("request with a key")
    assert written() == []


def test_second_configuration_replaces_the_first(written):
    configure("console", "INFO")
    configure("console", "INFO")
    logging.getLogger("somewhere").warning("once")
    assert written() == ["⚠️  once"]
