"""Windows, Retry-After and bans of binance-protocol.md 2.8."""

import pytest

from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.limits import ORDER_WINDOWS, AddressLimits, Limits, OrderCount


def refused(action, *arguments: int) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        action(*arguments)
    return refusal.value


@pytest.mark.parametrize(("at_ms", "seconds"), [(0, 60), (1, 60), (1000, 59), (58_999, 2), (59_000, 1), (59_999, 1)])
def test_retry_after_reaches_into_the_next_minute(at_ms, seconds):
    limits = AddressLimits()
    limits.charge(6000, at_ms)
    assert refused(limits.charge, 1, at_ms).retry_after_seconds == seconds


def test_weight_starts_anew_with_the_calendar_minute():
    limits = AddressLimits()
    limits.charge(6000, 59_999)
    assert limits.used(59_999) == 6000
    assert limits.used(60_000) == 0
    limits.charge(6000, 60_000)
    assert refused(limits.charge, 1, 60_000).message == (
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    assert limits.used(60_000) == 6000


def test_request_that_is_too_heavy_is_not_charged_and_a_lighter_one_passes():
    limits = AddressLimits()
    limits.set_used(5990, 0)
    assert refused(limits.charge, 20, 0).status == 429
    limits.charge(10, 0)
    assert limits.used(0) == 6000


def test_weight_that_is_charged_afterwards_may_exceed_the_limit():
    limits = AddressLimits()
    limits.set_used(6000, 0)
    limits.charge(0, 0)
    limits.charge_afterwards(1, 0)
    assert refused(limits.charge, 0, 0).status == 429


def test_addresses_have_limits_of_their_own():
    limits = Limits()
    limits.of("127.0.0.1").charge(6000, 0)
    limits.of("127.0.0.2").charge(1, 0)
    assert limits.of("127.0.0.1") is limits.of("127.0.0.1")
    assert limits.used(0) == {"127.0.0.1": 6000, "127.0.0.2": 1}


def test_what_is_put_on_all_holds_for_addresses_yet_to_come():
    limits = Limits()
    limits.of("127.0.0.1").charge(1, 0)
    limits.set_used_by_all(5990, 0)
    assert [limits.of(address).used(0) for address in ("127.0.0.1", "127.0.0.2")] == [5990, 5990]
    assert limits.of("127.0.0.3").used(60_000) == 0
    limits.ban_all(1.5, 60_000)
    assert refused(limits.of("127.0.0.1").admit, 61_499).status == 418
    assert refused(limits.of("127.0.0.4").admit, 61_499).status == 418
    limits.of("127.0.0.4").admit(61_500)


def test_ten_refusals_in_a_minute_lead_to_a_ban_that_doubles_up_to_three_days():
    limits = AddressLimits()
    lengths = []
    now_ms = 0
    for _ in range(13):
        limits.set_used(6000, now_ms)
        assert [refused(limits.charge, 1, now_ms).status for _ in range(10)] == [429] * 10
        ban = refused(limits.admit, now_ms)
        assert (ban.status, ban.code) == (418, -1003)
        lengths.append(ban.retry_after_seconds)
        now_ms += ban.retry_after_seconds * 1000
        assert ban.message == (
            f"Way too much request weight used; IP banned until {now_ms}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
        assert refused(limits.admit, now_ms - 1).retry_after_seconds == 1
        limits.admit(now_ms)
    assert lengths == [min(120 * 2**number, 3 * 86_400) for number in range(13)]


def test_refusals_are_counted_over_any_minute_not_over_the_calendars():
    limits = AddressLimits()
    for at_ms in (59_000, 59_500, 60_000, 60_500, 61_000, 61_500, 62_000, 62_500, 63_000):
        limits.refused(at_ms)
    limits.admit(63_000)
    limits.refused(118_999)
    assert refused(limits.admit, 118_999).status == 418


def test_refusals_spread_over_more_than_a_minute_lead_to_no_ban():
    limits = AddressLimits()
    for number in range(30):
        limits.refused(number * 6_667)
    limits.admit(30 * 6_667)


def test_ban_on_request_ends_to_the_millisecond():
    limits = AddressLimits()
    limits.ban(60, 500)
    assert refused(limits.check_ban, 60_499).retry_after_seconds == 1
    assert refused(limits.open_stream, 500).retry_after_seconds == 60
    limits.check_ban(60_500)


def test_raw_requests_are_limited_in_five_minutes():
    limits = AddressLimits()
    for _ in range(300_000):
        limits.admit(1)
    refusal = refused(limits.admit, 1)
    assert (refusal.status, refusal.code, refusal.retry_after_seconds) == (429, -1003, 300)
    limits.admit(300_000)


def test_attempts_to_open_a_stream_are_limited_in_five_minutes():
    limits = AddressLimits()
    for _ in range(300):
        limits.open_stream(299_999)
    assert refused(limits.open_stream, 299_999).retry_after_seconds == 1
    limits.open_stream(300_000)


def test_orders_are_counted_in_both_windows_and_given_back_never_below_zero():
    counts = OrderCount()
    counts.add(3, 9_999)
    counts.add(-5, 9_999)
    assert list(counts.counts(9_999).values()) == [0, 0]
    counts.add(50, 9_999)
    refusal = refused(counts.check, 9_999)
    assert (refusal.status, refusal.code, refusal.retry_after_seconds) == (429, -1015, 1)
    assert refusal.message == "Too many new orders; current limit is 50 orders per 10 SECOND."
    counts.check(10_000)
    assert counts.counts(10_000) == {ORDER_WINDOWS[0]: 0, ORDER_WINDOWS[1]: 50}


def test_list_needs_room_for_all_its_orders():
    counts = OrderCount()
    counts.set_used(48, 0)
    counts.check(0, 2)
    assert refused(counts.check, 0, 3).code == -1015


def test_day_is_full_until_midnight():
    counts = OrderCount()
    day_ms = 86_400_000
    counts.add(160_000, day_ms - 30_000)
    refusal = refused(counts.check, day_ms - 15_500)
    assert refusal.message == "Too many new orders; current limit is 160000 orders per 1 DAY."
    assert refusal.retry_after_seconds == 16
    counts.check(day_ms)
