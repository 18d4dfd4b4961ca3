"""EMA crossover: follow a trend when a fast average of the price crosses a slow one."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from binance_trade_agent.strategies.base import LEAST_WARM_UP, BuiltInStrategy, Verdict, strength_beyond
from binance_trade_agent.strategies.crossings import ROUNDING_NOISE, crossings
from binance_trade_agent.strategies.indicators import N
from binance_trade_agent.strategies.params import StrategyParams
from binance_trade_agent.strategies.readings import Readings

_ATR_PERIOD = 14


class EmaParams(StrategyParams):
    """Parameters of the two averages."""

    ema_fast: int = Field(12, ge=2, le=139, description="period of the fast EMA, candles")
    ema_slow: int = Field(26, ge=3, le=400, description="period of the slow EMA, candles")
    ema_confirm_candles: int = Field(3, ge=1, le=60, description="a crossing of the EMAs counts for this many candles")

    @model_validator(mode="after")
    def _ema_fast_below_slow(self) -> Self:
        if self.ema_fast >= self.ema_slow:
            raise ValueError(f"ema_fast is {self.ema_fast}: it must be below ema_slow, {self.ema_slow}")
        return self


class EmaCrossover(BuiltInStrategy[EmaParams]):
    """BUY when the fast EMA of the close crossed above the slow one lately and still is; SELL the other way round.

    `Lately` is the last `ema_confirm_candles` candles, for the reason that `macd_crossover.py` gives. Confidence is 0.5
    at the crossing and rises with the distance of the two averages to 1 at one average true range. It leans to buying
    while the fast average is above the slow one.

    Source: the moving average rules that Brock, Lakonishok and LeBaron tested (Journal of Finance 47, 1992), on
    exponential averages. 12 and 26 are the MACD's, so that a crossing is where its line crosses zero.
    """

    name = "ema_crossover"
    summary = "buys when a fast EMA crosses above a slow one, sells when it crosses below"
    Params = EmaParams

    @property
    def warm_up(self) -> int:
        """7 periods of the slow EMA: a millionth of the start is left, (1 - 2/(n+1))^(7n)."""
        return max(LEAST_WARM_UP, 7 * self.params.ema_slow)

    def judge(self, seen: Readings[N]) -> Verdict[N]:
        """Look for a crossing among the last candles."""
        fast, slow = self._lines(seen)
        atr = seen.atr(_ATR_PERIOD)
        crossed, side = crossings(seen, self._distance, self.params.ema_confirm_candles)
        strength = strength_beyond(abs(fast - slow) / atr)
        return Verdict(crossed, strength, {"ema_fast": fast, "ema_slow": slow, "atr": atr}, lean=side)

    def _lines(self, seen: Readings[N]) -> tuple[N, N]:
        return seen.ema(self.params.ema_fast), seen.ema(self.params.ema_slow)

    def _distance(self, seen: Readings[N]) -> tuple[N, N]:
        fast, slow = self._lines(seen)
        return fast - slow, ROUNDING_NOISE * seen.close

    def reason(self, row: Mapping[str, float]) -> str:
        """For example `EMA(12) 65990.5 crossed above EMA(26) 65988.1 within 3 candles`."""
        fast = f"EMA({self.params.ema_fast}) {row['ema_fast']:.8g}"
        slow = f"EMA({self.params.ema_slow}) {row['ema_slow']:.8g}"
        candles = f"{self.params.ema_confirm_candles} candles"
        if row["action"]:
            return f"{fast} crossed {_side(row)} {slow} within {candles}"
        return f"{fast} {_side(row)} {slow}, no crossing within {candles}"

    def glance(self, row: Mapping[str, float]) -> str:
        """For example `EMA(12) 2.4 above EMA(26)`."""
        distance = abs(row["ema_fast"] - row["ema_slow"])
        return f"EMA({self.params.ema_fast}) {distance:.3g} {_side(row)} EMA({self.params.ema_slow})"


def _side(row: Mapping[str, float]) -> str:
    return "above" if row["ema_fast"] > row["ema_slow"] else "below"
