"""Whatever the inputs: no approved order breaks a filter or a limit, and no rule meant for entries keeps a position open.

The limits are reckoned here anew, in fractions, which are exact however many digits a number has.
"""

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.market import BookTicker, Depth, MarketView
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.policy import RiskPolicy
from binance_trade_agent.risk.settings import RiskSettings, SizingSettings
from binance_trade_agent.risk.state import ExitResult, Pause, RiskState

NOW_MS = 10_000_000
HUNDRED = Fraction(100)
exact = Fraction


def around(middle, *offsets):
    """The middle, and just and far below and above it."""
    offsets = offsets or ("0", "0.01", "0.5", "50")
    return st.sampled_from([Decimal(middle) + sign * Decimal(offset) for offset in offsets for sign in (1, -1)])


def off_or(limit):
    return st.one_of(st.just(Decimal(0)), limit, limit)


prices = st.builds(
    lambda mantissa, exponent: Decimal(mantissa).scaleb(exponent), st.integers(1, 10**8 - 1), st.integers(-8, 4)
).filter(lambda price: price <= 10**6)

shares = around("1", "0", "0.0001", "0.05", "1")  # of what 100 quote asset buy
powers_of_ten = st.integers(-6, 1)


@st.composite
def steps(draw, unit):
    """No step, or a power of ten that goes into `unit`, or three of it."""
    power = Decimal(1).scaleb(max(-8, unit.adjusted() + draw(powers_of_ten)))
    return draw(st.sampled_from([Decimal(0), power, power, 3 * power]))


@st.composite
def symbol_filters(draw, unit):
    """Filters around an order of 100 quote asset, of `unit` base asset."""
    # No step and no bound has more digits than the base asset, which has 8 or more.
    bounds = st.one_of(st.just(Decimal(0)), shares.map(lambda share: (share * unit).quantize(Decimal("0.00000001"))))
    return {
        "status": draw(st.sampled_from(["TRADING", "TRADING", "TRADING", "HALT"])),
        "order_types": draw(st.sampled_from([("LIMIT", "MARKET"), ("LIMIT", "MARKET"), ("LIMIT",)])),
        "base_precision": draw(st.sampled_from([8, 10])),
        "step_size": draw(steps(unit)),
        "market_step_size": draw(steps(unit)),
        "min_quantity": draw(bounds),
        "market_min_quantity": draw(bounds),
        "max_quantity": draw(bounds),
        "market_max_quantity": draw(bounds),
    }


notional_filters = st.fixed_dictionaries(
    {
        "min_notional": off_or(around(100)),
        "min_notional_on_market": st.booleans(),
        "extra_min_notional": off_or(around(100)),
        "extra_min_notional_on_market": st.booleans(),
        "max_notional": off_or(around(100)),
        "max_notional_on_market": st.booleans(),
    }
)


@st.composite
def depths(draw, ask, unit):
    """Up to three asks, best first, whose average may be 0.5 % above the first."""
    rises = sorted(draw(st.lists(st.sampled_from(["0", "0.004", "0.01", "0.011", "0.02"]), min_size=1, max_size=3)))
    parts = st.sampled_from(["0.25", "0.5", "1"])
    return Depth((), tuple((ask * (1 + Decimal(rise)), unit * Decimal(draw(parts))) for rise in rises), 0)


