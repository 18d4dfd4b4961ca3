"""Decisions in pages, the newest first, and what they came to: why has it not traded?

A page costs the same however old the ledger is: the decisions of a run are walked back by its key, those that a rule
refused by their index, and what was looked at without a match ends a page too.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.values import Value
from binance_trade_agent.ledger.rows import DECIDED, decision_from
from binance_trade_agent.reports.alike import Count, counts, how_often

PAGE_ROWS = 30
LOOK_DECISIONS = 20_000  # so many are looked at for a page at most, however few match
COUNTED_DECISIONS = 10_000  # the newest of a span that are counted

_LEAST_MS, _MOST_MS = -(2**63), 2**63 - 1
_LAST_SYMBOL = "\U0010ffff"


class Place(Value, frozen=True):
    """Where a decision stands in the list: run number, tick (market ms) and symbol, each descending."""

    run: int
    tick_ms: int
    symbol: str


class Filters(Value, frozen=True):
    """Which decisions; None leaves a filter out. from_ms counts, before_ms does not; market ms."""

    symbol: str | None = None
    outcome: Outcome | None = None
    rule: str | None = None
    from_ms: int | None = None
    before_ms: int | None = None


class DecisionPage(Value, frozen=True):
    """Some decisions, newest first.

    Attributes:
        older: from where the next page goes on, None when there is none.
        is_cut: whether the page ends, at `older`, because enough was looked at and not because it is full.
    """

    rows: tuple[Decision, ...]
    older: Place | None = None
    is_cut: bool = False


class Tally(Value, frozen=True):
    """How the decisions of a span ended.

    Attributes:
        decisions: how many were counted; from_ms: the oldest of them, None when there is none.
        is_cut: whether the span holds more, and the newest were counted.
        outcomes, rules: how often each, most frequent first.
        reasons: decisions that ended alike, reasons that differ in numbers only together.
    """

    decisions: int
    from_ms: int | None
    is_cut: bool
    outcomes: dict[str, int]
    rules: dict[str, int]
    reasons: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """What is read of a decision while it is looked for."""

    place: Place
    run_id: str
    outcome: Outcome
    rule: str | None
    detail: str
    again: int


def decision_page(
    connection: sqlite3.Connection,
    filters: Filters,
    before: Place | None = None,
    *,
    limit: int = PAGE_ROWS,
    look: int = LOOK_DECISIONS,
) -> DecisionPage:
    """The decisions that match, newest first, from before a place on.

    Args:
        connection: of a snapshot of the ledger.
        filters: which decisions.
        before: `older` of the page before; None for the newest.
        limit: rows of a page.
        look: how many decisions are looked at at most.
    """
    found: list[_Step] = []
    for looked, step in enumerate(_walk(connection, filters, before)):
        if len(found) == limit:
            return DecisionPage(_whole(connection, found), found[-1].place)
        if looked == look:
            return DecisionPage(_whole(connection, found), before, is_cut=True)
        before = step.place
        if filters.outcome in {None, step.outcome}:
            found.append(step)
    return DecisionPage(_whole(connection, found))


def tally(connection: sqlite3.Connection, filters: Filters, *, most: int = COUNTED_DECISIONS) -> Tally:
    """How the decisions that match ended; of more than `most` the newest are counted."""
    steps: list[_Step] = []
    looked, oldest_ms, is_cut = 0, None, False
    for step in _walk(connection, filters, None):
        if looked == most:
            is_cut = True
            break
        looked, oldest_ms = looked + 1, step.place.tick_ms
        if filters.outcome in {None, step.outcome}:
            steps.append(step)
    return Tally(
        decisions=sum(1 + step.again for step in steps),
        from_ms=oldest_ms,
        is_cut=is_cut,
        outcomes=how_often((step.outcome.value, step) for step in steps),
        rules=how_often((step.rule, step) for step in steps if step.rule is not None),
        reasons=tuple(counts(steps)),
    )


def decided_symbols(connection: sqlite3.Connection) -> list[str]:
    """The symbols that any run has traded, in alphabetical order."""
    rows = connection.execute("SELECT DISTINCT symbols FROM runs")
    return sorted({symbol for row in rows for symbol in row[0].split()})


def refusing_rules(connection: sqlite3.Connection, most: int = COUNTED_DECISIONS) -> list[str]:
    """The rules that have refused among the newest refusals, in alphabetical order."""
    rows = connection.execute(
        "SELECT DISTINCT rule FROM (SELECT rule FROM decisions INDEXED BY decisions_refused WHERE rule IS NOT NULL"
        " ORDER BY tick_ms DESC LIMIT ?)",
        (most,),
    )
    return sorted(row[0] for row in rows)


def last_tick_ms(connection: sqlite3.Connection) -> int | None:
    """The newest run's last tick that left a decision, market ms; of the run before while it has none yet."""
    for run_id, _ in _runs(connection, _MOST_MS):
        row = connection.execute(
            "SELECT tick_ms FROM decisions WHERE run_id = ? ORDER BY tick_ms DESC LIMIT 1", (run_id,)
        ).fetchone()
        if row is not None:
            return int(row[0])
    return None


