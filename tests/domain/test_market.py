"""What a market order would pay for what the order book holds."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.market import average_fill_price

ASKS = ((Decimal(100), Decimal(1)), (Decimal(101), Decimal(2)), (Decimal(110), Decimal(1)))


@pytest.mark.parametrize(
    ("quantity", "average"),
    [
        ("0.5", "100"),
        ("1", "100"),
        ("2", "100.5"),
        ("3", "100.6666666666666666666666667"),
        ("4", "103"),
    ],
)
def test_order_pays_the_average_of_the_levels_that_it_eats(quantity, average):
    assert average_fill_price(ASKS, Decimal(quantity)) == Decimal(average)


@pytest.mark.parametrize(("levels", "quantity"), [(ASKS, "4.00001"), ((), "1")])
def test_levels_that_do_not_hold_enough_have_no_price(levels, quantity):
    assert average_fill_price(levels, Decimal(quantity)) is None


AMOUNTS = st.decimals(min_value=Decimal("0.01"), max_value=1000, places=2)


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=1, max_size=5), AMOUNTS, AMOUNTS)
def test_more_never_costs_less_each_and_never_leaves_the_levels(levels, one, other):
    asks = sorted(levels)
    less, more = sorted([one, other])
    cheap, dear = average_fill_price(asks, less), average_fill_price(asks, more)
    if dear is None:
        assert more > sum(quantity for _, quantity in asks)
        return
    # The quotient is rounded to 28 digits.
    rounding = Decimal("1e-20")
    assert asks[0][0] - rounding <= cheap <= dear + rounding
    assert dear <= asks[-1][0] + rounding
