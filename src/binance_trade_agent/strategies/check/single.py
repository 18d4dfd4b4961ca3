"""Checks of a strategy on whole frames: that it runs, within its bounds, on what it is given, and says why."""

import inspect
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.ops.runner import OverdueError, in_time
from binance_trade_agent.strategies.base import MOST_WARM_UP, Strategy, Votes
from binance_trade_agent.strategies.check.parts import LIVE_ROWS
from binance_trade_agent.strategies.check.trial import (
    SEED,
    WORDS,
    Trial,
    WarningError,
    WrongError,
    both,
    differences,
    row_of,
    some,
)
from binance_trade_agent.strategies.own import place_of, told
from binance_trade_agent.strategies.params import bounds, kind_of

if TYPE_CHECKING:
    import pandas as pd

# A busy small machine takes several times as long as the one that checks; a live tick is given up after 5 s.
_MOST_TICK_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_ROWS_EXPLAINED = 60


def runs(trial: Trial) -> str:
    """It votes on every row of every frame, with a warm-up that a start can wait for."""
    _refuse_bad_warm_up(trial.strategy)
    _refuse_endless(trial)
    for name, frame in trial.frames.items():
        _refuse_misshapen(trial.strategy.vote(frame.copy()), len(frame))
        signals = trial.whole[name]
        if len(signals) != len(frame) or not {"action", "confidence"} <= set(signals.columns):
            raise WrongError(
                f"signals of {len(frame)} candles have {len(signals)} rows and the columns "
                f"{', '.join(map(str, signals))}: they need one row for each candle, action and confidence"
            )
    rows = sum(len(frame) for frame in trial.frames.values())
    return f"{rows:,} candles: {', '.join(trial.frames)}; warm-up {trial.strategy.warm_up} candles"


def _refuse_endless(trial: Trial) -> None:
    live = next(iter(trial.frames.values())).iloc[-max(LIVE_ROWS, trial.strategy.warm_up) :]
    try:
        in_time(lambda: trial.strategy.vote(live.copy()), _ANSWER_SECONDS)
    except OverdueError as overdue:
        raise WrongError(f"{overdue} about {len(live)} candles: a live tick is given up then") from None


def _refuse_bad_warm_up(strategy: Strategy[Any]) -> None:
    warm_up = strategy.warm_up
    if not isinstance(warm_up, int) or not 1 <= warm_up <= MOST_WARM_UP:
        raise WrongError(
            f"warm_up is {warm_up!r} with {_settings_of(strategy)}: it must be a whole number from 1 to "
            f"{MOST_WARM_UP} closed candles"
        )


def _refuse_misshapen(votes: object, rows: int) -> None:
    """Raise WrongError for what is no Votes on `rows` rows, in the words of who wrote `vote`."""
    if not isinstance(votes, Votes):
        raise WrongError(f"vote returned {type(votes).__name__}: it must return Votes")
    arrays: dict[str, Any] = {"direction": votes.direction, "strength": votes.strength, **votes.indicators}
    for name, values in arrays.items():
        if np.shape(values) != (rows,):
            raise WrongError(f"{name} has the shape {np.shape(values)} for {rows} rows: vote on every row, ({rows},)")
    strange = ~np.isin(votes.direction, (-1, 0, 1))
    if strange.any():
        row = int(np.argmax(strange))
        said = np.asarray(votes.direction)[row]
        raise WrongError(f"direction is {said} in row {row}: it must be 1 (buy), -1 (sell) or 0 (neither)")


def bounded(trial: Trial) -> str:
    """It runs at both ends of each parameter's bounds, the others being as they are."""
    model = type(trial.strategy).Params
    frame = next(iter(trial.frames.values())).iloc[-2 * MOST_WARM_UP :]
    refused = 0
    for parameter in model.model_fields:
        ends: tuple[float | bool | None, ...] = bounds(model, parameter)
        if kind_of(model, parameter) is bool:
            ends = (False, True)
        for end in ends:
            if end is None:
                raise WrongError(f"parameter {parameter} has no bounds: give it ge= and le=")
            try:
                strategy = trial.fresh({parameter: end})
            except ValidationError:
                refused += 1  # by a rule between parameters, such as fast < slow
                continue
            _try_end(strategy, f"{parameter}={end:g}", frame)
    also = f"; {refused} refused by its own rules between parameters" if refused else ""
    return f"runs at both ends of {len(model.model_fields)} parameters{also}"


def _try_end(strategy: Strategy[Any], said: str, frame: "pd.DataFrame") -> None:
    try:
        _refuse_bad_warm_up(strategy)
        _refuse_misshapen(strategy.vote(frame.copy()), len(frame))
        _refuse_undefined("candles", strategy.signals(frame.copy()))
    except WrongError as wrong:
        raise WrongError(f"with {said}: {wrong}") from None
    except (Exception, SystemExit) as failure:  # noqa: BLE001 (anybody's code)
        place = place_of(failure, Path(inspect.getfile(type(strategy))).parent)
        raise WrongError(
            f"with {said} it raises {told(failure)}{f', at {place}' if place else ''}: handle that, or narrow the "
            "bounds"
        ) from None


def defined(trial: Trial) -> str:
    """What it says is defined in every row."""
    for name, signals in trial.whole.items():
        _refuse_undefined(name, signals)
    return "no NaN in action or confidence, confidences from 0 to 1, directions 1, -1 and 0 only"


def _refuse_undefined(name: str, signals: "pd.DataFrame") -> None:
    action, confidence = (signals[column].to_numpy(dtype=np.float64) for column in ("action", "confidence"))
    checks = {
        ("action", "1, -1 or 0"): np.isin(action, (-1, 0, 1)),
        ("confidence", "from 0 to 1"): (confidence >= 0) & (confidence <= 1),
    }
    for (column, allowed), is_right in checks.items():
        if not is_right.all():
            row = int(np.argmin(is_right))
            raise WrongError(
                f"{column} is {signals[column].iloc[row]} in {row_of(name, signals, row)}: it must be {allowed}; where "
                "something is undefined, put it among the indicators, whose NaN takes the vote back"
            )


