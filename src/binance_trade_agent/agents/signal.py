"""SignalAgent: the strategy's word on the closed candles, and whether the position leaves anything to do about it."""

import asyncio
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.ops.runner import OverdueError, Runner, in_thread
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.own import place_of, told

DEADLINE_SECONDS = 5.0
_SYMBOLS_AT_ONCE = 4


class StrategyFailedError(Exception):
    """The strategy raised, hung, or answered with what is no signal. One sentence; the cause is what it raised."""


class SignalAgent:
    """Asks strategies, which may be anybody's code: what one does wrong stays with the symbol that it was asked about.

    Args:
        strategy_of: the strategy that decides on a symbol now.
        runner: runs the strategy; a simulation has it run inline.
        deadline_seconds: wall time that the strategy has for an answer. While one that has not answered still runs, it
            is not asked about that symbol again, so that hanging threads do not pile up.
    """

    def __init__(
        self,
        strategy_of: Callable[[str], Strategy[Any]],
        runner: Runner = in_thread,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._strategy_of = strategy_of
        self._runner = runner
        self._deadline_seconds = deadline_seconds
        self._asking = asyncio.Semaphore(_SYMBOLS_AT_ONCE)
        # Who is at work on which symbol, in whatever thread. A strategy that takes its place is not kept waiting.
        self._thinking: set[tuple[Strategy[Any], str]] = set()

    async def evaluate(self, view: MarketView) -> Signal:
        """The strategy's signal at the close of the last candle.

        Raises:
            StrategyFailedError: there is none.
        """
        strategy = self._strategy_of(view.symbol)
        name = strategy.name
        if (strategy, view.symbol) in self._thinking:
            raise StrategyFailedError(f"strategy {name} still has not answered; it is not asked again until it does")
        try:
            async with self._asking:
                answer = await self._runner(lambda: self._ask(strategy, view), self._deadline_seconds)
        except OverdueError:
            raise StrategyFailedError(f"strategy {name} did not answer in {self._deadline_seconds:g} s") from None
        if isinstance(answer, BaseException):
            raise StrategyFailedError(_raised(strategy, answer)) from answer
        if wrong := _what_is_wrong_with(answer, view):
            raise StrategyFailedError(f"strategy {name} answered {wrong}")
        assert isinstance(answer, Signal)
        return answer

    def nothing_to_do(self, signal: Signal, view: MarketView, position: Position) -> str | None:
        """Why there is nothing to do about a signal, None when there is: the bot sells only what its ledger holds."""
        if signal.action is not Action.SELL or not view.rules.is_dust(position.quantity, view.book.bid):
            return None
        if position.quantity <= 0:  # below 0: the fee of the last sale was taken in the base asset
            return "no position to sell"
        return f"only dust to sell, {plain(position.quantity)} {view.rules.base_asset}"

    def _ask(self, strategy: Strategy[Any], view: MarketView) -> object:
        """The strategy's answer, or what it raised: even sys.exit() in a strategy ends nothing but its own step."""
        self._thinking.add((strategy, view.symbol))
        try:
            if view.larger_candles is None:
                return strategy.evaluate(view.symbol, view.candles)
            return strategy.evaluate(view.symbol, view.candles, view.larger_candles, view.larger_interval)
        except BaseException as failure:  # noqa: BLE001
            return failure
        finally:
            self._thinking.discard((strategy, view.symbol))


def _raised(strategy: Strategy[Any], failure: BaseException) -> str:
    """What the strategy raised, and at which line of whose file, for who wrote it."""
    place = place_of(failure, Path(inspect.getfile(type(strategy))).parent)
    return f"strategy {strategy.name} raised {told(failure)}{f', at {place}' if place else ''}"


def _what_is_wrong_with(answer: object, view: MarketView) -> str | None:
    """Why `answer` is no signal on the last candle of `view`, None when it is one.

    What passes can be kept in the ledger and compared with limits: NaN compares as false with everything.
    """
    if not isinstance(answer, Signal):
        return f"{type(answer).__name__} instead of a Signal"
    undefined = [str(name) for name, value in answer.indicators.items() if not _is_number(value)]
    last_open_ms = view.candles[-1].open_time_ms if view.candles else answer.candle_open_ms
    faults = {
        f"about {answer.symbol}, asked about {view.symbol}": answer.symbol != view.symbol,
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