pauses = st.dictionaries(
    st.sampled_from(["drawdown", "daily_loss", "consecutive_losses"]),
    st.sampled_from([NOW_MS, NOW_MS + 1]).map(lambda until_ms: Pause("", 0, until_ms, "")),
    max_size=1,
)
results = st.builds(
    lambda pnl, cost: ExitResult("x", "BTCUSDT", pnl, cost, 0),
    st.decimals(-50, 80, places=4),
    st.sampled_from([Decimal(100), Decimal(300), Decimal(0)]),
)
EQUITY = {"equity_quote": Decimal(10_000), "peak_quote": Decimal(10_000), "day_quote": Decimal(10_000)}
counts = st.builds(lambda *numbers: RiskState(*numbers, **EQUITY), *[st.integers(0, 3)] * 4)
losses = st.builds(
    RiskState,
    losses_in_row=st.integers(0, 3),
    equity_quote=st.one_of(around(9000), around(9500)),
    peak_quote=st.sampled_from([None, Decimal(10_000), Decimal(10_000), Decimal(0)]),
    day_quote=st.sampled_from([None, Decimal(10_000), Decimal(10_000), Decimal(0)]),
    pauses=pauses,
)
records = st.lists(results, max_size=8).map(lambda exits: RiskState(exits=tuple(exits), **EQUITY))
fractions = st.sampled_from([Decimal("0.01"), Decimal("0.003"), Decimal(1)])
sizings = st.builds(
    lambda sizing, quote, fraction: SizingSettings(sizing, quote, fraction, kelly_exits=5),
    st.sampled_from(["quote", "fraction", "volatility", "kelly"]),
    off_or(around(100)),
    fractions,
)
mostly_fixed = st.one_of(st.just(SizingSettings()), sizings)
trade_limits = st.fixed_dictionaries(
    {f"max_{whose}trades_per_{span}": st.integers(0, 2) for whose in ("", "symbol_") for span in ("hour", "day")}
)


@dataclass(frozen=True)
class Case:
    context: RiskContext
    limits: RiskSettings


def topics(ask, unit, held_from):
    """By topic what may be otherwise than in a case that every rule allows: (filters, context, limits, book)."""
    held = st.decimals(held_from, 3, places=1).flatmap(lambda part: st.just(part * unit))
    about_held = st.one_of(held, shares.map(lambda share: share * unit))
    nothing = st.just({})

    def each(**choices):
        return st.fixed_dictionaries(choices)

    return {
        "filters": lambda: (symbol_filters(unit), nothing, nothing, nothing),
        "notional": lambda: (notional_filters, nothing, nothing, nothing),
        "max_position_filter": lambda: (
            each(max_position=off_or(shares.map(lambda share: (1 + share) * unit))),
            each(wallet_base=shares.map(lambda share: share * unit)),
            nothing,
            each(held=about_held),
        ),
        "spread": lambda: (
            nothing,
            nothing,
            each(max_spread_pct=off_or(st.just(Decimal("0.5")))),
            each(bid=st.sampled_from([ask * 399 / 401, ask * Decimal("0.9949"), ask * Decimal("0.9951")])),
        ),
        "age": lambda: (nothing, nothing, nothing, each(age_ms=st.sampled_from([29_999, 30_000, 30_001]))),
        "deviation": lambda: (
            nothing,
            each(last_price=st.one_of(st.none(), around("1.02", "0", "0.0001", "0.03").map(lambda part: ask / part))),
            each(max_price_deviation_pct=off_or(st.just(Decimal(2)))),
            nothing,
        ),
        "volatility": lambda: (
            nothing,
            each(atr_quote=st.one_of(st.none(), around("0.05", "0", "0.0001", "0.05").map(lambda part: ask * part))),
            each(max_volatility_pct=off_or(st.just(Decimal(5)))),
            nothing,
        ),
        "losses": lambda: (
            nothing,
            each(state=losses),
            each(
                max_drawdown_pct=off_or(st.just(Decimal(10))),
                max_daily_loss_pct=off_or(st.just(Decimal(5))),
                max_consecutive_losses=st.integers(0, 2),
            ),
            nothing,
        ),
        "counts": lambda: (nothing, each(state=counts), trade_limits, nothing),
        "confidence": lambda: (
            nothing,
            nothing,
            each(min_confidence=st.sampled_from([Decimal("0.6"), Decimal("0.60000001"), Decimal("0.5999")])),
            each(confidence=st.one_of(st.sampled_from([0.6, 0.1 + 0.5, 0.59999999]), st.floats(0, 1))),
        ),
        "cooldown": lambda: (
            nothing,
            each(last_filled_ms=st.sampled_from([NOW_MS - 300_000, NOW_MS - 299_999, NOW_MS + 1])),
            each(cooldown_seconds=st.sampled_from([0, 300, 300])),
            nothing,
        ),
        "open positions": lambda: (
            nothing,
            each(open_positions=st.integers(0, 3)),
            each(max_open_positions=st.integers(1, 2)),
            each(held=st.one_of(held, around(5).map(lambda worth: worth * unit / 100)), bid=st.just(ask * 2 / 3)),
        ),
        "order": lambda: (nothing, nothing, each(max_order_quote=off_or(around(100)), sizing=sizings), nothing),
        "position": lambda: (
            nothing,
            nothing,
            each(max_position_quote=off_or(around(200)), sizing=mostly_fixed),
            each(held=about_held),
        ),
        "exposure": lambda: (
            nothing,
            each(exposure_quote=around(100), equity_quote=around(10_000)),
            each(max_exposure_pct=off_or(around(2, "0", "0.0001", "0.005", "1")), sizing=mostly_fixed),
            nothing,
        ),
        "balance": lambda: (
            nothing,
            each(free_quote=around("200.2", "0", "0.01", "0.2", "100"), pending_buy_quote=around(100)),
            nothing,
            nothing,
        ),
        "slippage": lambda: (
            nothing,
            each(depth=st.one_of(st.none(), depths(ask, unit))),
            each(max_slippage_pct=off_or(st.just(Decimal("0.5")))),
            nothing,
        ),
        "stop": lambda: (
            st.one_of(
                symbol_filters(unit),
                each(min_notional=around("49.95"), step_size=steps(unit), min_notional_on_market=st.booleans()),
                each(extra_min_notional=around("49.95"), extra_min_notional_on_market=st.booleans()),
            ),
            each(stop_fraction=st.sampled_from([None, Decimal("0.5"), Decimal("0.5"), Decimal(0)])),
            nothing,
            nothing,
        ),
        "size": lambda: (
            nothing,
            each(state=records, atr_quote=around("0.002", "0", "0.001").map(lambda part: ask * part)),
            each(sizing=sizings),
            nothing,
        ),
        "switches": lambda: (
            nothing,
            each(
                pause_scope=st.sampled_from([None, *PauseScope]),
                is_killed=st.booleans(),
                gate=st.sampled_from([None, ("disk", "full")]),
                open_order=st.sampled_from([None, "order x is SENT"]),
            ),
            nothing,
            nothing,
        ),
        "unknown orders": lambda: (
            nothing,
            each(unknown_orders=st.integers(0, 3)),
            each(max_unknown_orders=st.integers(1, 2)),
            nothing,
        ),
    }


