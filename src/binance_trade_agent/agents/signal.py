"""SignalAgent: the strategy's word on the closed candles, and whether the position leaves anything to do about it."""

from typing import Any

from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.strategies.base import Strategy


class SignalAgent:
    """Asks one strategy."""

    def __init__(self, strategy: Strategy[Any]) -> None:
        self._strategy = strategy

    def evaluate(self, view: MarketView) -> Signal:
        """The strategy's signal at the close of the last candle; whatever the strategy raises comes through."""
        return self._strategy.evaluate(view.symbol, view.candles)

    def nothing_to_do(self, signal: Signal, view: MarketView, position: Position) -> str | None:
        """Why there is nothing to do about a signal, None when there is: the bot sells only what its ledger holds."""
        if signal.action is not Action.SELL or not view.rules.is_dust(position.quantity, view.book.bid):
            return None
        if not position.quantity:
            return "no position to sell"
        return f"only dust to sell, {plain(position.quantity)} {view.rules.base_asset}"
