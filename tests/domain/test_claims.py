"""Claims of several daemons on one account: which can be side by side, and what all may hold together."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from binance_trade_agent.domain.claims import (
    EXPOSURE_RULE,
    POSITIONS_RULE,
    AccountLimits,
    Claim,
    claimed_by_others,
    conflict,
    findings,
    lowest_limits,
    over_limits,
)
from binance_trade_agent.domain.values import changed

NO_LIMITS = AccountLimits()


def claim(
    instance="alpha",
    symbols=("BTCUSDT",),
    *,
    exposure="0",
    buying="0",
    cash="1000",
    held=(),
    limits=NO_LIMITS,
    quote="USDT",
):
    return Claim(
        instance=instance,
        holder=f"process of {instance}",
        symbols=tuple(symbols),
        base_assets=tuple(symbol.removesuffix(quote) for symbol in symbols),
        quote_asset=quote,
        cash_quote=Decimal(cash),
        exposure_quote=Decimal(exposure),
        buying_quote=Decimal(buying),
        open_symbols=tuple(held),
        limits=limits,
        noted_wall_ms=0,
    )


class TestConflict:
    def test_symbols_and_coins_of_their_own_are_none(self):
        assert conflict(claim(), claim("beta", ["ETHUSDT"])) is None

    def test_a_symbol_belongs_to_one(self):
        found = conflict(claim(symbols=["BTCUSDT", "ETHUSDT"]), claim("beta", ["ETHUSDT"]))
        assert found == "ETHUSDT in TRADING_SYMBOLS is traded by beta on this account already"

    def test_a_coin_belongs_to_one_whatever_it_is_paid_in(self):
        found = conflict(claim(), claim("beta", ["BTCEUR"], quote="EUR"))
        assert found == "BTC is the base asset of symbols that beta trades on this account"

    def test_what_one_trades_another_cannot_pay_with(self):
        found = conflict(claim("alpha", ["ETHBTC"], quote="BTC"), claim("beta", ["BTCUSDT"]))
        assert found == "alpha pays in BTC, which beta trades on this account"
        assert conflict(claim("beta", ["BTCUSDT"]), claim("alpha", ["ETHBTC"], quote="BTC")) == found

    @given(some.sets(some.sampled_from("ABCDEF")), some.sets(some.sampled_from("ABCDEF")))
    def test_is_seen_from_both_sides(self, mine, theirs):
        one = claim("one", sorted(f"{name}USDT" for name in mine))
        other = claim("other", sorted(f"{name}USDT" for name in theirs))
        assert (conflict(one, other) is None) == (conflict(other, one) is None) == (not mine & theirs)


def test_the_strictest_limits_of_all_hold():
    found = lowest_limits(
        [
            claim(limits=AccountLimits(Decimal(500), 0)),
            claim("beta", limits=AccountLimits(Decimal(0), 7)),
            claim("gamma", limits=AccountLimits(Decimal(300), 9)),
        ]
    )
    assert found == AccountLimits(Decimal(300), 7)
    assert lowest_limits([claim()]).are_none


def test_exposure_of_all_daemons_is_counted_together():
    limited = claim(exposure="100", limits=AccountLimits(Decimal(500)))
    others = [claim("beta", exposure="250", limits=NO_LIMITS)]
    assert over_limits(limited, others, "BTCUSDT", Decimal(150)) is None
    refusal = over_limits(limited, others, "BTCUSDT", Decimal("150.01"))
    assert refusal.rule == EXPOSURE_RULE
    assert refusal.detail == (
        "with 150.01 more all daemons of this account would hold 500.01 of at most 500 USDT "
        "(ACCOUNT_MAX_EXPOSURE_QUOTE): beta has 250, alpha 100, so 150 are left"
    )


def test_a_limit_of_another_daemon_is_named_as_its():
    own = claim(exposure="100", held=["BTCUSDT"])
    others = [claim("beta", exposure="450", limits=AccountLimits(Decimal(500), 1)), *map(claim, "abcd")]
    exposure, positions = findings(own, others, "", Decimal(0))
    assert (exposure.allows, positions.allows) == (False, False)
    assert exposure.detail == (
        "all daemons of this account hold 550 of at most 500 USDT (ACCOUNT_MAX_EXPOSURE_QUOTE of beta): "
        "beta has 450, alpha 100, a 0 and 3 others the rest, so 0 are left"
    )
    assert "would hold 2 of at most 1 positions (ACCOUNT_MAX_OPEN_POSITIONS of beta)" in positions.detail
    assert (exposure.value, exposure.limit, exposure.unit, positions.value) == (550, 500, "USDT", 2)


def test_positions_of_all_daemons_are_counted_once():
    own = claim(held=["BTCUSDT"], limits=AccountLimits(max_open_positions=2))
    others = [claim("beta", ["ETHUSDT"], held=["ETHUSDT"])]
    assert over_limits(own, others, "BTCUSDT", Decimal(1)) is None, "what is held may grow"
    refusal = over_limits(own, others, "XRPUSDT", Decimal(1))
    assert (
        refusal.rule,
        "3 of at most 2 positions (ACCOUNT_MAX_OPEN_POSITIONS): alpha has 1, beta 1, so 0 are left" in refusal.detail,
    ) == (
        POSITIONS_RULE,
        True,
    )


def test_another_quote_asset_is_another_money():
    others = [claim("beta", ["ETHEUR"], exposure="900", cash="70", quote="EUR")]
    own = claim(limits=AccountLimits(Decimal(100)))
    assert over_limits(own, others, "BTCUSDT", Decimal(100)) is None
    assert claimed_by_others(others, "USDT") == 0
    assert claimed_by_others(others, "EUR") == 70


@given(
    some.lists(
        some.tuples(some.sampled_from(["alpha", "beta", "gamma"]), some.decimals(1, 400, places=2)), max_size=30
    ),
    some.decimals(100, 1000, places=2),
)
def test_purchases_that_are_let_through_never_exceed_the_limit(purchases, limit):
    claims = {
        name: claim(name, [f"{name}USDT"], limits=AccountLimits(limit if name == "beta" else Decimal(0)))
        for name in ("alpha", "beta", "gamma")
    }
    for name, worth in purchases:
        own, others = claims[name], [each for each in claims.values() if each.instance != name]
        if over_limits(own, others, f"{name}USDT", worth) is None:
            claims[name] = changed(own, exposure_quote=own.exposure_quote + worth)
    assert sum(each.exposure_quote for each in claims.values()) <= limit


@pytest.mark.parametrize("limits", [NO_LIMITS, AccountLimits(Decimal(0), 0)])
def test_without_a_limit_everything_is_let_through(limits):
    assert over_limits(claim(limits=limits), [], "BTCUSDT", Decimal(10**9)) is None