def left_alone(trial: Trial) -> str:
    """It changes nothing of the frame that it is given."""
    for name, frame in trial.frames.items():
        given = frame.copy()
        trial.strategy.signals(given)
        added = [str(column) for column in given.columns if column not in frame.columns]
        if added or len(given) != len(frame):
            what = f"the column {added[0]}" if added else "rows"
            raise WrongError(f"the frame that it was given has gained or lost {what}: work on frame.copy()")
        for row, column in differences(frame, given, 0.0):
            before, after = frame[column].iloc[row], given[column].iloc[row]
            raise WrongError(
                f"{column} in {row_of(name, frame, row)} was {before:g} and is {after:g}: work on frame.copy()"
            )
    return "the frame that it is given stays as it is"


def same_twice(trial: Trial) -> str:
    """It says the same again, and made anew, and after it has seen other frames."""
    fresh = trial.fresh()
    for name, frame in trial.frames.items():
        # Both have seen other frames by now, in another order.
        for again in (trial.signals(frame), fresh.signals(frame.copy()), fresh.signals(frame.copy())):
            for row, column in differences(trial.whole[name], again, 0.0):
                raise WrongError(
                    f"{row_of(name, frame, row)} {both(trial.whole[name], row, again, row, column)} asked again: keep "
                    "nothing from one call to the next, and draw no random numbers"
                )
    return "asked again it says the same"


def explains(trial: Trial) -> str:
    """It has a line of text for rows of every kind."""
    rng, seen = np.random.default_rng(SEED), dict.fromkeys(WORDS, 0)
    for name, signals in trial.whole.items():
        ready = np.arange(len(signals)) >= trial.strategy.warm_up - 1
        ready &= np.isfinite(signals.to_numpy(dtype=np.float64)).all(axis=1)
        for action in WORDS:
            rows = np.flatnonzero(ready & (signals["action"].to_numpy() == action))
            seen[action] += len(rows)
            for row in some(rng, rows, _ROWS_EXPLAINED):
                _explain(trial.strategy, name, signals, int(row))
    unseen = [word for action, word in WORDS.items() if not seen[action]]
    also = f"; no {' and no '.join(unseen)} came up" if unseen else ""
    return f"a line of text for {', '.join(word for word in WORDS.values() if word not in unseen)}{also}"


def _explain(strategy: Strategy[Any], name: str, signals: "pd.DataFrame", row: int) -> None:
    values = {str(column): float(value) for column, value in signals.iloc[row].items()}
    for asked in (strategy.reason, strategy.glance):
        said = asked(values)
        if not isinstance(said, str) or not said.strip() or "\n" in said:
            word = WORDS[int(values["action"])]
            raise WrongError(
                f"{asked.__name__} of {row_of(name, signals, row)}, a {word}, is {said!r}: return one line of text"
            )


def fast_enough(trial: Trial) -> str:
    """A live tick takes the last row, in time."""
    frame = next(iter(trial.frames.values()))
    live = frame.iloc[-max(LIVE_ROWS, trial.strategy.warm_up) :]
    candles = _as_candles(live)
    tick_seconds, signal = _timed(trial.seconds, lambda: trial.strategy.evaluate("BTCUSDT", candles))
    frame_seconds, _ = _timed(trial.seconds, lambda: trial.signals(frame))
    in_frame = WORDS[int(trial.signals(live)["action"].iloc[-1])]
    if not isinstance(signal, Signal) or not isinstance(signal.action, Action) or signal.action.value != in_frame:
        raise WrongError(f"a live tick answers {_word_of(signal)}, the last row of the same candles says {in_frame}")
    times = (
        f"{1000 * tick_seconds:.1f} ms for a live tick ({len(live)} candles), "
        f"{1000 * frame_seconds:.1f} ms for a frame of {len(frame):,}"
    )
    if tick_seconds > _MOST_TICK_SECONDS:
        raise WrongError(
            f"{times}: a tick may take {_MOST_TICK_SECONDS:g} s; use whole arrays instead of loops over rows"
        )
    return times


def _word_of(answer: object) -> str:
    return str(answer.action) if isinstance(answer, Signal) else repr(answer)


def _timed(seconds: Callable[[], float], ask: Callable[[], Any]) -> tuple[float, Any]:
    """The shortest of three times, and the last answer."""
    times, answer = [], None
    for _ in range(3):
        began = seconds()
        answer = ask()
        times.append(seconds() - began)
    return min(times), answer


def speaks(trial: Trial) -> str:
    """It has something to say at all."""
    actions = np.concatenate([signals["action"].to_numpy() for signals in trial.whole.values()])
    buys, sells = int((actions > 0).sum()), int((actions < 0).sum())
    if not buys and not sells:
        raise WarningError(
            f"neither BUY nor SELL in {len(actions):,} rows: it would never trade there; try other --params or --data"
        )
    return f"{buys:,} BUY and {sells:,} SELL in {len(actions):,} rows"


def _settings_of(strategy: Strategy[Any]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in strategy.params.model_dump().items()) or "no parameters"


def _as_candles(frame: "pd.DataFrame") -> Sequence[Candle]:
    spacing_ms = int(frame.index[1] - frame.index[0])
    return [
        Candle(int(open_ms), int(open_ms) + spacing_ms - 1, *(Decimal(repr(float(value))) for value in values))
        for open_ms, values in zip(frame.index, frame.to_numpy(), strict=True)
    ]
