"""The rule of the workloads as a strategy of one's own: what a user would put into config/strategies/."""

from collections.abc import Mapping
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from binance_trade_agent.strategies import indicators
from binance_trade_agent.strategies.base import Strategy, Votes
from binance_trade_agent.strategies.params import StrategyParams


class RsiSwingParams(StrategyParams):
    """Of the rule."""

    period: int = Field(14, ge=2, le=70, description="period of Wilder's RSI, candles")
    low: float = Field(30.0, ge=1, le=99, description="buy when the RSI falls below it")
    high: float = Field(70.0, ge=1, le=99, description="sell when the RSI rises above it")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low:g}: it must be below high, {self.high:g}")
        return self


class RsiSwing(Strategy[RsiSwingParams]):
    """BUY when the RSI falls below `low`, then SELL when it rises above `high`, and so on in turns.

    A fall below the low while the last signal was to buy says nothing new, nor does a rise while it was to sell.
    """

    name = "rsi_swing"
    summary = "buys when the RSI falls below one level, sells when it rises above another, in turns"
    Params = RsiSwingParams

    @property
    def warm_up(self) -> int:
        """As of rsi_momentum."""
        return max(300, 14 * self.params.period)

    def vote(self, frame: pd.DataFrame) -> Votes:
        """Find the crossings, and of several of one kind in a row take the first."""
        params = self.params
        rsi = indicators.rsi(frame["close"].to_numpy(), params.period)
        direction = np.zeros(len(rsi), dtype=np.int8)
        direction[1:][(rsi[:-1] >= params.low) & (rsi[1:] < params.low)] = 1
        direction[1:][(rsi[:-1] <= params.high) & (rsi[1:] > params.high)] = -1
        # Nothing is said before the warm-up is over; an RSI that is low by then counts as fallen.
        first = self.warm_up - 1
        direction[:first] = 0
        if first < len(rsi):
            direction[first] = rsi[first] < params.low
        rows = np.flatnonzero(direction)
        said = direction[rows]
        direction[rows[1:][said[1:] == said[:-1]]] = 0
        return Votes(direction, np.ones(len(rsi)), {"rsi": rsi})

    def reason(self, row: Mapping[str, float]) -> str:
        """The RSI against the level that it has crossed."""
        level = self.params.low if row["action"] > 0 else self.params.high
        return f"RSI {row['rsi']:.1f} has crossed {level:g}"
