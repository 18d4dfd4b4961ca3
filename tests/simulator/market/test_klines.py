from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import INTERVAL_MS, interval_open_ms
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.market.klines import KlineSeries
from tests.simulator.market.candles import MINUTE_MS, START_MS, candle

HOUR_MS = 60 * MINUTE_MS

# Minute, price, quantity: trades in time order with minutes left out here and there.
trades = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1, max_size=40
).map(
    lambda steps: [
        (sum(step[0] for step in steps[: index + 1]), Decimal(price).scaleb(-2), Decimal(quantity).scaleb(-5))
        for index, (_, price, quantity) in enumerate(steps)
    ]
)


def series_of(rows, history=()) -> KlineSeries:
    series = KlineSeries("1m", history, lambda _: 12)
    for trade_id, (minute, price, quantity) in enumerate(rows, start=1):
        series.add_trade(START_MS + minute * MINUTE_MS, price, quantity, Side.BUY, trade_id)
    return series


def minutes(*closes: int):
    return [
        candle(START_MS + index * MINUTE_MS, f"{close} {close} {close} {close}") for index, close in enumerate(closes)
    ]


@given(trades, st.sampled_from([name for name in INTERVAL_MS if name != "1s"]))
def test_any_longer_interval_holds_exactly_the_trades_of_its_span(rows, interval):
    klines = series_of(rows).select(interval, start_ms=0, limit=10_000)

    by_open: dict[int, list[tuple[Decimal, Decimal]]] = {}
    for minute, price, quantity in rows:
        by_open.setdefault(interval_open_ms(interval, START_MS + minute * MINUTE_MS), []).append((price, quantity))
    assert [kline.open_time_ms for kline in klines] == list(by_open)
    for kline, inside in zip(klines, by_open.values(), strict=True):
        prices = [price for price, _ in inside]
        assert (kline.open, kline.high, kline.low, kline.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert kline.volume == kline.taker_buy_base == sum((quantity for _, quantity in inside), ZERO)
        assert kline.quote_volume == sum((price * quantity for price, quantity in inside), ZERO)
        assert kline.trades == len(inside)
        assert kline.close_time_ms == kline.open_time_ms + INTERVAL_MS[interval] - 1


@given(trades, st.sampled_from(["1m", "15m", "1h"]), st.integers(1, 8))
def test_a_limit_keeps_the_newest_without_a_start_and_the_oldest_with_one(rows, interval, limit):
    series = series_of(rows)
    everything = series.select(interval, start_ms=0, limit=10_000)

    assert series.select(interval, limit=limit) == everything[-limit:]
    assert series.select(interval, start_ms=0, limit=limit) == everything[:limit]


@given(trades, st.sampled_from(["1m", "5m", "1h"]), st.integers(-10, 1700), st.integers(-10, 1700))
def test_start_and_end_select_on_the_open_time_inclusive(rows, interval, start_minute, end_minute):
    series = series_of(rows)
    start_ms, end_ms = START_MS + start_minute * MINUTE_MS + 1, START_MS + end_minute * MINUTE_MS

    selected = series.select(interval, start_ms=start_ms, end_ms=end_ms, limit=10_000)

    everything = series.select(interval, start_ms=0, limit=10_000)
    assert selected == [kline for kline in everything if start_ms <= kline.open_time_ms <= end_ms]


def test_history_and_live_trades_join_within_one_hour():
    series = series_of([(2, Decimal(7), Decimal(3))], history=minutes(5, 6))

    (hour,) = series.select("1h")

    assert (hour.open, hour.high, hour.low, hour.close) == (5, 7, 5, 7)
    assert (hour.volume, hour.trades) == (5, 25)
    assert hour.quote_volume == 5 + 6 + 21


def test_an_untraded_minute_is_flat_until_its_first_trade_sets_all_prices():
    series = series_of([], history=minutes(5))
    series.open_at(START_MS + MINUTE_MS, Decimal(5))

    (flat,) = series.select("1m", limit=1)
    assert (flat.open, flat.high, flat.low, flat.close, flat.volume, flat.trades) == (5, 5, 5, 5, 0, 0)
    assert (flat.first_trade_id, flat.last_trade_id) == (-1, -1)

    series.add_trade(START_MS + MINUTE_MS + 1, Decimal(4), Decimal(1), Side.SELL, 9)
    (traded,) = series.select("1m", limit=1)
    assert (traded.open, traded.high, traded.low, traded.close) == (4, 4, 4, 4)
    assert (traded.taker_buy_base, traded.first_trade_id, traded.last_trade_id) == (0, 9, 9)


def test_what_was_given_out_does_not_change_with_later_trades():
    series = series_of([(0, Decimal(5), Decimal(1))])
    (before,) = series.select("1m")

    series.add_trade(START_MS + 1, Decimal(9), Decimal(1), Side.BUY, 2)

    assert before.high == 5


def test_a_shorter_interval_than_the_kept_one_gives_nothing():
    assert KlineSeries("30m", minutes(5), lambda _: 1).select("1m") == []
    assert series_of([], history=minutes(5)).select("1s") == []


def test_an_unknown_interval_raises():
    with pytest.raises(KeyError):
        series_of([]).select("7m")


def test_a_week_opens_on_monday():
    series = series_of([(3 * 24 * 60, Decimal(5), Decimal(1))])  # Thursday

    assert series.select("1w")[0].open_time_ms == START_MS


def test_a_time_zone_moves_the_boundary_of_the_day():
    series = series_of([], history=[candle(START_MS + hour * HOUR_MS, "5 5 5 5") for hour in range(24)])

    days = series.select("1d", zone_ms=8 * HOUR_MS)

    assert [day.open_time_ms - START_MS for day in days] == [-8 * HOUR_MS, 16 * HOUR_MS]
    assert [day.volume for day in days] == [16, 8]
