"""The judgement: every rule is asked, the first that does not allow an order is its refusal, one that raises refuses."""

from decimal import Decimal, getcontext, localcontext

import pytest

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.risk.policy import ApprovedSize, RiskPolicy
from tests.risk.conftest import finding


def test_an_entry_that_all_allow_has_a_size_and_no_refusal(judge):
    judgement = judge(ask="66120.10")
    assert judgement.refusal is None
    assert all(found.allows for found in judgement.findings)
    assert judgement.size == ApprovedSize(
        Side.BUY, Decimal("0.00151"), Decimal("66120.10"), "0.00151 BTC for 99.841351 USDT at 66120.1"
    )


def test_every_rule_is_asked_though_one_has_refused(judge):
    refused = judge(
        pause_scope=PauseScope.ENTRIES, free_quote=Decimal(7), limits={"cooldown_seconds": 300}, last_filled_ms=999_000
    )
    assert refused.size is None
    assert refused.refusal == Refusal("pause", "entries are paused until `resume`")
    assert [found.rule for found in refused.findings if not found.allows] == ["pause", "cooldown", "balance"]
    assert [found.rule for found in refused.findings] == [found.rule for found in judge().findings]


def test_of_an_order_of_nothing_only_the_lot_is_asked(judge):
    rules = [found.rule for found in judge(limits={"order_quote": Decimal("0.4")}).findings]
    assert rules[rules.index("sizing") :] == ["sizing", "lot_size"]


def test_without_a_size_the_situation_is_still_asked(judge):
    unsized = judge(limits={"sizing": "volatility"}, is_killed=True)
    assert [found.rule for found in unsized.findings if not found.allows] == ["kill_switch", "sizing"]
    assert unsized.findings[-1].rule == "sizing"


def test_limits_on_entries_never_keep_a_position_open(judge):
    exit_in_a_full_house = judge(
        Action.SELL,
        held="1",
        limits={
            "max_position_quote": Decimal(1),
            "max_order_quote": Decimal(1),
            "max_exposure_pct": Decimal(1),
            "max_spread_pct": Decimal("0.0001"),
            "max_data_age_seconds": 1,
            "min_confidence": Decimal(1),
            "cooldown_seconds": 300,
            "max_trades_per_hour": 1,
        },
        last_filled_ms=1_000_000,
        open_positions=9999,
        free_quote=Decimal(0),
        pending_buy_quote=Decimal(500),
        rules={"max_position": Decimal("0.1")},
        book_age_ms=10**9,
        unknown_orders=999,
        pause_scope=PauseScope.EVERYTHING,
        is_killed=True,
        gate=("exchange", "it does not answer"),
    )
    assert exit_in_a_full_house.size.quantity == 1


def test_a_hold_has_nothing_to_decide(judge):
    with pytest.raises(ValueError, match="HOLD needs no risk decision"):
        judge(Action.HOLD)


@pytest.mark.parametrize(
    ("situation", "rule"),
    [
        ({"ask": "0"}, "sizing"),
        ({"ask": "NaN"}, "sizing"),
        ({"free_quote": Decimal("NaN")}, "balance"),
        ({"held": "NaN"}, "max_open_positions"),
        ({"last_filled_ms": "yesterday", "limits": {"cooldown_seconds": 1}}, "cooldown"),
        ({"last_price": Decimal(0), "limits": {"max_price_deviation_pct": Decimal(1)}}, "price_deviation"),
        ({"bid": "0", "ask": "0", "limits": {"max_spread_pct": Decimal(1)}}, "spread"),
        ({"state": None, "limits": {"max_drawdown_pct": Decimal(1)}}, "drawdown"),
    ],
)
def test_a_rule_that_raises_refuses(situation, rule, judge):
    judgement = judge(**situation)
    assert judgement.size is None
    found = finding(judgement, rule)
    assert not found.allows
    assert found.detail.startswith("raised ")
    assert judgement.refusal.rule == rule


def test_amounts_are_compared_exactly_however_many_digits_they_have(context_of, settings_of):
    # 28 digits, as decimals have by themselves, would round the order's value to 1000000000000000000 and allow it.
    held, limit = "999999999999999999.9999999998", Decimal(10**18)
    policy = RiskPolicy(settings_of(order_quote=Decimal("0.0000000003"), max_position_quote=limit))
    digits = {"step_size": 0, "base_precision": 10, "min_quantity": 0, "min_notional": 0}
    rules = {name: value if name == "base_precision" else Decimal(value) for name, value in digits.items()}
    context = context_of(ask="1", bid="1", held=held, rules=rules | {"market_max_quantity": Decimal(0)})
    assert policy.judge(context).refusal.rule == "max_position"


@pytest.mark.parametrize("digits", [5, 28])
def test_judging_leaves_the_digits_of_the_caller_alone(digits, judge):
    with localcontext(prec=digits):
        assert judge(ask="66120.10").size.quantity == Decimal("0.00151")
        with pytest.raises(ValueError, match="HOLD"):
            judge(Action.HOLD)
        assert getcontext().prec == digits
