"""The strategies in use: parameters for all symbols and for one, what is refused, and the change of all at once."""

from typing import Any

import pytest

from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.strategies.in_use import StrategiesInUse
from binance_trade_agent.strategies.registry import BadStrategyParams, BrokenStrategy, StrategyError, UnknownStrategy
from binance_trade_agent.strategies.rsi_momentum import RsiMomentum, RsiParams

SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT")


def in_use(name: str = "rsi_momentum", symbols=SYMBOLS, **params: str) -> StrategiesInUse:
    named = {key.replace("__", "."): value for key, value in params.items()}
    return StrategiesInUse(StrategyChoice(name, named), symbols)


def test_symbols_without_parameters_of_their_own_share_one_strategy():
    strategies = in_use(rsi_period="10")
    assert {strategies.of(symbol).params.rsi_period for symbol in SYMBOLS} == {10}
    assert len({id(strategies.of(symbol)) for symbol in SYMBOLS}) == 1


def test_parameter_of_a_symbol_wins_there_and_nowhere_else():
    strategies = in_use(rsi_period="10", rsi_oversold="25", ETHUSDT__rsi_period="60")
    assert [strategies.of(symbol).params.rsi_period for symbol in SYMBOLS] == [10, 60, 10]
    assert [strategies.of(symbol).params.rsi_oversold for symbol in SYMBOLS] == [25, 25, 25]
    assert strategies.of("BTCUSDT") is strategies.of("BNBUSDT")
    assert strategies.warm_up("ETHUSDT") == strategies.of("ETHUSDT").warm_up > strategies.warm_up("BTCUSDT")


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (StrategyChoice("rsi_momentun"), r"'rsi_momentun' is not a strategy, did you mean rsi_momentum\?"),
        (
            StrategyChoice("rsi_momentum", {"rsi_perod": "10"}),
            r"rsi_perod is not a parameter .*did you mean rsi_period",
        ),
        (
            StrategyChoice("rsi_momentum", {"rsi_period": "500"}),
            r"^rsi_period is 500: it must be a whole number from 2 to",
        ),
        (
            StrategyChoice("rsi_momentum", {"ETHUSDT.rsi_period": "1"}),
            r"^on ETHUSDT, rsi_period is 1: it must be a whole number from 2 to",
        ),
        (
            StrategyChoice("rsi_momentum", {"ETHUSDC.rsi_period": "10"}),
            r"^ETHUSDC is not traded, so it has no parameters, did you mean ETHUSDT\? Traded: BTCUSDT, ETHUSDT, BNBUSDT$",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_and_changes_nothing(choice, sentence):
    with pytest.raises(StrategyError, match=sentence):
        StrategiesInUse(choice, SYMBOLS)
    strategies = in_use(rsi_period="10")
    before = [strategies.of(symbol) for symbol in SYMBOLS]
    with pytest.raises(StrategyError, match=sentence):
        strategies.change(choice)
    assert strategies.choice == StrategyChoice("rsi_momentum", {"rsi_period": "10"})
    assert [strategies.of(symbol) for symbol in SYMBOLS] == before


def test_value_that_only_one_symbol_cannot_have_is_told_with_the_symbol():
    with pytest.raises(BadStrategyParams, match=r"^on ETHUSDT, "):
        in_use(rsi_oversold="40", ETHUSDT__rsi_overbought="30")


def test_what_is_prepared_decides_on_every_symbol_once_it_is_used_and_on_none_before():
    strategies = in_use()
    prepared = strategies.prepare(StrategyChoice("macd_crossover", {"BTCUSDT.macd_fast": "10"}))
    assert {strategies.of(symbol).name for symbol in SYMBOLS} == {"rsi_momentum"}
    strategies.use(prepared)
    assert {strategies.of(symbol).name for symbol in SYMBOLS} == {"macd_crossover"} == {strategies.name}
    assert strategies.of("BTCUSDT").params.macd_fast == 10


def test_own_ways_of_making_strategies_are_asked_once_for_each_set_of_parameters():
    asked = []

    def create(name, params):
        asked.append((name, dict(params)))
        raise UnknownStrategy(name)

    with pytest.raises(UnknownStrategy):
        StrategiesInUse(StrategyChoice("mine", {"size": "3"}), SYMBOLS, create)
    assert asked == [("mine", {"size": "3"})]


def test_choice_reads_as_it_is_written():
    assert str(StrategyChoice("macd_default")) == "macd_default"
    assert str(StrategyChoice("rsi_momentum", {"rsi_period": "10", "ETHUSDT.rsi_period": "14"})) == (
        "rsi_momentum (rsi_period=10, ETHUSDT.rsi_period=14)"
    )


def _raises() -> int:
    raise RuntimeError("no idea")


@pytest.mark.parametrize(
    ("warm_up", "sentence"),
    [
        (_raises, r"^strategy own cannot be used: its warm_up raised RuntimeError: no idea$"),
        (lambda: 300.5, r"its warm_up is 300\.5; it must be a whole number of candles, at most 4000$"),
        (lambda: 10**9, r"its warm_up is 1000000000; "),
    ],
    ids=["raises", "no whole number", "too many"],
)
def test_strategy_that_cannot_say_how_many_candles_it_needs_is_refused(warm_up, sentence):
    class Own(RsiMomentum):
        @property
        def warm_up(self) -> Any:
            return warm_up()

    with pytest.raises(BrokenStrategy, match=sentence):
        StrategiesInUse(StrategyChoice("own"), SYMBOLS, lambda name, _: Own(RsiParams(), name))
