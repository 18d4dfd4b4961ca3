"""Candles of several lengths as one history."""

from binance_trade_agent.simulator.market.history import joined
from tests.simulator.market.candles import MINUTE_MS, START_MS, candle

HOUR_MS = 60 * MINUTE_MS


def run(interval: str, length_ms: int, first_ms: int, count: int):
    return [candle(first_ms + n * length_ms, "1 2 1 2", "1", interval) for n in range(count)]


def spans(history):
    return [(row.open_time_ms - START_MS) // MINUTE_MS for row in history]


def test_finer_candles_take_the_place_of_the_coarser_ones_that_they_cover():
    minutes = run("1m", MINUTE_MS, START_MS, 120)
    hours = run("1h", HOUR_MS, START_MS - 3 * HOUR_MS, 5)

    assert spans(joined(minutes, hours)) == [-180, -120, -60, *range(120)]


def test_finer_candles_that_begin_within_a_coarser_one_begin_after_it():
    minutes = run("1m", MINUTE_MS, START_MS + 17 * MINUTE_MS, 103)
    hours = run("1h", HOUR_MS, START_MS - HOUR_MS, 3)

    assert spans(joined(minutes, hours)) == [-60, 0, *range(60, 120)]


def test_an_open_coarse_candle_does_not_hide_the_minutes_within_it():
    minutes = run("1m", MINUTE_MS, START_MS + 5 * MINUTE_MS, 10)
    hours = run("1h", HOUR_MS, START_MS - HOUR_MS, 2)

    assert spans(joined(minutes, hours)) == [-60, *range(5, 15)]


def test_there_may_be_only_coarse_candles_or_none():
    hours = run("1h", HOUR_MS, START_MS, 2)

    assert joined([], hours) == hours
    assert joined([], []) == []
