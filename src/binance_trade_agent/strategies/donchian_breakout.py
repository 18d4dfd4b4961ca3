"""Donchian breakout: buy a new high, sell a new low."""

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


class DonchianParams(StrategyParams):
    """Parameters of the channel."""

    donchian_entry: int = Field(
        20, ge=2, le=LEAST_WARM_UP, description="buy above the highest high of this many candles before"
    )
    donchian_exit: int = Field(
        10, ge=2, le=LEAST_WARM_UP, description="sell below the lowest low of this many candles before"
    )

    @model_validator(mode="after")
    def _exit_within_entry(self) -> Self:
        if self.donchian_exit > self.donchian_entry:
            raise ValueError(
                f"donchian_exit is {self.donchian_exit}: it must be at most donchian_entry, {self.donchian_entry}"
            )
        return self


class DonchianBreakout(BuiltInStrategy[DonchianParams]):
    """BUY while the close is above the highest high before it, SELL while it is below the lowest low before it.

    The highest high is that of `donchian_entry` candles, the lowest low that of `donchian_exit`. Confidence is 0.5 on
    that price and rises to 1 at half the entry channel's width beyond it. A channel without width says nothing. It
    leans to buying above the middle of the entry channel.

    Source: Richard Donchian's channel, with the entries and exits of the Turtles' System 1 (Curtis Faith, The Original
    Turtle Trading Rules, 2003), on closes where they traded the break itself; the preset is System 2.
    """

    name = "donchian_breakout"
    summary = "buys above the highest high of the candles before, sells below their lowest low"
    Params = DonchianParams

    @property
    def warm_up(self) -> int:
        """The entry channel and the candle itself: what is older is forgotten."""
        return self.params.donchian_entry + 1

    def judge(self, seen: Readings[N]) -> Verdict[N]:
        """Compare the close with the channel before it."""
        close = seen.close
        floor, middle, top = seen.donchian(self.params.donchian_entry, self.params.donchian_exit)
        buy, sell = close > top, close < floor
        beyond = where(buy, close - top, floor - close)
        strength = strength_beyond(beyond / (top - middle))
        shown = {"close": close, "donchian_low": floor, "donchian_middle": middle, "donchian_high": top}
        return Verdict(directions(buy, sell), strength, shown, lean=directions(close > middle, close < middle))

    def reason(self, row: Mapping[str, float]) -> str:
        """For example `close 66010.5 > 66001.2, the high of 20 candles`."""
        close, low, high = (f"{row[name]:.8g}" for name in ("close", "donchian_low", "donchian_high"))
        entry, exit_ = self.params.donchian_entry, self.params.donchian_exit
        if row["action"] > 0:
            return f"close {close} > {high}, the high of {entry} candles"
        if row["action"] < 0:
            return f"close {close} < {low}, the low of {exit_} candles"
        return f"close {close} between {low}, the low of {exit_} candles, and {high}, the high of {entry}"

    def glance(self, row: Mapping[str, float]) -> str:
        """For example `close 66010.5, channel's middle 65900`."""
        return f"close {row['close']:.8g}, channel's middle {row['donchian_middle']:.8g}"
