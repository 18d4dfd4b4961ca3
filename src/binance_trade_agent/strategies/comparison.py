"""Several strategies on the same candles: what each says now, what they say together, how far they agree."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.strategies.answers import fault_in
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.own import told

if TYPE_CHECKING:
    import pandas as pd

AGREEMENT_CANDLES = 500

_DIRECTIONS = {Action.BUY: 1, Action.SELL: -1, Action.HOLD: 0}
Make = Callable[[], Strategy[Any]]
# A strategy's signal, and what it said of each of the last candles.
Asked = tuple[Signal, npt.NDArray[np.int8]]
Ask = Callable[[], Asked]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one strategy says on the last candle; `failed` tells why it says nothing, and `signal` is then None."""

    name: str
    signal: Signal | None
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two strategies, the candles on which both were warmed up, and the share (0 to 1) on which they said the same."""

    first: str
    second: str
    candles: int
    same_fraction: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Opinions in the order in which they were asked for, and a pair for each two that have candles in common."""

    opinions: Sequence[Opinion]
    pairs: Sequence[Pair]

    @property
    def counts(self) -> dict[Action, int]:
        """How many say BUY, SELL and HOLD."""
        said = Counter(opinion.signal.action for opinion in self.opinions if opinion.signal)
        return {action: said[action] for action in Action}

    @property
    def mean_vote(self) -> float | None:
        """The mean of direction (1 buy, -1 sell, 0 hold) times confidence, -1 to 1; None when nobody says anything."""
        votes = [_DIRECTIONS[each.signal.action] * each.signal.confidence for each in self.opinions if each.signal]
        return sum(votes) / len(votes) if votes else None

    @property
    def most_frequent(self) -> tuple[Sequence[Action], float] | None:
        """The word said most often (several at a tie), and the share that says it, 0 to 1."""
        said = sum(self.counts.values())
        if not said:
            return None
        most = max(self.counts.values())
        return [action for action, count in self.counts.items() if count == most], most / said


class _NoSignalError(Exception):
    """What a strategy answered is no signal."""


def compare(
    strategies: Mapping[str, Make],
    symbol: str,
    candles: Sequence[Candle],
    larger: Sequence[Candle] | None = None,
    larger_interval: str = "",
    in_time: Callable[[Ask], Asked] = lambda ask: ask(),
) -> Comparison:
    """Ask each strategy about the last of `candles` (closed, in time order); one that fails does not stop the others.

    Args:
        strategies: by name, what makes each; whatever that or the strategy raises is told in its opinion.
        symbol: which the candles are of.
        candles: enough to warm up every strategy, and AGREEMENT_CANDLES more, on which pairs are compared; there a BUY
            need not be confirmed.
        larger: see `Strategy.evaluate`.
        larger_interval: of `larger`.
        in_time: asks; raises OverdueError when there is no answer in time.
    """
    from binance_trade_agent.strategies.frame import candle_frame

    frame = candle_frame(candles)

    def asked(make: Make) -> Asked:
        strategy = make()
        signal = strategy.evaluate(symbol, candles, larger, larger_interval)
        if fault := fault_in(signal, symbol, candles):
            raise _NoSignalError(f"it answered {fault}")
        return signal, _last_actions(strategy, frame)

    opinions, said = [], {}
    for name, make in strategies.items():
        try:
            signal, said[name] = in_time(partial(asked, make))
            opinions.append(Opinion(name, signal))
        except (Exception, SystemExit) as failure:  # noqa: BLE001 (anybody's code)
            opinions.append(Opinion(name, None, _why(failure)))
    return Comparison(opinions, [pair for a, b in combinations(said, 2) if (pair := _pair(a, said[a], b, said[b]))])


def _last_actions(strategy: Strategy[Any], frame: "pd.DataFrame") -> npt.NDArray[np.int8]:
    """What it said of each of the last candles on which it was warmed up."""
    actions: npt.NDArray[np.int8] = strategy.signals(frame.copy())["action"].to_numpy()[strategy.warm_up - 1 :]
    return actions[-AGREEMENT_CANDLES:]


def _pair(first: str, ours: npt.NDArray[np.int8], second: str, theirs: npt.NDArray[np.int8]) -> Pair | None:
    common = min(len(ours), len(theirs))
    if not common:
        return None
    return Pair(first, second, common, float(np.mean(ours[-common:] == theirs[-common:])))


def _why(failure: BaseException) -> str:
    """Our own errors are sentences already."""
    return str(failure) if type(failure).__module__.startswith("binance_trade_agent.") else told(failure)
