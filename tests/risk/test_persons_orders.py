"""A person's order before the rules: what it is refused for, and what the refusal says would do."""

import re
from decimal import Decimal

import pytest

from binance_trade_agent.domain.manual_orders import OrderKind, manual_order
from binance_trade_agent.domain.market import Depth
from binance_trade_agent.domain.orders import OrderType
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.risk.context import ProposedOrder
from binance_trade_agent.risk.policy import RiskPolicy

D = Decimal
TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT")
FILTERS = {
    "tick_size": D("0.01"),
    "min_price": D("0.01"),
    "max_price": D(1_000_000),
    "order_types": TYPES,
    "ask_multiplier_up": D(5),
    "ask_multiplier_down": D("0.2"),
    "bid_multiplier_up": D(5),
    "bid_multiplier_down": D("0.2"),
}
OCO = {"type": "oco", "price": "51000", "stop_price": "49000", "stop_limit_price": "48900"}


@pytest.fixture
def judged(context_of, settings_of):
    """`judged({"quantity": "1"}, held="2")`: the judgement on an order of a person; SELL of 0.01 unless said otherwise."""

    def judge(fields=None, *, limits=None, rules=None, **situation):
        asked = {"symbol": "BTCUSDT", "side": "SELL", "type": "market", "quantity": "0.01", **(fields or {})}
        order = manual_order(asked)
        context = context_of(
            Action.HOLD, rules={**FILTERS, **(rules or {})}, **{"held": "1", **situation}
        )  # the signal is not looked at
        price = order.price_at(context.view.book.bid, context.view.book.ask)
        proposed = ProposedOrder(
            order.side, order.quantity, price, order.quantity * price, order.legs, order.worst_price
        )
        return RiskPolicy(settings_of(**(limits or {}))).judge_order(context, proposed)

    return judge


@pytest.mark.parametrize("fields", [{}, {"type": "limit", "price": "50500"}, OCO, {**OCO, "type": "oco"}])
def test_a_sale_of_what_is_held_meets_no_limit_on_entries(judged, fields):
    judgement = judged(
        fields,
        limits={"max_order_quote": D(1), "cooldown_seconds": 300},
        pause_scope=PauseScope.EVERYTHING,
        gate=("disk", "it is full"),
        last_filled_ms=999_000,
    )
    assert judgement.refusal is None
    assert judgement.size.quantity == D("0.01")


def test_a_purchase_is_asked_by_every_rule_on_entries_but_that_on_the_confidence(judged, judge):
    judgement = judged({"side": "BUY"}, limits={"min_confidence": D("0.9")})
    assert judgement.refusal is None
    of_a_signal = {found.rule for found in judge().findings}
    of_a_person = {found.rule for found in judgement.findings}
    assert of_a_signal - of_a_person == {"min_confidence", "sizing", "min_notional", "max_notional"}
    filters = {"order_types", "price_filter", "percent_price", "notional", "stop_price", "worst_price"}
    assert of_a_person - of_a_signal == filters


