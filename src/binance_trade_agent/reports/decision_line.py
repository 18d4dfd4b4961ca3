"""A decision as the log's line for a person."""

from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.signals import Action

_ENDS = {
    Outcome.HELD: "⏸️ skipped ({detail})",
    Outcome.SKIPPED: "⏸️ skipped: {detail}",
    Outcome.REFUSED: "⛔ refused by {rule}: {detail}",
    Outcome.ORDERED: "⏳ {detail}",
    Outcome.EXECUTED: "✅ TRADE EXECUTED {detail}",
    Outcome.REJECTED: "❌ order not placed: {detail}",
    Outcome.UNFILLED: "❌ nothing filled: {detail}",
    Outcome.UNKNOWN: "❓ order sent, {detail}; it is asked about, never sent again",
    Outcome.NO_DATA: "⚠️ no decision: {detail}",
    Outcome.FAILED: "❌ this step failed: {detail}",
}


def decision_line(decision: Decision) -> str:
    """`BTCUSDT: BUY signal (RSI 27.4 < 30, confidence 0.52) ✅ TRADE EXECUTED 0.00151 @ 66,120.10, fee ...`.

    Only fills make a trade executed; everything else says what it was.
    """
    if decision.outcome is Outcome.FAILED and decision.rule == "suspended":
        return f"{decision.symbol}: ⏸️ {decision.detail}"
    said = _said(decision)
    return f"{decision.symbol}: {said + ' ' if said else ''}" + _ENDS[decision.outcome].format(
        rule=decision.rule, detail=decision.detail
    )


def _said(decision: Decision) -> str:
    if decision.exit is not None and decision.exit is not ExitKind.STRATEGY:
        return f"{decision.exit.replace('_', ' ')} ({decision.exit_reason})"
    signal = decision.signal
    if signal is None:
        return ""
    if signal.action is Action.HOLD:
        return "HOLD signal"
    return f"{signal.action} signal ({signal.reason}, confidence {signal.confidence:.2f})"
