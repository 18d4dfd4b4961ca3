"""The figures of a backtest add up, and what is not defined is not invented."""

from dataclasses import replace as replaced
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from binance_trade_agent.backtest.report.report import Report
from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.values import replace
from tests.backtest.report.made_results import made_result, walk

TWO = {symbol: walk(symbol, 1_500, seed=seed) for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT"))}
RESULT = made_result(TWO)
REPORT = Report.of(RESULT)
NOTHING = made_result({"BTCUSDT": walk("BTCUSDT", 5)})


def test_profits_of_trades_and_of_what_is_open_are_the_change_of_equity():
    closed = sum(trip.profit_quote for trip in REPORT.round_trips)
    still_open = sum(trip.realised_quote + trip.unrealised_quote for trip in REPORT.open_trips)
    dust = sum(
        position.unrealised_pnl_quote(RESULT.last_bids[symbol])
        for symbol, position in RESULT.positions.items()
        if symbol not in {trip.symbol for trip in REPORT.open_trips}
    )
    assert REPORT.profit_quote == REPORT.final_quote - 10_000
    assert closed + still_open + dust == pytest.approx(REPORT.profit_quote, abs=Decimal("1e-6"))
    assert len(REPORT.round_trips) > 50


@pytest.mark.parametrize("groups", [REPORT.by_symbol, REPORT.by_exit], ids=["by symbol", "by exit"])
def test_parts_add_up_to_the_whole(groups):
    assert sum(group.trades for group in groups) == REPORT.trades.trades == len(REPORT.round_trips)
    assert sum(group.won for group in groups) == REPORT.trades.won
    assert sum(group.profit_quote for group in groups) == REPORT.trades.profit_quote
    assert sum(group.fees_quote for group in groups) == REPORT.trades.fees_quote


def test_trades_by_exit_are_named_by_what_made_the_last_sale():
    sold_by = {order.exit for order in RESULT.orders if order.side is Side.SELL}
    assert {group.name for group in REPORT.by_exit} == sold_by
    assert sold_by >= {ExitKind.STRATEGY, ExitKind.TAKE_PROFIT}


def test_months_make_up_the_return_and_hold_all_trades():
    grown = np.prod([1 + month.return_pct / 100 for month in REPORT.months])
    assert 100 * (grown - 1) == pytest.approx(REPORT.figures.return_pct)
    held = np.prod([1 + month.hold_pct / 100 for month in REPORT.months])
    assert 100 * (held - 1) == pytest.approx(REPORT.hold.figures.return_pct)
    assert sum(month.trades for month in REPORT.months) == REPORT.trades.trades
    assert sum(month.profit_quote for month in REPORT.months) == REPORT.trades.profit_quote
    assert [month.month for month in REPORT.months] == ["2024-01", "2024-02", "2024-03", "2024-04"]


def test_days_end_with_the_final_equity():
    assert (REPORT.days[0].day, len(REPORT.days)) == ("2024-01-31", -(-1_500 // 24))
    assert REPORT.days[-1].equity_quote == pytest.approx(float(REPORT.final_quote))


def test_return_drawdown_and_turnover_by_plain_loops():
    equity = [10_000.0, *RESULT.equity_quote, float(RESULT.final_quote)]
    highest, deepest = 0.0, 0.0
    for value in equity:
        highest = max(highest, value)
        deepest = max(deepest, 100 * (1 - value / highest))
    assert REPORT.figures.drawdown.pct == pytest.approx(deepest)
    assert REPORT.figures.return_pct == pytest.approx(100 * (equity[-1] / 10_000 - 1))
    volume = sum(fill.quote_quantity for fill in RESULT.fills)
    assert REPORT.volume_quote == volume
    assert REPORT.turnover == pytest.approx(float(volume) / (sum(equity) / len(equity)))


def test_fees_are_those_of_all_fills():
    assert sum(REPORT.fees.values()) == sum(fill.commission for fill in RESULT.fills)
    assert REPORT.fees_quote == pytest.approx(REPORT.volume_quote / 1_000, abs=Decimal("1e-6"))


def test_time_in_the_market_counts_hours_with_a_position():
    held = [0.0, *RESULT.exposure_quote]
    hours = sum(worth > 1 for worth in held)
    assert REPORT.time_in_market_pct == pytest.approx(100 * hours / 1_500)


def test_buy_and_hold_pays_the_same_fee_and_holds_each_symbol_alike():
    last = {symbol: table.close[-1] / table.open[0] for symbol, table in TWO.items()}
    assert REPORT.hold.fee_pct == Decimal("0.1")
    assert float(REPORT.hold.final_quote) == pytest.approx(sum(5_000 * 0.999 * grown for grown in last.values()))
    for symbol, grown in last.items():
        assert REPORT.hold.return_pct_by_symbol[symbol] == pytest.approx(100 * (0.999 * grown - 1))


def test_the_money_for_a_symbol_that_begins_later_waits_for_it():
    later = {**TWO, "ETHUSDT": TWO["ETHUSDT"].rows(1_000, 1_500)}
    report = Report.of(replaced(RESULT, candles=later))
    days = report.hold.figures
    btc, eth = (later[symbol] for symbol in ("BTCUSDT", "ETHUSDT"))
    assert report.hold.return_pct_by_symbol["ETHUSDT"] == pytest.approx(100 * (0.999 * eth.close[-1] / eth.open[0] - 1))
    until = 5_000 + 5_000 * 0.999 * btc.open[:1_000] / btc.open[0]
    after = 5_000 * 0.999 * (btc.open[1_000:] / btc.open[0] + eth.open / eth.open[0])
    values = [10_000, *until, *after, float(report.hold.final_quote)]
    lows = [1 - value / max(values[: row + 1]) for row, value in enumerate(values)]
    assert days.drawdown.pct == pytest.approx(100 * max(lows))


def test_best_and_worst_are_the_trades_with_the_extreme_profits():
    profits = [trip.profit_quote for trip in REPORT.round_trips]
    assert (REPORT.best.profit_quote, REPORT.worst.profit_quote) == (max(profits), min(profits))
    percents = [float(trip.profit_pct) for trip in REPORT.round_trips]
    assert (REPORT.trades.best_pct, REPORT.trades.worst_pct) == (max(percents), min(percents))


def test_trades_stand_in_the_order_in_which_they_ended():
    assert all(first.closed_ms <= second.closed_ms for first, second in pairwise(REPORT.round_trips))


def test_a_backtest_without_trades_has_no_figures_of_trades():
    report = Report.of(NOTHING)
    trades = report.trades
    assert (trades.trades, trades.profit_quote, report.best, report.worst) == (0, 0, None, None)
    undefined = ("win_rate_pct", "profit_factor", "expectancy_quote", "expectancy_pct", "sqn", "p_value", "best_pct")
    assert [getattr(trades, name) for name in undefined] == [None] * len(undefined)
    assert (trades.mean_duration_ms, trades.median_duration_ms, trades.longest_duration_ms) == (None, None, None)
    assert (report.time_in_market_pct, report.volume_quote, report.fees, report.fees_quote) == (0, 0, {}, 0)
    assert (report.hold.fee_pct, report.by_exit) == (None, ())


def test_a_backtest_of_hours_has_no_figures_of_a_year():
    figures = Report.of(NOTHING).figures
    assert (figures.cagr_pct, figures.sharpe, figures.sortino, figures.calmar) == (None, None, None, None)
    assert (figures.return_pct, figures.drawdown.pct) == (0, 0)


def test_a_backtest_without_candles_has_nothing_to_compare_with():
    empty = np.empty(0)
    nothing = {"tick_times_ms": np.empty(0, dtype=np.int64), "equity_quote": empty, "exposure_quote": empty}
    report = Report.of(replaced(NOTHING, candles={}, last_bids={}, **nothing))
    assert (report.hold, report.invested_pct) == (None, None)
    assert [month.hold_pct for month in report.months] == [None]


def paid_in_bnb(result):
    fills = [replace(fill, commission=Decimal("0.0001"), commission_asset="BNB") for fill in result.fills]
    return replaced(result, fills=fills)


def test_fees_in_an_asset_without_a_price_are_told_of():
    report = Report.of(paid_in_bnb(RESULT))
    assert report.fees_quote is None
    assert report.hold.fee_pct is None
    assert report.warnings == ("Fees in BNB are in no profit here, because its price in USDT is not known.",)


def test_fees_in_an_asset_that_is_traded_too_count_at_its_price():
    bnb = walk("BNBUSDT", 1_500, seed=9)
    report = Report.of(paid_in_bnb(replaced(RESULT, candles={**TWO, "BNBUSDT": bnb})))
    worth = sum(
        Decimal("0.0001") * bnb.price(bnb.open[np.searchsorted(bnb.open_times_ms, fill.traded_ms)])
        for fill in RESULT.fills
    )
    assert (report.fees_quote, report.warnings) == (worth, ())


def test_a_day_of_the_report_is_a_day_of_utc():
    assert RESULT.setup.start_ms % DAY_MS == 0
    assert REPORT.days[1].day == "2024-02-01"
    first = RESULT.equity_quote[RESULT.tick_times_ms <= RESULT.setup.start_ms + DAY_MS][-1]
    assert REPORT.days[0].equity_quote == first


def test_refusals_and_outcomes_stand_with_the_most_frequent_first():
    assert list(REPORT.refusals.items()) == [("cooldown", 5), ("max_open_positions", 2)]
    assert next(iter(REPORT.outcomes)) == "HELD"
