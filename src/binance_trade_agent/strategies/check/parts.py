"""What a strategy says of parts of a frame, compared with what it says of the whole.

A row must say the same whatever comes after it (no look-ahead) and, once warmed up, whatever came long before it (no
memory beyond the warm-up): only then does a backtest, which sees everything, say what a live run would have done.
"""

from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from binance_trade_agent.strategies.check.trial import SEED, Trial, WrongError, both, differences, row_of, some

if TYPE_CHECKING:
    import pandas as pd

LIVE_ROWS = 500
# Look-ahead: what is left of the rounding of floats, as a share of the largest value of the column.
ROUNDING = 1e-9
# Start-up: what recursive indicators may still remember. 14 periods of Wilder's average leave 8e-7 of its first value.
CONFIDENCE_TOLERANCE = 1e-4
_MOST_ROWS_CUT = 5000
# A row that so small a change of the prices turns round is on a threshold: which side it is on is a matter of rounding.
_NUDGE_FRACTION, _NUDGES = 1e-9, 8
_SETTLING_ROWS = 60  # the most candles that a built-in strategy looks back for a crossing
_CUTS_OF_A_KIND, _STARTS_OF_A_KIND = 24, 12


def no_look_ahead(trial: Trial) -> str:
    """The signals of a prefix are the prefix of the signals."""
    rng, number = np.random.default_rng(SEED), 0
    for name, frame, whole in _at_most(trial):
        for cut in _cuts(rng, frame, whole, trial.strategy.warm_up):
            number += 1
            prefix = trial.signals(frame.iloc[:cut])
            for row, column in differences(whole.iloc[:cut], prefix, ROUNDING):
                raise WrongError(
                    f"{row_of(name, frame, row)} {both(whole, row, prefix, row, column)} when the frame ends at row "
                    f"{cut - 1}: look at no row after the present one; no shift(-1), no centred window, no mean or "
                    "maximum of the whole frame"
                )
    return f"cut off {number} times, at signals, at jumps and anywhere, each row says the same"


def _at_most(trial: Trial) -> "Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]":
    """Name, candles and signals of each frame, of a long one the end."""
    for name, frame in trial.frames.items():
        end = frame.iloc[-_MOST_ROWS_CUT:]
        yield name, end, trial.whole[name] if len(end) == len(frame) else trial.signals(end)


def _cuts(rng: np.random.Generator, frame: "pd.DataFrame", signals: "pd.DataFrame", warm_up: int) -> list[int]:
    """How many rows to leave: so that a signal, or a row beside one, is the last; before and after jumps; anywhere.

    Signals come first, the last of all before others: an action that differs says more than an indicator.
    """
    rows = len(frame)
    said = some(rng, np.flatnonzero(signals["action"].to_numpy())[::-1], _CUTS_OF_A_KIND)
    moved = np.abs(np.diff(frame["close"].to_numpy(), prepend=frame["close"].iloc[0]))
    jumps = np.argsort(moved)[-_CUTS_OF_A_KIND:]
    anywhere = rng.integers(1, rows, _CUTS_OF_A_KIND)
    cuts = np.concatenate(
        (said + 1, said, said + 2, jumps, jumps + 1, anywhere, [1, 2, warm_up, warm_up + 1, rows - 1])
    )
    return list(dict.fromkeys(int(cut) for cut in cuts if 0 < cut < rows))


def forgets(trial: Trial) -> str:
    """Frames that begin at other rows agree on every row that is warmed up in both.

    A later frame may hold where it is undefined, and as long as what it looks back at was: the less it has seen, the
    less it can say. That it is still undefined right after the warm-up must stay the exception.
    """
    warm_up, starts, unready = trial.strategy.warm_up, 0, 0
    close_calls: dict[tuple[str, int], bool] = {}
    rng = np.random.default_rng(SEED)
    for name, frame, whole in _at_most(trial):
        for start in _starts(rng, whole, warm_up):
            late = trial.signals(frame.iloc[start:])
            undefined = _undefined(late) & ~_undefined(whole.iloc[start:])
            starts, unready = starts + 1, unready + int(undefined[warm_up - 1])
            _compare(trial, name, whole, late, undefined, close_calls)
    if unready > starts / 2:
        raise WrongError(
            f"in {unready} of {starts} frames that begin later it is still undefined after its warm_up of {warm_up} "
            "candles: raise that to what the indicators need"
        )
    also = f", but in {sum(close_calls.values())} rows on a threshold" if close_calls else ""
    also += f"; in {unready} it was not defined yet" if unready else ""
    return (
        f"begun later {starts} times, after {warm_up} candles the same actions, and confidences within "
        f"{CONFIDENCE_TOLERANCE:g}{also}"
    )


