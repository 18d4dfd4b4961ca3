"""Multi-timeframe confirmation: an entry is kept only where the same strategy leans the same way on a larger interval.

A BUY at the close of a candle stands when the strategy, with the same parameters, leans to buying on the newest candle
of the larger interval that was closed by then; otherwise it becomes a HOLD. A SELL is never held back: getting out
needs no second opinion. `confirm` does it for whole frames, `confirmed` for one live signal; both say the same.

The newest larger candle counts for one larger interval after its close. One that is older means that candles are
missing, and confirms nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.domain.candles import INTERVAL_MS, Candle
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import replace

if TYPE_CHECKING:
    import pandas as pd

    from binance_trade_agent.strategies.base import Strategy


def confirm(
    signals: "pd.DataFrame", larger_signals: "pd.DataFrame", interval_ms: int, larger_interval_ms: int
) -> "pd.DataFrame":
    """`signals` with each BUY that the larger interval does not confirm turned into a HOLD.

    Args:
        signals: of `Strategy.signals`, indexed by open time, ms UTC.
        larger_signals: of the same strategy over the candles of the larger interval, indexed in the same way.
        interval_ms: length of the candles of `signals`.
        larger_interval_ms: length of the candles of `larger_signals`.

    Returns:
        A new frame with one more column, `confirmed_lean` (int8): how the larger interval leaned at that row's close;
        0 where it leaned nowhere or was not known.

    Raises:
        ValueError: the larger interval is not larger.
    """
    if larger_interval_ms <= interval_ms:
        raise ValueError(f"candles of {larger_interval_ms} ms cannot confirm candles of {interval_ms} ms")
    close_ms = signals.index.to_numpy() + interval_ms
    larger_close_ms = larger_signals.index.to_numpy() + larger_interval_ms
    newest = np.searchsorted(larger_close_ms, close_ms, side="right") - 1
    lean = np.zeros(len(signals), dtype=np.int8)
    known = newest >= 0
    known[known] = close_ms[known] - larger_close_ms[newest[known]] < larger_interval_ms
    lean[known] = larger_signals["lean"].to_numpy()[newest[known]]
    held = (signals["action"].to_numpy() > 0) & (lean <= 0)
    return signals.assign(
        action=np.where(held, 0, signals["action"]).astype(np.int8),
        confidence=np.where(held, 0.0, signals["confidence"]),
        confirmed_lean=lean,
    )


def confirmed(
    strategy: "Strategy[Any]", signal: Signal, close_ms: int, larger: Sequence[Candle], larger_interval: str
) -> Signal:
    """A BUY of `strategy`, or the HOLD that it becomes when `larger` does not confirm it.

    Args:
        strategy: whose signal it is.
        signal: the BUY.
        close_ms: close time of the candle that it was made on, ms UTC; larger candles that closed later do not count.
        larger: closed candles of the larger interval, in time order.
        larger_interval: their interval, a key of INTERVAL_MS.
    """
    closed = _closed_by(close_ms, larger)
    if doubt := _doubt(strategy, closed, close_ms, larger_interval):
        return _held(signal, f"but not confirmed on {larger_interval}: {doubt}")
    row = strategy.last_row(closed)
    if undefined := [name for name, value in row.items() if not np.isfinite(value)]:
        return _held(signal, f"but not confirmed on {larger_interval}: {strategy.undefined_reason(undefined)}")
    if row["lean"] <= 0:
        return _held(signal, f"but not confirmed on {larger_interval}: {strategy.glance(row)}")
    return replace(signal, reason=f"{signal.reason}, confirmed on {larger_interval}: {strategy.glance(row)}")


def _closed_by(close_ms: int, candles: Sequence[Candle]) -> Sequence[Candle]:
    """Those that were closed by then; of a window without making each candle, which takes 2.5 ms for 500."""
    if isinstance(candles, CandleWindow):
        return candles[: int(np.searchsorted(candles.times[:, 1], close_ms, side="right"))]
    return [candle for candle in candles if candle.close_time_ms <= close_ms]


def _doubt(strategy: "Strategy[Any]", closed: Sequence[Candle], close_ms: int, larger_interval: str) -> str | None:
    """Why `closed` can confirm nothing, None when they can."""
    if len(closed) < strategy.warm_up:
        return f"warming up, {len(closed)} of {strategy.warm_up} candles"
    age_ms = close_ms - closed[-1].close_time_ms
    if age_ms >= INTERVAL_MS[larger_interval]:
        return f"its last candle is {age_ms // 1000} s old"
    return None


def _held(signal: Signal, why: str) -> Signal:
    return replace(signal, action=Action.HOLD, confidence=0.0, reason=f"{signal.reason}, {why}")
