"""The verdict: which rule refuses what, with which numbers, and what no approval may ever break."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.money import is_multiple
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.risk.policy import ApprovedSize, RiskPolicy


@pytest.fixture
def review(context_of, settings_of):
    """`review(action, limits={...}, **context)`: the verdict on one situation."""

    def verdict(action=Action.BUY, *, limits=None, **situation):
        return RiskPolicy(settings_of(**(limits or {}))).review(context_of(action, **situation))

    return verdict


def test_an_entry_buys_what_the_amount_pays_at_the_ask_rounded_down(review):
    approved = review(ask="66120.10")
    assert approved == ApprovedSize(
        Side.BUY, Decimal("0.00151"), Decimal("66120.10"), "0.00151 BTC for 99.841351 USDT at 66120.1"
    )


def test_an_entry_by_fraction_follows_the_equity(review):
    by_fraction = {"order_quote": None, "order_fraction": Decimal("0.05")}
    assert review(limits=by_fraction, equity_quote=Decimal(8000)).quantity == Decimal("0.008")


def test_without_a_step_the_quantity_has_the_digits_of_the_base_asset(review):
    # A hypothesis example: 60 / 27.32 has no end, and its 28 digits times 27.32 came to more than 60.
    assert review(
        limits={"order_quote": Decimal(60)}, ask="27.32", rules={"step_size": Decimal(0)}
    ).quantity == Decimal("2.19619326")


def test_an_exit_sells_the_whole_position_rounded_down_at_the_bid(review):
    approved = review(Action.SELL, held="0.001508499")
    assert approved == ApprovedSize(
        Side.SELL, Decimal("0.0015"), Decimal(49990), "0.0015 BTC of 0.001508499 held for 74.985 USDT at 49990"
    )


@pytest.mark.parametrize(
    ("situation", "rule", "detail"),
    [
        (
            {"rules": {"status": "BREAK"}},
            "symbol_status",
            "BTCUSDT is in status BREAK, orders need TRADING",
        ),
        (
            {"rules": {"order_types": ("LIMIT",)}},
            "symbol_status",
            "BTCUSDT takes no MARKET orders, only LIMIT",
        ),
        (
            {"last_filled_ms": 1_000_000 - 12_500},
            "cooldown",
            "last entry filled 12.5 s ago, 300 s must pass (RISK_COOLDOWN_SECONDS)",
        ),
        (
            {"open_positions": 2},
            "max_open_positions",
            "2 positions are open, at most 2 allowed (RISK_MAX_OPEN_POSITIONS)",
        ),
        (
            {"open_positions": 1, "limits": {"max_open_positions": 1}},
            "max_open_positions",
            "1 position is open, at most 1 allowed (RISK_MAX_OPEN_POSITIONS)",
        ),
        (
            {"held": "0.0181", "open_positions": 1},
            "max_position",
            "905 USDT held and 100 USDT more, at most 1000 USDT allowed (RISK_MAX_POSITION_QUOTE)",
        ),
        (
            {"free_quote": Decimal(100)},
            "balance",
            "100.2 USDT needed, 100 USDT available",
        ),
        (
            {"free_quote": Decimal(150), "pending_buy_quote": Decimal(100)},
            "balance",
            "100.2 USDT needed, 50 USDT available (100 USDT reserved)",
        ),
        (
            {"limits": {"order_quote": Decimal("0.4")}},
            "lot_size",
            "the order size rounds to nothing, 0.00001 BTC is the least (LOT_SIZE)",
        ),
        (
            {"limits": {"order_quote": Decimal(5)}, "ask": "50001"},
            "min_notional",
            "the order is worth 4.50009 USDT, 5 USDT is the least (NOTIONAL)",
        ),
        (
            {"rules": {"max_notional": Decimal(90), "max_notional_on_market": True}},
            "max_notional",
            "the order is worth 100 USDT, 90 USDT is the most (NOTIONAL)",
        ),
        (
            {"rules": {"max_position": Decimal("0.5")}, "wallet_base": Decimal("0.499")},
            "max_position_filter",
            "0.501 BTC after the order, 0.5 BTC is the most (MAX_POSITION)",
        ),
        (
            {
                "limits": {"order_quote": Decimal(50)},
                "rules": {"market_step_size": Decimal("0.00003"), "step_size": Decimal("0.00002")},
            },
            "lot_size",
            "0.00099 BTC breaks LOT_SIZE (step 0.00002)",
        ),
    ],
)
def test_an_entry_is_refused_by_the_rule_with_its_numbers(situation, rule, detail, review):
    assert review(**situation) == Refusal(rule, detail)


@pytest.mark.parametrize(
    "situation",
    [
        {"last_filled_ms": 1_000_000 - 300_000},
        {"open_positions": 1},
        {"open_positions": 2, "held": "0.001"},
        {"held": "0.018", "open_positions": 1},
        {"free_quote": Decimal("100.2")},
        {"rules": {"min_notional": Decimal(100)}},
    ],
    ids=["cool-down is over", "room for one", "adds to an open one", "just full", "just enough", "just worth it"],
)
def test_an_entry_on_the_limit_is_approved(situation, review):
    assert isinstance(review(**situation), ApprovedSize)


def test_dust_is_no_open_position_to_add_to(review):
    assert review(held="0.00009", open_positions=2).rule == "max_open_positions"


def test_limits_on_entries_never_keep_a_position_open(review):
    exit_in_a_full_house = review(
        Action.SELL,
        held="1",
        limits={"max_position_quote": Decimal(1)},
        last_filled_ms=1_000_000,
        open_positions=9,
        free_quote=Decimal(0),
        pending_buy_quote=Decimal(500),
        rules={"max_position": Decimal("0.1")},
    )
    assert exit_in_a_full_house.quantity == 1


@pytest.mark.parametrize(
    ("situation", "rule", "detail"),
    [
        ({}, "nothing_to_sell", "the ledger holds no BTC"),
        ({"held": "-0.1"}, "nothing_to_sell", "the ledger holds no BTC"),
        ({"held": "0", "wallet_base": Decimal(3)}, "nothing_to_sell", "the ledger holds no BTC"),
        ({"held": "1", "rules": {"status": "HALT"}}, "symbol_status", "BTCUSDT is in status HALT, orders need TRADING"),
        (
            {"held": "0.000004"},
            "lot_size",
            "0.000004 BTC rounds to nothing, 0.00001 BTC is the least (LOT_SIZE)",
        ),
        (
            {"held": "0.000099"},
            "min_notional",
            "the order is worth 4.4991 USDT, 5 USDT is the least (NOTIONAL)",
        ),
    ],
)
def test_an_exit_is_refused_only_where_the_exchange_would_or_nothing_is_held(situation, rule, detail, review):
    assert review(Action.SELL, **situation) == Refusal(rule, detail)


def test_a_hold_has_nothing_to_decide(review):
    with pytest.raises(ValueError, match="HOLD needs no risk decision"):
        review(Action.HOLD)


@pytest.mark.parametrize(
    ("situation", "rule"),
    [
        ({"ask": "0"}, "sizing"),
        ({"ask": "NaN"}, "sizing"),
        ({"free_quote": Decimal("NaN")}, "balance"),
        ({"held": "NaN"}, "max_open_positions"),
        ({"last_filled_ms": "yesterday"}, "cooldown"),
    ],
)
def test_a_rule_that_raises_refuses(situation, rule, review):
    refusal = review(**situation)
    assert refusal.rule == rule
    assert refusal.detail.startswith("raised ")


def one_of(*values):
    """One of these decimals, given as text; the first is the usual one."""
    return st.sampled_from([Decimal(text) for text in (values[0], *values)])


def usually(value, otherwise):
    return st.one_of(st.just(value), st.just(value), otherwise)


amounts = st.decimals(min_value=0, max_value=20_000, places=8)

symbol_filters = st.fixed_dictionaries(
    {
        "step_size": one_of("0.00001", "0", "0.00000001", "0.001"),
        "market_step_size": one_of("0", "0.00001", "0.00003"),
        "min_quantity": one_of("0.00001", "0", "0.01"),
        "market_min_quantity": one_of("0", "0.00003", "0.01"),
        "max_quantity": one_of("9000", "0", "2"),
        "market_max_quantity": one_of("0", "0.7", "100"),
        "min_notional": one_of("5", "0", "100"),
        "min_notional_on_market": st.booleans(),
        "max_notional": one_of("0", "200"),
        "max_notional_on_market": st.booleans(),
        "status": st.sampled_from(["TRADING", "TRADING", "TRADING", "HALT"]),
        "max_position": one_of("0", "1"),
    }
)


@st.composite
def situations(draw):
    bid = draw(one_of("27.31", "66120.10", "0.5"))
    return {
        "bid": str(bid),
        "ask": str(bid + draw(one_of("0.01", "0", "3"))),
        "held": str(draw(usually(Decimal(0), st.decimals(min_value=0, max_value=2, places=8)))),
        "rules": draw(symbol_filters),
        "open_positions": draw(st.sampled_from([0, 0, 1, 2])),
        "free_quote": draw(usually(Decimal(20_000), amounts)),
        "equity_quote": draw(usually(Decimal(3_000), amounts)),
        "last_filled_ms": draw(st.sampled_from([None, 400_000, 700_000, 999_000])),
        "pending_buy_quote": draw(usually(Decimal(0), amounts)),
        "wallet_base": draw(usually(Decimal(0), amounts)),
    }


@st.composite
def limits(draw):
    by_quote = draw(st.booleans())
    return {
        "order_quote": draw(st.decimals(min_value=4, max_value=2000, places=2)) if by_quote else None,
        "order_fraction": None if by_quote else draw(one_of("0.02", "0.001", "0.5", "1")),
        "max_position_quote": draw(usually(Decimal(20_000), st.decimals(min_value=1, max_value=20_000, places=2))),
        "max_open_positions": draw(st.sampled_from([3, 2, 1])),
        "cooldown_seconds": draw(st.sampled_from([300, 0, 301])),
    }


def assert_within_filters(order, rules):
    assert rules.status == "TRADING"
    assert rules.quantity_violation(OrderType.MARKET, order.quantity) is None
    assert rules.notional_violation(OrderType.MARKET, order.quantity * order.reference_price) is None
    assert order.quantity > 0
    assert is_multiple(order.quantity, rules.step_size)


@settings(max_examples=400)
@given(situation=situations(), limit=limits())
def test_no_approved_entry_breaks_a_filter_a_limit_or_the_balance(situation, limit, context_of, settings_of):
    context, chosen = context_of(Action.BUY, **situation), settings_of(**limit)
    order = RiskPolicy(chosen).review(context)
    if isinstance(order, Refusal):
        return
    rules, notional = context.view.rules, order.quantity * context.view.book.ask
    assert_within_filters(order, rules)
    budget = chosen.order_quote if chosen.order_quote is not None else chosen.order_fraction * context.equity_quote
    assert notional <= budget
    assert notional <= context.free_quote - context.pending_buy_quote
    assert notional + context.position.quantity * context.view.book.ask <= chosen.max_position_quote
    assert not rules.max_position or context.position.quantity + order.quantity <= rules.max_position
    assert context.open_positions < chosen.max_open_positions or context.position.quantity > 0
    if context.last_filled_ms is not None:
        assert context.now_ms - context.last_filled_ms >= chosen.cooldown_seconds * 1000


@settings(max_examples=200)
@given(situation=situations(), limit=limits())
def test_no_exit_sells_more_than_is_held_and_only_the_exchange_refuses_one(situation, limit, context_of, settings_of):
    context = context_of(Action.SELL, **situation)
    verdict = RiskPolicy(settings_of(**limit)).review(context)
    if isinstance(verdict, Refusal):
        assert verdict.rule in {"nothing_to_sell", "symbol_status", "lot_size", "min_notional", "max_notional"}
        return
    assert_within_filters(verdict, context.view.rules)
    assert verdict.side is Side.SELL
    assert verdict.quantity <= context.position.quantity
