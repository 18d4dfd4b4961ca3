"""What a strategy is: a function from a frame of closed candles to a frame of signals."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar, overload

import numpy as np
import numpy.typing as npt

from binance_trade_agent.domain.candle_window import last_open_ms
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import replace
from binance_trade_agent.domain.words import Words
from binance_trade_agent.strategies.confirmation import confirmed
from binance_trade_agent.strategies.indicators import BoolArray, FloatArray, N
from binance_trade_agent.strategies.last_candle import LastCandle
from binance_trade_agent.strategies.params import StrategyParams
from binance_trade_agent.strategies.readings import Columns, EveryCandle, Readings

if TYPE_CHECKING:
    import pandas as pd

P = TypeVar("P", bound=StrategyParams)

# With fewer candles the start-up of recursive indicators still shows: after 100, Wilder's RSI(14) is 0.015 off.
LEAST_WARM_UP = 300
MOST_WARM_UP = 4000  # five requests for candles at a start; with more a strategy would mostly wait

Directions = npt.NDArray[np.int8]

_BUILT_IN = f"{__package__}."
_NOT_INDICATORS = frozenset({"action", "confidence", "lean"})
_ACTIONS = {1: Action.BUY, -1: Action.SELL, 0: Action.HOLD}


@dataclass(frozen=True, slots=True)
class Votes:
    """A strategy's word on each candle; all arrays have the frame's length.

    Attributes:
        direction: 1 buy, -1 sell, 0 neither.
        strength: how sure, 0 to 1; read only where the direction is not 0.
        indicators: what was compared, by name; a NaN in any of them takes the vote back.
        lean: which way the indicators stand, also where there is no signal: 1 the buyer's side, -1 the seller's, 0
            neither. None leans the way it votes.
    """

    direction: Directions
    strength: FloatArray
    indicators: Mapping[str, FloatArray]
    lean: Directions | None = None

    @property
    def leaning(self) -> Directions:
        """`lean`, or the direction where the strategy gives none."""
        return self.direction if self.lean is None else self.lean


class Strategy(ABC, Generic[P]):
    """A trading strategy. Written once, over a whole frame; a live tick takes the last row.

    A subclass says how it votes and how it explains itself; warming up, undefined indicators and the form of the
    answer are the same for all.

    Attributes:
        name: the name in the registry; a preset has its own.
        summary: one line for `trade-agent strategies`.
        Params: the model of its parameters.
    """

    name: str
    summary: ClassVar[str]
    Params: ClassVar[type[StrategyParams]]

    def __init__(self, params: P, name: str | None = None) -> None:
        self.params = params
        self.name = name or type(self).name

    @property
    @abstractmethod
    def warm_up(self) -> int:
        """Closed candles that are needed before the first signal."""

    @abstractmethod
    def vote(self, frame: "pd.DataFrame") -> Votes:
        """Votes on each row of `frame` (see `signals`), each from its own and earlier rows only."""

    @abstractmethod
    def reason(self, row: Mapping[str, float]) -> str:
        """The comparison behind one row of `signals`, with its numbers: `RSI 27.4 < 30`."""

    def glance(self, row: Mapping[str, float]) -> str:
        """The state behind one row of `signals` in a few words, for a line that has room for no more."""
        return self.reason(row)

    def undefined_reason(self, undefined: Sequence[str]) -> str:
        """Why indicators have no value on a candle after the warm-up; `undefined` are their names, one at least."""
        return f"flat market or broken candles: {', '.join(undefined)} undefined"

    def signals(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """The signals of a whole frame of closed candles.

        Args:
            frame: float64 columns open, high, low, close (quote per base), volume (base), in time order.

        Returns:
            A frame with the same index: `action` (int8: 1 buy, -1 sell, 0 hold), `confidence` (float64, 0 to 1; 0 when
            holding), `lean` (int8, see `Votes`), and a float64 column for each indicator. Rows before the warm-up is
            over, and rows with an undefined indicator, hold and lean nowhere.

        Raises:
            ValueError: a direction or a lean is none of the three, or an indicator has the name of another column.
        """
        import pandas as pd

        return pd.DataFrame(self.columns(frame), index=frame.index)

    def columns(self, frame: "pd.DataFrame") -> dict[str, npt.NDArray[Any]]:
        """The columns of `signals` by name, as arrays."""
        votes = self.vote(frame)
        if not (_is_direction(votes.direction) and _is_direction(votes.leaning)):
            raise ValueError(f"strategy {self.name} voted something else than 1 (buy), -1 (sell) or 0 (neither)")
        if taken := _NOT_INDICATORS & votes.indicators.keys():
            raise ValueError(
                f"strategy {self.name} has an indicator named {min(taken)}: that is a column of its signals"
            )
        ready = np.arange(len(frame)) >= self.warm_up - 1
        for values in votes.indicators.values():
            ready &= np.isfinite(values)
        action = np.where(ready, votes.direction, 0).astype(np.int8)
        confidence = np.where(action != 0, np.clip(votes.strength, 0.0, 1.0), 0.0)
        lean = np.where(ready, votes.leaning, 0).astype(np.int8)
        return {"action": action, "confidence": confidence, "lean": lean, **votes.indicators}

    def evaluate(
        self, symbol: str, candles: Sequence[Candle], larger: Sequence[Candle] | None = None, larger_interval: str = ""
    ) -> Signal:
        """The signal at the close of the last of `candles` (closed, in time order).

        Args:
            symbol: which the candles are of.
            candles: of the interval that is traded.
            larger: closed candles of a larger interval, in time order; a BUY must be confirmed by them
                (`confirmation.py`). None asks for no confirmation.
            larger_interval: of `larger`, a key of INTERVAL_MS.
        """
        signal = self._evaluate(symbol, candles)
        if larger is None or signal.action is not Action.BUY:
            return signal
        return confirmed(self, signal, candles[-1].close_time_ms, larger, larger_interval)

    def _evaluate(self, symbol: str, candles: Sequence[Candle]) -> Signal:
        open_ms = last_open_ms(candles) if candles else 0
        if len(candles) < self.warm_up:
            return self._hold(symbol, open_ms, f"warming up: {len(candles)} of {self.warm_up} candles")
        signal = self.signal_of_row(symbol, self.last_row(candles), open_ms)
        if is_built_in(self):
            return signal
        return replace(signal, reason=signal.reason)  # anybody's code says its words here, where it is looked after

    def signal_of_row(self, symbol: str, row: Mapping[str, float], candle_open_ms: int) -> Signal:
        """The signal that one row of `signals` is.

        Args:
            symbol: which the candles are of.
            row: by column, after the warm-up; it is kept for the words and never to be changed again.
            candle_open_ms: open time of the row's candle, ms UTC.
        """
        indicators = {name: value for name, value in row.items() if name not in _NOT_INDICATORS}
        if undefined := [name for name, value in indicators.items() if not isfinite(value)]:
            return self._hold(symbol, candle_open_ms, (self.undefined_reason, undefined))
        return Signal(
            symbol=symbol,
            strategy=self.name,
            action=_ACTIONS[int(row["action"])],
            confidence=row["confidence"],
            reason=(self.reason, row),
            candle_open_ms=candle_open_ms,
            indicators=indicators,
        )

    def last_row(self, candles: Sequence[Candle]) -> dict[str, float]:
        """The last row of `signals` over `candles`, by column."""
        from binance_trade_agent.strategies.frame import candle_frame

        # One row keeps its numbers as floats; the action comes back from 1.0 to 1 without loss.
        frame = candle_frame(candles)
        if type(self).signals is not Strategy.signals:  # somebody's own way to say them
            return {str(name): float(value) for name, value in self.signals(frame).iloc[-1].items()}
        return {name: float(values[-1]) for name, values in self.columns(frame).items()}

    def _hold(self, symbol: str, candle_open_ms: int, reason: Words) -> Signal:
        return Signal(symbol, self.name, Action.HOLD, 0.0, reason, candle_open_ms)


class Verdict(NamedTuple, Generic[N]):
    """What a strategy of this program says, in the words of Votes: of every candle, or of the last one.

    Directions are arrays of int8, or an int.
    """

    direction: Any
    strength: N
    indicators: Mapping[str, N]
    lean: Any


class BuiltInStrategy(Strategy[P]):
    """One of this program's own. It is written for readings of every candle and of the last one (`readings.py`).

    500 symbols close at once, and whole columns take several times as long as their last row.
    """

    @abstractmethod
    def judge(self, seen: Readings[N]) -> Verdict[N]:
        """The votes, on whatever `seen` are readings of."""

    def vote(self, frame: Columns) -> Votes:
        """See Strategy."""
        return Votes(*self.judge(EveryCandle(frame)))

    def last_row(self, candles: Sequence[Candle]) -> dict[str, float]:
        """See Strategy; a strategy of the user's own that is made from this one is asked for whole frames."""
        if not is_built_in(self):
            return super().last_row(candles)
        said = self.judge(LastCandle(candles))
        is_ready = len(candles) >= self.warm_up and all(map(isfinite, said.indicators.values()))
        action = float(said.direction) if is_ready else 0.0
        confidence = min(max(said.strength, 0.0), 1.0) if action else 0.0
        lean = float(said.lean) if is_ready else 0.0
        return {"action": action, "confidence": confidence, "lean": lean, **said.indicators}


