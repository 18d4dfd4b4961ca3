"""What was decided and why, and what decides. Nothing is worked out anew: the trader's own decisions are told."""

import math
import sqlite3
from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, Field

from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.health import health_of, told_of
from binance_trade_agent.domain.decisions import Decision, Finding
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.ledger import strategy_changes
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.mcp_server.fields import NOTICE, Moment, Number, Symbol, at_utc, maybe_utc, sentence
from binance_trade_agent.mcp_server.offering import Call, ToolError, reads, shared
from binance_trade_agent.reports import why_text
from binance_trade_agent.reports.why import Explainer, Explanation
from binance_trade_agent.strategies.registry import StrategyDescription, describe


class TradingSignal(BaseModel):
    """The strategy's word at the symbol's last decision."""

    symbol: str
    action: str | None = Field(description="BUY, SELL or HOLD; null where the strategy was not asked, see detail")
    confidence: float | None = Field(description="0 to 1; 0 for HOLD")
    strategy: str | None
    reason: str | None = Field(description="the comparison that led to it")
    indicators: dict[str, float] = Field(description="the values that were compared")
    candle_open_utc: str | None = Field(description="the closed candle that it is about")
    decided_utc: str = Field(description="the tick, market time")
    age_seconds: float | None = Field(description="market time since the tick; null while no trader runs")
    is_trader_running: bool
    outcome: str = Field(description="what came of the decision, such as HELD, REFUSED or EXECUTED")
    rule: str | None = Field(description="the risk rule that refused")
    detail: str = Field(description="why it ended so")


class RuleFinding(BaseModel):
    """What one risk rule found."""

    rule: str
    allows: bool | None = Field(description="null: not asked, as another rule refuses")
    detail: str = Field(description="the comparison in words")
    value: Number | None = Field(description="what was compared, in `unit`; null without a number")
    limit: Number | None = Field(description="with what, in `unit`")
    unit: str


class ExplainedDecision(BaseModel):
    """A decision or an order, from what was seen to what came of it."""

    symbol: str
    decided_utc: str | None = Field(description="the tick; null for an order that was placed between ticks")
    outcome: str | None
    action: str | None = Field(description="BUY, SELL or HOLD")
    confidence: float | None
    rule: str | None = Field(description="the risk rule that refused")
    findings: list[RuleFinding] = Field(description="what each rule found, in the order in which they were asked")
    client_order_id: str | None
    order_state: str | None
    notice: str = NOTICE
    data: list[str] = Field(description="the whole explanation for people, a line each")


class Parameter(BaseModel):
    """A parameter of a strategy."""

    name: str
    default: float | bool
    minimum: float | None = Field(description="null for one that is true or false")
    maximum: float | None
    description: str = Field(description="with its unit")


class Strategy(BaseModel):
    """A strategy or a preset of one."""

    name: str
    summary: str
    preset_of: str | None
    is_own: bool = Field(description="whether it is a file of the user's own")
    broken: str | None = Field(description="why it cannot be used")
    parameters: list[Parameter]


class Strategies(BaseModel):
    """All strategies, and the one that decides."""

    in_use: str
    in_use_parameters: dict[str, str] = Field(description="those that differ from its defaults")
    in_use_since_utc: str | None = Field(description="null where only the settings say it")
    strategies: list[Strategy]


async def generate_trading_signal(call: Call, symbol: Symbol) -> TradingSignal:
    """The strategy's signal at the symbol's last decision, with its age.

    The running trader decides on its own schedule; this tells what it decided, and works nothing out anew.
    """
    desk = shared(call).desk
    decision = (await _explained(desk, symbol, lambda explainer: explainer.last())).decision
    if decision is None:
        raise ToolError(f"Nothing has been decided on {symbol} yet.")
    signal = decision.signal
    return TradingSignal(
        symbol=symbol,
        action=signal.action.value if signal else None,
        confidence=signal.confidence if signal else None,
        strategy=signal.strategy if signal else None,
        reason=str(signal.reason) if signal else None,
        indicators=_finite(dict(signal.indicators)) if signal else {},
        candle_open_utc=at_utc(signal.candle_open_ms) if signal else None,
        decided_utc=at_utc(decision.tick_ms),
        age_seconds=_market_age(desk, decision),
        is_trader_running=desk.is_running(),
        outcome=decision.outcome.value,
        rule=decision.rule,
        detail=str(decision.detail),
    )


