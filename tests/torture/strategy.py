"""A strategy that asks a coin: it trades at many ticks, both ways, and costs nothing."""

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.strategies.base import Strategy, Votes
from binance_trade_agent.strategies.params import StrategyParams

if TYPE_CHECKING:
    import pandas as pd


class CoinStrategy(Strategy[StrategyParams]):
    """BUY and SELL by chance.

    Attributes:
        is_quiet: set to let it hold from now on.
    """

    name = "coin"

    def __init__(self, chance: random.Random, *, buy: float = 0.4, sell: float = 0.3) -> None:
        super().__init__(StrategyParams(), "coin")
        self.is_quiet = False
        self._chance = chance
        self._odds = buy, sell

    @property
    def warm_up(self) -> int:
        return 1

    def vote(self, frame: "pd.DataFrame") -> Votes:
        raise NotImplementedError("it answers for the last candle only")

    def reason(self, row: Mapping[str, float]) -> str:  # noqa: ARG002 (Strategy)
        return "the coin"

    def evaluate(self, symbol: str, candles: Sequence[Candle]) -> Signal:
        drawn, (buy, sell) = self._chance.random(), self._odds
        action: Any = Action.HOLD
        if not self.is_quiet:
            action = Action.BUY if drawn < buy else Action.SELL if drawn < buy + sell else Action.HOLD
        confidence = 0.0 if action is Action.HOLD else 0.9
        return Signal(symbol, self.name, action, confidence, "the coin", candles[-1].open_time_ms)
