"""Decisions that say what the symbol's last one has said: with many symbols they are counted and not written again.

500 symbols at a tick of five seconds leave nine million decisions a day, nearly all of which say HOLD about a candle
that HOLD was said about before.
"""

from collections.abc import Collection, Iterable, Sequence

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.values import Value

# What came of a wish is written each time, and so is what went wrong.
_ANEW_MS = 15 * MINUTE_MS  # so long a decision is not left unwritten: bids of the past are read from decisions
_QUIET_MS = 2 * MINUTE_MS
_REPEATABLE = frozenset({Outcome.HELD, Outcome.SKIPPED, Outcome.REFUSED})


class Again(Value, frozen=True):
    """The decision of a tick (`last_tick_ms`, `last_cycle`) that says what that of an earlier tick, `tick_ms`, says."""

    run_id: str
    tick_ms: int
    symbol: str
    last_tick_ms: int
    last_cycle: int


class Repeats:
    """Remembers of each symbol the last decision that was written."""

    def __init__(self) -> None:
        self._written: dict[str, Decision] = {}
        self._is_to_forget = False
        self._forgets_ms: int | None = None  # None: as soon as a decision says what time it is

    def sorted_out(
        self, decisions: Iterable[Decision], held: Collection[str]
    ) -> tuple[Sequence[Decision], Sequence[Again]]:
        """Those that are to be written, and those that say what is written.

        Args:
            decisions: each on another symbol.
            held: symbols with a position: what their prices were is in their decisions, so all of them are written.
        """
        new: list[Decision] = []
        again: list[Again] = []
        for made in decisions:
            if self._is_to_forget:
                self._forget_when_quiet(made.tick_ms)
            last = self._written.get(made.symbol)
            if last is None or made.symbol in held or not says_the_same(made, last):
                new.append(made)
            else:
                again.append(Again(made.run_id, last.tick_ms, made.symbol, made.tick_ms, made.cycle))
        return new, again

    def note(self, written: Iterable[Decision]) -> None:
        """These are written."""
        self._written.update((made.symbol, made) for made in written)

    def forget(self) -> None:
        """There was a trade: let each be written anew once there was none for two minutes (market time).

        What is said of the time since a trade begins with these. Where a trade follows the other, nothing is said.
        """
        self._is_to_forget, self._forgets_ms = True, None

    def _forget_when_quiet(self, now_ms: int) -> None:
        if self._forgets_ms is None:
            self._forgets_ms = now_ms + _QUIET_MS
        elif now_ms >= self._forgets_ms:
            self._written.clear()
            self._is_to_forget = False


def says_the_same(made: Decision, last: Decision) -> bool:
    """Whether a decision says of the same candle the same as the one before: nothing to do, or the same rule's no."""
    return (
        made.outcome in _REPEATABLE
        and made.outcome is last.outcome
        and made.rule == last.rule
        and made.exit is last.exit
        and made.run_id == last.run_id
        and made.tick_ms - last.tick_ms < _ANEW_MS
        and made.signal is not None
        and last.signal is not None
        and (made.signal is last.signal or made.signal == last.signal)
    )
