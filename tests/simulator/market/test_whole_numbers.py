import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.simulator.market.whole_numbers import column_of, scaled, sums

amounts = st.lists(st.one_of(st.integers(0, 10**6), st.integers(0, 2**63), st.integers(0, 10**25)), max_size=30)


@given(amounts)
def test_a_column_is_as_narrow_as_its_numbers_allow(values):
    column = column_of(values)

    assert column.tolist() == values
    assert (column.dtype == np.int64) == all(value < 2**63 for value in values)


@given(amounts, st.integers(1, 10**10))
def test_products_are_exact_at_any_size(values, factor):
    assert scaled(column_of(values), factor).tolist() == [value * factor for value in values]


@given(amounts.filter(bool), st.sets(st.integers(1, 29)))
def test_sums_are_exact_at_any_size(values, places):
    starts = [0, *sorted(place for place in places if place < len(values))]

    totals = sums(column_of(values), np.array(starts))

    ends = [*starts[1:], len(values)]
    assert totals.tolist() == [sum(values[first:end]) for first, end in zip(starts, ends, strict=True)]
