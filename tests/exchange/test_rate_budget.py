import pytest

from binance_trade_agent.exchange import rate_budget
from binance_trade_agent.exchange.errors import BannedError, RateLimitedError
from binance_trade_agent.exchange.rate_budget import RateBudget


@pytest.fixture
def clock(monkeypatch):
    """Set `clock[0]` to move time, in seconds."""
    now = [1000.0]
    monkeypatch.setattr(rate_budget, "monotonic_seconds", lambda: now[0])
    return now


def test_nothing_is_refused_before_the_exchange_has_complained(clock):
    RateBudget().check()


def test_silence_lasts_as_long_as_was_asked_for(clock):
    budget = RateBudget()
    budget.block(RateLimitedError(30, "Too much."))
    clock[0] += 29.5
    with pytest.raises(RateLimitedError) as refusal:
        budget.check()
    assert refusal.value.retry_after_seconds == 1
    clock[0] += 0.5
    budget.check()


def test_a_shorter_wait_does_not_shorten_a_ban(clock):
    budget = RateBudget()
    budget.block(BannedError(300, "Banned."))
    budget.block(RateLimitedError(1, "Too much."))
    clock[0] += 299
    with pytest.raises(RateLimitedError):
        budget.check()


@pytest.mark.parametrize(("header", "known"), [("17", 17), ("0", 0), (None, 5), ("", 5), ("many", 5)])
def test_used_weight_is_the_last_that_was_readable(header, known):
    budget = RateBudget()
    budget.note("5")
    budget.note(header)
    assert budget.used_weight == known
