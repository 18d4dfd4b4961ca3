"""The signal agent: the strategy speaks, and the ledger's position says whether there is anything to do."""

from decimal import Decimal

import pytest

from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.domain.market import BookTicker, MarketView
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from tests.agents.desk import always
from tests.risk.conftest import RULES

VIEW = MarketView(
    "BTCUSDT", RULES, (), BookTicker("BTCUSDT", Decimal(49_990), Decimal(1), Decimal(50_000), Decimal(1), 0), 0, 0
)


class Always:
    """A strategy of one opinion."""

    name = "always"

    def __init__(self, action: Action) -> None:
        self._action = action

    def evaluate(self, symbol, candles) -> Signal:
        return Signal(symbol, "always", self._action, 0.5, f"{len(candles)} candles", 0)


@pytest.mark.parametrize(
    ("action", "held", "reason"),
    [
        (Action.SELL, "0", "no position to sell"),
        (Action.SELL, "-0.00009", "no position to sell"),
        (Action.SELL, "0.00009", "only dust to sell, 0.00009 BTC"),
        (Action.SELL, "0.00011", None),
        (Action.BUY, "0", None),
        (Action.BUY, "0.00009", None),
    ],
)
async def test_sell_without_a_position_worth_selling_leaves_nothing_to_do(action, held, reason):
    agent = SignalAgent(always(Always(action)))
    signal = await agent.evaluate(VIEW)
    assert signal.reason == "0 candles"
    assert agent.nothing_to_do(signal, VIEW, Position("BTCUSDT", Decimal(held))) == reason
