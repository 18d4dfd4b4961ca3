"""The combination: RSI, MACD and Bollinger bands vote, and a clear enough majority decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field, model_validator

from binance_trade_agent.strategies import indicators
from binance_trade_agent.strategies.base import Strategy, Votes, directions, strength_beyond
from binance_trade_agent.strategies.bollinger_bands import BollingerBands, BollingerParams
from binance_trade_agent.strategies.macd_crossover import MacdCrossover, MacdParams
from binance_trade_agent.strategies.rsi_momentum import RsiMomentum, RsiParams

if TYPE_CHECKING:
    import pandas as pd

_EVEN = 1e-9  # leans that add up to less cancel out, but for the rounding of the weights


@dataclass(frozen=True, slots=True)
class _Voter:
    label: str
    strategy: Strategy[Any]
    weight: float


class CombinedParams(RsiParams, MacdParams, BollingerParams):
    """Parameters of the three voters, their weights, and the threshold."""

    rsi_weight: float = Field(1.0, ge=0, le=100, description="weight of rsi_momentum's vote")
    macd_weight: float = Field(1.0, ge=0, le=100, description="weight of macd_crossover's vote")
    bollinger_weight: float = Field(1.0, ge=0, le=100, description="weight of bollinger_bands' vote")
    vote_threshold: float = Field(0.15, ge=0.01, le=0.99, description="act when the score is at least this, 0 to 1")

    @model_validator(mode="after")
    def _someone_votes(self) -> Self:
        if not self.rsi_weight + self.macd_weight + self.bollinger_weight > 0:
            raise ValueError("rsi_weight, macd_weight and bollinger_weight are all 0: one at least must be above 0")
        return self


class CombinedDefault(Strategy[CombinedParams]):
    """BUY when the weighted mean of the votes is at least `vote_threshold`, SELL when it is at most minus that.

    A vote is direction times confidence, -1 to 1, and 0 for HOLD; so is their weighted mean, the score. Confidence is
    0.5 on the threshold and rises in a straight line to 1 at a score of 1 or -1.

    It leans as the weighted sum of its voters' leans.

    With the defaults one voter is heard when no other contradicts it: its vote is 0.5 at least, a third of that 0.167.
    """

    name = "combined_default"
    summary = "weighted vote of rsi_momentum, macd_crossover and bollinger_bands"
    Params = CombinedParams

    def __init__(self, params: CombinedParams, name: str | None = None) -> None:
        super().__init__(params, name)
        self._voters = (
            _Voter("rsi", RsiMomentum(params), params.rsi_weight),
            _Voter("macd", MacdCrossover(params), params.macd_weight),
            _Voter("bollinger", BollingerBands(params), params.bollinger_weight),
        )

    @property
    def warm_up(self) -> int:
        """The longest of the voters'."""
        return max(voter.strategy.warm_up for voter in self._voters)

    def vote(self, frame: "pd.DataFrame") -> Votes:
        """Add up the three votes."""
        shown: dict[str, indicators.FloatArray] = {}
        score, leaning = np.zeros(len(frame)), np.zeros(len(frame))
        all_weights = sum(voter.weight for voter in self._voters)
        for voter in self._voters:
            votes = voter.strategy.vote(frame)
            vote = np.where(votes.direction, votes.direction * votes.strength, 0.0)
            score += vote * (voter.weight / all_weights)
            leaning += votes.leaning * (voter.weight / all_weights)
            shown |= {**votes.indicators, f"{voter.label}_vote": vote}
        threshold = self.params.vote_threshold
        strength = strength_beyond((np.abs(score) - threshold) / (1 - threshold))
        lean = directions(leaning > _EVEN, leaning < -_EVEN)
        return Votes(directions(score >= threshold, score <= -threshold), strength, {**shown, "score": score}, lean)

    def reason(self, row: Mapping[str, float]) -> str:
        """For example `score +0.18 >= 0.15: rsi BUY 0.54 (RSI 27.4 < 30), macd HOLD (0.51 above its signal), ...`."""
        score, threshold = round(row["score"], 2) + 0.0, self.params.vote_threshold  # + 0.0 makes -0.0 a plain 0
        if row["action"] > 0:
            verdict = f"score {score:+.2f} >= {threshold:g}"
        elif row["action"] < 0:
            verdict = f"score {score:+.2f} <= -{threshold:g}"
        else:
            verdict = f"score {score:+.2f} within ±{threshold:g}"
        return f"{verdict}: " + ", ".join(_explained(voter, row) for voter in self._voters)


def _explained(voter: _Voter, row: Mapping[str, float]) -> str:
    vote = row[f"{voter.label}_vote"]
    if not vote:
        return f"{voter.label} HOLD ({voter.strategy.glance(row)})"
    said = "BUY" if vote > 0 else "SELL"
    return f"{voter.label} {said} {abs(vote):.2f} ({voter.strategy.reason({**row, 'action': np.sign(vote)})})"
