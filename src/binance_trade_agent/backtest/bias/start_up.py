"""Start-up: whether rows say something else with the candles of a live tick than with all that are recorded.

A backtest computes indicators over the whole recording; live has max(500, warm-up) candles. What remembers more than
those, such as an average that never forgets, says something else live than it did in the backtest.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from binance_trade_agent.backtest.bias.findings import ColumnDifference, Finding
from binance_trade_agent.backtest.bias.look_ahead import largest_fraction
from binance_trade_agent.backtest.bias.recording import IntArray, Rows
from binance_trade_agent.domain.checks import Checked, Verdict
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.strategies.check.parts import CONFIDENCE_TOLERANCE, is_on_threshold
from binance_trade_agent.strategies.check.trial import SEED, Trial

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

_DECIDING = ("action", "confidence", "lean")
_LENGTHS = (50, 100, 150, 200, 250, 300, 400, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000, 8000)
_ROWS_OF_A_LENGTH = 150  # looked at for each number of candles
_CLOSE_CALLS_TRIED = 20


@dataclass(frozen=True, slots=True)
class _Compared:
    """The same rows with all candles and with the last `candles` of them; an array for each column, by name.

    Attributes:
        unready: where the later start leaves an indicator undefined, and so the row holds: it knows less, which is no
            contradiction.
    """

    rows: IntArray
    candles: int
    whole: dict[str, FloatArray]
    part: dict[str, FloatArray]
    unready: BoolArray

    def differs(self, column: str) -> BoolArray:
        """Where a column differs by more than the tolerance."""
        ours, theirs = self.whole[column], self.part[column]
        tolerance = 0.0 if column in {"action", "lean"} else CONFIDENCE_TOLERANCE
        allowed = tolerance * np.abs(ours[np.isfinite(ours)]).max(initial=0.0)
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)) | (np.abs(ours - theirs) <= allowed)
        return np.asarray(~same)

    def contradicted(self) -> BoolArray:
        """Where what decides differs."""
        return np.asarray(~self.unready & np.any([self.differs(column) for column in _DECIDING], axis=0))


def start_up(rows: Rows, *, sees_ahead: bool) -> Finding:
    """With the candles of a live tick, chosen rows say what they say with all candles.

    Args:
        rows: those that are looked at.
        sees_ahead: whether rows hang on later candles too, so that what differs may come from that.
    """
    live = rows.live_candles
    older = rows.chosen[rows.starts(rows.chosen, live + 1) == rows.chosen - live]  # others have the same candles live
    compared = _compare(rows, older, live)
    contradicted = compared.contradicted()
    tried = np.flatnonzero(contradicted)[:_CLOSE_CALLS_TRIED]
    on_threshold = [place for place in tried if _is_close_call(rows, int(compared.rows[place]), live)]
    settled = compared.differs("action") & ~compared.unready
    wrong = int(contradicted.sum()) - len(on_threshold)
    enough = _enough_candles(rows, compared.rows, compared.rows[contradicted])
    numbers: dict[str, int | None] = {
        "live_candles": live,
        "rows": len(compared.rows),
        "actions_differ": int(settled.sum()),
        "on_threshold": len(on_threshold),
        "undefined_live": int(compared.unready.sum()),
        "none_differ_from_candles": enough,
    }
    columns = _columns(rows, compared)
    also = "; which is no wonder while it looks ahead" if sees_ahead else ""
    checked = Checked("start-up", *_verdict(numbers, wrong, columns, also))
    return Finding(checked, columns, numbers, f"with {live} candles")


def _verdict(
    numbers: dict[str, int | None], wrong: int, columns: tuple[ColumnDifference, ...], also: str
) -> tuple[Verdict, str]:
    rows, live, enough = numbers["rows"], numbers["live_candles"], numbers["none_differ_from_candles"]
    if not rows:
        return (
            Verdict.WARNING,
            f"no piece has more than the {live} candles that a live tick looks at: nothing to compare",
        )
    unready = numbers["undefined_live"] or 0
    if unready == rows:
        return (
            Verdict.WARNING,
            f"none of {rows:,} rows is defined with the {live} candles of a live tick: each holds{also}",
        )
    said = f"{rows - unready:,} rows with the {live} candles of a live tick"
    from_ = f"from {enough:,} candles on none does" if enough else "and with 8,000 candles some still do"
    if wrong:
        text = f"{said}: {wrong:,} say something else, {numbers['actions_differ']:,} another action; {from_}{also}"
        return Verdict.FAILED, f"{text}: raise warm_up, or let it forget"
    notes = []
    if close := numbers["on_threshold"]:
        notes.append(f"{close:,} on a threshold differ by rounding")
    if unready:
        notes.append(f"{unready:,} more are not defined live yet, and hold")
    indicators = [each for each in columns if each.rows and each.column not in _DECIDING]
    if indicators:
        notes.append(f"{', '.join(each.column for each in indicators)} differ though actions do not")
    largest = max((each for each in columns if each.has_size), key=lambda each: each.largest_fraction, default=None)
    at_most = (
        f"; {largest.column} differs most, by {largest.largest_fraction:.1g} of its largest value" if largest else ""
    )
    text = f"{said} say the same{at_most}; {from_}{''.join(f'; {note}' for note in notes)}"
    return Verdict.WARNING if notes else Verdict.OK, text


def _compare(rows: Rows, chosen: IntArray, candles: int) -> _Compared:
    """Ask about the last `candles` candles, or as many as the piece has, up to each row."""
    starts = rows.starts(chosen, candles)
    names = [str(name) for name in rows.whole.columns]
    asked = (rows.signals(int(start), int(row) + 1) for start, row in zip(starts, chosen, strict=True))
    values = np.array([_last(signals, names) for signals in asked], dtype=np.float64).reshape(len(chosen), len(names))
    whole = rows.whole.iloc[chosen].to_numpy(dtype=np.float64)
    unready = (
        ~np.isfinite(values).all(axis=1) & np.isfinite(whole).all(axis=1) & (values[:, names.index("action")] == 0)
    )
    return _Compared(
        chosen, candles, dict(zip(names, whole.T, strict=True)), dict(zip(names, values.T, strict=True)), unready
    )


def _last(signals: pd.DataFrame, names: list[str]) -> FloatArray:
    if list(signals.columns) != names:
        signals = signals.reindex(columns=names)
    return np.asarray(signals.iloc[-1].to_numpy(dtype=np.float64))


def _is_close_call(rows: Rows, row: int, candles: int) -> bool:
    """Whether the live row says something else of prices that differ in the ninth digit: rounding decides there."""
    frame = rows.recording.frame.iloc[int(rows.starts(np.array([row]), candles)[0]) : row + 1]
    trial = Trial(rows.strategy, {"live": frame}, monotonic_seconds)
    return is_on_threshold(trial, "live", trial.whole["live"], len(frame) - 1)


def _enough_candles(rows: Rows, older: IntArray, contradicted: IntArray) -> int | None:
    """The least of some numbers of candles with which no row says something else; None when the largest is too few."""
    rng = np.random.default_rng(SEED)
    some = rng.choice(older, min(len(older), _ROWS_OF_A_LENGTH), replace=False)
    some = np.unique(np.concatenate((some, contradicted[:_ROWS_OF_A_LENGTH])))
    warm_up = rows.strategy.warm_up
    lengths = sorted({warm_up, rows.live_candles, *(length for length in _LENGTHS if length > warm_up)})
    low, high = 0, len(lengths)  # all from `high` on are enough, none below `low` is
    while low < high:
        middle = (low + high) // 2
        compared = _compare(rows, some, lengths[middle])
        wrong = compared.rows[compared.contradicted()]
        if any(not _is_close_call(rows, int(row), lengths[middle]) for row in wrong):
            low = middle + 1
        else:
            high = middle
    return lengths[low] if low < len(lengths) else None


def _columns(rows: Rows, compared: _Compared) -> tuple[ColumnDifference, ...]:
    found = []
    for column, whole in compared.whole.items():
        part = compared.part[column]
        differs = compared.differs(column) & ~compared.unready
        largest = largest_fraction(whole[~compared.unready], part[~compared.unready])
        if not differs.any() and not largest:
            continue
        first = int(np.argmax(differs if differs.any() else np.abs(whole - part) > 0))
        open_ms = rows.recording.open_ms(int(compared.rows[first]))
        values = float(whole[first]), float(part[first])
        found.append(ColumnDifference(column, int(differs.sum()), open_ms, *values, largest))
    return tuple(found)
