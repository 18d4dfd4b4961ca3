"""Windows, Retry-After and bans of binance-protocol.md 2.8."""

import pytest

from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.limits import ORDER_WINDOWS, OrderCount, WeightLimit


def refused(limit: WeightLimit, weight: int, now_ms: int) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        limit.charge(weight, now_ms)
    return refusal.value


def test_weight_starts_anew_with_the_calendar_minute():
    limit = WeightLimit()
    limit.charge(6000, 59_000)
    assert refused(limit, 1, 59_000).retry_after_seconds == 1
    limit.charge(6000, 60_000)
    assert limit.used == 6000


def test_ten_refusals_in_a_minute_lead_to_a_ban_that_doubles():
    limit = WeightLimit()
    lengths = []
    now_ms = 0
    for _ in range(2):
        limit.charge(6000, now_ms)
        statuses = [refused(limit, 1, now_ms).status for _ in range(9)]
        assert statuses == [429] * 9
        ban = refused(limit, 1, now_ms)
        assert ban.status == 418
        lengths.append(ban.retry_after_seconds)
        now_ms += ban.retry_after_seconds * 1000
        with pytest.raises(ApiError):
            limit.check_ban(now_ms - 1)
        limit.check_ban(now_ms)
    assert lengths == [120, 240]


def test_orders_are_counted_in_both_windows_and_given_back_never_below_zero():
    counts = OrderCount()
    counts.add(3, 9_999)
    counts.add(-5, 9_999)
    assert list(counts.counts(9_999).values()) == [0, 0]
    counts.add(50, 9_999)
    with pytest.raises(ApiError, match="current limit is 50 orders per 10 SECOND"):
        counts.check(9_999)
    counts.check(10_000)
    assert counts.counts(10_000) == {ORDER_WINDOWS[0]: 0, ORDER_WINDOWS[1]: 50}
