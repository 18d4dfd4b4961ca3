"""Whatever the inputs: no approved order breaks a filter or a limit, and no rule meant for entries keeps a position open.

The limits are reckoned here anew, in fractions, which are exact however many digits a number has.
"""

from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.market import BookTicker, Depth, MarketView
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.policy import RiskPolicy
from binance_trade_agent.risk.settings import RiskSettings, SizingSettings
from binance_trade_agent.risk.state import ExitResult, Pause, RiskState

NOW_MS = 10_000_000
HUNDRED = Fraction(100)
exact = Fraction


def scaled(digits, least_exponent, most_exponent):
    """Decimals of up to so many digits: 1e-8, 27.31, 66120.1, 999000."""
    return st.builds(
        lambda mantissa, exponent: Decimal(mantissa).scaleb(exponent),
        st.integers(1, 10**digits - 1),
        st.integers(least_exponent, most_exponent),
    )


def steps(least, most):
    """No step, or a power of ten, or three of it."""
    powers = st.integers(least, most).map(lambda exponent: Decimal(1).scaleb(exponent))
    return st.one_of(st.just(Decimal(0)), powers, powers, powers.map(lambda step: 3 * step))


prices = scaled(8, -8, 4).filter(lambda price: price <= 10**6)
amounts = st.decimals(0, 20_000, places=8)


@st.composite
def situations(draw, action):
    """A context that all rules would allow but for up to four things, each of which may be anything."""
    ask = draw(prices)
    unit = Decimal(100) / ask  # base asset for 100 quote
    odd = draw(st.sets(st.sampled_from(WILD), max_size=4))
    signal = Signal("BTCUSDT", "s", action, 0.6, "", 0)
    rules = SymbolRules(
        "BTCUSDT", "BTC", "USDT", step_size=Decimal("0.00000001"), min_notional=Decimal(5), max_notional=Decimal(10**6)
    )
    bid, book_age_ms, held = ask, 0, Decimal(0) if action is Action.BUY else unit
    if "rules" in odd:
        rules = draw(filters(rules, unit, held))
    if "bid" in odd:
        bid = ask * draw(st.decimals("0.9", "1", places=4))
    if "age" in odd:
        book_age_ms = draw(st.sampled_from([29_999, 30_000, 30_001, 10**9]))
    if "held" in odd:
        held = unit * draw(st.decimals("-1", 20, places=4))
    if "confidence" in odd:
        signal = replace(signal, confidence=draw(st.floats(0, 1)))
    known = {
        "signal": signal,
        "view": MarketView("BTCUSDT", rules, (), BookTicker("BTCUSDT", bid, unit, ask, unit, 0), 0, book_age_ms),
        "position": Position("BTCUSDT", quantity=held),
        "open_positions": 1,
        "free_quote": Decimal(10_000),
        "equity_quote": Decimal(10_000),
        "last_filled_ms": None,
        "now_ms": NOW_MS,
        "depth": Depth((), ((ask, unit * 1000),), 0),
        "last_price": ask,
        "atr_quote": ask * Decimal("0.002"),
        "stop_fraction": Decimal("0.96"),
        "state": RiskState(equity_quote=Decimal(10_000), peak_quote=Decimal(10_000), day_quote=Decimal(10_000)),
    }
    anything = {
        "open_positions": st.integers(0, 4),
        "free_quote": amounts,
        "equity_quote": amounts,
        "last_filled_ms": st.sampled_from([NOW_MS - 300_000, NOW_MS - 299_999, NOW_MS]),
        "pending_buy_quote": amounts,
        "wallet_base": st.decimals(0, 20, places=4).map(lambda part: part * unit),
        "exposure_quote": amounts,
        "depth": st.one_of(st.none(), depths(ask, unit)),
        "last_price": st.one_of(st.none(), st.decimals("0.9", "1.1", places=4).map(lambda part: ask * part)),
        "atr_quote": st.one_of(st.none(), st.decimals(0, "0.2", places=4).map(lambda part: ask * part)),
        "stop_fraction": st.one_of(st.none(), st.decimals(0, 1, places=4)),
        "state": states,
        "open_order": st.sampled_from([None, "order x is SENT"]),
        "unknown_orders": st.integers(0, 4),
        "is_paused": st.booleans(),
        "is_killed": st.booleans(),
        "gate": st.sampled_from([None, ("disk", "full")]),
    }
    return RiskContext(**known | {name: draw(anything[name]) for name in sorted(odd) if name in anything})


