from decimal import Decimal
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import BINANCE_INTERVALS, DAY_MS, INTERVAL_MS, Candle, candle_span_ms
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.market.klines import Kline, KlineSeries
from tests.simulator.market.candles import MINUTE_MS, START_MS, candle, series_of

HOUR_MS = 60 * MINUTE_MS
LONGER = [name for name in BINANCE_INTERVALS if name != "1s"]

zones = st.one_of(st.just(0), st.integers(-12, 14).map(lambda hours: hours * HOUR_MS), st.just(345 * MINUTE_MS))
# Minutes since the one before, price, quantity, whether the taker bought: trades in time order with minutes left out.
steps = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3), st.integers(4, 20_000)),
        st.integers(1, 10**6).map(lambda ticks: Decimal(ticks).scaleb(-2)),
        st.integers(1, 10**6).map(lambda lots: Decimal(lots).scaleb(-5)),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


def traded(rows, history=()) -> tuple[KlineSeries, list[tuple[int, Decimal, Decimal, bool]]]:
    """A series of these trades, and the trades with their times."""
    series, trades, at_ms = series_of("1m", history, 12), [], START_MS + len(history) * MINUTE_MS
    for trade_id, (minutes, price, quantity, is_buy) in enumerate(rows, start=1):
        at_ms += minutes * MINUTE_MS
        series.add_trade(at_ms, price, quantity, Side.BUY if is_buy else Side.SELL, trade_id)
        trades.append((at_ms, price, quantity, is_buy))
    return series, trades


def naive(trades, interval: str, zone_ms: int) -> list[Kline]:
    """The same klines from the trades alone."""
    klines, first_id = [], 1
    for (open_ms, next_ms), group in groupby(trades, lambda trade: candle_span_ms(interval, trade[0], zone_ms)):
        inside = list(group)
        prices = [price for _, price, _, _ in inside]
        kline = Kline(open_ms, next_ms - 1, prices[0], max(prices), min(prices), prices[-1], trades=len(inside))
        for _, price, quantity, is_buy in inside:
            kline.volume += quantity
            kline.quote_volume += price * quantity
            kline.taker_buy_base += quantity if is_buy else ZERO
            kline.taker_buy_quote += price * quantity if is_buy else ZERO
        kline.last_trade_id = first_id + len(inside) - 1
        first_id += len(inside)
        klines.append(kline)
    return klines


def minutes(*closes: int) -> list[Candle]:
    return [
        candle(START_MS + index * MINUTE_MS, f"{close} {close} {close} {close}") for index, close in enumerate(closes)
    ]


@given(steps, st.sampled_from(LONGER), zones)
@settings(max_examples=200)
def test_any_interval_in_any_zone_equals_what_the_trades_say(rows, interval, zone_ms):
    series, trades = traded(rows)

    klines = series.select(interval, start_ms=0, limit=10_000, zone_ms=zone_ms)

    assert klines == naive(trades, interval, zone_ms)
    assert [kline.first_trade_id for kline in klines] == [
        kline.last_trade_id - kline.trades + 1 for kline in naive(trades, interval, zone_ms)
    ]


@given(steps, st.sampled_from(LONGER), zones, st.integers(1, 8))
def test_a_limit_keeps_the_newest_without_a_start_and_the_oldest_with_one(rows, interval, zone_ms, limit):
    series, _ = traded(rows)
    everything = series.select(interval, start_ms=0, limit=10_000, zone_ms=zone_ms)

    assert series.select(interval, limit=limit, zone_ms=zone_ms) == everything[-limit:]
    assert series.select(interval, start_ms=0, limit=limit, zone_ms=zone_ms) == everything[:limit]


@given(steps, st.sampled_from(LONGER), zones, st.integers(-10_000, 90_000), st.integers(-10_000, 90_000))
def test_start_and_end_select_on_the_open_time_inclusive(rows, interval, zone_ms, start_minute, end_minute):
    series, _ = traded(rows)
    start_ms, end_ms = START_MS + start_minute * MINUTE_MS, START_MS + end_minute * MINUTE_MS

    selected = series.select(interval, start_ms=start_ms, end_ms=end_ms, limit=10_000, zone_ms=zone_ms)
    up_to_end = series.select(interval, end_ms=end_ms, limit=3, zone_ms=zone_ms)

    everything = series.select(interval, start_ms=0, limit=10_000, zone_ms=zone_ms)
    assert selected == [kline for kline in everything if start_ms <= kline.open_time_ms <= end_ms]
    assert up_to_end == [kline for kline in everything if kline.open_time_ms <= end_ms][-3:]


