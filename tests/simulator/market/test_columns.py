from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.simulator.market.columns import Columns, from_units, to_units
from binance_trade_agent.simulator.market.whole_numbers import column_of

rows = st.lists(st.tuples(st.integers(), st.integers(-(10**20), 10**20), st.integers(0, 9)), max_size=60)


@given(st.decimals(0, 10**12, places=8))
def test_amounts_of_eight_decimals_come_back_exactly(amount):
    assert from_units(to_units(amount)) == amount


def test_a_ninth_decimal_is_rounded():
    assert to_units(Decimal("0.000000016")) == 2


@given(rows, st.integers(1, 20))
def test_the_newest_rows_are_kept_whatever_their_size(appended, most):
    table = Columns(3, most)
    for row in appended:
        table.append(row)

    kept = [tuple(table.row(index)) for index in range(len(table))]
    assert kept == appended[len(appended) - len(kept) :]
    assert len(kept) >= min(most, len(appended))
    assert len(kept) <= most + most // 8 + 1
    assert table.has_forgotten == (len(kept) < len(appended))


@given(rows.filter(bool), st.tuples(st.integers(), st.integers(), st.integers()))
def test_the_newest_row_can_be_replaced_by_any_other(appended, last):
    table = Columns(3, 100)
    for row in appended:
        table.append(row)

    table.replace_last(last)

    assert [tuple(table.row(index)) for index in range(len(table))] == [*appended[:-1], last]


@given(rows, rows, st.integers(1, 20))
def test_rows_added_at_once_are_the_same_as_rows_added_one_by_one(first, later, most):
    one_by_one, at_once = Columns(3, most), Columns(3, most)
    for table in (one_by_one, at_once):
        for row in first:
            table.append(row)

    for row in later:
        one_by_one.append(row)
    at_once.extend([column_of([row[index] for row in later]) for index in range(3)])

    assert [list(column) for column in at_once] == [list(column) for column in one_by_one]
    assert at_once.has_forgotten == one_by_one.has_forgotten
