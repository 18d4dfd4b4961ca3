"""Bollinger bands: buy below the lower band, sell above the upper one."""

from collections.abc import Mapping

from pydantic import Field

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


class BollingerParams(StrategyParams):
    """Parameters of the bands."""

    bollinger_period: int = Field(20, ge=2, le=LEAST_WARM_UP, description="period of the mean, candles")
    bollinger_width: float = Field(2.0, ge=0.1, le=10, description="half width of the bands, standard deviations")


class BollingerBands(BuiltInStrategy[BollingerParams]):
    """BUY while the close is below the lower band, SELL while it is above the upper one.

    Confidence is 0.5 on the band and rises to 1 at half a band's width beyond it. Bands without width say nothing.
    It leans to buying below the middle.

    Source: John Bollinger, Bollinger on Bollinger Bands (2001), for the bands. That a close outside them is traded
    against is their simplest use; he warns that a touch of a band alone is no signal.
    """

    name = "bollinger_bands"
    summary = "buys below the lower Bollinger band, sells above the upper one"
    Params = BollingerParams

    @property
    def warm_up(self) -> int:
        """One period: the bands forget what is older."""
        return self.params.bollinger_period

    def judge(self, seen: Readings[N]) -> Verdict[N]:
        """Compare the close with the bands."""
        close = seen.close
        lower, middle, upper = seen.bollinger(self.params.bollinger_period, self.params.bollinger_width)
        buy, sell = close < lower, close > upper
        beyond = where(buy, lower - close, close - upper)
        strength = strength_beyond(beyond / (upper - middle))
        bands = {"close": close, "band_lower": lower, "band_middle": middle, "band_upper": upper}
        return Verdict(directions(buy, sell), strength, bands, lean=directions(close < middle, close > middle))

    def reason(self, row: Mapping[str, float]) -> str:
        """For example `close 65990.5 < lower band 66001.2`."""
        close, lower, upper = (f"{row[name]:.8g}" for name in ("close", "band_lower", "band_upper"))
        if row["action"] > 0:
            return f"close {close} < lower band {lower}"
        if row["action"] < 0:
            return f"close {close} > upper band {upper}"
        return f"close {close} between bands {lower} and {upper}"

    def glance(self, row: Mapping[str, float]) -> str:
        """How far the close is up from the lower band to the upper, for example `45 % up its bands`."""
        share = (row["close"] - row["band_lower"]) / (row["band_upper"] - row["band_lower"])
        return f"{share:.0%} up its bands".replace("%", " %")