@st.composite
def cases(draw, action):
    """An order of about 100 quote asset that every rule allows, but for up to three topics in which it may be odd."""
    ask = draw(prices)
    unit = Decimal(100) / ask  # base asset for 100 quote asset
    possible = topics(ask, unit, "-1" if action is Action.BUY else "0")
    rules, context, limits, book = {}, {}, {"max_data_age_seconds": 30}, {}
    for topic in sorted(draw(st.sets(st.sampled_from(sorted(possible)), max_size=3))):
        for known, odd in zip((rules, context, limits, book), possible[topic](), strict=True):
            known.update(draw(odd))
    symbol = SymbolRules("BTCUSDT", "BTC", "USDT", **{"step_size": Decimal("0.00000001")} | rules)
    ticker = BookTicker("BTCUSDT", book.get("bid", ask), unit, ask, unit, 0)
    usual = {
        "signal": Signal("BTCUSDT", "s", action, book.get("confidence", 0.6), "", 0),
        "view": MarketView("BTCUSDT", symbol, (), ticker, 0, book.get("age_ms", 0)),
        "position": Position("BTCUSDT", quantity=book.get("held", Decimal(0) if action is Action.BUY else unit)),
        "open_positions": 1,
        "free_quote": Decimal(100_000),
        "equity_quote": Decimal(10_000),
        "last_filled_ms": None,
        "now_ms": NOW_MS,
        "depth": Depth((), ((ask, unit * 1000),), 0),
        "last_price": ask,
        "atr_quote": ask * Decimal("0.002"),
        "state": RiskState(**EQUITY),
    }
    return Case(RiskContext(**usual | context), RiskSettings(**limits))