def _starts(rng: np.random.Generator, signals: "pd.DataFrame", warm_up: int) -> list[int]:
    """Rows to begin at: with a signal in the first row that is ready, or the last that a live tick sees; anywhere."""
    last = len(signals) - warm_up
    said = some(rng, np.flatnonzero(signals["action"].to_numpy()), _STARTS_OF_A_KIND)
    anywhere = rng.integers(1, last, _STARTS_OF_A_KIND)
    starts = np.concatenate((said - warm_up + 1, said - max(LIVE_ROWS, warm_up) + 1, anywhere, [1, last]))
    return sorted({int(start) for start in starts if 0 < start <= last})


def _compare(
    trial: Trial,
    name: str,
    whole: "pd.DataFrame",
    late: "pd.DataFrame",
    undefined: npt.NDArray[np.bool_],
    close_calls: dict[tuple[str, int], bool],
) -> None:
    """Raise WrongError for a row that differs, unless it is on a threshold; `close_calls` keeps which were asked."""
    start, warm_up = len(whole) - len(late), trial.strategy.warm_up
    columns = [column for column in ("action", "confidence", "lean") if column in whole.columns]
    settling = np.convolve(undefined, np.ones(_SETTLING_ROWS + 1))[: len(late)] > 0
    rows = np.flatnonzero(~(settling & (late["action"].to_numpy() == 0)))
    rows = rows[rows >= warm_up - 1]
    while True:
        ours, theirs = whole[columns].iloc[start + rows], late[columns].iloc[rows]
        found = differences(ours, theirs, CONFIDENCE_TOLERANCE)
        if not found:
            return
        place, column = min(found, key=itemgetter(0))
        row = int(rows[place])
        key = (name, start + row)
        if key not in close_calls:
            close_calls[key] = is_on_threshold(trial, name, whole, start + row)
        if not close_calls[key]:
            raise WrongError(
                f"{row_of(name, whole, start + row)} {both(whole, start + row, late, row, column)} when the candles "
                f"begin at row {start}: it remembers more than its warm_up of {warm_up} candles; raise that, or let it "
                "forget (a running total and an all-time high never do)"
            )
        rows = rows[place + 1 :]


def is_on_threshold(trial: Trial, name: str, whole: "pd.DataFrame", row: int) -> bool:
    """Whether the row says something else of prices that differ in the ninth digit; equal prices stay equal."""
    frame = trial.frames[name].iloc[-len(whole) :]
    prices, places = np.unique(frame[["open", "high", "low", "close"]].to_numpy(), return_inverse=True)
    columns = [column for column in ("action", "confidence", "lean") if column in whole.columns]
    rng = np.random.default_rng(SEED)
    for _ in range(_NUDGES):
        nudged = frame.copy()
        moved = prices * (1 + _NUDGE_FRACTION * rng.uniform(-1, 1, len(prices)))
        nudged[["open", "high", "low", "close"]] = moved[places].reshape(len(frame), 4)
        said = trial.signals(nudged)[columns].iloc[row : row + 1]
        if differences(whole[columns].iloc[row : row + 1], said, CONFIDENCE_TOLERANCE):
            return True
    return False


def _undefined(signals: "pd.DataFrame") -> npt.NDArray[np.bool_]:
    """Rows where an indicator is."""
    return np.asarray(~np.isfinite(signals.to_numpy(dtype=np.float64)).all(axis=1))