FIXED = {"signal", "view", "position", "now_ms"}
WILD = [field.name for field in fields(RiskContext) if field.name not in FIXED]
WILD += ["rules", "bid", "age", "held", "confidence"]


@st.composite
def filters(draw, rules, unit, held):
    """Filters around a quantity of `unit`."""
    bounds = st.one_of(st.just(Decimal(0)), st.decimals("0.5", 2, places=2).map(lambda part: part * unit))
    exponent = unit.adjusted()
    return replace(
        rules,
        status=draw(st.sampled_from(["TRADING", "TRADING", "TRADING", "HALT"])),
        order_types=draw(st.sampled_from([("LIMIT", "MARKET"), ("LIMIT", "MARKET"), ("LIMIT",)])),
        base_precision=draw(st.sampled_from([8, 8, 0, 10])),
        step_size=draw(steps(exponent - 6, exponent + 1)),
        market_step_size=draw(steps(exponent - 6, exponent + 1)),
        min_quantity=draw(bounds),
        market_min_quantity=draw(bounds),
        max_quantity=draw(bounds) * 2,
        market_max_quantity=draw(bounds) * 2,
        min_notional=draw(st.sampled_from([Decimal(5), Decimal(0), Decimal(100)])),
        min_notional_on_market=draw(st.booleans()),
        extra_min_notional=draw(st.sampled_from([Decimal(0), Decimal(20)])),
        extra_min_notional_on_market=draw(st.booleans()),
        max_notional=draw(st.sampled_from([Decimal(0), Decimal(200), Decimal(90)])),
        max_notional_on_market=draw(st.booleans()),
        max_position=draw(bounds) * 2 + held,
    )


@st.composite
def depths(draw, ask, unit):
    """Up to five asks, best first."""
    rises = draw(st.lists(st.decimals(0, "0.01", places=4), min_size=0, max_size=5))
    levels, price = [], ask
    for rise in rises:
        price *= 1 + rise
        levels.append((price, unit * draw(st.decimals("0.0001", 3, places=4))))
    return Depth((), tuple(levels), 0)


pauses = st.dictionaries(
    st.sampled_from(["drawdown", "daily_loss", "consecutive_losses"]),
    st.sampled_from([NOW_MS, NOW_MS + 1]).map(lambda until_ms: Pause("", 0, until_ms, "")),
    max_size=1,
)
exits = st.lists(
    st.builds(
        lambda pnl, cost: ExitResult("x", "BTCUSDT", pnl, cost, 0),
        st.decimals(-50, 80, places=4),
        st.sampled_from([Decimal(100), Decimal(300), Decimal(0)]),
    ),
    max_size=12,
)
states = st.builds(
    RiskState,
    *[st.integers(0, 3)] * 5,
    exits=exits.map(tuple),
    equity_quote=st.sampled_from([Decimal(9000), Decimal(9001), Decimal("9500.01"), Decimal(9500), Decimal(10_000)]),
    peak_quote=st.sampled_from([None, Decimal(10_000), Decimal(0)]),
    day_quote=st.sampled_from([None, Decimal(10_000), Decimal(0)]),
    pauses=pauses,
)


@st.composite
def limits(draw):
    """Limits that a usual entry of 100 quote asset keeps, or some that it may not, each now and then off."""
    off = st.just(Decimal(0))
    sizing = draw(st.sampled_from(["quote", "fraction", "volatility", "kelly"]))
    size = draw(st.one_of(st.just(Decimal(100)), scaled(8, -4, -4)))
    return RiskSettings(
        max_order_quote=draw(st.one_of(off, st.decimals(50, 500, places=2))),
        max_position_quote=draw(st.one_of(off, st.decimals(90, 500, places=2))),
        max_exposure_pct=draw(st.one_of(off, st.decimals("0.5", 100, places=2))),
        max_open_positions=draw(st.sampled_from([2, 3])),
        min_confidence=draw(st.sampled_from([Decimal(0), Decimal("0.5"), Decimal("0.6")])),
        cooldown_seconds=draw(st.sampled_from([0, 300])),
        max_trades_per_hour=draw(st.integers(0, 2)),
        max_trades_per_day=draw(st.integers(0, 2)),
        max_symbol_trades_per_hour=draw(st.integers(0, 2)),
        max_symbol_trades_per_day=draw(st.integers(0, 2)),
        max_consecutive_losses=draw(st.integers(0, 2)),
        max_daily_loss_pct=draw(st.sampled_from([Decimal(0), Decimal(5)])),
        max_drawdown_pct=draw(st.sampled_from([Decimal(0), Decimal(10)])),
        max_volatility_pct=draw(st.one_of(off, st.decimals("0.5", 10, places=2))),
        max_spread_pct=draw(st.one_of(off, st.decimals("0.01", 2, places=2))),
        max_slippage_pct=draw(st.one_of(off, st.decimals("0.01", 1, places=2))),
        max_price_deviation_pct=draw(st.one_of(off, st.decimals("0.1", 3, places=2))),
        max_data_age_seconds=30,
        max_unknown_orders=draw(st.integers(1, 3)),
        sizing=SizingSettings(
            sizing=sizing,
            order_quote=size,
            order_fraction=draw(st.sampled_from([Decimal("0.01"), Decimal("0.003"), Decimal(1)])),
            volatility_target_pct=Decimal("0.1"),
            kelly_exits=5,
        ),
    )


