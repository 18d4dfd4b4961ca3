"""RSI momentum: buy what is oversold, sell what is overbought."""

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

_MIDDLE = 50.0  # gains and losses are equal


class RsiParams(StrategyParams):
    """Parameters of the RSI."""

    rsi_period: int = Field(14, ge=2, le=70, description="period of Wilder's RSI, candles")
    rsi_oversold: float = Field(30.0, ge=1, le=99, description="buy below this RSI, 0 to 100")
    rsi_overbought: float = Field(70.0, ge=1, le=99, description="sell above this RSI, 0 to 100")

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        if self.rsi_oversold >= self.rsi_overbought:
            raise ValueError(
                f"rsi_oversold is {self.rsi_oversold:g}: it must be below rsi_overbought, {self.rsi_overbought:g}"
            )
        return self


class RsiMomentum(BuiltInStrategy[RsiParams]):
    """BUY while Wilder's RSI is below `rsi_oversold`, SELL while it is above `rsi_overbought`.

    Confidence is 0.5 on the threshold and rises in a straight line to 1 at the end of the scale, RSI 0 or 100.
    It buys weakness, so it leans to buying below RSI 50.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978), whose thresholds are 30 and 70.
    """

    name = "rsi_momentum"
    summary = "buys below an oversold RSI, sells above an overbought one"
    Params = RsiParams

    @property
    def warm_up(self) -> int:
        """14 periods: by then less than a millionth of the first average is left, (1 - 1/period)^(14 period)."""
        return max(LEAST_WARM_UP, 14 * self.params.rsi_period)

    def judge(self, seen: Readings[N]) -> Verdict[N]:
        """Compare the RSI with its thresholds."""
        params = self.params
        rsi = seen.rsi(params.rsi_period)
        buy, sell = rsi < params.rsi_oversold, rsi > params.rsi_overbought
        below = (params.rsi_oversold - rsi) / params.rsi_oversold
        above = (rsi - params.rsi_overbought) / (100 - params.rsi_overbought)
        strength = strength_beyond(where(buy, below, above))
        return Verdict(directions(buy, sell), strength, {"rsi": rsi}, lean=directions(rsi < _MIDDLE, rsi > _MIDDLE))

    def reason(self, row: Mapping[str, float]) -> str:
        """For example `RSI 27.4 < 30`, or `RSI 48.1 between 30 and 70`."""
        oversold, overbought = self.params.rsi_oversold, self.params.rsi_overbought
        if row["action"] > 0:
            return f"RSI {row['rsi']:.1f} < {oversold:g}"
        if row["action"] < 0:
            return f"RSI {row['rsi']:.1f} > {overbought:g}"
        return f"RSI {row['rsi']:.1f} between {oversold:g} and {overbought:g}"

    def glance(self, row: Mapping[str, float]) -> str:
        """For example `RSI 48.1`."""
        return f"RSI {row['rsi']:.1f}"
