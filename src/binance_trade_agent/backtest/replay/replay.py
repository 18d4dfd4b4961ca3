"""Replays a run: its recorded ticks are decided again, and compared with the decisions that the ledger holds."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from binance_trade_agent.backtest.replay.compare import Difference, difference
from binance_trade_agent.backtest.replay.rehearsal import Rehearsal
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.history.recording import Recording, recordings_folder
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.ledger.rows import in_full
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.in_use import StrategiesInUse

LAST = "last"
# No other settings have a part in decisions. Where it trades and whom it meets there has none either: live trading
# would have to be armed, and Redis to be there.
_DECIDING = ("TRADING_", "RISK_", "STRATEGY_")
_PLACES = frozenset({"TRADING_MODE", "TRADING_FEED", "TRADING_CAPITAL_QUOTE"})


class ReplayError(Exception):
    """A run cannot be replayed; one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a replay.

    Attributes:
        decisions: how many were made again; first: the first of those that came out otherwise, and how many did.
        not_recorded: decisions of the ledger without a look in the recording.
            Decisions that were only noted to be the same as one before are not made again.
        not_decided: looks without a decision in the ledger: the run was killed before it was written. Decisions that
            were thinned out because they are old are not among them.
        from_ms, to_ms: first and last tick, None without one.
    """

    run: RunRecord
    decisions: int
    differences: int
    first: Difference | None
    not_recorded: int
    not_decided: int
    from_ms: int | None
    to_ms: int | None


def replay(ledger_path: Path, named: str, *, progress: Callable[[int], None] | None = None) -> Replay:
    """Replay a run of a ledger. The trader may run meanwhile; neither ledger nor recording is changed.

    Args:
        ledger_path: beside it are the recordings.
        named: the run's id or its beginning, its number, or `last`.
        progress: told the market time of each tick.

    Raises:
        ReplayError: there is no such run, or its settings or its strategy cannot be used any more.
        HistoryError: it was not recorded, or the recording cannot be read.
        LedgerError: the ledger cannot be read.
        StrategyError: a strategy that was in use cannot be made any more.
        ConfigError: limits that a person has changed in the run are not allowed any more.
    """
    with LedgerReader.open(ledger_path) as reader:
        run = _run_named(reader.snapshot(queries.runs), named)
        recording = Recording(recordings_folder(ledger_path), run.run_id)
        return asyncio.run(_replayed(reader, run, recording, progress))


async def _replayed(
    reader: LedgerReader, run: RunRecord, recording: Recording, progress: Callable[[int], None] | None
) -> Replay:
    settings, rehearsal, first = _settings_of(run), None, None
    made = differences = not_decided = 0
    ticks_ms: list[int] = []
    for tick in recording.ticks():
        if rehearsal is None:
            choice = next(iter(tick.looks.values())).look.choice
            rehearsal = Rehearsal(run, settings, _strategies(choice, run))
            rehearsal.know(recording.marks)
        decided = reader.snapshot(partial(_decided, run_id=run.run_id, tick_ms=tick.tick_ms))
        others = tick.looks.keys() - decided
        if tick.tick_ms > (run.thinned_ms or 0):
            not_decided += len(
                others - reader.snapshot(partial(_repeated, run_id=run.run_id, tick_ms=tick.tick_ms, of=others))
            )
        for again, approved in await rehearsal.decide(tick, decided):
            made += 1
            if found := difference(*decided[again.symbol], again, approved):
                differences += 1
                first = first or found
        views = {symbol: tick.looks[symbol].look.view for symbol in others}
        rehearsal.know({symbol: view for symbol, view in views.items() if view is not None})
        ticks_ms = [*ticks_ms[:1], tick.tick_ms]
        if progress is not None:
            progress(tick.tick_ms)
    count = reader.snapshot(partial(_count, run_id=run.run_id))
    ends = (ticks_ms[0], ticks_ms[-1]) if ticks_ms else (None, None)
    return Replay(run, made, differences, first, count - made, not_decided, *ends)


def _decided(
    connection: sqlite3.Connection, run_id: str, tick_ms: int
) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """By symbol, the row of each decision of a tick, and that of the order that came of it."""

    def rows() -> Iterator[tuple[str, tuple[Mapping[str, Any], Mapping[str, Any] | None]]]:
        for row in connection.execute("SELECT * FROM decisions WHERE run_id = ? AND tick_ms = ?", (run_id, tick_ms)):
            order = connection.execute(
                "SELECT * FROM orders WHERE client_order_id = ?", (row["client_order_id"],)
            ).fetchone()
            yield row["symbol"], (in_full(row), order)

    return dict(rows())


def _repeated(connection: sqlite3.Connection, run_id: str, tick_ms: int, of: Iterable[str]) -> set[str]:
    """The symbols on which the tick has decided the same as one before, so that it was not written anew."""
    last = {symbol: queries.decision_at(connection, run_id, symbol, tick_ms) for symbol in of}
    return {symbol for symbol, made in last.items() if made is not None and (made.again_ms or 0) >= tick_ms}


def _count(connection: sqlite3.Connection, run_id: str) -> int:
    return int(connection.execute("SELECT count(*) FROM decisions WHERE run_id = ?", (run_id,)).fetchone()[0])


def _run_named(runs: list[RunRecord], named: str) -> RunRecord:
    if not runs:
        raise ReplayError("there is no run in this ledger yet")
    if named == LAST:
        return runs[-1]
    exact = [run for run in runs if named in {run.run_id, str(run.number)}]
    found = exact or [run for run in runs if run.run_id.startswith(named)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ReplayError(f"{named} is the beginning of {len(found)} runs, {found[0].run_id} and others: write more")
    near = nearest(named, [run.run_id for run in runs])
    hint = f", did you mean {near}?" if near else f"; the last one is {runs[-1].run_id}."
    raise ReplayError(f"there is no run {named}{hint}")


def _settings_of(run: RunRecord) -> Settings:
    """The settings of a run as far as decisions hang on them.

    Raises:
        ReplayError: this program does not know them all, or allows them no more.
    """
    written: dict[str, str] = json.loads(run.settings_json)
    values = {
        name.lower(): "" if text == "none" else text
        for name, text in written.items()
        if name.startswith(_DECIDING) and name not in _PLACES and text != "not set"
    }
    if "trading_order_fraction" in values:
        values.pop("trading_order_quote", None)  # its default: only one of them can be set
    try:
        return Settings(**values)  # type: ignore[arg-type]
    except ValidationError as failure:
        wrong = ", ".join(str(error["loc"][0] if error["loc"] else error["msg"]).upper() for error in failure.errors())
        raise ReplayError(f"settings of run {run.run_id} are not what this program allows: {wrong}") from None


def _strategies(choice: StrategyChoice, run: RunRecord) -> StrategiesInUse:
    return StrategiesInUse(choice, run.symbols)