def multiple(value, step):
    return not step or (exact(value) / exact(step)).denominator == 1


def within(value, least, most):
    return value >= least and (not most or value <= most)


def assert_within_filters(quantity, price, rules):
    """LOT_SIZE, MARKET_LOT_SIZE, NOTIONAL and MIN_NOTIONAL (binance-protocol.md section 3)."""
    notional = exact(quantity) * exact(price)
    assert rules.status == "TRADING"
    assert "MARKET" in rules.order_types
    assert quantity > 0
    assert multiple(quantity, Decimal(1).scaleb(-rules.base_precision))
    assert multiple(quantity, rules.step_size)
    assert within(quantity, rules.min_quantity, rules.max_quantity)
    assert multiple(quantity, rules.market_step_size)
    assert within(quantity, rules.market_min_quantity, rules.market_max_quantity)
    assert notional >= rules.min_notional or not rules.min_notional_on_market
    assert notional >= rules.extra_min_notional or not rules.extra_min_notional_on_market
    assert notional <= rules.max_notional or not (rules.max_notional and rules.max_notional_on_market)


def assert_within_money(quantity, context, limit):
    rules, ask = context.view.rules, exact(context.view.book.ask)
    notional, held = exact(quantity) * ask, max(exact(0), exact(context.position.quantity))
    assert notional * exact("1.002") <= exact(context.free_quote) - exact(context.pending_buy_quote)
    assert not limit.max_order_quote or notional <= exact(limit.max_order_quote)
    assert not limit.max_position_quote or held * ask + notional <= exact(limit.max_position_quote)
    if limit.max_exposure_pct:
        share = exact(limit.max_exposure_pct) / HUNDRED
        assert exact(context.exposure_quote) + notional <= share * exact(context.equity_quote)
    assert not rules.max_position or max(exact(context.wallet_base), held) + exact(quantity) <= rules.max_position
    assert within_size(notional, context, limit.sizing)
    assert has_room_for_its_stop(quantity, context)


def within_size(notional, context, sizing):
    equity = exact(context.equity_quote)
    if sizing.sizing == "quote":
        return notional <= exact(sizing.order_quote)
    if sizing.sizing == "fraction":
        return notional <= equity * exact(sizing.order_fraction)
    if sizing.sizing == "volatility":
        return notional * exact(context.atr_quote) / exact(context.view.book.ask) <= equity / 1000  # 0.1 %
    return notional <= max(exact(sizing.order_quote), equity / 10)  # until it knows enough, or the cap of 10 %


def has_room_for_its_stop(quantity, context):
    if context.stop_fraction is None:
        return True
    rules = context.view.rules
    step = exact(max(rules.step_size, rules.market_step_size))
    left = exact(quantity) * exact("0.999")
    left = left // step * step if step else left
    worth = left * exact(context.view.book.ask) * exact(context.stop_fraction)
    return left >= max(rules.min_quantity, rules.market_min_quantity) and worth >= max(
        rules.min_notional, rules.extra_min_notional
    )