def unlimited(limit):
    return not limit or limit.is_infinite()


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
    assert unlimited(limit.max_order_quote) or notional <= exact(limit.max_order_quote)
    assert unlimited(limit.max_position_quote) or held * ask + notional <= exact(limit.max_position_quote)
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
    if limit.cooldown_seconds and context.last_filled_ms is not None:
        assert NOW_MS - context.last_filled_ms >= limit.cooldown_seconds * 1000
    if context.open_positions >= limit.max_open_positions:  # it adds to one that is more than dust
        assert context.position.quantity > 0
        assert exact(context.position.quantity) * exact(context.view.book.bid) >= (
            context.view.rules.smallest_market_notional
        )


def test_no_approved_entry_breaks_a_filter_or_a_limit_whatever_the_inputs():
    approved = []

    @settings(max_examples=500)
    @given(case=cases(Action.BUY))
    def holds(case):
        context, limit = case.context, case.limits
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
        assert not any([context.pause_scope, context.is_killed, context.gate, context.open_order])

    holds()
    assert len(approved) > 50, "the inputs say nothing when hardly one is approved"


@st.composite
def books_behind_a_quote(draw):
    """An entry, what is offered at its ask, and the book with what stands behind that."""
    case = draw(cases(Action.BUY))
    ask, unit = case.context.view.book.ask, case.context.view.book.ask_quantity
    levels = [(ask, draw(around("1", "0", "0.00001", "0.01", "0.5")) * unit)]
    for rise in draw(st.lists(st.sampled_from([Decimal("0.0001"), Decimal("0.01"), Decimal("0.5")]), max_size=3)):
        levels.append((levels[-1][0] * (1 + rise), (1 + draw(shares)) * unit))
    limits = dataclasses.replace(case.limits, max_slippage_pct=Decimal("0.5"))
    return Case(case.context, limits), Depth((), (levels[0],), 0), Depth((), tuple(levels), 0)


def test_where_the_quote_alone_has_an_answer_the_book_behind_it_changes_nothing():
    with_answer, without = [], []

    @settings(max_examples=300)
    @given(books_behind_a_quote())
    def holds(drawn):
        case, quote, book = drawn
        policy = RiskPolicy(case.limits)
        known = policy.judge(replace(case.context, depth=quote, is_depth_asked=False))
        asked = policy.judge(replace(case.context, depth=book))
        if known.unasked:
            without.append(case)
            assert known.unasked == {"slippage"}
            assert known.size is None or known.size.quantity > quote.asks[0][1]
            return
        with_answer.append(case)
        assert list(map(told, known.findings)) == list(map(told, asked.findings))
        assert (known.size and known.size.quantity) == (asked.size and asked.size.quantity)

    holds()
    assert min(len(with_answer), len(without)) > 20, "else it says little"


def told(finding):
    return finding.rule, finding.allows, finding.detail, finding.value, finding.limit


EXIT_RULES = {"open_order", "nothing_to_sell", "symbol_status", "lot_size", "min_notional", "max_notional"}


def test_no_exit_sells_more_than_is_held_and_only_the_exchange_refuses_one():
    approved = []

    @settings(max_examples=200)
    @given(case=cases(Action.SELL))
    def holds(case):
        context, limit = case.context, case.limits
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


@given(case=cases(Action.BUY))
def test_every_finding_has_words_and_a_refusal_is_the_first_that_does_not_allow(case):
    judgement = RiskPolicy(case.limits).judge(case.context)
    assert all(found.detail and not found.detail.startswith("raised") for found in judgement.findings)
    against = [(found.rule, found.detail) for found in judgement.findings if not found.allows]
    refusal = judgement.refusal
    assert ([] if refusal is None else [(refusal.rule, refusal.detail)]) == against[:1]
