import pytest

from binance_trade_agent.domain.wording import clock_time, iso_utc


@pytest.mark.parametrize(
    ("at_ms", "iso", "clock"),
    [
        (0, "1970-01-01T00:00:00.000Z", "00:00:00"),
        (1_722_816_000_005, "2024-08-05T00:00:00.005Z", "00:00:00"),
        (1_722_868_560_999, "2024-08-05T14:36:00.999Z", "14:36:00"),
    ],
)
def test_times_are_utc_to_the_millisecond(at_ms, iso, clock):
    assert (iso_utc(at_ms), clock_time(at_ms)) == (iso, clock)
