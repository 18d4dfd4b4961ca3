"""What a strategy says about a symbol at the close of a candle."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from binance_trade_agent.domain.words import Text, Worded


class Action(StrEnum):
    """The direction of a signal."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Signal(Worded, frozen=True):
    """A strategy's word on the last closed candle.

    Attributes:
        confidence: 0 to 1; 0 for HOLD.
        reason: the comparison that led to it, with its numbers, for a person: `RSI 27.4 < 30`.
        indicators: the values that were compared, floats, by name.
    """

    symbol: str
    strategy: str
    action: Action
    confidence: float
    reason: Text
    candle_open_ms: int
    indicators: Mapping[str, float] = msgspec.field(default_factory=dict)
