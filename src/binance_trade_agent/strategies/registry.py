"""Strategies by name: presets, parameters from text, and what there is to choose from.

Each function takes the folder of the user's own strategies (see `own`); None leaves out all that is not built in. Own
code is run only for a name that is not built in, and for lists.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.values import replace
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.bollinger_bands import BollingerBands
from binance_trade_agent.strategies.combined_default import CombinedDefault
from binance_trade_agent.strategies.donchian_breakout import DonchianBreakout
from binance_trade_agent.strategies.ema_crossover import EmaCrossover
from binance_trade_agent.strategies.macd_crossover import MacdCrossover
from binance_trade_agent.strategies.mean_reversion_zscore import MeanReversionZscore
from binance_trade_agent.strategies.own import OWN_FOLDER, OwnStrategy, own_strategies
from binance_trade_agent.strategies.params import StrategyParams, bounds, kind_of
from binance_trade_agent.strategies.rsi_momentum import RsiMomentum
from binance_trade_agent.strategies.supertrend import Supertrend

ParamValue = str | float | int


class StrategyError(ValueError):
    """A strategy cannot be made as it was asked for; the message is one sentence for a person."""


class UnknownStrategy(StrategyError):  # noqa: N818 - named by what is wrong, as the errors of design.md rule 13
    """No strategy has this name."""


class BadStrategyParams(StrategyError):  # noqa: N818 - named by what is wrong, as the errors of design.md rule 13
    """A parameter does not exist, is out of its range, or contradicts another."""


class BrokenStrategy(StrategyError):  # noqa: N818 - named by what is wrong, as the errors of design.md rule 13
    """An own strategy has this name, and cannot be used; the message says where it is and why."""


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """A parameter for `trade-agent strategies`: its default in this strategy, bounds (inclusive), meaning and unit.

    One that is true or false has no bounds.
    """

    name: str
    default: float | bool
    minimum: float | None
    maximum: float | None
    description: str

    @property
    def allowed(self) -> str:
        """What it may be, in words: `2 to 70`."""
        return "true or false" if self.minimum is None else f"{self.minimum:g} to {self.maximum:g}"


@dataclass(frozen=True, slots=True)
class StrategyDescription:
    """A strategy or preset for `trade-agent strategies`.

    Attributes:
        preset_of: None for a strategy of its own.
        place: where an own strategy is; None for what is built in.
        broken: why an own strategy cannot be used, one sentence; it then has neither summary nor parameters.
    """

    name: str
    summary: str
    preset_of: str | None
    parameters: tuple[ParameterDescription, ...]
    place: str | None = None
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class _Preset:
    of: type[Strategy[Any]]
    summary: str
    overrides: Mapping[str, float]


_STRATEGIES: Mapping[str, type[Strategy[Any]]] = MappingProxyType(
    {
        strategy.name: strategy
        for strategy in (
            CombinedDefault,
            RsiMomentum,
            MacdCrossover,
            BollingerBands,
            EmaCrossover,
            Supertrend,
            DonchianBreakout,
            MeanReversionZscore,
        )
    }
)

_PRESETS: Mapping[str, _Preset] = MappingProxyType(
    {
        "rsi_default": _Preset(RsiMomentum, "rsi_momentum as it is", {}),
        "rsi_aggressive": _Preset(
            RsiMomentum,
            "rsi_momentum with a short RSI and near thresholds: many signals",
            {"rsi_period": 7, "rsi_oversold": 35, "rsi_overbought": 65},
        ),
        "rsi_conservative": _Preset(
            RsiMomentum,
            "rsi_momentum with a long RSI and far thresholds: few signals",
            {"rsi_period": 21, "rsi_oversold": 25, "rsi_overbought": 75},
        ),
        "macd_default": _Preset(MacdCrossover, "macd_crossover as it is", {}),
        "ema_aggressive": _Preset(
            EmaCrossover, "ema_crossover with short averages: many signals", {"ema_fast": 9, "ema_slow": 21}
        ),
        "ema_golden_cross": _Preset(
            EmaCrossover, "ema_crossover of 50 and 200 candles: few signals", {"ema_fast": 50, "ema_slow": 200}
        ),
        "supertrend_aggressive": _Preset(
            Supertrend,
            "supertrend with near bands: many turns",
            {"supertrend_period": 7, "supertrend_multiplier": 2},
        ),
        "donchian_turtle": _Preset(
            DonchianBreakout,
            "donchian_breakout as in the Turtles' System 2: the breaks of longer channels",
            {"donchian_entry": 55, "donchian_exit": 20},
        ),
        "zscore_conservative": _Preset(
            MeanReversionZscore,
            "mean_reversion_zscore with a far entry: few buys",
            {"zscore_entry": -3},
        ),
    }
)


def strategy_names(folder: Path | None = OWN_FOLDER) -> list[str]:
    """The names that `create_strategy` knows: strategies first, then presets, then own strategies."""
    return [*_STRATEGIES, *_PRESETS, *(own.name for own in _own(folder) if own.strategy)]


def is_preset(name: str) -> bool:
    """Whether the name stands for a built-in strategy with other defaults."""
    return name in _PRESETS


def built_in_names() -> list[str]:
    """The names that no own strategy may have."""
    return strategy_names(None)


def create_strategy(
    name: str, params: Mapping[str, ParamValue] | None = None, folder: Path | None = OWN_FOLDER
) -> Strategy[Any]:
    """The strategy or preset of this name, with `params` over its defaults.

    Args:
        name: one of `strategy_names()`.
        params: values by parameter name, as numbers or as their text.
        folder: where own strategies are.

    Raises:
        UnknownStrategy: no such name.
        BrokenStrategy: an own strategy that cannot be used.
        BadStrategyParams: an unknown parameter, a value out of its range, or values that contradict each other.
    """
    strategy, overrides = _look_up(name, folder)
    given = {**overrides, **(params or {})}
    try:
        return strategy(strategy.Params.model_validate(given), name)
    except ValidationError as error:
        raise BadStrategyParams(_sentence(error.errors()[0], name, strategy.Params)) from None


def parse_params(text: str) -> dict[str, str]:
    """Parameters from their text form, `rsi_period=10,rsi_oversold=25`; blanks are forgiven.

    Raises:
        BadStrategyParams: a part without `name=value`, or a name given twice.
    """
    params: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise BadStrategyParams(f"{part!r} is not of the form name=value, such as rsi_period=10")
        if name in params:
            raise BadStrategyParams(f"{name} is given twice: {params[name]} and {value}")
        params[name] = value
    return params


def describe(folder: Path | None = OWN_FOLDER) -> list[StrategyDescription]:
    """Every strategy and preset, in the order of `strategy_names()`, and among the own ones those that are broken."""
    built_in = [_described(name, *_look_up(name, None)) for name in built_in_names()]
    return [*built_in, *(_described_own(own) for own in _own(folder))]


def _own(folder: Path | None) -> list[OwnStrategy]:
    if folder is None:
        return []
    places = {name: f"the built-in strategy in {inspect.getfile(strategy)}" for name, strategy in _STRATEGIES.items()}
    presets = {name: f"the preset of {preset.of.name} in {__file__}" for name, preset in _PRESETS.items()}
    return own_strategies(folder, places | presets)


def _look_up(name: str, folder: Path | None) -> tuple[type[Strategy[Any]], Mapping[str, float]]:
    if strategy := _STRATEGIES.get(name):
        return strategy, {}
    if preset := _PRESETS.get(name):
        return preset.of, preset.overrides
    every = _own(folder)
    named = [own for own in every if own.name == name]
    for own in named:
        if own.strategy:
            return own.strategy, {}
    if named:
        raise BrokenStrategy(f"strategy {name} cannot be used: {named[0].broken}")
    names = [*built_in_names(), *(own.name for own in every if own.strategy)]
    near = nearest(name, names)
    question = f", did you mean {near}?" if near else "."
    raise UnknownStrategy(f"{name!r} is not a strategy{question} There are: {', '.join(names)}")


def _described(name: str, strategy: type[Strategy[Any]], overrides: Mapping[str, float]) -> StrategyDescription:
    parameters = tuple(
        ParameterDescription(
            parameter,
            overrides.get(parameter, field.get_default(call_default_factory=True)),
            *bounds(strategy.Params, parameter),
            field.description or "",
        )
        for parameter, field in strategy.Params.model_fields.items()
    )
    preset = _PRESETS.get(name)
    return StrategyDescription(
        name, preset.summary if preset else strategy.summary, strategy.name if preset else None, parameters
    )


def _described_own(own: OwnStrategy) -> StrategyDescription:
    if own.strategy is None:
        return StrategyDescription(own.name, "", None, (), own.place, own.broken)
    return replace(_described(own.name, own.strategy, {}), place=own.place)


def _sentence(error: ErrorDetails, strategy: str, model: type[StrategyParams]) -> str:
    """What pydantic found, as one sentence that names the parameter, the value and what is allowed."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    parameter, value = str(error["loc"][0]), error["input"]
    if error["type"] == "extra_forbidden":
        near = nearest(parameter, model.model_fields)
        question = f", did you mean {near}?" if near else "."
        return f"{parameter} is not a parameter of {strategy}{question} It has: {', '.join(model.model_fields)}"
    if kind_of(model, parameter) is bool:
        return f"{parameter} is {value}: it must be true or false"
    kind = "a whole number" if kind_of(model, parameter) is int else "a number"
    minimum, maximum = bounds(model, parameter)
    return f"{parameter} is {value}: it must be {kind} from {minimum:g} to {maximum:g}"
