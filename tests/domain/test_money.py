import re
from decimal import ROUND_DOWN, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.money import floor_to_step, is_multiple, parse_amount, plain
from tests.domain.strategies import STEPS, amounts


@pytest.mark.parametrize("text", ["", " ", "abc", "1,5", "NaN", "sNaN", "Infinity", "-inf", "1.2.3", "0x10"])
def test_text_that_is_no_finite_number_is_refused_and_named(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_amount(text)


def test_binary_fractions_stay_exact():
    assert parse_amount("0.1") + parse_amount("0.2") == parse_amount("0.3")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E-8", "0.00000001"),
        ("1e3", "1000"),
        ("100", "100"),
        ("100.50", "100.5"),
        ("66120.10000000", "66120.1"),
        ("-0.000", "0"),
        ("0E-8", "0"),
        ("-1.50", "-1.5"),
    ],
)
def test_plain_notation_has_no_exponent_and_no_trailing_zeros(value, text):
    assert plain(Decimal(value)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e15"), max_value=Decimal("1e15")))
def test_plain_notation_reads_back_as_the_same_amount(value):
    text = plain(value)
    assert re.fullmatch(r"-?\d+(\.\d*[1-9])?", text)
    assert parse_amount(text) == value


@given(amounts(most="9000000000"), STEPS)
def test_floor_is_the_largest_multiple_that_is_not_above(value, step):
    floored = floor_to_step(value, step)
    assert is_multiple(floored, step)
    assert floored <= value < floored + step


@given(amounts(), STEPS)
def test_a_floored_amount_stays_where_it_is(value, step):
    floored = floor_to_step(value, step)
    assert floor_to_step(floored, step) == floored


@given(amounts())
def test_zero_step_allows_every_amount(value):
    assert floor_to_step(value, Decimal(0)) == value
    assert is_multiple(value, Decimal(0))


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [("0.00151999", "0.00001", "0.00151"), ("0.3", "0.1", "0.3"), ("7.4", "2.5", "5"), ("0.09", "0.1", "0")],
)
def test_floor_by_example(value, step, expected):
    assert floor_to_step(Decimal(value), Decimal(step)) == Decimal(expected)


def test_many_digits_do_not_round_up():
    almost = Decimal("999999999999999999.99999999999999999999")
    assert floor_to_step(almost, Decimal(1)) == Decimal(999999999999999999)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=Decimal("1e20")),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=Decimal("1e6"), places=10),
    st.sampled_from([5, 28, 100]),
)
def test_floor_is_that_of_sixty_digits_whatever_digits_the_thread_has(value, step, digits):
    with localcontext(prec=60):
        expected = (value / step).to_integral_value(ROUND_DOWN) * step if step else value
    with localcontext(prec=digits):
        assert floor_to_step(value, step) == expected