REFUSALS = [
    (
        {"quantity": "0.010001"},
        {},
        "lot_size",
        "0.010001 BTC breaks LOT_SIZE (at least 0.00001, at most 100, in steps of 0.00001); the nearest allowed is 0.01 BTC",
    ),
    (
        {"quantity": "0.000001"},
        {},
        "lot_size",
        "breaks LOT_SIZE (at least 0.00001, at most 100, in steps of 0.00001); the nearest allowed is 0.00001 BTC",
    ),
    ({"quantity": "101"}, {"held": "200"}, "lot_size", "the nearest allowed is 100 BTC"),
    ({"type": "limit", "price": "50500.005"}, {}, "price_filter", "the nearest allowed is 50500"),
    ({"type": "limit", "price": "50500.007"}, {}, "price_filter", "the nearest allowed is 50500.01"),
    ({"type": "limit", "price": "2000000"}, {}, "price_filter", "the nearest allowed is 1000000"),
    ({**OCO, "stop_limit_price": "48900.001"}, {}, "price_filter", "the price 48900.001 breaks PRICE_FILTER"),
    (
        {"type": "limit", "price": "250000"},
        {},
        "percent_price",
        "it is too far from the market, 49995; the nearest allowed is about 249975",
    ),
    ({"type": "limit", "price": "100"}, {}, "percent_price", "the nearest allowed is about 9999.01"),
    ({"quantity": "0.00005"}, {}, "notional", "5 USDT is the least; at this price at least 0.00011 BTC"),
    (
        {**OCO, "stop_price": "49990"},
        {},
        "stop_price",
        "the stop 49990 would trigger at once: it must be under the bid",
    ),
    ({**OCO, "price": "49990"}, {}, "stop_price", "the target 49990 would trade at once: it must be above the bid"),
    (
        {**OCO, "side": "BUY", "price": "49000", "stop_price": "50000", "stop_limit_price": "50100"},
        {},
        "stop_price",
        "the stop 50000 would trigger at once: it must be above the ask 50000",
    ),
    (
        {**OCO, "side": "BUY", "price": "50000", "stop_price": "51000", "stop_limit_price": "51000"},
        {},
        "stop_price",
        "the target 50000 would trade at once: it must be under the ask 50000",
    ),
    ({"quantity": "1.1"}, {}, "position", "1.1 BTC to be sold, the ledger holds 1 BTC: at most 1 BTC"),
    (
        {"quantity": "0.5"},
        {"on_sale_base": D("0.6")},
        "position",
        "0.5 BTC to be sold, the ledger holds 1 BTC, 0.6 BTC of it on sale already: at most 0.4 BTC",
    ),
    ({}, {"on_sale_base": D(1)}, "nothing_to_sell", "the 1 BTC that the ledger holds are on sale by a person's orders"),
    ({}, {"held": "0"}, "nothing_to_sell", "the ledger holds no BTC"),
    (
        {"type": "limit", "price": "51000"},
        {"is_killed": True},
        "kill_switch",
        "the kill switch is on: only a market order may sell now",
    ),
    ({"side": "BUY"}, {"is_killed": True}, "kill_switch", "the kill switch is on until"),
    ({"side": "BUY"}, {"pause_scope": PauseScope.ENTRIES}, "pause", "entries are paused until `resume`"),
    ({}, {"open_order": "order x is UNKNOWN"}, "open_order", "order x is UNKNOWN"),
    ({"worst_price": "1"}, {}, "worst_price", "the depth of the book is not known, and a worst price is given"),
    (
        OCO,
        {"rules": {"order_types": ("LIMIT", "LIMIT_MAKER", "MARKET")}},
        "order_types",
        "BTCUSDT takes no STOP_LOSS_LIMIT orders, only LIMIT, LIMIT_MAKER, MARKET",
    ),
    (
        {"side": "BUY", "type": "limit", "price": "49000"},
        {"limits": {"max_position_quote": D(50_000)}, "pending_buy_base": D("0.02")},
        "max_position",
        "49980 USDT held and 490 USDT more",
    ),
]


@pytest.mark.parametrize(("fields", "situation", "rule", "words"), REFUSALS)
def test_a_refusal_names_the_value_and_what_would_do(judged, fields, situation, rule, words):
    refusal = judged(fields, **situation).refusal
    assert refusal is not None
    assert refusal.rule == rule
    assert words in refusal.detail


