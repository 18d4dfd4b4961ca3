"""Whether the trader lives, and what keeps it from trading: from files beside the ledger, its lock and the ledger.

The sentences are for anybody, logged in or not: they hold no amounts, no texts of the exchange, no paths.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from binance_trade_agent.control.persons_pause import persons_pause
from binance_trade_agent.ledger import alarms, pauses, queries, switches
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.lock import is_held
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops import heartbeat, vitals
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.heartbeat import Heartbeat
from binance_trade_agent.ops.vitals import Vitals
from binance_trade_agent.reports.wording import duration

LATE_SECONDS = 5.0  # beyond the planned silence: health forgives a minute, readiness this

_STATES = {
    "starting": "The trader starts, and does not trade yet.",
    "stopped": "The trader was stopped on purpose; nothing is traded.",
    "failed": "The trader has ended with an error; nothing is traded.",
}
_ENDED = {"stopped", "failed"}
# What keeps every entry away, by the name of the reason (agents/entry_gate.py).
_REASONS = {
    "disk": "the ledger's disk has too little space left",
    "exchange": "the exchange does not answer",
    "keys": "the exchange refuses the API keys",
    "kill_not_obeyed": "the kill switch could not be looked at or obeyed",
    "ledger": "the ledger cannot be written",
    "no_news": "there is no news of the account",
}


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the trading loop lives.

    Attributes:
        state: `trading`, `late`, `starting`, `stopped`, `failed`, `gone` (without a word), `never ran`.
        beat: its last sign of life, None when there never was one.
    """

    state: str
    sentence: str
    beat: Heartbeat | None

    @property
    def is_healthy(self) -> bool:
        """Whether it trades, and has given a sign of life when it meant to or not long after."""
        return self.state == "trading"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether positions may be entered.

    Attributes:
        missing: what keeps all of them away, in sentences.
        limited: what keeps some symbols away.
    """

    missing: tuple[str, ...]
    limited: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class _Books:
    is_killed: bool
    pause: str
    is_persons_pause: bool
    resting_rules: tuple[str, ...]
    blocked: tuple[tuple[str, str], ...]  # kind and subject of alarms that keep entries away


def told_at(ledger_path: Path, health: Health) -> Vitals | None:
    """What the trader that runs tells of itself; None while none does, or before it tells anything."""
    if health.state not in {"trading", "late"} or health.beat is None:
        return None
    told = vitals.read(vitals.vitals_path(ledger_path))
    return told if told is not None and told.run_id == health.beat.run_id else None


def health_at(ledger_path: Path) -> Health:
    """Whether the trader lives now: by its heartbeat, and by whether a process holds the ledger."""
    beat = heartbeat.read(heartbeat.heartbeat_path(ledger_path))
    if beat is None:
        return Health("never ran", "No trader has ever run on this ledger.", None)
    if beat.state not in _ENDED and not is_held(ledger_path):
        beat = heartbeat.read(heartbeat.heartbeat_path(ledger_path)) or beat  # it has perhaps ended meanwhile
        if beat.state not in _ENDED:
            return Health("gone", "The trader has gone without a word; nothing is traded.", beat)
    if beat.state in _STATES:
        return Health(beat.state, _STATES[beat.state], beat)
    if not beat.is_healthy:
        age = duration(round(beat.age_seconds * 1000))
        return Health("late", f"The trading loop has given no sign of life for {age}.", beat)
    if is_overdue(beat):
        return Health("trading", "The trading loop is late; it counts as alive for a minute.", beat)
    return Health("trading", "The trading loop is alive.", beat)


def is_overdue(beat: Heartbeat) -> bool:
    """Whether it has given no sign of life when it meant to."""
    return beat.age_seconds > beat.next_within_seconds + LATE_SECONDS


def readiness(
    connection: sqlite3.Connection, health: Health, told: Vitals | None, configured: Sequence[str]
) -> Readiness:
    """Whether positions may be entered now, and what is missing, for a trader that is healthy.

    `configured`: the symbols of the settings, for one that tells nothing of itself yet.
    """
    books = _books(connection, told)
    symbols = configured if told is None else tuple(told.symbols)
    blocked = _blocked(told, books)
    missing = [*_missing(health, books, blocked), *_all_rest(told)]
    away = {symbol: name for name, symbol in blocked if symbol in symbols}
    limited = [f"{symbol} is not entered: {name.replace('_', ' ')}." for symbol, name in away.items()]
    if symbols and len(away) == len(symbols):
        return Readiness((*missing, *limited))
    return Readiness(tuple(missing), tuple(limited))


def restraints_at(ledger_path: Path, health: Health) -> list[str]:
    """What keeps a healthy trader from trading and its heartbeat does not say: a pause, a limit, a ban. Clauses."""
    if not health.is_healthy:
        return []
    told = told_at(ledger_path, health)
    budget = told.exchange.budget if told and told.exchange else vitals.BudgetVitals()
    try:
        with LedgerReader.open(ledger_path) as reader:
            found = [*_switched(reader.snapshot(lambda connection: _books(connection, told)))]
    except (LedgerError, sqlite3.Error):
        found = ["The ledger cannot be read."]
    sentences = [*found, *_silent(budget), *_all_rest(told)]
    return [sentence[:1].lower() + sentence[1:].rstrip(".") for sentence in sentences]


def _missing(health: Health, books: _Books, blocked: set[tuple[str, str]]) -> Iterator[str]:
    beat = health.beat
    if beat is not None and is_overdue(beat):
        yield f"The trading loop has given no sign of life for {duration(round(beat.age_seconds * 1000))}."
    if books.is_killed:
        yield "The emergency stop is on, until it is released."
    yield from _switched(books)
    for name, subject in sorted(blocked):
        if not subject:
            yield f"Nothing is entered: {_REASONS.get(name, name.replace('_', ' '))}."


def _switched(books: _Books) -> Iterator[str]:
    if books.pause:
        by = "a person" if books.is_persons_pause else "an assistant"
        yield f"{'Trading is' if books.pause == 'everything' else 'Entries are'} paused by {by}, until resume."
    for rule in books.resting_rules:
        yield f"Entries rest because a limit was passed: {rule.replace('_', ' ')}."


def _silent(budget: vitals.BudgetVitals) -> Iterator[str]:
    for until_ms, what in (
        (budget.silent_until_wall_ms, "The exchange is asked nothing"),
        (budget.no_orders_until_wall_ms, "No order is sent"),
    ):
        if until_ms is not None and until_ms > wall_ms():
            yield f"{what} for {duration(until_ms - wall_ms())}, as it has demanded (a limit of requests, or a ban)."


def _all_rest(told: Vitals | None) -> Iterator[str]:
    if told and told.symbols and all(symbol.rests_until_cycle is not None for symbol in told.symbols.values()):
        yield "Every symbol is suspended after failures in a row."


def _blocked(told: Vitals | None, books: _Books) -> set[tuple[str, str]]:
    """Name and subject of what keeps entries away: as the trader tells it now, and as its ledger does."""
    now = {(block.name, block.subject) for block in told.entry_blocks} if told else set()
    return now | set(books.blocked)


def _books(connection: sqlite3.Connection, told: Vitals | None) -> _Books:
    market_ms = told.market_now_ms() if told else None
    epoch = queries.epoch_number(connection)
    resting = pauses.active_pauses(connection, epoch, market_ms) if market_ms is not None else {}
    return _Books(
        is_killed=switches.killed(connection),
        pause=switches.pause_scope(connection) or "",
        is_persons_pause=persons_pause(connection) is not None,
        resting_rules=tuple(resting),
        blocked=tuple((alarm.kind, alarm.subject) for alarm in alarms.standing(connection) if alarm.blocks),
    )
