"""A strategy on trial: what the checks have in common, and how they compare rows and name them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.strategies.base import Strategy

if TYPE_CHECKING:
    import pandas as pd

WORDS = {1: "BUY", -1: "SELL", 0: "HOLD"}
SEED = 11


class WrongError(Exception):
    """A check failed; the text says how, and what to do."""


class WarningError(Exception):
    """A check has nothing to fail on, but something to say."""


@dataclass(frozen=True)
class Trial:
    """A strategy and the frames that it is checked on; it is handed copies only."""

    strategy: Strategy[Any]
    frames: "Mapping[str, pd.DataFrame]"
    seconds: Callable[[], float]

    def signals(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """What it says of a copy of `frame`."""
        return self.strategy.signals(frame.copy())

    def fresh(self, changed: Mapping[str, float | bool] = MappingProxyType({})) -> Strategy[Any]:
        """The strategy made anew, with some parameters changed. Raises ValidationError when they are refused."""
        made = type(self.strategy)
        return made(made.Params.model_validate({**self.strategy.params.model_dump(), **changed}), self.strategy.name)

    @cached_property
    def whole(self) -> "dict[str, pd.DataFrame]":
        """The signals of each frame."""
        return {name: self.signals(frame) for name, frame in self.frames.items()}


def differences(ours: "pd.DataFrame", theirs: "pd.DataFrame", tolerance: float) -> list[tuple[int, str]]:
    """For each column of `ours` that differs, in their order: the first row that does, and the column."""
    return [(int(np.argmax(rows)), column) for column, rows in differing(ours, theirs, tolerance).items()]


def differing(ours: "pd.DataFrame", theirs: "pd.DataFrame", tolerance: float) -> dict[str, npt.NDArray[np.bool_]]:
    """For each column of `ours` that differs, in their order: which rows do; all of one that `theirs` lacks.

    A difference is one of more than `tolerance` times the column's largest value. Whole numbers must be equal; NaN
    equals NaN.
    """
    found: dict[str, npt.NDArray[np.bool_]] = {}
    if ours.columns.equals(theirs.columns) and _equal(*(frame.to_numpy(np.float64) for frame in (ours, theirs))).all():
        return found  # as nearly always, and all columns at once are a sixth of the work
    for column in ours.columns:
        if column not in theirs.columns:
            found[str(column)] = np.ones(len(ours), dtype=np.bool_)
            continue
        a, b = (frame[column].to_numpy(dtype=np.float64) for frame in (ours, theirs))
        same = _equal(a, b)
        if same.all():
            continue
        finite = np.abs(a[np.isfinite(a)])
        allowed = 0.0 if ours[column].dtype.kind in "iu" else tolerance * max(finite.max(initial=0.0), 1e-300)
        with np.errstate(invalid="ignore"):
            same |= np.abs(a - b) <= allowed
        if not same.all():
            found[str(column)] = ~same
    return found


def _equal(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))


def both(ours: "pd.DataFrame", row: int, theirs: "pd.DataFrame", their_row: int, column: str) -> str:
    """What one row says in two frames of signals, in terms of the column that differs: `says BUY 0.61, and HOLD`."""
    if column in {"action", "confidence"}:
        return f"says {_said(ours, row)}, and {_said(theirs, their_row)}"
    if column not in theirs.columns:
        return f"has {column}, and has none"
    return f"has {column} {ours[column].iloc[row]:.8g}, and {theirs[column].iloc[their_row]:.8g}"


def _said(signals: "pd.DataFrame", row: int) -> str:
    word = WORDS[int(signals["action"].iloc[row])]
    return word if word == "HOLD" else f"{word} {signals['confidence'].iloc[row]:.6g}"


def row_of(name: str, frame: "pd.DataFrame", row: int) -> str:
    """A row for a person, by its place in the frame and its open time."""
    return f"row {row} of {name} ({iso_utc(int(frame.index[row]))})"


def some(rng: np.random.Generator, rows: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """The first and the last of `rows`, and others at random; `most` at most."""
    if len(rows) <= most:
        return rows
    return np.concatenate((rows[[0, -1]], rng.choice(rows[1:-1], most - 2, replace=False)))
