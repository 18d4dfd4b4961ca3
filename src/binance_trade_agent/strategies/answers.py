"""Whether what a strategy answered, which may be anybody's code, is a signal."""

import math
from collections.abc import Sequence

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.signals import Action, Signal


def fault_in(answer: object, symbol: str, candles: Sequence[Candle]) -> str | None:
    """Why `answer` is no signal on the last of `candles`, None when it is one.

    What passes can be kept in the ledger and compared with limits: NaN compares as false with everything.
    """
    if not isinstance(answer, Signal):
        return f"{type(answer).__name__} instead of a Signal"
    undefined = [str(name) for name, value in answer.indicators.items() if not _is_number(value)]
    last_open_ms = candles[-1].open_time_ms if candles else answer.candle_open_ms
    faults = {
        f"about {answer.symbol}, asked about {symbol}": answer.symbol != symbol,
        f"with the action {answer.action!r}": not isinstance(answer.action, Action),
        f"with a confidence of {answer.confidence!r}, which is not from 0 to 1": not (
            _is_number(answer.confidence) and 0 <= answer.confidence <= 1
        ),
        "with a name or a reason that is no text": not (
            isinstance(answer.strategy, str) and isinstance(answer.reason, str)
        ),
        "about another candle than the last one": not (
            isinstance(answer.candle_open_ms, int) and answer.candle_open_ms == last_open_ms
        ),
        f"with no finite number for {', '.join(undefined)}": bool(undefined),
    }
    return next((what for what, is_wrong in faults.items() if is_wrong), None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