def _runs(connection: sqlite3.Connection, up_to: int) -> list[tuple[str, int]]:
    """Id and number of the runs, newest first."""
    rows = connection.execute("SELECT run_id, number FROM runs WHERE number <= ? ORDER BY number DESC", (up_to,))
    return [(row[0], row[1]) for row in rows]


def _walk(connection: sqlite3.Connection, filters: Filters, before: Place | None) -> Iterator[_Step]:
    """The decisions before a place, newest first; of the filters all but the outcome are obeyed."""
    for run_id, number in _runs(connection, _MOST_MS if before is None else before.run):
        last = before if before is not None and before.run == number else None
        for row in _steps(connection, run_id, filters, last):
            place = Place(number, row["tick_ms"], row["symbol"])
            yield _Step(place, run_id, Outcome(row["outcome"]), row["rule"], row["detail"], row["times"] or 0)


def _steps(connection: sqlite3.Connection, run_id: str, filters: Filters, last: Place | None) -> Iterator[sqlite3.Row]:
    values = {
        "run": run_id,
        "tick": last.tick_ms if last else _MOST_MS,
        "last": last.symbol if last else _LAST_SYMBOL,
        "from": _LEAST_MS if filters.from_ms is None else filters.from_ms,
        "before": _MOST_MS if filters.before_ms is None else filters.before_ms,
        "symbol": filters.symbol,
        "rule": filters.rule,
    }
    if filters.rule is not None:
        ends = connection.execute(
            "SELECT (SELECT tick_ms FROM decisions WHERE run_id = :run ORDER BY tick_ms LIMIT 1),"
            " (SELECT tick_ms FROM decisions WHERE run_id = :run ORDER BY tick_ms DESC LIMIT 1)",
            values,
        ).fetchone()
        if ends[0] is None:
            return iter(())
        # The index is of all runs: within the run's own ticks it holds hardly any other's.
        values |= {"from": max(values["from"], ends[0]), "tick": min(values["tick"], ends[1] + 1)}
        values["last"] = last.symbol if last and last.tick_ms == values["tick"] else ""
        return connection.execute(_REFUSED, values)
    return connection.execute(_ALL, values)


# `+symbol`: it is no help to find the rows by the symbol's index, which is of all runs.
_WHERE = (
    " (tick_ms, symbol) < (:tick, :last) AND tick_ms >= :from AND tick_ms < :before"
    " AND (:symbol IS NULL OR +symbol = :symbol)"
)
_ORDER = " ORDER BY tick_ms DESC, symbol DESC"
_STEP = "SELECT tick_ms, symbol, outcome, rule, detail, times FROM decisions"
_AGAIN = " LEFT JOIN decisions_again USING (run_id, tick_ms, symbol)"
_ALL = f"{_STEP}{_AGAIN} WHERE run_id = :run AND {_WHERE}{_ORDER}"
_REFUSED = (
    f"{_STEP} INDEXED BY decisions_refused{_AGAIN}"
    f" WHERE rule IS NOT NULL AND rule = :rule AND +run_id = :run AND {_WHERE}{_ORDER}"
)


def _whole(connection: sqlite3.Connection, steps: list[_Step]) -> tuple[Decision, ...]:
    found = []
    for step in steps:
        row = connection.execute(
            f"SELECT * FROM {DECIDED} WHERE run_id = ? AND tick_ms = ? AND symbol = ?",  # noqa: S608
            (step.run_id, step.place.tick_ms, step.place.symbol),
        ).fetchone()
        found.append(decision_from(row))
    return tuple(found)
