"""A sentence that is made when somebody reads it is, for everybody who does, the sentence."""

import pickle
from decimal import Decimal

import pytest

from binance_trade_agent.domain.values import replace
from binance_trade_agent.domain.words import OptionalText, Rounded, Text, Worded, words_of


class Said(Worded, frozen=True):
    who: str
    what: Text
    how_much: Rounded = None
    why: OptionalText = None


@pytest.fixture
def made():
    """What was made so far."""
    return []


@pytest.fixture
def spoken(made):
    def make() -> str:
        made.append("4 of 5")
        return "4 of 5"

    return Said("bta", (make,))


def test_it_is_made_when_it_is_read(spoken, made):
    assert replace(spoken, who="atb").who == "atb"
    assert made == []
    assert spoken.what == "4 of 5"
    assert made == ["4 of 5"]


def test_a_number_is_read_to_8_decimals_without_trailing_zeros():
    numbers = [Decimal(10) / 3, Decimal("0.500"), 300, Decimal("Infinity"), None]
    read = [Said("bta", "", number).how_much for number in numbers]
    assert [None if number is None else str(number) for number in read] == [
        "3.33333333",
        "0.5",
        "300",
        "Infinity",
        None,
    ]


def test_its_value_is_that_of_the_text(spoken):
    told = Said("bta", "4 of 5")
    assert (spoken == told, told == spoken, spoken != told, spoken == Said("bta", "5 of 5")) == (
        True,
        True,
        False,
        False,
    )
    assert hash(spoken) == hash(told)
    assert repr(spoken) == repr(told) == "Said(who='bta', what='4 of 5', how_much=None, why=None)"


def test_words_are_handed_on_without_being_made(spoken, made):
    handed_on = Said("atb", words_of(spoken, "what"), why=words_of(spoken, "what"))
    assert made == []
    assert (handed_on.what, handed_on.why) == ("4 of 5", "4 of 5")
    assert made == ["4 of 5", "4 of 5"]


def test_to_another_process_goes_the_text(spoken):
    assert pickle.loads(pickle.dumps(spoken)) == Said("bta", "4 of 5")  # the function itself cannot be pickled


def test_what_making_it_raises_comes_out_where_it_is_read():
    said = Said("bta", (lambda number: f"{1 / number}", 0))
    with pytest.raises(ZeroDivisionError):
        _ = said.what


def test_a_value_never_changes(spoken):
    with pytest.raises(AttributeError):
        spoken.what = "5 of 5"
