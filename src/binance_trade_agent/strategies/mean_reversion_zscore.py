"""Mean reversion by z-score: buy what fell far below its mean, sell when it is back."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from binance_trade_agent.strategies.base import (
    LEAST_WARM_UP,
    BuiltInStrategy,
    Verdict,
    directions,
    strength_beyond,
    where,
)
from binance_trade_agent.strategies.indicators import N
from binance_trade_agent.strategies.params import StrategyParams
from binance_trade_agent.strategies.readings import Readings

_SURE_DEVIATIONS = 2.0  # beyond a threshold, for a confidence of 1


class ZscoreParams(StrategyParams):
    """Parameters of the z-score."""

    zscore_period: int = Field(30, ge=3, le=LEAST_WARM_UP, description="period of mean and deviation, candles")
    zscore_entry: float = Field(-2.0, ge=-6, le=-0.1, description="buy below this z-score, standard deviations")
    zscore_exit: float = Field(0.0, ge=-5, le=6, description="sell above this z-score, standard deviations")

    @model_validator(mode="after")
    def _entry_below_exit(self) -> Self:
        if self.zscore_entry >= self.zscore_exit:
            raise ValueError(
                f"zscore_entry is {self.zscore_entry:g}: it must be below zscore_exit, {self.zscore_exit:g}"
            )
        return self


class MeanReversionZscore(BuiltInStrategy[ZscoreParams]):
    """BUY while the close is more than `zscore_entry` deviations below its mean, SELL while it is above `zscore_exit`.

    With the default exit, the mean itself, it sells as soon as the price is back, and says SELL half of the time: that
    closes a position where there is one. Confidence is 0.5 on a threshold and rises to 1 two deviations beyond it. It
    leans to buying below the mean. A price that does not move has no z-score.

    Source: Ernest Chan, Algorithmic Trading (2013), chapter 3, `entryZscore` and `exitZscore`.
    """

    name = "mean_reversion_zscore"
    summary = "buys far below the mean, sells when the price is back at it"
    Params = ZscoreParams

    @property
    def warm_up(self) -> int:
        """One period: mean and deviation forget what is older."""
        return self.params.zscore_period

    def judge(self, seen: Readings[N]) -> Verdict[N]:
        """Compare the z-score with its thresholds."""
        entry, exit_ = self.params.zscore_entry, self.params.zscore_exit
        zscore = seen.zscore(self.params.zscore_period)
        buy, sell = zscore < entry, zscore > exit_
        strength = strength_beyond(where(buy, entry - zscore, zscore - exit_) / _SURE_DEVIATIONS)
        return Verdict(directions(buy, sell), strength, {"zscore": zscore}, lean=directions(zscore < 0, zscore > 0))

    def reason(self, row: Mapping[str, float]) -> str:
        """For example `z-score -2.31 < -2`, or `z-score -1.20 between -2 and 0`."""
        entry, exit_ = self.params.zscore_entry, self.params.zscore_exit
        if row["action"] > 0:
            return f"{self.glance(row)} < {entry:g}"
        if row["action"] < 0:
            return f"{self.glance(row)} > {exit_:g}"
        return f"{self.glance(row)} between {entry:g} and {exit_:g}"

    def glance(self, row: Mapping[str, float]) -> str:
        """For example `z-score -1.20`."""
        return f"z-score {round(row['zscore'], 2) + 0.0:.2f}"  # + 0.0 makes -0.0 a plain 0
