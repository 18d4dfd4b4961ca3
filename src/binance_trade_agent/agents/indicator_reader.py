"""IndicatorReader: the indicators of the strategy in use over the candles that somebody looks at."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from binance_trade_agent.agents.signal import DEADLINE_SECONDS, raised
from binance_trade_agent.cache.market_board import IndicatorsSeen
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.runner import OverdueError, Runner, in_thread
from binance_trade_agent.strategies.base import Strategy

CANDLES_SHOWN = 500
_NO_INDICATORS = frozenset({"action", "confidence", "lean"})  # the other columns of a strategy's signals

Columns = dict[str, tuple[float | None, ...]]


class IndicatorReader:
    """Asks a twin of the strategy that decides, so that one which remembers things is not disturbed by being looked at.

    Args:
        strategy_of: the strategy that decides on a symbol now; KeyError when none does.
        runner: runs it; it may be anybody's code.
    """

    def __init__(self, strategy_of: Callable[[str], Strategy[Any]], runner: Runner = in_thread) -> None:
        self._strategy_of = strategy_of
        self._runner = runner
        self._latest: dict[tuple[str, str], tuple[Strategy[Any], int]] = {}
        self._hanging: set[Strategy[Any]] = set()

    async def read(
        self, symbol: str, interval: str, closed: Sequence[Candle], read_ms: int, *, anew: bool = False
    ) -> IndicatorsSeen | None:
        """The indicators over `closed` candles; None where there are no new ones since the last time.

        Args:
            symbol: which the candles are of.
            interval: of the candles, which need not be the one that is traded on.
            closed: closed candles, in time order.
            read_ms: market time.
            anew: answer though nothing is new.
        """
        try:
            strategy = self._strategy_of(symbol)
        except KeyError:
            return None
        if not closed:
            return None
        newest = (strategy, closed[-1].open_time_ms)
        if self._latest.get((symbol, interval)) == newest and not anew:
            return None
        self._latest[symbol, interval] = newest
        columns, trouble = await self._columns(strategy, closed)
        return IndicatorsSeen(
            symbol,
            interval,
            strategy.name,
            _numbers(strategy),
            tuple(candle.open_time_ms for candle in closed[-CANDLES_SHOWN:]),
            columns,
            trouble,
            read_ms,
            wall_ms(),
        )

    async def _columns(self, strategy: Strategy[Any], closed: Sequence[Candle]) -> tuple[Columns, str]:
        """The columns, or why there are none. One that hangs is not asked again, so that threads do not pile up."""
        if strategy not in self._hanging:
            try:
                answer = await self._runner(lambda: _ask(strategy, closed), DEADLINE_SECONDS)
            except OverdueError:
                self._hanging.add(strategy)
            else:
                return (answer, "") if isinstance(answer, dict) else ({}, raised(strategy, answer))
        return {}, f"strategy {strategy.name} did not answer in {DEADLINE_SECONDS:g} s"


def _ask(strategy: Strategy[Any], closed: Sequence[Candle]) -> Columns | BaseException:
    """What the strategy makes of the candles, or what it raised (see SignalAgent)."""
    from binance_trade_agent.strategies.frame import candle_frame

    try:
        twin = type(strategy)(strategy.params, strategy.name)
        columns = twin.columns(candle_frame(closed))
        return {
            str(name): tuple(float(value) if math.isfinite(value) else None for value in values[-CANDLES_SHOWN:])
            for name, values in columns.items()
            if name not in _NO_INDICATORS
        }
    except BaseException as failure:  # noqa: BLE001
        return failure


def _numbers(strategy: Strategy[Any]) -> dict[str, float]:
    values = strategy.params.model_dump().items()
    return {name: float(value) for name, value in values if isinstance(value, int | float)}
