from decimal import Decimal
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.market.klines import KlineSeries
from binance_trade_agent.simulator.market.tape import TRADES_KEPT, Tape
from tests.simulator.market.candles import MINUTE_MS, START_MS, series_of

SYMBOL = "BTCUSDT"
SECOND_MS = 1_000

# Wait, price, quantity, side and taker's order: few values each, so that neighbours are often alike.
steps = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 900, 61_000]),
        st.integers(1, 3),
        st.integers(1, 10**9),
        st.sampled_from(Side),
        st.sampled_from([None, 1, 2]),
    ),
    min_size=1,
    max_size=30,
)


def trades_of(rows) -> list[PublicTrade]:
    at_ms, trades = START_MS, []
    for trade_id, (wait_ms, price, units, side, taker_order_id) in enumerate(rows, start=500):
        at_ms += wait_ms
        quantity = Decimal(units).scaleb(-8)
        trades.append(PublicTrade(trade_id, SYMBOL, Decimal(price), quantity, side, at_ms, taker_order_id))
    return trades


def taped(trades) -> Tape:
    tape = Tape(SYMBOL)
    for trade in trades:
        tape.add(trade)
    return tape


def one_by_one(count: int, *, wait_ms: int = 0) -> list[PublicTrade]:
    return [
        PublicTrade(number, SYMBOL, Decimal(number), Decimal(1), Side.BUY, START_MS + number * wait_ms)
        for number in range(1, count + 1)
    ]


@given(steps)
def test_trades_come_back_as_they_went_in(rows):
    trades = trades_of(rows)

    assert taped(trades).recent(1_000) == trades
    assert taped(trades).recent(2) == trades[-2:]


@given(steps)
def test_aggregates_sum_to_the_trades_one_for_each_taker_order_price_and_time(rows):
    trades = trades_of(rows)

    aggregates = taped(trades).aggregates(limit=1_000)

    groups = []
    for key, group in groupby(trades, lambda trade: (trade.taker_order_id, trade.taker_side, trade.price, trade.at_ms)):
        inside = list(group)
        groups.extend([inside] if key[0] is not None else [[trade] for trade in inside])
    assert [aggregate.aggregate_id for aggregate in aggregates] == list(range(500, 500 + len(groups)))
    for aggregate, inside in zip(aggregates, groups, strict=True):
        assert aggregate.quantity == sum(trade.quantity for trade in inside)
        assert (aggregate.first_trade_id, aggregate.last_trade_id) == (inside[0].trade_id, inside[-1].trade_id)
        assert (aggregate.price, aggregate.taker_side, aggregate.at_ms) == (
            inside[0].price,
            inside[0].taker_side,
            inside[0].at_ms,
        )


@given(steps, st.integers(490, 540), st.integers(-1, 200_000), st.integers(-1, 200_000), st.integers(1, 9))
def test_aggregates_are_selected_by_id_or_by_time_and_limited(rows, from_id, start, end, limit):
    tape = taped(trades_of(rows))
    everything = tape.aggregates(limit=1_000)
    start_ms, end_ms = START_MS + start, START_MS + end

    by_id = [aggregate for aggregate in everything if aggregate.aggregate_id >= from_id]
    by_time = [aggregate for aggregate in everything if start_ms <= aggregate.at_ms <= end_ms]
    until = [aggregate for aggregate in everything if aggregate.at_ms <= end_ms]
    assert tape.aggregates(from_id=from_id, limit=limit) == by_id[:limit]
    assert tape.aggregates(start_ms=start_ms, end_ms=end_ms, limit=limit) == by_time[:limit]
    assert tape.aggregates(end_ms=end_ms, limit=limit) == until[-limit:]
    assert tape.aggregates(limit=limit) == everything[-limit:]


def test_thousands_of_trades_are_kept_and_no_more():
    tape = taped(one_by_one(20_000))

    kept = tape.recent(100_000)

    assert TRADES_KEPT <= len(kept) <= TRADES_KEPT * 9 // 8 + 1
    assert kept[-1].trade_id == 20_000
    assert tape.next_aggregate_id == 20_001


def test_before_the_first_trade_there_is_nothing():
    tape = Tape(SYMBOL)

    assert (tape.recent(10), tape.aggregates(limit=10), tape.next_aggregate_id) == ([], [], 1)
    series = series_of("1m")
    assert tape.klines(series, "1s", START_MS, start_ms=None, end_ms=None, limit=10, zone_ms=0) == []


def seconds(tape: Tape, series: KlineSeries, now_ms: int, **selection):
    wanted = {"start_ms": None, "end_ms": None, "limit": 1_000, "zone_ms": 0, **selection}
    return tape.klines(series, "1s", now_ms, **wanted)


def opened_series(*open_minutes: int) -> KlineSeries:
    series = series_of("1m")
    for minute in open_minutes:
        series.open_at(START_MS + minute * MINUTE_MS, Decimal(1))
    return series


def test_seconds_hold_their_trades_and_are_flat_without():
    trades = one_by_one(3, wait_ms=1_500)  # at 1.5 s, 3 s and 4.5 s
    klines = seconds(taped(trades), opened_series(0), START_MS + 5_999)

    assert [(kline.open_time_ms - START_MS) // SECOND_MS for kline in klines] == [1, 2, 3, 4, 5]
    assert [kline.close for kline in klines] == [1, 1, 2, 3, 3]
    assert [kline.trades for kline in klines] == [1, 0, 1, 1, 0]
    assert all(kline.close_time_ms == kline.open_time_ms + 999 for kline in klines)


def test_seconds_are_selected_like_all_klines():
    tape, series = taped(one_by_one(3, wait_ms=1_500)), opened_series(0)

    def numbers(**selection) -> list[int]:
        klines = seconds(tape, series, START_MS + 5_999, **selection)
        return [(kline.open_time_ms - START_MS) // SECOND_MS for kline in klines]

    assert numbers(limit=2) == [4, 5]
    assert numbers(start_ms=0, limit=2) == [1, 2]
    assert numbers(start_ms=START_MS + 2_001, end_ms=START_MS + 4_000) == [3, 4]
    assert numbers(end_ms=START_MS + 3_999, limit=2) == [2, 3]
    assert numbers(start_ms=START_MS + 60_000) == []


def test_a_gap_of_the_market_stays_a_gap_of_its_seconds():
    trades = [
        PublicTrade(1, SYMBOL, Decimal(1), Decimal(1), Side.BUY, START_MS + 58_000),
        PublicTrade(2, SYMBOL, Decimal(2), Decimal(1), Side.BUY, START_MS + 10**9 * 60 + 1_000),
    ]
    series, now_ms = opened_series(0, 10**6), START_MS + 10**9 * 60 + 1_500

    for selection in ({}, {"start_ms": 0}):
        klines = seconds(taped(trades), series, now_ms, **selection)
        assert [kline.open_time_ms - START_MS for kline in klines] == [58_000, 59_000, 60 * 10**9, 60 * 10**9 + 1_000]
        assert [kline.close for kline in klines] == [1, 1, 1, 2]


def test_the_oldest_second_is_left_out_when_a_part_of_it_is_forgotten():
    tape = taped(one_by_one(12_000, wait_ms=7))
    klines = seconds(tape, opened_series(0, 1), START_MS + 84_000, start_ms=0)

    first = tape.recent(100_000)[0]
    assert klines[0].open_time_ms > first.at_ms - SECOND_MS
    assert klines[0].open_time_ms % SECOND_MS == 0
    assert sum(kline.trades for kline in klines) == sum(
        trade.at_ms >= klines[0].open_time_ms for trade in tape.recent(100_000)
    )