def is_built_in(strategy: Strategy[Any]) -> bool:
    """Whether it is one of this program's own strategies, and not anybody's code."""
    return type(strategy).__module__.startswith(_BUILT_IN)


def _is_direction(values: npt.NDArray[Any]) -> bool:
    """Whether all of them are -1, 0 or 1."""
    if values.dtype == np.int8:  # as nearly always: only too far can they be
        return not len(values) or bool(values.min() >= -1 and values.max() <= 1)
    return bool(np.isin(values, (-1, 0, 1)).all())


@overload
def directions(buy: BoolArray, sell: BoolArray) -> Directions: ...
@overload
def directions(buy: bool, sell: bool) -> int: ...
def directions(buy: Any, sell: Any) -> Any:
    """1 where `buy`, -1 where `sell`, 0 elsewhere."""
    if isinstance(buy, bool):
        return buy - sell
    return buy.view(np.int8) - sell.view(np.int8)


@overload
def where(chosen: BoolArray, these: FloatArray, those: FloatArray | float) -> FloatArray: ...
@overload
def where(chosen: bool, these: float, those: float) -> float: ...
def where(chosen: Any, these: Any, those: Any) -> Any:
    """`these` where `chosen`, `those` elsewhere."""
    if isinstance(chosen, bool):
        return these if chosen else those
    return np.where(chosen, these, those)


def strength_beyond(depth: N) -> N:
    """How sure a signal is: 0.5 on its threshold (depth 0), rising to 1 at depth 1 and beyond."""
    if isinstance(depth, float):
        return 0.5 + 0.5 * min(max(depth, 0.0), 1.0)
    return 0.5 + 0.5 * np.minimum(np.maximum(depth, 0.0), 1.0)  # np.clip takes three times as long
