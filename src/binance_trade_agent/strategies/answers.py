"""Whether what a strategy answered, which may be anybody's code, is a signal."""

import math
from collections.abc import Iterator, Sequence

from binance_trade_agent.domain.candle_window import last_open_ms
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.signals import Action, Signal


def fault_in(answer: object, symbol: str, candles: Sequence[Candle], *, reads_reason: bool = True) -> str | None:
    """Why `answer` is no signal on the last of `candles`, None when it is one.

    What passes can be kept in the ledger and compared with limits: NaN compares as false with everything.

    Args:
        answer: what the strategy said.
        symbol: what it was asked about.
        candles: which it was shown.
        reads_reason: whether the reason is made now, to be looked at; a built-in strategy's need not be.
    """
    if not isinstance(answer, Signal):
        return f"{type(answer).__name__} instead of a Signal"
    return next(_faults(answer, symbol, candles, reads_reason=reads_reason), None)


def _faults(answer: Signal, symbol: str, candles: Sequence[Candle], *, reads_reason: bool) -> Iterator[str]:
    if answer.symbol != symbol:
        yield f"about {answer.symbol}, asked about {symbol}"
    if not isinstance(answer.action, Action):
        yield f"with the action {answer.action!r}"
    if not (_is_number(answer.confidence) and 0 <= answer.confidence <= 1):
        yield f"with a confidence of {answer.confidence!r}, which is not from 0 to 1"
    if not (isinstance(answer.strategy, str) and (not reads_reason or isinstance(answer.reason, str))):
        yield "with a name or a reason that is no text"
    opened_ms = last_open_ms(candles) if candles else answer.candle_open_ms
    if not (isinstance(answer.candle_open_ms, int) and answer.candle_open_ms == opened_ms):
        yield "about another candle than the last one"
    if undefined := [str(name) for name, value in answer.indicators.items() if not _is_number(value)]:
        yield f"with no finite number for {', '.join(undefined)}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
