"""What the strategy proposes for a symbol, put before the rules as an order of its size would be."""

from typing import Literal

from pydantic import BaseModel, Field

from binance_trade_agent.desk.judging import trader_of
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.domain.words import said
from binance_trade_agent.mcp_server.fields import Symbol, at_utc, sentence
from binance_trade_agent.mcp_server.offering import Call, ToolError, acts, shared
from binance_trade_agent.mcp_server.trading.previews import OrderPreview, preview_order, seen
from binance_trade_agent.reports.order_draft import Draft
from binance_trade_agent.reports.order_preview import strategy_order
from binance_trade_agent.reports.why import Explainer

_ACTED = frozenset({Outcome.ORDERED, Outcome.EXECUTED, Outcome.UNKNOWN})


class Proposal(BaseModel):
    """What the strategy said last, and the order that follows from it now."""

    symbol: str
    strategy: str | None
    signal: Literal["BUY", "SELL", "HOLD"] | None = Field(description="null where it was not decided, for want of data")
    reason: str = Field(description="why, with the numbers that were compared")
    decided_utc: str = Field(description="market time of the decision, UTC")
    outcome: str = Field(description="what the bot itself made of it, such as HELD, REFUSED or EXECUTED")
    nothing_to_do: str | None = Field(
        description="why there is no order to preview, a sentence; null where there is one"
    )
    preview: OrderPreview | None


async def execute_trading_workflow(call: Call, symbol: Symbol) -> Proposal:
    """Take what the strategy said last on a symbol, and put the order that follows from it before every risk rule.

    Nothing is placed yet: confirm_order with the preview_id places it, once, within 60 s.
    """
    name = symbol.strip().upper()
    decision = await _last_decision(call, name)
    nothing = _nothing_to_do(decision)
    preview = None if nothing else await _preview(call, name, decision)
    signal = decision.signal
    return Proposal(
        symbol=name,
        strategy=signal.strategy if signal else None,
        signal=signal.action.value if signal else None,
        reason=str(signal.reason if signal else decision.detail),
        decided_utc=at_utc(decision.tick_ms),
        outcome=decision.outcome.value,
        nothing_to_do=nothing or None,
        preview=preview,
    )


async def _last_decision(call: Call, symbol: str) -> Decision:
    try:
        found = await shared(call).desk.read(lambda connection: Explainer(connection, "", symbol).last())
    except ValueError as failure:
        raise ToolError(sentence(str(failure))) from None
    assert found.decision is not None, "the last decision has one"
    return found.decision


def _nothing_to_do(decision: Decision) -> str:
    """Why no order follows from a decision; empty where one does."""
    if decision.signal is None:
        return f"It was not decided: {sentence(str(decision.detail))}"
    if decision.signal.action is Action.HOLD:
        return "The strategy said HOLD."
    if decision.outcome in _ACTED:
        return f"The bot has acted on it already: {sentence(str(decision.detail))}"
    if decision.outcome is Outcome.SKIPPED:
        return f"There is nothing to do about it: {sentence(str(decision.detail))}"
    return ""


async def _preview(call: Call, symbol: str, decision: Decision) -> OrderPreview:
    assert decision.signal is not None
    desk, side = shared(call).desk, Side(decision.signal.action.value)
    market, trader = await seen(desk, symbol), trader_of(desk)
    if market is None:
        raise ToolError(f"The trader has told nothing of the market of {symbol} yet.")
    try:
        sized = await desk.read(lambda connection: strategy_order(connection, desk.settings, trader, market, side))
    except ValueError as failure:
        raise ToolError(sentence(str(failure))) from None
    if sized.order is None or not sized.order.quantity:
        raise ToolError(sentence(f"it comes to no order: {said(sized.detail)}"))
    return await preview_order(call, Draft(symbol, side.value, "market", plain(sized.order.quantity), "base"))


TOOLS = (acts(execute_trading_workflow, "Preview what the strategy proposes", is_destructive=False),)
