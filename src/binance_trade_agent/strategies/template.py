"""Momentum: buy what has risen, sell what has fallen.

A starting point: change the rules here, in `vote`, and in `reason`, then run `trade-agent strategies check template`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pydantic import Field

from binance_trade_agent.strategies.base import Strategy, Votes, directions, strength_beyond
from binance_trade_agent.strategies.params import StrategyParams


class TemplateParams(StrategyParams):
    """What can be set by STRATEGY_PARAMS: each with its default, the least and the most allowed, and its unit."""

    momentum_period: int = Field(20, ge=1, le=500, description="how far it looks back, candles")
    momentum_pct: float = Field(0.5, ge=0.01, le=50, description="least change of the close since then, percent")


class Template(Strategy[TemplateParams]):
    """BUY while the close is at least `momentum_pct` above that of `momentum_period` candles ago, SELL while below.

    Confidence is 0.5 at that change and rises in a straight line to 1 at twice of it.
    """

    name = "template"
    summary = "buys what has risen, sells what has fallen"
    Params = TemplateParams

    @property
    def warm_up(self) -> int:
        """Candles needed before the first signal: the one looked back at, those between, and the present one."""
        return self.params.momentum_period + 1

    def vote(self, frame: pd.DataFrame) -> Votes:
        """Vote on every row at once, from it and earlier rows only; `frame` has open, high, low, close and volume."""
        close, period, least = frame["close"].to_numpy(), self.params.momentum_period, self.params.momentum_pct
        before = np.full(len(close), np.nan)  # NaN takes a vote back: there is no close to compare with yet
        before[period:] = close[:-period]
        change_pct = 100 * (close / before - 1)
        direction = directions(buy=change_pct >= least, sell=change_pct <= -least)
        strength = strength_beyond((np.abs(change_pct) - least) / least)
        return Votes(direction, strength, {"change_pct": change_pct})

    def reason(self, row: Mapping[str, float]) -> str:
        """Why one row says what it says, for example `+0.62 % in 20 candles >= 0.5 %`."""
        change, least = f"{row['change_pct']:+.2f} % in {self.params.momentum_period} candles", self.params.momentum_pct
        if row["action"] > 0:
            return f"{change} >= {least:g} %"
        if row["action"] < 0:
            return f"{change} <= -{least:g} %"
        return f"{change} within ±{least:g} %"
