"""Closings: each symbol once, until it is taken."""

import pytest

from binance_trade_agent.feed import closings as module
from binance_trade_agent.feed.closings import Closings


@pytest.fixture
def clock(monkeypatch):
    now = [1.0]
    monkeypatch.setattr(module, "monotonic_seconds", lambda: now[0])
    return now


def test_what_has_closed_is_taken_once_with_its_time(clock):
    closings = Closings("1m")
    closings.hear("BTCUSDT", "1m", 0)
    closings.hear("ETHUSDT", "5m", 0)
    assert closings
    assert closings.has_some.is_set()
    assert closings.take() == {"BTCUSDT": 1.0}
    assert not closings
    assert not closings.has_some.is_set()
    assert closings.take() == {}


def test_those_that_are_left_out_stay(clock):
    closings = Closings("1m")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        closings.hear(symbol, "1m", 0)
    assert closings.take(without={"BTCUSDT": 1.0}) == {"ETHUSDT": 1.0}
    assert closings.has_some.is_set()
    assert closings.take() == {"BTCUSDT": 1.0}


def test_what_is_put_back_keeps_its_time_unless_another_candle_has_closed(clock):
    closings = Closings("1m")
    clock[0] = 2.0
    closings.hear("ETHUSDT", "1m", 0)
    closings.put_back("BTCUSDT", 1.0)
    closings.put_back("ETHUSDT", 1.0)
    assert closings.take() == {"ETHUSDT": 2.0, "BTCUSDT": 1.0}