@pytest.mark.parametrize("far_ms", [0, 10**18, 2**63 - 1])
def test_times_beyond_any_calendar_are_ordinary_bounds(far_ms):
    series, _ = traded([(0, Decimal(5), Decimal(1), True)])

    for interval in ("1m", "1M"):
        assert len(series.select(interval, start_ms=0, end_ms=far_ms)) == (far_ms > 0)
        assert len(series.select(interval, start_ms=far_ms)) == (far_ms == 0)


@given(steps, st.integers(-3_000, 90_000), st.integers(0, 30_000))
@settings(max_examples=200)
def test_any_span_as_one_equals_what_the_trades_say(rows, from_minute, length):
    series, trades = traded(rows)
    from_ms = START_MS + from_minute * MINUTE_MS
    before_ms = from_ms + length * MINUTE_MS + 1

    whole = series.between(from_ms, before_ms)

    inside = [trade for trade in trades if from_ms <= trade[0] < before_ms]
    if not inside:
        assert whole is None
        return
    prices = [price for _, price, _, _ in inside]
    assert (whole.open, whole.high, whole.low, whole.close) == (prices[0], max(prices), min(prices), prices[-1])
    assert whole.volume == sum(quantity for _, _, quantity, _ in inside)
    assert whole.quote_volume == sum(price * quantity for _, price, quantity, _ in inside)
    assert whole.trades == len(inside)


