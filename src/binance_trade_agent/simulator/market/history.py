"""A history of candles of several lengths: fine ones where a strategy needs them, coarse ones further back."""

from collections.abc import Sequence

from binance_trade_agent.domain.candles import Candle


def joined(*rungs: Sequence[Candle]) -> list[Candle]:
    """One history in time order, the finer candles where there are any and the coarser ones before them.

    Args:
        rungs: candles of one length each, in time order, the shortest first. A longer length is a multiple of the
            shorter ones. Where finer candles begin within a coarser one, that one is kept in their place.
    """
    whole: list[Candle] = []
    for rung in rungs:
        if not whole:
            whole = list(rung)
            continue
        first_ms = whole[0].open_time_ms
        meeting_ms = next((candle.open_time_ms for candle in rung if candle.open_time_ms >= first_ms), first_ms)
        older = [candle for candle in rung if candle.close_time_ms < meeting_ms]
        whole = older + [candle for candle in whole if candle.open_time_ms >= meeting_ms]
    return whole
