from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.simulator.market.columns import Columns, from_units, to_units

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
