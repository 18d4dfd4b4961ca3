"""What the project said in its log."""

import logging

import pytest

import binance_trade_agent


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the project's own code said as a warning or worse; a library's thread may speak at any time."""
    ours = binance_trade_agent.__name__
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.split(".")[0] == ours
    ]