@given(steps, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 120_000)), min_size=1, max_size=3))
def test_a_span_that_is_asked_for_again_and_again_has_each_trade(rows, windows):
    series, trades, at_ms = series_of("1m"), [], START_MS
    for trade_id, (minutes_later, price, quantity, _) in enumerate(rows, start=1):
        at_ms += minutes_later * MINUTE_MS
        series.add_trade(at_ms, price, quantity, Side.BUY, trade_id)
        trades.append((at_ms, quantity))
        for length, offset_ms in windows:
            from_ms, before_ms = at_ms - length * MINUTE_MS - offset_ms, at_ms + 1
            whole = series.between(from_ms, before_ms)

            inside = [traded for traded_ms, traded in trades if traded_ms // MINUTE_MS * MINUTE_MS >= from_ms]
            assert (whole.volume if whole else 0) == sum(inside)


def test_history_and_live_trades_join_within_one_hour():
    series, _ = traded([(0, Decimal(7), Decimal(3), True)], history=minutes(5, 6))

    (hour,) = series.select("1h")

    assert (hour.open, hour.high, hour.low, hour.close) == (5, 7, 5, 7)
    assert (hour.volume, hour.trades) == (5, 25)
    assert hour.quote_volume == 5 + 6 + 21


def test_an_untraded_minute_is_flat_until_its_first_trade_sets_all_prices():
    series, _ = traded([], history=minutes(5))
    series.open_at(START_MS + MINUTE_MS, Decimal(5))

    (flat,) = series.select("1m", limit=1)
    assert (flat.open, flat.high, flat.low, flat.close, flat.volume, flat.trades) == (5, 5, 5, 5, 0, 0)
    assert (flat.first_trade_id, flat.last_trade_id) == (-1, -1)

    series.add_trade(START_MS + MINUTE_MS + 1, Decimal(4), Decimal(1), Side.SELL, 9)
    (now,) = series.select("1m", limit=1)
    assert (now.open, now.high, now.low, now.close) == (4, 4, 4, 4)
    assert (now.taker_buy_base, now.first_trade_id, now.last_trade_id) == (0, 9, 9)


def test_a_candle_that_has_begun_is_not_begun_again():
    series, _ = traded([], history=minutes(5, 6))

    series.open_at(START_MS, Decimal(9))

    assert [kline.close for kline in series.select("1m")] == [5, 6]


def test_what_was_given_out_does_not_change_with_later_trades():
    series, _ = traded([(0, Decimal(5), Decimal(1), True)])
    (before,) = series.select("1m")

    series.add_trade(START_MS + 1, Decimal(9), Decimal(1), Side.BUY, 2)

    assert before.high == 5


def test_a_shorter_interval_than_the_kept_one_gives_nothing():
    coarse = series_of("30m", [candle(START_MS, "5 5 5 5", interval="30m")])

    assert (coarse.has("1m"), coarse.select("1m")) == (False, [])
    assert coarse.has("1M")
    assert len(coarse.select("1M")) == 1


def test_an_unknown_interval_raises():
    with pytest.raises(KeyError):
        traded([])[0].select("7m")


def test_a_time_zone_moves_the_boundary_of_the_day():
    series = series_of("1h", [candle(START_MS + hour * HOUR_MS, "5 5 5 5", "1", "1h") for hour in range(24)])

    days = series.select("1d", zone_ms=8 * HOUR_MS)

    assert [day.open_time_ms - START_MS for day in days] == [-8 * HOUR_MS, 16 * HOUR_MS]
    assert [day.volume for day in days] == [16, 8]


def test_a_history_that_is_coarser_further_back_is_seen_at_its_own_interval_and_at_longer_ones():
    days = [candle(START_MS - 2 * DAY_MS + day * DAY_MS, "5 9 1 5", "24", "1d") for day in range(2)]
    hours = [candle(START_MS + hour * HOUR_MS, "5 6 4 5", "1", "1h") for hour in range(3)]
    fives = [candle(START_MS + 3 * HOUR_MS + n * INTERVAL_MS["5m"], "5 5 5 5", "0.25", "5m") for n in range(2)]
    last = candle(START_MS + 3 * HOUR_MS + 10 * MINUTE_MS, "5 7 5 7", "1.5")

    series = series_of("1m", [*days, *hours, *fives, last])

    assert [kline.volume for kline in series.select("1m")] == [Decimal("1.5")]
    assert [kline.volume for kline in series.select("15m")] == [2]
    assert [kline.volume for kline in series.select("1h")] == [1, 1, 1, 2]
    assert [kline.volume for kline in series.select("1d")] == [24, 24, 5]
    assert [(kline.high, kline.low, kline.close) for kline in series.select("1M")] == [(9, 1, 7)]


@pytest.fixture(scope="module")
def long_series() -> KlineSeries:
    """Ten days of minutes, one trade each, of which the oldest are forgotten."""
    series = series_of("1m")
    for minute in range(10 * 1_440):
        series.add_trade(START_MS + minute * MINUTE_MS, Decimal(minute + 1), Decimal(1), Side.BUY, minute + 1)
    return series


def test_minutes_are_kept_for_a_week_at_least_and_hours_and_days_for_longer(long_series):
    oldest = long_series.select("1m", start_ms=0, limit=1)[0]
    assert START_MS + DAY_MS < oldest.open_time_ms <= START_MS + 3 * DAY_MS
    assert [hour.volume for hour in long_series.select("1h", start_ms=0, limit=10_000)] == [60] * 240
    assert [day.close for day in long_series.select("1d", start_ms=0)] == [day * 1_440 for day in range(1, 11)]


def test_no_kline_is_shown_of_which_a_part_is_forgotten(long_series):
    assert all(kline.volume == 3 for kline in long_series.select("3m", start_ms=0, limit=10_000)[:-1])
    days = long_series.select("1d", start_ms=0, zone_ms=344 * MINUTE_MS)
    assert all(day.volume == 1_440 for day in days[:-1])
    assert days[0].open_time_ms > START_MS + DAY_MS


def test_the_first_day_is_shown_though_the_market_begins_within_it(long_series):
    days = long_series.select("1d", start_ms=0, zone_ms=8 * HOUR_MS)
    assert [days[0].volume, days[-1].volume] == [16 * 60, 8 * 60]


def test_a_volume_beyond_64_bits_is_kept_exactly():
    series, _ = traded([(minute, Decimal("0.00000001"), Decimal(10**15), True) for minute in range(3)])

    (hour,) = series.select("1h")

    assert hour.volume == 3 * 10**15
    assert hour.quote_volume == 3 * 10**7
    assert series.select("1m", limit=1)[0].volume == INTERVAL_MS["1s"] * 10**12


def test_volumes_of_the_history_beyond_64_bits_are_kept_exactly():
    volume = 3 * 10**11
    series = series_of("1m", [candle(START_MS + n * MINUTE_MS, "5 6 4 5", str(volume)) for n in range(3)])

    (hour,) = series.select("1h")

    assert (hour.volume, hour.quote_volume, hour.taker_buy_base) == (3 * volume, 15 * volume, Decimal(3 * volume) / 2)
