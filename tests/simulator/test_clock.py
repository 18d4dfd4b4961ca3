from decimal import Decimal

import pytest

from binance_trade_agent.simulator.clock import MarketClock

START_MS = 1_767_571_200_000


class RealSeconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_running_clock_multiplies_the_real_time_that_has_passed():
    real = RealSeconds()
    clock = MarketClock(START_MS, Decimal(60), real_seconds=real)

    real.now += 1.5

    assert clock.now_ms() == START_MS + 90_000


def test_a_stepped_clock_moves_only_when_set():
    real = RealSeconds()
    clock = MarketClock(START_MS, None, real_seconds=real)

    real.now += 1_000
    assert clock.is_stepped
    assert clock.now_ms() == START_MS

    clock.advance_to(START_MS + 5)
    assert clock.now_ms() == START_MS + 5


def test_time_never_goes_back():
    clock = MarketClock(START_MS, None)

    with pytest.raises(ValueError, match="never goes back"):
        clock.advance_to(START_MS - 1)


def test_a_running_clock_cannot_be_set():
    with pytest.raises(ValueError, match="only a stepped clock"):
        MarketClock(START_MS, Decimal(1)).advance_to(START_MS + 1)


def test_a_new_speed_holds_from_now_on():
    real = RealSeconds()
    clock = MarketClock(START_MS, Decimal(10), real_seconds=real)
    real.now += 1
    clock.set_speed(None)
    real.now += 1
    clock.set_speed(Decimal(2))
    real.now += 1

    assert clock.now_ms() == START_MS + 12_000


@pytest.mark.parametrize("speed", ["0", "-1", "NaN", "Infinity"])
def test_a_speed_that_leads_nowhere_is_refused(speed):
    with pytest.raises(ValueError, match="must be above 0"):
        MarketClock(START_MS, Decimal(speed))


def test_a_market_faster_than_the_machine_goes_on_from_where_it_has_come_to():
    real = RealSeconds()
    clock = MarketClock(START_MS, Decimal(1_000_000), real_seconds=real)
    real.now += 1

    clock.slow_down_to(START_MS + 5_000)

    assert clock.now_ms() == START_MS + 5_000
    real.now += 0.001
    assert clock.now_ms() == START_MS + 5_000 + 1_000_000


def test_a_market_that_is_behind_by_little_catches_up():
    real = RealSeconds()
    clock = MarketClock(START_MS, Decimal(60), real_seconds=real)
    real.now += 10

    clock.slow_down_to(START_MS + 600_000 - 30_000)
    assert clock.now_ms() == START_MS + 600_000
    clock.slow_down_to(START_MS + 600_000 - 30_001)
    assert clock.now_ms() == START_MS + 600_000 - 30_001


@pytest.mark.parametrize("speed", [Decimal(1), None])
def test_real_time_and_a_stepped_market_are_never_slowed_down(speed):
    real = RealSeconds()
    clock = MarketClock(START_MS, speed, real_seconds=real)
    real.now += 10
    before_ms = clock.now_ms()

    clock.slow_down_to(START_MS + 1)

    assert clock.now_ms() == before_ms