async def explain_decision(
    call: Call,
    symbol: Symbol,
    at: Annotated[Moment | None, Field(description="the latest tick up to then: 14:38, or UTC in ISO 8601")] = None,
    order: Annotated[
        str | None, Field(min_length=1, max_length=60, description="a client order id or its beginning")
    ] = None,
) -> ExplainedDecision:
    """Why a decision came out as it did: market, signal, each rule, the order and what became of it.

    Without `at` and `order`, the last decision on the symbol.
    """
    if at is not None and order is not None:
        raise ToolError("at and order each ask for something else: give one of them.")

    def find(explainer: Explainer) -> Explanation:
        if order is not None:
            return explainer.order(order)
        return explainer.last() if at is None else explainer.at(at)

    found = await _explained(shared(call).desk, symbol, find)
    decision, story = found.decision, found.order
    signal = decision.signal if decision else None
    return ExplainedDecision(
        symbol=found.symbol,
        decided_utc=maybe_utc(decision.tick_ms if decision else None),
        outcome=decision.outcome.value if decision else None,
        action=signal.action.value if signal else None,
        confidence=signal.confidence if signal else None,
        rule=decision.rule if decision else None,
        findings=[rule_finding(each) for each in decision.findings] if decision else [],
        client_order_id=story.order.client_order_id if story else None,
        order_state=story.order.state.value if story else None,
        data=list(why_text.lines(found)),
    )


async def list_strategies(call: Call) -> Strategies:
    """All strategies and presets with their parameters, and the one that is in use."""
    desk = shared(call).desk
    try:
        change = await desk.read(strategy_changes.latest)
    except LedgerError:
        change = None
    choice = change.choice if change else StrategyChoice(desk.settings.strategy_name, desk.settings.strategy_params)
    return Strategies(
        in_use=choice.name,
        in_use_parameters=dict(choice.params),
        in_use_since_utc=at_utc(change.at_ms) if change else None,
        strategies=[_strategy(each) for each in await desk.in_thread(describe)],
    )


def rule_finding(found: Finding) -> RuleFinding:
    """A finding as outputs write it."""
    return RuleFinding(
        rule=found.rule,
        allows=found.allows,
        detail=str(found.detail),
        value=found.value,
        limit=found.limit,
        unit=found.unit,
    )


async def _explained(desk: Desk, symbol: str, find: Callable[[Explainer], Explanation]) -> Explanation:
    path = str(desk.ledger_path)

    def read(connection: sqlite3.Connection) -> Explanation:
        return find(Explainer(connection, path, symbol))

    try:
        return await desk.read(read)
    except ValueError as failure:
        raise ToolError(sentence(str(failure))) from None
    except OverflowError:
        raise ToolError("at: that is too far away.") from None


def _market_age(desk: Desk, decision: Decision) -> float | None:
    """By the market's clock, as the running trader tells it."""
    told = told_of(desk, health_of(desk))
    now_ms = told.market_now_ms() if told else None
    return None if now_ms is None else max(0.0, round((now_ms - decision.tick_ms) / 1000, 1))


def _finite(values: dict[str, float]) -> dict[str, float]:
    """JSON has no NaN."""
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _strategy(each: StrategyDescription) -> Strategy:
    return Strategy(
        name=each.name,
        summary=each.summary,
        preset_of=each.preset_of,
        is_own=each.place is not None,
        broken=each.broken,
        parameters=[
            Parameter(
                name=one.name,
                default=one.default,
                minimum=one.minimum,
                maximum=one.maximum,
                description=one.description,
            )
            for one in each.parameters
        ],
    )


TOOLS = (
    reads(generate_trading_signal, "The last signal"),
    reads(explain_decision, "Why it decided so"),
    reads(list_strategies, "Strategies"),
)
