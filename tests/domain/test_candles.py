from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import INTERVAL_MS, Candle, interval_open_ms

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
