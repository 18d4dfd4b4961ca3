"""Whether the trader lives (health), and whether it trades or may trade (readiness): asked by pages and by machines.

The sentences are for anybody, logged in or not: they hold no amounts, no texts of the exchange, no paths.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.ledger import alarms, pauses, queries, switches
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ops import vitals
from binance_trade_agent.ops.heartbeat import Heartbeat
from binance_trade_agent.ops.vitals import Vitals
from binance_trade_agent.reports.wording import duration

LATE_SECONDS = 5.0  # beyond the planned silence: health forgives a minute, readiness this

_STATES = {
    "starting": "The trader starts, and does not trade yet.",
    "stopped": "The trader was stopped on purpose; nothing is traded.",
    "failed": "The trader has ended with an error; nothing is traded.",
}
# What keeps every entry away, by the name of the reason (agents/entry_gate.py).
_REASONS = {
    "disk": "the ledger's disk has too little space left",
    "exchange": "the exchange does not answer",
    "keys": "the exchange refuses the API keys",
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
    resting_rules: tuple[str, ...]
    blocked: tuple[tuple[str, str], ...]  # kind and subject of alarms that keep entries away


def told_of(desk: Desk, health: Health) -> Vitals | None:
    """What the trader that runs tells of itself; None while none does, or before it tells anything."""
    if health.state not in {"trading", "late"} or health.beat is None:
        return None
    told = vitals.read(vitals.vitals_path(desk.ledger_path))
    return told if told is not None and told.run_id == health.beat.run_id else None


def health_of(desk: Desk) -> Health:
    """Whether the trader lives now: by its heartbeat, and by whether a process holds the ledger."""
    beat = desk.heartbeat()
    if beat is None:
        return Health("never ran", "No trader has ever run on this ledger.", None)
    if beat.state not in {"stopped", "failed"} and not desk.is_running():
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


async def readiness_of(desk: Desk, health: Health) -> Readiness:
    """Whether positions may be entered now, and what is missing."""
    if not health.is_healthy:
        return Readiness((health.sentence,))
    told = told_of(desk, health)
    try:
        books = await desk.read(lambda connection: _books(connection, told))
    except LedgerError:
        return Readiness(("The ledger cannot be read.",))
    symbols = desk.settings.trading_symbols if told is None else tuple(told.symbols)
    blocked = _blocked(told, books)
    missing = [*_missing(health, books, blocked), *_all_rest(told)]
    away = {symbol: name for name, symbol in blocked if symbol in symbols}
    limited = [f"{symbol} is not entered: {name.replace('_', ' ')}." for symbol, name in away.items()]
    if symbols and len(away) == len(symbols):
        return Readiness((*missing, *limited))
    return Readiness(tuple(missing), tuple(limited))


def _missing(health: Health, books: _Books, blocked: set[tuple[str, str]]) -> Iterator[str]:
    beat = health.beat
    if beat is not None and is_overdue(beat):
        yield f"The trading loop has given no sign of life for {duration(round(beat.age_seconds * 1000))}."
    if books.is_killed:
        yield "The emergency stop is on, until it is released."
    if books.pause:
        yield f"{'Trading is' if books.pause == 'everything' else 'Entries are'} paused by a person, until resume."
    for rule in books.resting_rules:
        yield f"Entries rest because a limit was passed: {rule.replace('_', ' ')}."
    for name, subject in sorted(blocked):
        if not subject:
            yield f"Nothing is entered: {_REASONS.get(name, name.replace('_', ' '))}."


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
        resting_rules=tuple(resting),
        blocked=tuple((alarm.kind, alarm.subject) for alarm in alarms.standing(connection) if alarm.blocks),
    )