@pytest.mark.parametrize(
    ("side", "worst", "allows"),
    [("BUY", "50050", True), ("BUY", "50049", False), ("SELL", "49940", True), ("SELL", "49941", False)],
)
def test_the_worst_price_is_compared_with_the_average_over_the_book(judged, side, worst, allows):
    asks, bids = ((D(50_000), D("0.01")), (D(50_100), D(9))), ((D(49_990), D("0.01")), (D(49_890), D(9)))
    fields = {"side": side, "quantity": "0.02", "worst_price": worst}
    judgement = judged(fields, depth=Depth(bids, asks, 0))
    assert (judgement.refusal is None) is allows
    too_much = judged({"side": side, "quantity": "10", "worst_price": worst}, held="20", depth=Depth(bids, asks, 0))
    assert "the book does not hold so much" in {found.detail for found in too_much.findings}


@pytest.mark.parametrize(("side", "worst", "rule"), [("BUY", "50000", None), ("SELL", "49990", None), ("SELL", "49991", "worst_price")])  # fmt: skip
def test_the_worst_price_is_known_without_asking_where_the_best_prices_hold_the_order(judged, side, worst, rule):
    quoted = {"depth": Depth(((D(49_990), D("0.02")),), ((D(50_000), D("0.02")),), 0), "is_depth_asked": False}
    known = judged({"side": side, "quantity": "0.02", "worst_price": worst}, **quoted)
    assert (known.refusal and known.refusal.rule, known.unasked) == (rule, frozenset())
    more = judged({"side": side, "quantity": "0.03", "worst_price": worst}, **quoted)
    assert (more.refusal, more.unasked) == (None, frozenset({"worst_price"}))


def test_the_slippage_of_an_order_with_a_price_is_bounded_by_it(judged):
    limits = {"max_slippage_pct": D("0.1")}
    assert judged({"side": "BUY"}, limits=limits).refusal.rule == "slippage"
    assert judged({"side": "BUY", "type": "limit", "price": "49000"}, limits=limits).refusal is None


def test_the_orders_of_a_list_come_with_the_one_above_the_price_first():
    sale = manual_order({"symbol": "BTCUSDT", "side": "SELL", "quantity": "1", **OCO})
    assert [leg.type for leg in sale.legs] == [OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT]
    purchase = manual_order({"symbol": "BTCUSDT", "side": "BUY", "quantity": "1", **OCO})
    assert [leg.type for leg in purchase.legs] == [OrderType.STOP_LOSS_LIMIT, OrderType.LIMIT_MAKER]
    assert sale.kind is OrderKind.OCO
    assert str(sale) == "SELL 1 BTCUSDT at 51000, or at 48900 once the price is at 49000"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"type": "limits"}, "type is 'limits': it is one of market, limit, stop_limit, oco; did you mean limit?"),
        ({"side": ""}, "the side is missing: it is one of BUY, SELL"),
        ({"type": "limit"}, "the price is missing"),
        ({"quantity": "-1"}, "quantity is -1: it must be above 0"),
        ({"quantity": "1e"}, "quantity: '1e' is not a number"),
        ({"quantity": "nan"}, "quantity: 'nan' is not a finite number"),
        ({"symbol": ""}, "the symbol is missing, such as BTCUSDT"),
        ({"stop_price": "1"}, "stop_price does not belong to a market order"),
        ({"type": "limit", "price": "1", "worst_price": "1"}, "worst_price does not belong to a limit order"),
        ({"expires_wall_ms": "soon"}, "expires_wall_ms is 'soon': it is a time in whole milliseconds UTC"),
        ({"quantity": "1E+999999"}, "quantity is '1E+999999': it must be between 0.000000000000000001 and 1000000000"),
        ({"quantity": "-1E+999999"}, "quantity is '-1E+999999': it must be between"),
        ({"quantity": "1E-19"}, "quantity is '1E-19': it must be between"),
        ({"expires_wall_ms": "9" * 5_000}, f"expires_wall_ms is '{'9' * 30}': it is a time"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(fields, sentence):
    asked = {"symbol": "BTCUSDT", "side": "SELL", "type": "market", "quantity": "1", **fields}
    with pytest.raises(ValueError, match="^" + re.escape(sentence)):
        manual_order(asked)
