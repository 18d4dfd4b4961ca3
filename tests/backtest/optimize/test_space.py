"""Which sets of parameters there are: from --space, or from the strategy's own bounds."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.backtest.optimize.model import OptimizeError
from binance_trade_agent.backtest.optimize.space import Parameter, space_of
from binance_trade_agent.strategies.registry import create_strategy, strategy_names


def values(strategy, *texts, grid=False):
    return {parameter.name: parameter.values for parameter in space_of(strategy, {}, texts, grid=grid).parameters}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rsi_period=5:8", ("5", "6", "7", "8")),
        ("rsi_period=5:30:10", ("5", "15", "25")),
        ("rsi_oversold=20:40:5", ("20", "25", "30", "35", "40")),
        ("rsi_oversold=20:21:0.25", ("20", "20.25", "20.5", "20.75", "21")),
        ("rsi_period=21, 7,14,7", ("7", "14", "21")),
        (" rsi_period = 9 ", ("9",)),
    ],
)
def test_a_range_is_its_values_in_order(text, expected):
    (found,) = values("rsi_momentum", text).values()
    assert found == expected


def test_decimals_without_a_step_have_one_that_reads_well():
    found = values("rsi_momentum", "rsi_oversold=20:40")["rsi_oversold"]
    assert (found[0], found[1], found[-1], len(found)) == ("20", "20.1", "40", 201)


def test_a_set_is_a_value_of_each_parameter_and_a_grid_is_all_of_them():
    space = space_of("rsi_momentum", {}, ["rsi_period=5,7", "rsi_oversold=20:30:5"], grid=True)
    every = list(space.every())
    assert (space.size, len(every)) == (6, 6)
    assert every[0] == {"rsi_period": "5", "rsi_oversold": "20"} == space.params([0, 0])
    assert every[-1] == {"rsi_period": "7", "rsi_oversold": "30"} == space.params([1, 2])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "rsi_periods=5:8",
            "--space rsi_periods is not a parameter of rsi_momentum, did you mean rsi_period? It has: ",
        ),
        ("rsi_period", "--space 'rsi_period' is not of the form name=low:high, name=low:high:step or name=a,b,c."),
        ("rsi_period=1:8", "--space rsi_period=1:8: 1 is outside what rsi_period may be, 2 to 70."),
        ("rsi_period=5,71", "--space rsi_period=5,71: 71 is outside what rsi_period may be, 2 to 70."),
        ("rsi_period=9:5", "--space rsi_period=9:5: 9 is above 5."),
        ("rsi_period=5:9:0.5", "--space rsi_period=5:9:0.5: 0.5 is not a whole number."),
        ("rsi_period=5:9:0", "--space rsi_period=5:9:0: the step 0 is not above 0."),
        ("rsi_period=5:9:2:1", "--space rsi_period=5:9:2:1 has more than a low end, a high end and a step."),
        ("rsi_period=5:x", "--space rsi_period=5:x: 'x' is not a number."),
        ("rsi_oversold=1:99:0.001", "--space rsi_oversold=1:99:0.001 has 98,001 values: it may have 10,000."),
        (
            "rsi_oversold=20:40",
            "--space rsi_oversold=20:40 needs a step for a grid, such as rsi_oversold=20:40:1.",
        ),
    ],
)
def test_a_range_that_is_none_is_refused_with_a_sentence(text, sentence):
    with pytest.raises(OptimizeError) as refused:
        space_of("rsi_momentum", {}, [text], grid=True)
    assert str(refused.value).startswith(sentence)


def test_a_parameter_is_searched_once():
    with pytest.raises(OptimizeError, match=r"^--space rsi_period is given twice: put its values into one\.$"):
        space_of("rsi_momentum", {}, ["rsi_period=5", "rsi_period=6"], grid=False)


def test_an_unknown_strategy_is_refused_with_the_nearest_name():
    with pytest.raises(OptimizeError, match="'rsi_momentom' is not a strategy, did you mean rsi_momentum"):
        space_of("rsi_momentom", {}, [], grid=False)


def test_a_value_that_holds_for_one_symbol_would_win_over_the_search():
    fixed = {"BTCUSDT.rsi_period": "9"}
    assert space_of("rsi_momentum", fixed, ["rsi_oversold=20,30"], grid=True).size == 2
    with pytest.raises(OptimizeError, match=r"BTCUSDT\.rsi_period=9 holds for that symbol whatever is searched"):
        space_of("rsi_momentum", fixed, ["rsi_period=5:8"], grid=True)


def test_a_set_that_the_strategy_refuses_says_why():
    space = space_of("ema_crossover", {"ema_slow": "20"}, ["ema_fast=10,30"], grid=True)
    assert [space.refusal(params) is None for params in space.every()] == [True, False]
    assert "ema_fast is 30" in space.refusal({"ema_fast": "30"})


@pytest.mark.parametrize("strategy", strategy_names(None))
@pytest.mark.parametrize("grid", [False, True])
def test_without_a_space_every_value_is_within_the_bounds_around_the_default(strategy, grid):
    made = create_strategy(strategy, {}, None)
    for parameter in space_of(strategy, {}, [], grid=grid).parameters:
        numbers = [Decimal(value) for value in parameter.values]
        assert numbers == sorted(set(numbers))
        assert parameter.least <= numbers[0] <= Decimal(str(getattr(made.params, parameter.name))) <= numbers[-1]
        assert numbers[-1] <= parameter.most
        assert len(numbers) <= (5 if grid else 1500)


def test_the_usual_ranges_are_half_to_one_and_a_half_times_the_default():
    found = values("rsi_momentum", grid=True)
    assert found["rsi_period"] == ("7", "11", "14", "18", "21")
    assert found["rsi_oversold"] == ("15", "22.5", "30", "37.5", "45")
    assert values("mean_reversion_zscore")["zscore_exit"][0] == "-1.25"  # its default is 0: a quarter of -5 to 6
    assert "ema_weight" not in values("combined_default")  # its default is 0, the least: switched off


@given(st.integers(3, 40), st.integers(3, 40))
def test_the_edge_is_where_the_space_ends_and_the_strategy_does_not(low, length):
    parameter = Parameter("rsi_period", tuple(map(str, range(low, low + length))), Decimal(3), Decimal(79))
    edges = [value for value in parameter.values if parameter.at_edge(value)]
    assert edges == [str(low)] * (low > 3) + [str(low + length - 1)] * (low + length - 1 < 79)