def assert_market_is_fit(quantity, context, limit):
    book, ask = context.view.book, exact(context.view.book.ask)
    bid = exact(book.bid)
    assert context.view.book_age_ms <= 30_000
    if limit.max_spread_pct:
        assert (ask - bid) / ((ask + bid) / 2) * 100 <= exact(limit.max_spread_pct)
    if limit.max_price_deviation_pct:
        last = exact(context.last_price)
        assert last * (100 - exact(limit.max_price_deviation_pct)) <= ask * 100
        assert ask * 100 <= last * (100 + exact(limit.max_price_deviation_pct))
    if limit.max_volatility_pct:
        assert exact(context.atr_quote) * 100 <= ask * exact(limit.max_volatility_pct)
    if limit.max_slippage_pct:
        left, spent = exact(quantity), exact(0)
        for price, offered in context.depth.asks:
            taken = min(left, exact(offered))
            left, spent = left - taken, spent + taken * exact(price)
        assert left == 0
        # An average of 60 digits is as exact as it can be.
        highest = ask * (1 + exact(limit.max_slippage_pct) / HUNDRED)
        assert spent / exact(quantity) <= highest * (1 + exact("1e-50"))


def assert_counts_and_losses_allow(context, limit):
    state = context.state
    for count, most in (
        (state.entries_hour, limit.max_trades_per_hour),
        (state.entries_day, limit.max_trades_per_day),
        (state.symbol_entries_hour, limit.max_symbol_trades_per_hour),
        (state.symbol_entries_day, limit.max_symbol_trades_per_day),
        (state.losses_in_row, limit.max_consecutive_losses),
        (context.unknown_orders, limit.max_unknown_orders),
    ):
        assert not most or count < most
    for high, limit_pct, rule in (
        (state.peak_quote, limit.max_drawdown_pct, "drawdown"),
        (state.day_quote, limit.max_daily_loss_pct, "daily_loss"),
    ):
        if limit_pct:
            assert not high or state.equity_quote > high * (100 - limit_pct) / 100
            assert rule not in state.pauses or state.pauses[rule].until_ms <= NOW_MS
    if limit.max_consecutive_losses and "consecutive_losses" in state.pauses:
        assert state.pauses["consecutive_losses"].until_ms <= NOW_MS
    assert Decimal(f"{context.signal.confidence:.8f}") >= limit.min_confidence
    if context.last_filled_ms is not None:
        assert NOW_MS - context.last_filled_ms >= limit.cooldown_seconds * 1000
    if context.open_positions >= limit.max_open_positions:  # it adds to one that is more than dust
        assert context.position.quantity > 0
        assert exact(context.position.quantity) * exact(context.view.book.bid) >= (
            context.view.rules.smallest_market_notional
        )


def test_no_approved_entry_breaks_a_filter_or_a_limit_whatever_the_inputs():
    approved = []

    @settings(max_examples=500)
    @given(context=situations(Action.BUY), limit=limits())
    def holds(context, limit):
        judgement = RiskPolicy(limit).judge(context)
        assert (judgement.size is None) is (judgement.refusal is not None)
        if judgement.size is None:
            return
        approved.append(judgement.size)
        quantity = judgement.size.quantity
        assert judgement.size.reference_price == context.view.book.ask
        assert_within_filters(quantity, context.view.book.ask, context.view.rules)
        assert_within_money(quantity, context, limit)
        assert_market_is_fit(quantity, context, limit)
        assert_counts_and_losses_allow(context, limit)
        assert not any([context.is_paused, context.is_killed, context.gate, context.open_order])

    holds()
    assert len(approved) > 50, "the inputs say nothing when hardly one is approved"


EXIT_RULES = {"open_order", "nothing_to_sell", "symbol_status", "lot_size", "min_notional", "max_notional"}


def test_no_exit_sells_more_than_is_held_and_only_the_exchange_refuses_one():
    approved = []

    @settings(max_examples=200)
    @given(context=situations(Action.SELL), limit=limits())
    def holds(context, limit):
        judgement = RiskPolicy(limit).judge(context)
        assert {found.rule for found in judgement.findings} <= EXIT_RULES | {"sizing"}
        if judgement.size is None:
            assert judgement.refusal.rule in EXIT_RULES
            return
        approved.append(judgement.size)
        assert judgement.size.quantity <= context.position.quantity
        assert_within_filters(judgement.size.quantity, context.view.book.bid, context.view.rules)

    holds()
    assert len(approved) > 50


@given(context=situations(Action.BUY), limit=limits())
def test_every_finding_has_words_and_a_refusal_is_the_first_that_does_not_allow(context, limit):
    judgement = RiskPolicy(limit).judge(context)
    assert all(found.detail and not found.detail.startswith("raised") for found in judgement.findings)
    against = [(found.rule, found.detail) for found in judgement.findings if not found.allows]
    refusal = judgement.refusal
    assert ([] if refusal is None else [(refusal.rule, refusal.detail)]) == against[:1]
