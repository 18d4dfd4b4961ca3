"""A sentence that is made when somebody reads it is, for everybody who does, the sentence."""

import pickle

import pytest

from binance_trade_agent.domain.values import replace
from binance_trade_agent.domain.words import Text, Worded, Words


class Said(Worded, frozen=True):
    who: str
    what: Text


@pytest.fixture
def made():
    """What was made so far."""
    return []


@pytest.fixture
def said(made):
    def make() -> str:
        made.append("4 of 5")
        return "4 of 5"

    return Said("bta", Words(make))


def test_it_is_made_when_it_is_read_and_once(said, made):
    assert replace(said, who="atb").who == "atb"
    assert made == []
    assert (said.what, said.what) == ("4 of 5", "4 of 5")
    assert type(said.what) is str
    assert made == ["4 of 5"]


def test_its_value_is_that_of_the_text(said):
    told = Said("bta", "4 of 5")
    assert (said == told, told == said, said != Said("bta", "5 of 5")) == (True, True, True)
    assert hash(said) == hash(told)
    assert repr(said) == repr(told) == "Said(who='bta', what='4 of 5')"


def test_to_another_process_goes_the_text(said):
    assert pickle.loads(pickle.dumps(said)) == Said("bta", "4 of 5")  # the function itself cannot be pickled


def test_what_making_it_raises_comes_out_where_it_is_read():
    said = Said("bta", Words(lambda: f"{1 / 0}"))
    with pytest.raises(ZeroDivisionError):
        _ = said.what


def test_a_value_never_changes(said):
    with pytest.raises(AttributeError):
        said.what = "5 of 5"
