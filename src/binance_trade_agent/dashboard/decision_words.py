"""Decisions, findings and orders in words, and the badges that they get."""

from decimal import Decimal
from typing import NamedTuple

from binance_trade_agent.domain.decisions import Decision, Finding, Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import Order, OrderState, OrderType
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.reports.risk_limits import distance
from binance_trade_agent.reports.wording import exact


class Badge(NamedTuple):
    """kind: a class of app.css that gives colour and shape; text: the words beside them."""

    kind: str
    text: str


_OUTCOMES = {
    Outcome.HELD: Badge("calm", "held"),
    Outcome.SKIPPED: Badge("calm", "nothing to do"),
    Outcome.REFUSED: Badge("warn", "refused"),
    Outcome.ORDERED: Badge("warn", "order under way"),
    Outcome.EXECUTED: Badge("ok", "executed"),
    Outcome.REJECTED: Badge("bad", "rejected"),
    Outcome.UNFILLED: Badge("warn", "unfilled"),
    Outcome.UNKNOWN: Badge("bad", "outcome unknown"),
    Outcome.NO_DATA: Badge("warn", "no data"),
    Outcome.FAILED: Badge("bad", "failed"),
}
_OUTCOME_MEANINGS = {
    Outcome.HELD: "the strategy said HOLD",
    Outcome.SKIPPED: "a signal with nothing to do",
    Outcome.REFUSED: "a risk rule said no",
    Outcome.ORDERED: "an order whose end is not known yet",
    Outcome.EXECUTED: "an order that filled, in part or whole",
    Outcome.REJECTED: "the exchange refused the order",
    Outcome.UNFILLED: "an order that ended without a fill",
    Outcome.UNKNOWN: "what became of sending was not seen",
    Outcome.NO_DATA: "candles missing, stale or unsound",
    Outcome.FAILED: "the step failed",
}
_ENDS = {
    Outcome.HELD: "Holds: {detail}",
    Outcome.SKIPPED: "{said} and there is nothing to do: {detail}",
    Outcome.REFUSED: "{said} and was refused by {rule}: {detail}",
    Outcome.ORDERED: "{said}; its order is under way: {detail}",
    Outcome.EXECUTED: "{said} and traded: {detail}",
    Outcome.REJECTED: "{said}; the order was not placed: {detail}",
    Outcome.UNFILLED: "{said}; nothing filled: {detail}",
    Outcome.UNKNOWN: "{said}; an order was sent, {detail}; it is asked about, never sent again",
    Outcome.NO_DATA: "Not decided, for want of data: {detail}",
    Outcome.FAILED: "The step failed: {detail}",
}
_STATES = {
    OrderState.FILLED: "ok",
    OrderState.ACCEPTED: "calm",
    OrderState.PARTIALLY_FILLED: "warn",
    OrderState.UNKNOWN: "bad",
    OrderState.REJECTED: "bad",
    OrderState.DENIED: "bad",
}


# Of these the limit is the least that is needed, so that coming to it is no danger.
_AT_LEAST = frozenset({"min_notional", "notional", "room_for_stop", "worst_price"})


def ended(text: str) -> str:
    """With an end, where it has none."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def outcome_badge(outcome: str) -> Badge:
    """How a decision ended."""
    return _OUTCOMES[Outcome(outcome)]


def outcome_meaning(outcome: str) -> str:
    """What that is."""
    return _OUTCOME_MEANINGS[Outcome(outcome)]


def state_badge(state: OrderState) -> Badge:
    """Where an order stands."""
    return Badge(_STATES.get(state, "calm"), str(state).replace("_", " ").lower())


def headline(decision: Decision) -> str:
    """A decision in one sentence: what was said, and what came of it."""
    detail = decision.detail or "no detail"
    if decision.outcome is Outcome.FAILED and decision.rule == "suspended":
        return f"Left alone: {detail}"
    if decision.outcome is Outcome.HELD and decision.signal is not None:
        detail = decision.signal.reason
    return _ENDS[decision.outcome].format(said=_said(decision), detail=detail, rule=_named(decision.rule))


def short_reason(decision: Decision) -> str:
    """Why it ended so, for a line of a list."""
    if decision.outcome is Outcome.HELD and decision.signal is not None:
        return decision.signal.reason
    cause = "" if decision.exit in {None, ExitKind.STRATEGY} else f"{_exit(decision)}: "
    rule = f"{_named(decision.rule)}: " if decision.rule else ""
    return f"{cause}{rule}{decision.detail}"


def used_pct(finding: Finding) -> Decimal | None:
    """How far a finding's value is to its limit, in percent of that; None where that says nothing."""
    return None if finding.rule in _AT_LEAST else distance(finding)[1]


def order_words(order: Order) -> str:
    """`BUY 0.002 BTCUSDT at market`, `SELL 0.002 BTCUSDT once the price is at 58,800`."""
    what = f"{order.side} {exact(order.quantity)} {order.symbol}"
    if order.type is OrderType.MARKET:
        return f"{what} at market"
    limit = f" at {exact(order.price)}" if order.price is not None else ""
    stop = f" once the price is at {exact(order.stop_price)}" if order.stop_price is not None else ""
    return f"{what}{limit}{stop}"


def _said(decision: Decision) -> str:
    if decision.exit not in {None, ExitKind.STRATEGY}:
        return f"Leaves the position, {_exit(decision)} ({decision.exit_reason or 'no detail'})"
    signal = decision.signal
    if signal is None:
        return "Without a signal"
    wants = {Action.BUY: "Wants to buy", Action.SELL: "Wants to sell", Action.HOLD: "Holds"}[signal.action]
    return f"{wants} ({signal.reason}, confidence {signal.confidence:.2f})"


def _exit(decision: Decision) -> str:
    return str(decision.exit).replace("_", " ")


def _named(rule: str | None) -> str:
    return (rule or "a rule").replace("_", " ")
