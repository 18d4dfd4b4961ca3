"""What a strategy has to keep to before it is trusted with a market: `trade-agent strategies check`."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from binance_trade_agent.domain.checks import Checked, Verdict
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.check import parts, single
from binance_trade_agent.strategies.check.trial import Trial, WarningError, WrongError
from binance_trade_agent.strategies.own import place_of, told

if TYPE_CHECKING:
    import pandas as pd

_ROWS_AFTER_WARM_UP = 100


def rows_needed(strategy: Strategy[Any]) -> int:
    """How many candles a frame needs at least to check a strategy on."""
    warm_up = strategy.warm_up
    # What is no number is for the check to tell.
    return (warm_up if isinstance(warm_up, int) else 0) + _ROWS_AFTER_WARM_UP


def check_strategy(
    strategy: Strategy[Any], frames: "Mapping[str, pd.DataFrame]", seconds: Callable[[], float]
) -> Iterator[Checked]:
    """A finding for each check, as they are made; when the first, that it runs at all, fails, the others are not made.

    Args:
        strategy: with the parameters that it is to be checked with.
        frames: candles by name (see `Strategy.signals`), each of `rows_needed` rows at least.
        seconds: a clock that never jumps.
    """
    trial = Trial(strategy, frames, seconds)
    folder = Path(inspect.getfile(type(strategy))).parent
    for subject, check in _CHECKS.items():
        finding = _finding(subject, check, trial, folder)
        yield finding
        if subject == "runs" and finding.verdict is Verdict.FAILED:
            return


def _finding(subject: str, check: Callable[[Trial], str], trial: Trial, folder: Path) -> Checked:
    try:
        with warnings.catch_warnings(action="ignore"):  # numpy's, about a division that ends in a NaN
            return Checked(subject, Verdict.OK, check(trial))
    except WrongError as wrong:
        return Checked(subject, Verdict.FAILED, str(wrong))
    except WarningError as warning:
        return Checked(subject, Verdict.WARNING, str(warning))
    except (Exception, SystemExit) as failure:  # noqa: BLE001 (anybody's code)
        place = place_of(failure, folder)
        return Checked(subject, Verdict.FAILED, f"it raises {told(failure)}{f', at {place}' if place else ''}")


_CHECKS: Mapping[str, Callable[[Trial], str]] = {
    "runs": single.runs,
    "bounds": single.bounded,
    "values": single.defined,
    "frame": single.left_alone,
    "repeats": single.same_twice,
    "look-ahead": parts.no_look_ahead,
    "start-up": parts.forgets,
    "explains": single.explains,
    "time": single.fast_enough,
    "signals": single.speaks,
}
