"""The space that is searched: which values each parameter may take, from `--space` or from the strategy's own bounds.

Every parameter has a finite list of values in order, written as text, so that a set of parameters is a set of indices
for any sampler, and the same text gives the same backtest.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from binance_trade_agent.backtest.optimize.model import OptimizeError, Params
from binance_trade_agent.domain.money import parse_amount, plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.strategies.params import StrategyParams, bounds, kind_of
from binance_trade_agent.strategies.registry import StrategyError, create_strategy

MOST_VALUES = 10_000  # of one parameter
_GRID_VALUES = 5  # of a parameter whose range was not given
_HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that is searched.

    Attributes:
        values: as text; numbers in rising order.
        least, most: what the strategy allows at all; None for one that is true or false.
    """

    name: str
    values: tuple[str, ...]
    least: Decimal | None = None
    most: Decimal | None = None

    def at_edge(self, value: str) -> bool:
        """Whether a value is an end of the range beyond which the strategy would allow more."""
        if self.least is None or self.most is None or len(self.values) < 3:
            return False
        low, high = self.values[0], self.values[-1]
        return (value == low and Decimal(low) > self.least) or (value == high and Decimal(high) < self.most)

    def __str__(self) -> str:
        """`rsi_period=5 to 30 (26 values)`, or the values where they are few."""
        if len(self.values) <= 4:
            return f"{self.name}={', '.join(self.values)}"
        return f"{self.name}={self.values[0]} to {self.values[-1]} ({len(self.values)} values)"


@dataclass(frozen=True, slots=True)
class Space:
    """All parameters that are searched, of one strategy, and those that stay as they are (`fixed`)."""

    strategy: str
    parameters: tuple[Parameter, ...]
    fixed: Params

    @property
    def size(self) -> int:
        """How many sets there are, those that the strategy refuses too."""
        return math.prod(len(parameter.values) for parameter in self.parameters)

    def params(self, indices: Sequence[int]) -> dict[str, str]:
        """The set whose values have these indices, in the order of the parameters."""
        return {
            parameter.name: parameter.values[index] for parameter, index in zip(self.parameters, indices, strict=True)
        }

    def every(self) -> Iterator[dict[str, str]]:
        """Every set, the last parameter changing fastest."""
        names = [parameter.name for parameter in self.parameters]
        for values in itertools.product(*(parameter.values for parameter in self.parameters)):
            yield dict(zip(names, values, strict=True))

    def refusal(self, params: Params) -> str | None:
        """Why the strategy refuses a set, such as a fast average slower than the slow one; None when it does not."""
        try:
            create_strategy(self.strategy, {**self._shared, **params})
        except StrategyError as refusal:
            return str(refusal)
        return None

    @property
    def warm_up(self) -> int:
        """Candles that sets need before their first signal: the most of those with one parameter at an end."""
        ends = [{}, *({each.name: value} for each in self.parameters for value in (each.values[0], each.values[-1]))]
        return max(
            create_strategy(self.strategy, {**self._shared, **params}).warm_up
            for params in ends
            if self.refusal(params) is None
        )

    def edges(self, params: Params) -> list[str]:
        """The parameters of a set that are at an end of their range."""
        return [parameter.name for parameter in self.parameters if parameter.at_edge(params[parameter.name])]

    @property
    def _shared(self) -> dict[str, str]:
        return {name: value for name, value in self.fixed.items() if "." not in name}


def space_of(strategy: str, fixed: Params, texts: Sequence[str], *, grid: bool) -> Space:
    """The space of a strategy.

    Args:
        strategy: name of a strategy or preset.
        fixed: its parameters that are set anyway; those that are searched win over them.
        texts: `name=low:high`, `name=low:high:step` or `name=a,b,c`, one a parameter. Without any, every parameter is
            searched from half to one and a half times its default (see `_usual`).
        grid: whether every set will be tried: decimals then need a step, and usual ranges have few values.

    Raises:
        OptimizeError: an unknown strategy or parameter, a range outside its bounds, or one that is no range.
    """
    try:
        made = create_strategy(strategy, {name: value for name, value in fixed.items() if "." not in name})
    except StrategyError as failure:
        raise OptimizeError(str(failure)) from None
    model = type(made.params)
    if not texts:
        usual = [_usual(model, name, getattr(made.params, name), grid=grid) for name in model.model_fields]
        return _checked(Space(strategy, tuple(filter(None, usual)), fixed))
    given = [_given(model, strategy, text, grid=grid) for text in texts]
    names = [parameter.name for parameter in given]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise OptimizeError(f"--space {twice} is given twice: put its values into one.")
    return _checked(Space(strategy, tuple(given), fixed))


def _checked(space: Space) -> Space:
    if not space.parameters:
        raise OptimizeError(f"strategy {space.strategy} has no parameters to search.")
    searched = {parameter.name for parameter in space.parameters}
    for name, value in space.fixed.items():
        if "." in name and name.rpartition(".")[2] in searched:
            raise OptimizeError(
                f"{name}={value} holds for that symbol whatever is searched: leave it out of STRATEGY_PARAMS."
            )
    return space


