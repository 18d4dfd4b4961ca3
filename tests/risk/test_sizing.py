"""How much an entry spends, by each way to size it, and what an exit sells."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.signals import Action
from binance_trade_agent.risk.state import ExitResult, RiskState
from tests.risk.conftest import finding

FRACTION = {"sizing": "fraction", "order_fraction": Decimal("0.05")}
VOLATILITY = {"sizing": "volatility", "volatility_target_pct": Decimal("0.1")}
KELLY = {
    "sizing": "kelly",
    "kelly_exits": 5,
    "kelly_multiplier": Decimal("0.5"),
    "kelly_cap_pct": Decimal(10),
    "order_quote": Decimal(100),
}


def exits(*returns_pct: str) -> RiskState:
    """Exits that cost 200 USDT each and brought these percentages of it, newest first."""
    return RiskState(
        exits=tuple(
            ExitResult(f"bta-{number}", "BTCUSDT", Decimal(each) * 2, Decimal(200), 0)
            for number, each in enumerate(returns_pct)
        )
    )


@pytest.fixture
def spent(judge):
    """`spent(limits, **situation)`: quote asset that the entry is worth, and the words of the sizing."""

    def amount(limits=None, **situation):
        judgement = judge(limits=limits, **situation)
        assert judgement.refusal is None
        return judgement.size.quantity * judgement.size.reference_price, finding(judgement, "sizing").detail

    return amount


@pytest.fixture
def refused(judge):
    """`refused(limits, **situation)`: the rule that refuses and its words."""

    def words(limits=None, **situation):
        refusal = judge(limits=limits, **situation).refusal
        return refusal.rule, refusal.detail

    return words


def test_a_fixed_amount_buys_what_it_pays_at_the_ask_rounded_down_to_the_step(spent):
    assert spent(ask="66120.10") == (
        Decimal("99.841351"),
        "100 USDT an entry: 0.00151 BTC for 99.841351 USDT at 66120.1",
    )


def test_a_fixed_amount_over_a_limit_is_refused_and_not_cut(refused):
    assert refused({"max_order_quote": Decimal(60)}) == (
        "max_order",
        "the order is worth 100 USDT, at most 60 USDT allowed (RISK_MAX_ORDER_QUOTE)",
    )


def test_without_a_step_the_quantity_has_the_digits_of_the_base_asset(judge):
    # A hypothesis example: 60 / 27.32 has no end, and its 28 digits times 27.32 came to more than 60.
    judgement = judge(limits={"order_quote": Decimal(60)}, ask="27.32", rules={"step_size": Decimal(0)})
    assert judgement.size.quantity == Decimal("2.19619326")


def test_a_fraction_follows_the_equity(spent):
    assert spent(FRACTION, equity_quote=Decimal(8000)) == (
        400,
        "0.05 of an equity of 8000 USDT: 0.008 BTC for 400 USDT at 50000",
    )


@pytest.mark.parametrize(
    ("atr", "amount"),
    [("250", 2000), ("500", 1000), ("1000", 500)],
    ids=["a calm market", "twice as wild: half as much", "four times: a quarter"],
)
def test_by_volatility_an_average_true_range_costs_the_same_part_of_the_equity(atr, amount, spent):
    worth, _ = spent(VOLATILITY, atr_quote=Decimal(atr))
    assert worth == amount
    assert worth / 50_000 * Decimal(atr) == 10  # 0.1 % of 10,000


def test_by_volatility_the_words_have_the_numbers(spent):
    assert spent(VOLATILITY, atr_quote=Decimal(500))[1] == (
        "1000 USDT, of which an average true range, 1 % of the price, is 0.1 % of an equity of 10000 USDT: "
        "0.02 BTC for 1000 USDT at 50000"
    )


@pytest.mark.parametrize(("atr", "found"), [(None, "not known"), (Decimal(0), "0")])
def test_by_volatility_nothing_is_entered_without_a_range(atr, found, refused):
    assert refused(VOLATILITY, atr_quote=atr) == (
        "sizing",
        f"the average true range is {found}: TRADING_SIZING=volatility has nothing to size by",
    )


def test_kelly_stakes_a_part_of_what_the_record_says(spent):
    # W = 3/5, average win 2 %, average loss 1 %: R = 2, f = 0.6 - 0.4 / 2 = 0.4; half of it is 20 % of the equity.
    worth, words = spent(KELLY | {"kelly_cap_pct": Decimal(50)}, state=exits("1", "2", "3", "-0.5", "-1.5"))
    assert worth == 2000
    assert words == (
        "20 % of an equity of 10000 USDT, 0.5 of the Kelly fraction in the latest 5 exits (60 % won, on average 2 % "
        "against 1 % lost, Kelly fraction 0.4), at most 50 %: 0.04 BTC for 2000 USDT at 50000"
    )


def test_kelly_stakes_no_more_than_its_cap(spent):
    worth, words = spent(KELLY, state=exits("1", "2", "3", "-0.5", "-1.5"))
    assert worth == 1000
    assert words.startswith("10 % of an equity of 10000 USDT, ")


def test_kelly_learns_from_the_latest_exits_only(spent):
    recent = ("1", "2", "3", "-0.5", "-1.5")
    assert spent(KELLY, state=exits(*recent, "-90", "-90")) == spent(KELLY, state=exits(*recent))


def test_kelly_spends_the_fixed_amount_until_it_knows_enough_exits(spent):
    assert spent(KELLY, state=exits("1", "2", "3", "-0.5")) == (
        100,
        "100 USDT an entry (TRADING_ORDER_QUOTE), as Kelly learns from 5 exits and has 4: 0.002 BTC for 100 USDT at 50000",
    )


@pytest.mark.parametrize("last", ["1", "0"])
def test_kelly_spends_the_fixed_amount_while_it_knows_no_loss(last, spent):
    assert spent(KELLY, state=exits("1", "2", "3", "1", last)) == (
        100,
        "100 USDT an entry (TRADING_ORDER_QUOTE), as none of the latest 5 exits made a loss: 0.002 BTC for 100 USDT at 50000",
    )


@pytest.mark.parametrize(
    ("returns", "record"),
    [
        (  # W = 2/5, R = 1: f = 0.4 - 0.6
            ("1", "1", "-1", "-1", "-1"),
            "the latest 5 exits (40 % won, on average 1 % against 1 % lost, Kelly fraction -0.2)",
        ),
        (  # the one that brought nothing is among those that lost: W = 2/5, R = 1.5, f = 0.4 - 0.6 / 1.5
            ("1.5", "1.5", "-1", "-2", "0"),
            "the latest 5 exits (40 % won, on average 1.5 % against 1 % lost, Kelly fraction 0)",
        ),
        (
            ("-1", "-1", "-1", "-1", "-1"),
            "the latest 5 exits (0 % won, on average 0 % against 1 % lost)",
        ),
    ],
    ids=["it loses", "it breaks even", "it never won"],
)
def test_kelly_refuses_without_an_edge(returns, record, refused):
    assert refused(KELLY, state=exits(*returns)) == (
        "sizing",
        f"no edge in {record}: TRADING_SIZING=kelly stakes nothing",
    )


@pytest.mark.parametrize(
    ("limits", "situation", "left", "setting"),
    [
        ({"max_order_quote": Decimal(500)}, {}, 500, "RISK_MAX_ORDER_QUOTE"),
        ({"max_position_quote": Decimal(600)}, {"held": "0.005"}, 350, "RISK_MAX_POSITION_QUOTE"),
        ({"max_exposure_pct": Decimal(20)}, {"exposure_quote": Decimal(1700)}, 300, "RISK_MAX_EXPOSURE_PCT"),
        (
            {"max_order_quote": Decimal(500), "max_position_quote": Decimal(450), "max_exposure_pct": Decimal(20)},
            {},
            450,
            "RISK_MAX_POSITION_QUOTE",
        ),
    ],
)
def test_a_computed_amount_is_cut_to_what_the_limits_leave(limits, situation, left, setting, spent):
    worth, words = spent(VOLATILITY | limits, atr_quote=Decimal(250), **situation)
    assert worth == left
    assert f"; cut to the {left} USDT that {setting} leaves: " in words


@pytest.mark.parametrize("held", ["0.0119", "0.012", "0.02"], ids=["5 USDT left, a step short of it", "full", "over"])
def test_where_no_order_fits_any_more_the_limit_itself_refuses(held, refused):
    rule, words = refused(VOLATILITY | {"max_position_quote": Decimal("599.99")}, atr_quote=Decimal(250), held=held)
    assert rule == "max_position"
    assert words.endswith("USDT held and 2000 USDT more, at most 599.99 USDT allowed (RISK_MAX_POSITION_QUOTE)")


def test_a_full_position_is_told_as_such_though_the_size_was_over_the_largest_order_too(refused):
    limits = {"max_order_quote": Decimal(500), "max_position_quote": Decimal(600)}
    assert refused(VOLATILITY | limits, atr_quote=Decimal(250), held="0.012") == (
        "max_position",
        "600 USDT held and 500 USDT more, at most 600 USDT allowed (RISK_MAX_POSITION_QUOTE)",
    )


def test_an_exit_sells_the_whole_position_rounded_down_at_the_bid(judge):
    judgement = judge(Action.SELL, held="0.001508499")
    assert (judgement.size.quantity, judgement.size.reference_price) == (Decimal("0.0015"), 49990)
    assert judgement.size.reason == "0.0015 BTC of 0.001508499 held for 74.985 USDT at 49990"


@pytest.mark.parametrize(
    ("rules", "sold"),
    [
        ({"market_max_quantity": Decimal(2)}, "2"),
        ({"max_notional": Decimal(100_000), "max_notional_on_market": True}, "2.0004"),
        ({"max_notional": Decimal(100_000), "max_notional_on_market": False}, "3"),
    ],
    ids=["the largest lot", "the largest value", "a value that does not hold for market orders"],
)
def test_an_exit_is_cut_to_what_one_order_may_sell(rules, sold, judge):
    assert judge(Action.SELL, held="3", rules=rules).size.quantity == Decimal(sold)
