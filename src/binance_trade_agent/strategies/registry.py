"""Strategies by name: presets, parameters from text, and what there is to choose from."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.bollinger_bands import BollingerBands
from binance_trade_agent.strategies.combined_default import CombinedDefault
from binance_trade_agent.strategies.macd_crossover import MacdCrossover
from binance_trade_agent.strategies.params import StrategyParams
from binance_trade_agent.strategies.rsi_momentum import RsiMomentum

ParamValue = str | float | int


class StrategyError(ValueError):
    """A strategy cannot be made as it was asked for; the message is one sentence for a person."""


class UnknownStrategy(StrategyError):  # noqa: N818 - named by what is wrong, as the errors of design.md rule 13
    """No strategy has this name."""


class BadStrategyParams(StrategyError):  # noqa: N818 - named by what is wrong, as the errors of design.md rule 13
    """A parameter does not exist, is out of its range, or contradicts another."""


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """A parameter for `trade-agent strategies`: its default in this strategy, bounds (inclusive), meaning and unit."""

    name: str
    default: float
    minimum: float
    maximum: float
    description: str


@dataclass(frozen=True, slots=True)
class StrategyDescription:
    """A strategy or preset for `trade-agent strategies`; `preset_of` is None for a strategy of its own."""

    name: str
    summary: str
    preset_of: str | None
    parameters: tuple[ParameterDescription, ...]


@dataclass(frozen=True, slots=True)
class _Preset:
    of: type[Strategy[Any]]
    summary: str
    overrides: Mapping[str, float]


_STRATEGIES: Mapping[str, type[Strategy[Any]]] = MappingProxyType(
    {strategy.name: strategy for strategy in (CombinedDefault, RsiMomentum, MacdCrossover, BollingerBands)}
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
    }
)


def strategy_names() -> list[str]:
    """The names that `create_strategy` knows: strategies first, then presets."""
    return [*_STRATEGIES, *_PRESETS]


def create_strategy(name: str, params: Mapping[str, ParamValue] | None = None) -> Strategy[Any]:
    """The strategy or preset of this name, with `params` over its defaults.

    Args:
        name: one of `strategy_names()`.
        params: values by parameter name, as numbers or as their text.

    Raises:
        UnknownStrategy: no such name.
        BadStrategyParams: an unknown parameter, a value out of its range, or values that contradict each other.
    """
    strategy, overrides = _look_up(name)
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


def describe() -> list[StrategyDescription]:
    """Every strategy and preset, in the order of `strategy_names()`."""
    return [_described(name) for name in strategy_names()]


def _look_up(name: str) -> tuple[type[Strategy[Any]], Mapping[str, float]]:
    if strategy := _STRATEGIES.get(name):
        return strategy, {}
    if preset := _PRESETS.get(name):
        return preset.of, preset.overrides
    near = nearest(name, strategy_names())
    question = f", did you mean {near}?" if near else "."
    raise UnknownStrategy(f"{name!r} is not a strategy{question} There are: {', '.join(strategy_names())}")


def _described(name: str) -> StrategyDescription:
    strategy, overrides = _look_up(name)
    parameters = tuple(
        ParameterDescription(
            parameter,
            overrides.get(parameter, field.default),
            *_bounds(strategy.Params, parameter),
            field.description or "",
        )
        for parameter, field in strategy.Params.model_fields.items()
    )
    preset = _PRESETS.get(name)
    return StrategyDescription(
        name, preset.summary if preset else strategy.summary, strategy.name if preset else None, parameters
    )


def _bounds(model: type[StrategyParams], parameter: str) -> tuple[float, float]:
    metadata = model.model_fields[parameter].metadata
    minimum = next(bound.ge for bound in metadata if isinstance(bound, Ge))
    maximum = next(bound.le for bound in metadata if isinstance(bound, Le))
    return minimum, maximum  # type: ignore[return-value]  # the bounds of numbers are numbers


def _sentence(error: ErrorDetails, strategy: str, model: type[StrategyParams]) -> str:
    """What pydantic found, as one sentence that names the parameter, the value and what is allowed."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    parameter, value = str(error["loc"][0]), error["input"]
    if error["type"] == "extra_forbidden":
        near = nearest(parameter, model.model_fields)
        question = f", did you mean {near}?" if near else "."
        return f"{parameter} is not a parameter of {strategy}{question} It has: {', '.join(model.model_fields)}"
    kind = "a whole number" if model.model_fields[parameter].annotation is int else "a number"
    minimum, maximum = _bounds(model, parameter)
    return f"{parameter} is {value}: it must be {kind} from {minimum:g} to {maximum:g}"
