"""Strategies by name: what is refused and how, presets, and what importing costs."""

import subprocess
import sys

import pytest

from binance_trade_agent.strategies.registry import (
    BadStrategyParams,
    UnknownStrategy,
    create_strategy,
    describe,
    parse_params,
    strategy_names,
)

NAMES = {
    *("rsi_momentum", "macd_crossover", "bollinger_bands", "combined_default"),
    *("ema_crossover", "supertrend", "donchian_breakout", "mean_reversion_zscore"),
    *("rsi_default", "rsi_aggressive", "rsi_conservative", "macd_default"),
    *("ema_aggressive", "ema_golden_cross", "supertrend_aggressive", "donchian_turtle", "zscore_conservative"),
}


def test_every_promised_name_makes_a_strategy_of_that_name():
    assert set(strategy_names()) == NAMES
    assert {create_strategy(name).name for name in NAMES} == NAMES


@pytest.mark.parametrize(
    ("preset", "params"),
    [
        ("rsi_default", (14, 30, 70)),
        ("rsi_aggressive", (7, 35, 65)),
        ("rsi_conservative", (21, 25, 75)),
    ],
)
def test_a_preset_fixes_parameters(preset, params):
    made = create_strategy(preset).params
    assert (made.rsi_period, made.rsi_oversold, made.rsi_overbought) == params


def test_given_parameters_win_over_the_presets():
    made = create_strategy("rsi_aggressive", {"rsi_period": "9"}).params
    assert (made.rsi_period, made.rsi_oversold) == (9, 35)


def test_an_unknown_strategy_is_refused_with_the_nearest_and_the_list():
    with pytest.raises(UnknownStrategy, match="'rsi_momentun' is not a strategy, did you mean rsi_momentum\\?") as info:
        create_strategy("rsi_momentun")
    assert all(name in str(info.value) for name in NAMES)


@pytest.mark.parametrize(
    ("name", "params", "sentence"),
    [
        ("rsi_default", {"rsi_perod": 3}, "rsi_perod is not a parameter of rsi_default, did you mean rsi_period?"),
        ("rsi_default", {"zzz": 3}, "zzz is not a parameter of rsi_default. It has: rsi_period"),
        ("rsi_default", {"rsi_period": "1"}, "rsi_period is 1: it must be a whole number from 2 to 70"),
        ("rsi_default", {"rsi_period": "many"}, "rsi_period is many: it must be a whole number from 2 to 70"),
        ("rsi_default", {"rsi_period": 10.5}, "rsi_period is 10.5: it must be a whole number from 2 to 70"),
        ("rsi_default", {"rsi_oversold": "nan"}, "rsi_oversold is nan: it must be a number from 1 to 99"),
        ("rsi_default", {"rsi_oversold": 80}, "rsi_oversold is 80: it must be below rsi_overbought, 70"),
        ("macd_default", {"macd_fast": 26}, "macd_fast is 26: it must be below macd_slow, 26"),
        ("bollinger_bands", {"bollinger_width": 0}, "bollinger_width is 0: it must be a number from 0.1 to 10"),
        ("combined_default", {"rsi_weight": -1}, "rsi_weight is -1: it must be a number from 0 to 100"),
        (
            "combined_default",
            {"rsi_weight": 0, "macd_weight": 0, "bollinger_weight": 0},
            "rsi_weight, macd_weight, bollinger_weight, ema_weight, supertrend_weight, donchian_weight and zscore_weight",
        ),
    ],
)
def test_a_bad_parameter_is_one_sentence(name, params, sentence):
    with pytest.raises(BadStrategyParams) as info:
        create_strategy(name, params)
    assert str(info.value).startswith(sentence)
    assert "\n" not in str(info.value)


def test_parameters_are_read_from_their_text_form():
    assert parse_params(" rsi_period=10, rsi_oversold = 25 ,") == {"rsi_period": "10", "rsi_oversold": "25"}
    assert parse_params("") == {}


@pytest.mark.parametrize("text", ["rsi_period", "rsi_period=", "=10", "rsi_period=1,rsi_period=2"])
def test_text_that_is_not_parameters_is_refused(text):
    with pytest.raises(BadStrategyParams):
        parse_params(text)


def test_a_description_names_each_parameter_with_its_default_bounds_and_meaning():
    described = {entry.name: entry for entry in describe()}
    assert list(described) == strategy_names()
    period = described["rsi_aggressive"].parameters[0]
    assert (period.name, period.default, period.minimum, period.maximum) == ("rsi_period", 7, 2, 70)
    assert described["rsi_aggressive"].preset_of == "rsi_momentum"
    assert described["rsi_momentum"].preset_of is None
    assert all(entry.summary and all(p.description for p in entry.parameters) for entry in described.values())


def test_one_request_for_candles_covers_the_longest_warm_up_that_parameters_allow():
    # Binance answers at most 1,000 candles a request (binance-protocol.md 1.4).
    longest = {"rsi_period": 70, "macd_slow": 100, "macd_signal": 40, "bollinger_period": 300}
    assert create_strategy("combined_default").warm_up == 300
    assert create_strategy("combined_default", longest).warm_up == 980


def test_importing_the_registry_imports_neither_pandas_nor_talib():
    code = (
        "import sys, binance_trade_agent.strategies.registry as registry; registry.describe();"
        "registry.create_strategy('combined_default'); print([m for m in ('pandas', 'talib') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
