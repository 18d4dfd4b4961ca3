"""Skipping the candles at which nothing can happen leads to the same as visiting all of them."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from binance_trade_agent.backtest.fills import FillSettings
from binance_trade_agent.backtest.run import run_backtest
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Role
from tests.backtest.made import EAGER, MINUTE_MS, NO_COST, START_MS, plan, script, table


@st.composite
def markets(draw, symbol="BTCUSDT"):
    """A random walk with jumps, quiet stretches and holes; the last digit of a volume is a signal."""
    count = draw(st.integers(5, 120))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    wildness = draw(st.sampled_from([0.002, 0.01, 0.04]))
    close = 100 * np.exp(np.cumsum(random.standard_normal(count) * wildness))
    open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(random.standard_normal(count) * wildness / 4)
    high = np.maximum(open_, close) * (1 + np.abs(random.standard_normal(count)) * wildness)
    low = np.minimum(open_, close) * (1 - np.minimum(np.abs(random.standard_normal(count)) * wildness, 0.5))
    buys, sells = draw(st.sampled_from([(0.05, 0.05), (0.3, 0.1), (0.1, 0.4)]))
    digit = random.choice([0, 1, 2], count, p=[1 - buys - sells, buys, sells])
    whole = random.choice([0, 1, 50], count, p=[0.05, 0.05, 0.9])
    volume = whole * 1.0 + digit / 1000
    rows = [tuple(map(float, row)) for row in np.round(np.array([open_, high, low, close, volume]).T, 3)]
    rows = [(first, max(first, h, c), min(first, bottom, c), c, v) for first, h, bottom, c, v in rows]
    # Days, so that midnights come; and holes now and then.
    step = draw(st.sampled_from([MINUTE_MS, 30 * MINUTE_MS]))
    missing = random.random(count) < draw(st.sampled_from([0, 0.03]))
    times = START_MS + step * (np.arange(count) + np.cumsum(missing))
    interval = "1m" if step == MINUTE_MS else "30m"
    return table(rows, symbol, interval, [int(at // step * step) for at in times])


exits = st.fixed_dictionaries(
    {},
    optional={
        "risk_stop_loss_pct": st.sampled_from(["0.5", "2"]),
        "risk_take_profit_pct": st.sampled_from(["0.7", "3"]),
        "risk_trailing_stop_pct": st.sampled_from(["0.4", "1.5"]),
        "risk_trailing_start_pct": st.sampled_from(["0", "1"]),
        "risk_time_stop_minutes": st.sampled_from([3, 90]),
        "risk_target_table": st.just("0=4,5=1,60=0.1"),
        "risk_strategy_exit": st.booleans(),
    },
)
limits = st.fixed_dictionaries(
    {},
    optional={
        "risk_max_drawdown_pct": st.sampled_from(["0.5", "2"]),
        "risk_drawdown_pause_minutes": st.sampled_from([5, 200]),
        "risk_max_daily_loss_pct": st.sampled_from(["0.3", "2"]),
        "risk_max_consecutive_losses": st.sampled_from([1, 2]),
        "risk_loss_pause_minutes": st.sampled_from([3, 100]),
        "risk_cooldown_seconds": st.sampled_from([90, 3600]),
        "risk_max_open_positions": st.sampled_from([1, 2]),
        "risk_max_symbol_trades_per_hour": st.just(2),
        "risk_max_trades_per_day": st.just(5),
        "risk_max_position_quote": st.sampled_from(["900", "2500"]),
        "risk_max_exposure_pct": st.sampled_from(["30", "90"]),
        "trading_order_quote": st.sampled_from(["400", "3000"]),
        "trading_sizing": st.sampled_from(["quote", "kelly"]),
    },
)
fill_rules = st.builds(
    FillSettings,
    fee_pct=st.sampled_from([Decimal(0), Decimal("0.1")]),
    spread_pct=st.sampled_from([Decimal(0), Decimal("0.05")]),
    slippage=st.sampled_from(["none", "fixed", "sqrt"]),
    volume_share_pct=st.sampled_from([Decimal(0), Decimal(10)]),
)


def is_allowed(exits):
    """A table takes the place of a take-profit; nobody may ask for both, nor for a position that is never left."""
    return "risk_target_table" not in exits or "risk_take_profit_pct" not in exits


def assert_same(skipped, every):
    """Orders, fills, decisions, pauses and the equity at each tick are equal, to the last digit."""
    assert skipped.fills == every.fills
    assert skipped.orders == every.orders
    assert skipped.outcomes == every.outcomes
    assert skipped.refusals == every.refusals
    assert skipped.pauses == every.pauses
    assert skipped.positions == every.positions
    assert skipped.final_quote == every.final_quote
    assert skipped.slippage_quote == every.slippage_quote
    assert np.array_equal(skipped.equity_quote, every.equity_quote)
    wanted = [each for each in every.decisions if each.outcome is not Outcome.SKIPPED]
    assert [each for each in skipped.decisions if each.outcome is not Outcome.SKIPPED] == wanted


@settings(max_examples=120)
@given(markets(), exits, limits, fill_rules)
def test_one_symbol(market, exits, limits, fills):
    assume(is_allowed(exits))
    asked = plan(fills=fills, start_row=None, **(EAGER | exits | limits)).between(int(market.open_times_ms[2]), None)
    runs = [
        run_backtest(asked, {"BTCUSDT": market}, create=script, every_candle=every, keeps_decisions=True)
        for every in (False, True)
    ]
    assert_same(*runs)


@settings(max_examples=60)
@given(markets(), markets("ETHUSDT"), markets("BNBUSDT"), exits, limits)
def test_three_symbols_share_one_account(first, second, third, exits, limits):
    assume(is_allowed(exits))
    candles = {each.symbol: each for each in (first, second, third) if each.interval == first.interval}
    asked = plan(*candles, fills=FillSettings(slippage="none"), start_row=None, **(EAGER | exits | limits))
    begin_ms = max(int(each.open_times_ms[2]) for each in candles.values())
    runs = [
        run_backtest(asked.between(begin_ms, None), candles, create=script, every_candle=every, keeps_decisions=True)
        for every in (False, True)
    ]
    assert_same(*runs)


def test_a_stop_that_finds_no_volume_leaves_a_position_that_the_next_tick_leaves():
    """It has ended without a fill; what is held is looked at again although nothing else is to be done."""
    calm = (100.0, 100.0, 100.0, 100.0, 50.0)
    rows = [calm, (*calm[:4], 50.001), calm, (100.0, 100.0, 90.0, 95.0, 0.00001), *[(95.0, 95.0, 95.0, 95.0, 50.0)] * 3]
    asked = plan(fills=FillSettings(slippage="none"), trading_order_quote="400", risk_stop_loss_pct="2")
    skipped, every = (
        run_backtest(asked, {"BTCUSDT": table(rows)}, create=script, every_candle=each, keeps_decisions=True)
        for each in (False, True)
    )
    assert_same(skipped, every)
    assert [(order.role, order.state) for order in skipped.orders] == [
        (Role.ENTRY, OrderState.FILLED),
        (Role.STOP_LOSS, OrderState.EXPIRED),
        (Role.EXIT, OrderState.FILLED),
    ]


@pytest.mark.parametrize("limit", ["drawdown", "daily_loss"])
def test_a_limit_that_a_sale_passes_begins_its_pause_at_once(limit):
    """Bought and sold at 100 a fee of 0.75 % is paid twice: 0.66 % below the highest equity, and then nothing moves."""
    calm = (100.0, 100.0, 100.0, 100.0)
    rows = [(*calm, 50 + digit / 1000) for digit in (0, 1, 2, 0, 0, 1, 2, 0, 0, 0, 1, 0, 2, 0)]
    settings = {f"risk_max_{limit}_pct": "0.6", "risk_drawdown_pause_minutes": 5, "trading_order_quote": "9000"}
    asked = plan(fills=replace(NO_COST, fee_pct=Decimal("0.75")), **settings)
    skipped, every = (
        run_backtest(asked, {"BTCUSDT": table(rows)}, create=script, every_candle=each, keeps_decisions=True)
        for each in (False, True)
    )
    assert_same(skipped, every)
    assert (skipped.pauses[0].rule, skipped.pauses[0].since_ms) == (limit, START_MS + 3 * MINUTE_MS)
