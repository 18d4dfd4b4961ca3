"""The combination: the other strategies vote, each with its weight, and a clear enough majority decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from binance_trade_agent.strategies.base import BuiltInStrategy, Verdict, directions, strength_beyond, where
from binance_trade_agent.strategies.bollinger_bands import BollingerBands, BollingerParams
from binance_trade_agent.strategies.donchian_breakout import DonchianBreakout, DonchianParams
from binance_trade_agent.strategies.ema_crossover import EmaCrossover, EmaParams
from binance_trade_agent.strategies.indicators import N
from binance_trade_agent.strategies.macd_crossover import MacdCrossover, MacdParams
from binance_trade_agent.strategies.mean_reversion_zscore import MeanReversionZscore, ZscoreParams
from binance_trade_agent.strategies.readings import Readings
from binance_trade_agent.strategies.rsi_momentum import RsiMomentum, RsiParams
from binance_trade_agent.strategies.supertrend import Supertrend, SupertrendParams

_EVEN = 1e-9  # leans that add up to less cancel out, but for the rounding of the weights

# The weight of each is the parameter `<label>_weight`, its vote the indicator `<label>_vote`.
_VOTERS: Mapping[str, type[BuiltInStrategy[Any]]] = {
    "rsi": RsiMomentum,
    "macd": MacdCrossover,
    "bollinger": BollingerBands,
    "ema": EmaCrossover,
    "supertrend": Supertrend,
    "donchian": DonchianBreakout,
    "zscore": MeanReversionZscore,
}


@dataclass(frozen=True, slots=True)
class _Voter:
    label: str
    strategy: BuiltInStrategy[Any]
    share: float  # of all weights


# pydantic takes the fields of the last base first: those that vote by default lead every list.
class CombinedParams(ZscoreParams, DonchianParams, SupertrendParams, EmaParams, BollingerParams, MacdParams, RsiParams):
    """Parameters of the voters, their weights, and the threshold."""

    rsi_weight: float = Field(1.0, ge=0, le=100, description="weight of rsi_momentum's vote")
    macd_weight: float = Field(1.0, ge=0, le=100, description="weight of macd_crossover's vote")
    bollinger_weight: float = Field(1.0, ge=0, le=100, description="weight of bollinger_bands' vote")
    ema_weight: float = Field(0.0, ge=0, le=100, description="weight of ema_crossover's vote")
    supertrend_weight: float = Field(0.0, ge=0, le=100, description="weight of supertrend's vote")
    donchian_weight: float = Field(0.0, ge=0, le=100, description="weight of donchian_breakout's vote")
    zscore_weight: float = Field(0.0, ge=0, le=100, description="weight of mean_reversion_zscore's vote")
    vote_threshold: float = Field(0.15, ge=0.01, le=0.99, description="act when the score is at least this, 0 to 1")

    def weight_of(self, label: str) -> float:
        """The weight of one voter."""
        return float(getattr(self, _weight(label)))

    @model_validator(mode="after")
    def _someone_votes(self) -> Self:
        if not any(self.weight_of(label) > 0 for label in _VOTERS):
            *others, last = map(_weight, _VOTERS)
            raise ValueError(f"{', '.join(others)} and {last} are all 0: one at least must be above 0")
        return self


class CombinedDefault(BuiltInStrategy[CombinedParams]):
    """BUY when the weighted mean of the votes is at least `vote_threshold`, SELL when it is at most minus that.

    A vote is direction times confidence, -1 to 1, and 0 for HOLD; so is their weighted mean, the score. Only a strategy
    with a weight above 0 votes, warms up and is shown. Confidence is 0.5 on the threshold and rises in a straight line
    to 1 at a score of 1 or -1. It leans as the weighted sum of its voters' leans.

    With the defaults rsi_momentum, macd_crossover and bollinger_bands vote alike, and one of them is heard when no
    other contradicts it: its vote is 0.5 at least, a third of that 0.167.
    """

    name = "combined_default"
    summary = "weighted vote of the other strategies: rsi_momentum, macd_crossover and bollinger_bands, or as you weigh"
    Params = CombinedParams

    def __init__(self, params: CombinedParams, name: str | None = None) -> None:
        super().__init__(params, name)
        weights = {label: params.weight_of(label) for label in _VOTERS if params.weight_of(label) > 0}
        all_weights = sum(weights.values())
        self._voters = tuple(
            _Voter(label, _VOTERS[label](params), weight / all_weights) for label, weight in weights.items()
        )
        self._warm_up = max(voter.strategy.warm_up for voter in self._voters)

    @property
    def warm_up(self) -> int:
        """The longest of the voters'."""
        return self._warm_up

    def judge(self, seen: Readings[N]) -> Verdict[N]:
        """Add up the votes."""
        shown: dict[str, N] = {}
        score: Any = 0.0
        leaning: Any = 0.0
        for voter in self._voters:
            said = voter.strategy.judge(seen)
            vote = where(said.direction != 0, said.direction * said.strength, 0.0)
            score = score + vote * voter.share
            leaning = leaning + said.lean * voter.share
            shown |= {**said.indicators, f"{voter.label}_vote": vote}
        threshold = self.params.vote_threshold
        strength = strength_beyond((abs(score) - threshold) / (1 - threshold))
        lean = directions(leaning > _EVEN, leaning < -_EVEN)
        return Verdict(directions(score >= threshold, score <= -threshold), strength, {**shown, "score": score}, lean)

    def reason(self, row: Mapping[str, float]) -> str:
        """For example `score +0.18 >= 0.15: rsi BUY 0.54 (RSI 27.4 < 30), macd HOLD (0.51 above its signal), ...`."""
        threshold = self.params.vote_threshold
        if row["action"] > 0:
            verdict = f"score {_score(row)} >= {threshold:g}"
        elif row["action"] < 0:
            verdict = f"score {_score(row)} <= -{threshold:g}"
        else:
            verdict = f"score {_score(row)} within ±{threshold:g}"
        return f"{verdict}: " + ", ".join(_explained(voter, row) for voter in self._voters)

    def glance(self, row: Mapping[str, float]) -> str:
        """For example `score +0.00 (rsi: RSI 48.1, macd: 0.51 above its signal, bollinger: 45 % up its bands)`."""
        seen = (f"{voter.label}: {voter.strategy.glance(row)}" for voter in self._voters)
        return f"score {_score(row)} ({', '.join(seen)})"

    def undefined_reason(self, undefined: Sequence[str]) -> str:
        """The words of a voter that has its own for it."""
        common = super().undefined_reason(undefined)
        said = (voter.strategy.undefined_reason(undefined) for voter in self._voters)
        return next((reason for reason in said if reason != common), common)


def _weight(label: str) -> str:
    return f"{label}_weight"


def _score(row: Mapping[str, float]) -> str:
    return f"{round(row['score'], 2) + 0.0:+.2f}"  # + 0.0 makes -0.0 a plain 0


def _explained(voter: _Voter, row: Mapping[str, float]) -> str:
    vote = row[f"{voter.label}_vote"]
    if not vote:
        return f"{voter.label} HOLD ({voter.strategy.glance(row)})"
    said = "BUY" if vote > 0 else "SELL"
    return f"{voter.label} {said} {abs(vote):.2f} ({voter.strategy.reason({**row, 'action': np.sign(vote)})})"
