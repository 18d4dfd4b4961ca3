"""SignalAgent: the strategy's word on the closed candles, and whether the position leaves anything to do about it."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import CandleView, MarketView
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import Value
from binance_trade_agent.ops.runner import OverdueError, Runner, in_thread, inline
from binance_trade_agent.strategies.answers import fault_in
from binance_trade_agent.strategies.base import Strategy, is_built_in
from binance_trade_agent.strategies.own import place_of, told

DEADLINE_SECONDS = 5.0
_SYMBOLS_AT_ONCE = 4


class StrategyFailedError(Exception):
    """The strategy raised, hung, or answered with what is no signal. One sentence; the cause is what it raised."""


class StrategySilentError(StrategyFailedError):
    """The strategy has not answered in time; that hangs on the machine, not on the market."""


class _Answer(Value, frozen=True):
    """What a strategy said of which candles. It is a function of them, so it would say the same again."""

    strategy: Strategy[Any]
    candles: Sequence[Candle]
    larger_candles: Sequence[Candle] | None
    signal: Signal

    def is_to(self, strategy: Strategy[Any], view: MarketView | CandleView) -> bool:
        """Whether it answers this question: the very same candles, as the market feed hands on until one closes."""
        return self.strategy is strategy and self.candles is view.candles and self.larger_candles is view.larger_candles


class SignalAgent:
    """Asks strategies, which may be anybody's code: what one does wrong stays with the symbol that it was asked about.

    Args:
        strategy_of: the strategy that decides on a symbol now.
        runner: runs strategies of the user's own; those that are built in answer in a fraction of a millisecond, where
            a thread would take longer to begin.
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
        self._answers: dict[str, _Answer] = {}

    def foresee(self, view: CandleView) -> tuple[Action, Action] | None:
        """What `evaluate` will say, and what it said last; None where the strategy has to be waited for, or has failed.

        Not yet an answer to decide on: it tells which symbols are urgent when many candles close at once.
        """
        strategy = self._strategy_of(view.symbol)
        last = self._answers.get(view.symbol)
        before = Action.HOLD if last is None or last.strategy is not strategy else last.signal.action
        if last is None or not last.is_to(strategy, view):
            if not is_built_in(strategy) or not view.candles or (strategy, view.symbol) in self._thinking:
                return None
            answer = self._ask(strategy, view)
            if not isinstance(answer, Signal) or fault_in(answer, view.symbol, view.candles, reads_reason=False):
                return None
            last = self._answers[view.symbol] = _Answer(strategy, view.candles, view.larger_candles, answer)
        return last.signal.action, before

    async def evaluate(self, view: MarketView) -> Signal:
        """The strategy's signal at the close of the last candle.

        Raises:
            StrategyFailedError: there is none.
        """
        strategy = self._strategy_of(view.symbol)
        name = strategy.name
        last = self._answers.get(view.symbol)
        if last is not None and last.is_to(strategy, view):
            return last.signal
        if (strategy, view.symbol) in self._thinking:
            raise StrategySilentError(f"strategy {name} still has not answered; it is not asked again until it does")
        runner = inline if is_built_in(strategy) else self._runner
        try:
            async with self._asking:
                answer = await runner(lambda: self._ask(strategy, view), self._deadline_seconds)
        except OverdueError:
            raise StrategySilentError(f"strategy {name} did not answer in {self._deadline_seconds:g} s") from None
        if isinstance(answer, BaseException):
            raise StrategyFailedError(raised(strategy, answer)) from answer
        if wrong := fault_in(answer, view.symbol, view.candles, reads_reason=not is_built_in(strategy)):
            raise StrategyFailedError(f"strategy {name} answered {wrong}")
        assert isinstance(answer, Signal)
        self._answers[view.symbol] = _Answer(strategy, view.candles, view.larger_candles, answer)
        return answer

    def nothing_to_do(self, signal: Signal, view: MarketView, position: Position) -> str | None:
        """Why there is nothing to do about a signal, None when there is: the bot sells only what its ledger holds."""
        if signal.action is not Action.SELL or not view.rules.is_dust(position.quantity, view.book.bid):
            return None
        if position.quantity <= 0:  # below 0: the fee of the last sale was taken in the base asset
            return "no position to sell"
        return f"only dust to sell, {plain(position.quantity)} {view.rules.base_asset}"

    def _ask(self, strategy: Strategy[Any], view: MarketView | CandleView) -> object:
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


def raised(strategy: Strategy[Any], failure: BaseException) -> str:
    """What the strategy raised, and at which line of whose file, for who wrote it."""
    place = place_of(failure, Path(inspect.getfile(type(strategy))).parent)
    return f"strategy {strategy.name} raised {told(failure)}{f', at {place}' if place else ''}"
