"""What is looked for, and which of two sets is better."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.backtest.optimize.goals import GOALS, dominates, goals_named, pareto_front, scores
from binance_trade_agent.backtest.optimize.model import OptimizeError, Outcome

small = st.integers(0, 4).map(float)
points = st.lists(st.tuples(small, small), min_size=1, max_size=30)


def test_an_unknown_goal_is_refused_with_the_nearest_name():
    with pytest.raises(OptimizeError) as refused:
        goals_named(["sharp"])
    assert str(refused.value).startswith("--goal sharp is unknown, did you mean sharpe? There are: sharpe, sortino, ")


def test_a_goal_is_named_once():
    with pytest.raises(OptimizeError, match=r"^--goal sharpe is given twice\.$"):
        goals_named(["sharpe", "drawdown", "sharpe"])


def test_more_is_better_and_less_drawdown_is():
    outcome = Outcome({"sharpe": 1.5, "drawdown": 12.0}, 40)
    assert scores(goals_named(["sharpe", "drawdown"]), outcome, 10) == (1.5, -12.0)


@pytest.mark.parametrize(
    ("outcome", "because"),
    [
        (Outcome({"sharpe": 9.0}, 9), "too few trades"),
        (Outcome({"sharpe": None}, 40), "no Sharpe ratio"),
        (Outcome({}, 0, None, "refused"), "not run"),
    ],
)
def test_an_outcome_without_trades_or_without_a_number_is_worthless(outcome, because):
    assert scores(goals_named(["sharpe"]), outcome, 10) is None, because


def test_numbers_are_shown_with_their_unit():
    assert GOALS["drawdown"].text(3.456) == "3.46 %"
    assert GOALS["trades"].text(12.0) == "12"
    assert GOALS["sharpe"].text(None) == "-"


@given(points)
def test_the_front_is_what_nothing_dominates_and_dominates_or_equals_all_else(found):
    front = pareto_front(found)
    best = [found[number] for number in front]
    assert len(set(best)) == len(best)
    assert not any(dominates(left, right) for left in best for right in best)
    assert all(any(point == each or dominates(each, point) for each in best) for point in found)


@given(st.lists(small, min_size=1, max_size=30))
def test_with_one_goal_the_front_is_the_first_of_the_best(found):
    assert pareto_front([(value,) for value in found]) == [found.index(max(found))]
