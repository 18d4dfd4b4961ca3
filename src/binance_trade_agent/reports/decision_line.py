"""A decision as the log's line for a person."""

from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.signals import Action, Signal


def decision_line(decision: Decision) -> str:
    """`BTCUSDT: BUY signal (RSI 27.4 < 30, confidence 0.52) ✅ TRADE EXECUTED 0.00151 @ 66,120.10, fee ...`.

    Only fills make a trade executed; everything else says what it was.
    """
    said = f"{decision.symbol}: {_said(decision.signal)} " if decision.signal else f"{decision.symbol}: "
    match decision.outcome:
        case Outcome.HELD:
            return f"{said}⏸️ skipped ({decision.detail})"
        case Outcome.SKIPPED:
            return f"{said}⏸️ skipped: {decision.detail}"
        case Outcome.EXECUTED:
            return f"{said}✅ TRADE EXECUTED {decision.detail}"
        case Outcome.REFUSED:
            return f"{said}⛔ refused by {decision.rule}: {decision.detail}"
        case Outcome.REJECTED:
            return f"{said}❌ order not placed: {decision.detail}"
        case Outcome.UNFILLED:
            return f"{said}❌ nothing filled: {decision.detail}"
        case Outcome.UNKNOWN:
            return f"{said}❓ order sent, {decision.detail}; it is asked about, never sent again"
        case Outcome.ORDERED:
            return f"{said}⏳ {decision.detail}"
        case Outcome.NO_DATA:
            return f"{said}⚠️ no decision: {decision.detail}"
        case Outcome.FAILED:
            return f"{said}❌ this step failed: {decision.detail}"


def _said(signal: Signal) -> str:
    if signal.action is Action.HOLD:
        return "HOLD signal"
    return f"{signal.action} signal ({signal.reason}, confidence {signal.confidence:.2f})"
