"""MACD crossover: follow a trend when the MACD line crosses its signal line."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from binance_trade_agent.strategies.base import LEAST_WARM_UP, BuiltInStrategy, Verdict, strength_beyond
from binance_trade_agent.strategies.crossings import ROUNDING_NOISE, crossings
from binance_trade_agent.strategies.indicators import N
from binance_trade_agent.strategies.params import StrategyParams
from binance_trade_agent.strategies.readings import Readings

_ATR_PERIOD = 14


class MacdParams(StrategyParams):
    """Parameters of the MACD."""

    macd_fast: int = Field(12, ge=2, le=100, description="period of the fast EMA, candles")
    macd_slow: int = Field(26, ge=3, le=100, description="period of the slow EMA, candles")
    macd_signal: int = Field(9, ge=2, le=40, description="period of the signal line's EMA, candles")
    macd_confirm_candles: int = Field(3, ge=1, le=60, description="a crossing counts for this many candles")

    @model_validator(mode="after")
    def _fast_below_slow(self) -> Self:
        if self.macd_fast >= self.macd_slow:
            raise ValueError(f"macd_fast is {self.macd_fast}: it must be below macd_slow, {self.macd_slow}")
        return self


class MacdCrossover(BuiltInStrategy[MacdParams]):
    """BUY when the MACD line crossed above its signal line lately and is still above; SELL the other way round.

    `Lately` is the last `macd_confirm_candles` candles, not the last one alone: a tick may be longer than a candle
    (120 s against 1 m by default), and a crossing that falls between two ticks would be missed.

    Confidence is 0.5 at the crossing and rises with the distance of the two lines, measured in average true ranges, to
    1 at one ATR. Both are prices, so it does not depend on the price's scale. It leans to buying while the MACD line is
    above its signal line.

    Source: Gerald Appel, Technical Analysis: Power Tools for Active Investors (2005).
    """

    name = "macd_crossover"
    summary = "buys when the MACD crosses above its signal line, sells when it crosses below"
    Params = MacdParams

    @property
    def warm_up(self) -> int:
        """7 periods of the slow EMA and of the signal's: a millionth of the start is left, (1 - 2/(n+1))^(7n)."""
        return max(LEAST_WARM_UP, 7 * (self.params.macd_slow + self.params.macd_signal))

    def judge(self, seen: Readings[N]) -> Verdict[N]:
        """Look for a crossing among the last candles."""
        line, signal = self._lines(seen)
        atr = seen.atr(_ATR_PERIOD)
        crossed, side = crossings(seen, self._distance, self.params.macd_confirm_candles)
        strength = strength_beyond(abs(line - signal) / atr)
        return Verdict(crossed, strength, {"macd": line, "macd_signal": signal, "atr": atr}, lean=side)

    def _lines(self, seen: Readings[N]) -> tuple[N, N]:
        return seen.macd(self.params.macd_fast, self.params.macd_slow, self.params.macd_signal)

    def _distance(self, seen: Readings[N]) -> tuple[N, N]:
        line, signal = self._lines(seen)
        return line - signal, ROUNDING_NOISE * seen.close

    def reason(self, row: Mapping[str, float]) -> str:
        """For example `MACD 12.31 crossed above its signal 11.8 within 3 candles`."""
        side = "above" if row["macd"] > row["macd_signal"] else "below"
        candles = f"{self.params.macd_confirm_candles} candles"
        if row["action"]:
            return f"MACD {row['macd']:.4g} crossed {side} its signal {row['macd_signal']:.4g} within {candles}"
        return f"MACD {row['macd']:.4g} {side} its signal {row['macd_signal']:.4g}, no crossing within {candles}"

    def glance(self, row: Mapping[str, float]) -> str:
        """For example `0.51 above its signal`."""
        distance = row["macd"] - row["macd_signal"]
        return f"{abs(distance):.3g} {'above' if distance > 0 else 'below'} its signal"
