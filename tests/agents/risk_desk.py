"""A risk agent on a desk, with the limits that a test sets."""

from collections.abc import Callable
from decimal import Decimal

from binance_trade_agent.agents.risk import Identity, RiskManagementAgent
from binance_trade_agent.agents.risk_context import EntryMarket
from binance_trade_agent.risk.exits import ExitSettings
from binance_trade_agent.risk.settings import RiskSettings, SizingSettings
from tests.agents.desk import Desk

ATR_PERIOD = 14


def risk_agent(
    ready: Desk,
    *,
    epoch: int = 1,
    strategy: str = "s",
    exits: ExitSettings | None = None,
    sizing: SizingSettings | None = None,
    market: EntryMarket | None = None,
    promise: Callable[[], None] = lambda: None,
    **limits,
) -> RiskManagementAgent:
    """Entries of 100 USDT, at most 500 a symbol, five symbols; what else a test limits, it names."""
    known = {"max_position_quote": Decimal(500), "max_open_positions": 5}
    settings = RiskSettings(**{**known, **limits}, sizing=sizing or SizingSettings())
    return RiskManagementAgent(
        settings,
        exits or ExitSettings(),
        market or ready.gateway,
        ready.ledger,
        ready.clock,
        Identity("test", strategy),
        ready.gate,
        atr_period=ATR_PERIOD,
        epoch=lambda: epoch,
        locked_by_others=dict,
        promise=promise,
    )
