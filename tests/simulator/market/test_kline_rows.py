import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.simulator.market.kline_rows import KlineRow, KlineRows
from binance_trade_agent.simulator.market.whole_numbers import column_of
from tests.simulator.market.candles import MINUTE_MS, START_MS

EVER_MS = START_MS + 10**13
ALL_COLUMNS = len(KlineRow._fields)

amounts = st.one_of(st.integers(0, 10**12), st.integers(0, 10**22))
klines = st.tuples(st.integers(1, 4_000), *[amounts] * 6, st.integers(0, 99), amounts, amounts, st.integers(-1, 10**6))


@given(st.lists(klines, max_size=40), st.sampled_from(["1m", "5m", "1h", "1d", "1w"]), st.integers(1, 30))
def test_klines_taken_in_at_once_are_the_same_as_one_by_one(rows, interval, most):
    at_ms, history = START_MS, []
    for minutes, *values in rows:
        at_ms += minutes * MINUTE_MS
        history.append(KlineRow(at_ms, *values))
    one_by_one, at_once = KlineRows(interval, most), KlineRows(interval, most)

    for row in history:
        one_by_one.add(row)
    at_once.begin_with([column_of([row[index] for row in history]) for index in range(ALL_COLUMNS)])

    opens = list(at_once.opens)
    assert opens == list(one_by_one.opens)
    for open_ms in opens:
        next_ms = open_ms + INTERVAL_MS[interval]
        assert at_once.between(open_ms, next_ms) == one_by_one.between(open_ms, next_ms)
    assert at_once.has_forgotten == one_by_one.has_forgotten


@pytest.mark.parametrize("interval", ["1m", "1w"])
def test_rows_go_on_after_a_beginning_without_klines(interval):
    rows = KlineRows(interval, 10)
    rows.begin_with([column_of([])] * ALL_COLUMNS)

    rows.add(KlineRow(START_MS, 5, 6, 4, 5, 1, 5, 1, 0, 0, 1))

    whole = rows.between(0, EVER_MS)
    assert whole is not None
    assert (whole.open_time_ms, whole.volume) == (START_MS, 1)
