"""What an optimisation speaks of: spans of time, sets of parameters, tasks, and the outcome of one backtest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.history.table import FloatArray, IntArray

Params = Mapping[str, str]  # values as text by parameter name, as `StrategyChoice` takes them


class OptimizeError(Exception):
    """An optimisation cannot be run as it was asked for, or cannot go on. The text is one sentence for a person."""


class GoneError(OptimizeError):
    """Those who run the backtests are gone, or cannot be reached. Nothing is wrong with what was asked for."""


class Span(NamedTuple):
    """A period, ms UTC: ticks in [from_ms, before_ms). Candles before it only warm up."""

    from_ms: int
    before_ms: int

    @property
    def length_ms(self) -> int:
        """How long it is."""
        return self.before_ms - self.from_ms

    def __str__(self) -> str:
        """`2024-01-01 to 2024-03-01T12:00:00Z`; midnights are dates."""
        return " to ".join(iso_second(at_ms).removesuffix("T00:00:00Z") for at_ms in self)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Equity at the end of each step of the statistics.

    Attributes:
        times_ms: UTC, in order; the first is the start of the span.
        equity_quote: float64, of the same length; the first is the opening balance.
    """

    times_ms: IntArray
    equity_quote: FloatArray


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one set of parameters came to on one span.

    Attributes:
        measures: by name (see `goals`); None where there is no such number, as a Sharpe ratio without trades.
        trades: closed round trips.
        curve: only where it was asked for.
        refused: why the backtest could not be run with these parameters, one sentence; there are no measures then.
    """

    measures: Mapping[str, float | None]
    trades: int
    curve: Curve | None = None
    refused: str | None = None


class Task(NamedTuple):
    """One backtest to be run; `with_curve` asks for the equity too."""

    params: Params
    span: Span
    with_curve: bool = False


class Evaluate(Protocol):
    """Runs the backtest of a task. The same task gives the same outcome, in every process."""

    def __call__(self, task: Task, /) -> Outcome:
        """The outcome; never raises for what a set of parameters may do (see `Outcome.refused`)."""
        ...


class Workers(Protocol):
    """Something that runs tasks: this process, a pool of processes, a cluster."""

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """(number of the task, its outcome), each once, as they come in.

        Raises:
            GoneError: those who work are gone.
        """
        ...