def _given(model: type[StrategyParams], strategy: str, text: str, *, grid: bool) -> Parameter:
    name, equals, values = (part.strip() for part in text.partition("="))
    if not (name and equals and values):
        raise OptimizeError(f"--space {text!r} is not of the form name=low:high, name=low:high:step or name=a,b,c.")
    if name not in model.model_fields:
        near = nearest(name, model.model_fields)
        question = f", did you mean {near}?" if near else "."
        raise OptimizeError(
            f"--space {name} is not a parameter of {strategy}{question} It has: {', '.join(model.model_fields)}"
        )
    if kind_of(model, name) is bool:
        return Parameter(name, _words(name, values))
    least, most = _bounds(model, name)
    return Parameter(name, _numbers(model, name, values, grid=grid), least, most)


def _words(name: str, values: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.strip().lower() for word in values.split(",")))
    if set(words) - {"true", "false"}:
        raise OptimizeError(f"--space {name}={values}: it is true or false, so write {name}=true,false.")
    return words


def _numbers(model: type[StrategyParams], name: str, values: str, *, grid: bool) -> tuple[str, ...]:
    is_whole = kind_of(model, name) is int
    if ":" not in values:
        numbers = sorted({_number(model, name, values, value) for value in values.split(",")})
        return tuple(map(plain, numbers))
    parts = values.split(":")
    if len(parts) > 3:
        raise OptimizeError(f"--space {name}={values} has more than a low end, a high end and a step.")
    low, high, *steps = (_number(model, name, values, part, is_step=number == 2) for number, part in enumerate(parts))
    if low > high:
        raise OptimizeError(f"--space {name}={values}: {plain(low)} is above {plain(high)}.")
    if not steps and not is_whole and grid:
        such_as = f"{name}={values}:{plain(_fine_step(low, high) * 10)}"
        raise OptimizeError(f"--space {name}={values} needs a step for a grid, such as {such_as}.")
    step = steps[0] if steps else Decimal(1) if is_whole else _fine_step(low, high)
    count = int((high - low) / step) + 1
    if count > MOST_VALUES:
        raise OptimizeError(f"--space {name}={values} has {count:,} values: it may have {MOST_VALUES:,}.")
    return tuple(plain(low + step * index) for index in range(count))


def _number(model: type[StrategyParams], name: str, values: str, text: str, *, is_step: bool = False) -> Decimal:
    try:
        number = parse_amount(text.strip())
    except ValueError as failure:
        raise OptimizeError(f"--space {name}={values}: {failure}.") from None
    if kind_of(model, name) is int and number != number.to_integral_value():
        raise OptimizeError(f"--space {name}={values}: {plain(number)} is not a whole number.")
    least, most = _bounds(model, name)
    if is_step and number <= 0:
        raise OptimizeError(f"--space {name}={values}: the step {plain(number)} is not above 0.")
    if not is_step and not least <= number <= most:
        raise OptimizeError(
            f"--space {name}={values}: {plain(number)} is outside what {name} may be, {plain(least)} to {plain(most)}."
        )
    return number


def _bounds(model: type[StrategyParams], name: str) -> tuple[Decimal, Decimal]:
    least, most = bounds(model, name)
    return Decimal(str(least)), Decimal(str(most))


def _fine_step(low: Decimal, high: Decimal) -> Decimal:
    """A power of ten that divides a range into a hundred to a thousand steps."""
    if low == high:
        return Decimal(1)
    return Decimal(10) ** math.floor(((high - low) / 100).log10())


def _usual(model: type[StrategyParams], name: str, default: Any, *, grid: bool) -> Parameter | None:
    """The range of a parameter that was not named: half to one and a half times its default, within its bounds.

    One whose default is 0 is searched a quarter of its bounds to both sides; where 0 is the least that it may be, it is
    switched off (a weight, say) and stays so. None when there is nothing to search.
    """
    if kind_of(model, name) is bool:
        return Parameter(name, ("false", "true"))
    least, most = _bounds(model, name)
    centre = Decimal(str(default))
    if centre:
        low, high = sorted((centre * _HALF, centre * (1 + _HALF)))
    elif least < 0 < most:
        low, high = least / 4, most / 4
    else:
        return None
    low, high = max(low, least), min(high, most)
    is_whole = kind_of(model, name) is int
    step = Decimal(1) if is_whole else _fine_step(low, high)
    steps = [low + (high - low) * index / (_GRID_VALUES - 1) for index in range(_GRID_VALUES)] if grid else [low, high]
    ends = [(value / step).quantize(Decimal(1), ROUND_HALF_UP) for value in steps]
    if not grid:
        ends = [Decimal(index) for index in range(int(ends[0]), int(ends[1]) + 1)]
    values = sorted({min(max(end * step, least), most) for end in ends})
    return Parameter(name, tuple(map(plain, values)), least, most) if len(values) > 1 else None


def described(parameters: Mapping[str, str]) -> str:
    """`rsi_period=9,rsi_oversold=25`, as STRATEGY_PARAMS takes it."""
    return ",".join(f"{name}={value}" for name, value in parameters.items())
