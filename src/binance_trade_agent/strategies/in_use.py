"""The strategies that decide now: one choice for all symbols, one strategy for each; changed all at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.strategies.base import MOST_WARM_UP, Strategy
from binance_trade_agent.strategies.registry import BadStrategyParams, BrokenStrategy, create_strategy

Create = Callable[[str, Mapping[str, str]], Strategy[Any]]


@dataclass(frozen=True, slots=True)
class StrategySet:
    """What a choice comes to: the strategy of each symbol; symbols with the same parameters share one."""

    choice: StrategyChoice
    by_symbol: Mapping[str, Strategy[Any]]


class StrategiesInUse:
    """The strategy of each symbol. Whoever asks, asks anew at each tick.

    Args:
        choice: the strategy and its parameters.
        symbols: those that are traded; no other may have parameters.
        create: makes a strategy by its name and parameters.

    Raises:
        StrategyError: the choice names what there is not, or a value that is not allowed.
    """

    def __init__(self, choice: StrategyChoice, symbols: Sequence[str], create: Create = create_strategy) -> None:
        self._symbols = tuple(symbols)
        self._create = create
        self._current = self.prepare(choice)

    @property
    def choice(self) -> StrategyChoice:
        """What is in use."""
        return self._current.choice

    @property
    def name(self) -> str:
        """The name of the strategy in use."""
        return self.choice.name

    def of(self, symbol: str) -> Strategy[Any]:
        """The strategy that decides on `symbol`."""
        return self._current.by_symbol[symbol]

    def warm_up(self, symbol: str) -> int:
        """Closed candles that the strategy of `symbol` needs."""
        return self.of(symbol).warm_up

    def prepare(self, choice: StrategyChoice) -> StrategySet:
        """The strategies of `choice`, not in use yet.

        Raises:
            StrategyError: see the class; nothing has changed.
        """
        if strangers := sorted(choice.symbols() - set(self._symbols)):
            near = nearest(strangers[0], self._symbols)
            question = f", did you mean {near}?" if near else "."
            traded = ", ".join(self._symbols)
            raise BadStrategyParams(f"{strangers[0]} is not traded, so it has no parameters{question} Traded: {traded}")
        made: dict[frozenset[tuple[str, str]], Strategy[Any]] = {}
        by_symbol = {}
        for symbol in self._symbols:
            params = choice.params_of(symbol)
            key = frozenset(params.items())
            if key not in made:
                made[key] = self._made(symbol, choice, params)
            by_symbol[symbol] = made[key]
        return StrategySet(choice, by_symbol)

    def use(self, prepared: StrategySet) -> None:
        """Let `prepared` decide from now on, on all symbols."""
        self._current = prepared

    def change(self, choice: StrategyChoice) -> None:
        """Prepare `choice` and use it.

        Raises:
            StrategyError: see the class; what was in use stays.
        """
        self.use(self.prepare(choice))

    def _made(self, symbol: str, choice: StrategyChoice, params: Mapping[str, str]) -> Strategy[Any]:
        try:
            made = self._create(choice.name, params)
        except BadStrategyParams as failure:
            if symbol in choice.symbols():
                raise BadStrategyParams(f"on {symbol}, {failure}") from None
            raise
        _refuse_bad_warm_up(made)
        return made


def _refuse_bad_warm_up(strategy: Strategy[Any]) -> None:
    """Raise BrokenStrategy when nobody could say how many candles to ask for: without them no position is looked at."""
    try:
        warm_up: object = strategy.warm_up
    except Exception as failure:
        said = f"raised {type(failure).__name__}: {failure}"
        raise BrokenStrategy(f"strategy {strategy.name} cannot be used: its warm_up {said}") from failure
    if not isinstance(warm_up, int) or not 0 <= warm_up <= MOST_WARM_UP:
        wanted = f"it must be a whole number of candles, at most {MOST_WARM_UP}"
        raise BrokenStrategy(f"strategy {strategy.name} cannot be used: its warm_up is {warm_up!r}; {wanted}")
