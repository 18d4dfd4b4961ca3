from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import BINANCE_INTERVALS, INTERVAL_MS, Candle, candle_span_ms, interval_open_ms
from binance_trade_agent.domain.values import replace

SOUND = Candle(0, 59_999, Decimal(10), Decimal(12), Decimal(9), Decimal(11), Decimal(5))


@given(st.sampled_from(sorted(INTERVAL_MS)), st.integers(0, 4_102_444_800_000))
def test_every_time_lies_in_exactly_one_candle(interval, at_ms):
    opened = interval_open_ms(interval, at_ms)
    assert opened <= at_ms < opened + INTERVAL_MS[interval]
    assert interval_open_ms(interval, opened) == opened
    assert interval_open_ms(interval, opened + INTERVAL_MS[interval]) == opened + INTERVAL_MS[interval]


@given(st.integers(0, 4_102_444_800_000))
def test_weeks_open_on_monday_midnight(at_ms):
    opened = datetime.fromtimestamp(interval_open_ms("1w", at_ms) / 1000, UTC)
    assert (opened.weekday(), opened.hour, opened.minute) == (0, 0, 0)


@given(
    st.sampled_from(BINANCE_INTERVALS), st.integers(31_536_000_000, 4_102_444_800_000), st.integers(-12 * 60, 14 * 60)
)
def test_spans_follow_one_another_without_a_gap_in_any_zone(interval, at_ms, zone_minutes):
    zone_ms = zone_minutes * 60_000
    opened, following = candle_span_ms(interval, at_ms, zone_ms)
    assert opened <= at_ms < following
    assert candle_span_ms(interval, following - 1, zone_ms) == (opened, following)
    assert candle_span_ms(interval, following, zone_ms)[0] == following


@given(st.integers(31_536_000_000, 4_102_444_800_000), st.integers(-12 * 60, 14 * 60))
def test_months_open_on_their_first_day_at_midnight_of_the_zone(at_ms, zone_minutes):
    opened, following = candle_span_ms("1M", at_ms, zone_minutes * 60_000)
    local = [datetime.fromtimestamp(time_ms / 1000 + zone_minutes * 60, UTC) for time_ms in (opened, following)]
    assert all((day.day, day.hour, day.minute, day.second) == (1, 0, 0, 0) for day in local)
    assert (local[0].year * 12 + local[0].month + 1) == local[1].year * 12 + local[1].month


def test_december_is_followed_by_january():
    december = int(datetime(2025, 12, 31, 23, tzinfo=UTC).timestamp() * 1000)
    assert candle_span_ms("1M", december) == (1_764_547_200_000, 1_767_225_600_000)
    assert candle_span_ms("1M", december, 3_600_000) == (1_767_225_600_000 - 3_600_000, 1_769_904_000_000 - 3_600_000)


def test_three_day_candles_open_on_days_that_three_divides():
    opened, _ = candle_span_ms("3d", 1_767_571_200_000)
    assert opened // 86_400_000 % 3 == 0


@pytest.mark.parametrize("interval", ["7m", "1M", "", "1 m"])
def test_unknown_interval_raises(interval):
    with pytest.raises(KeyError):
        interval_open_ms(interval, 0)


def test_ordinary_and_flat_candles_are_sound():
    price = Decimal(10)
    assert SOUND.is_sound
    assert Candle(0, 59_999, price, price, price, price, Decimal(0)).is_sound


@pytest.mark.parametrize(
    "broken",
    [
        {"high": Decimal("10.5")},
        {"low": Decimal("10.5")},
        {"open": Decimal(13)},
        {"close": Decimal(8)},
        {"low": Decimal(0)},
        {"open": Decimal(-1), "low": Decimal(-2)},
        {"volume": Decimal(-1)},
        {"close": Decimal("NaN")},
        {"high": Decimal("Infinity")},
        {"volume": Decimal("NaN")},
    ],
)
def test_candle_with_prices_out_of_order_or_no_number_is_unsound(broken):
    assert not replace(SOUND, **broken).is_sound
