"""A decision as the log's line for a person."""

from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.signals import Action, Signal

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
    said = f"{_said(decision.signal)} " if decision.signal else ""
    return f"{decision.symbol}: {said}" + _ENDS[decision.outcome].format(rule=decision.rule, detail=decision.detail)


def _said(signal: Signal) -> str:
    if signal.action is Action.HOLD:
        return "HOLD signal"
    return f"{signal.action} signal ({signal.reason}, confidence {signal.confidence:.2f})"
