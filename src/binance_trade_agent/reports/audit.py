"""What people have changed: one list of every command and of every start with other settings, newest first.

Times are the machine's: when a command was placed, when a run began. The market's own time may be another one.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from binance_trade_agent.control.commands import Command, CommandKind, CommandState, command
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.ledger.strategy_changes import BY_SETTINGS

_A_RUN, _A_COMMAND = 0, 1


class AuditKey(NamedTuple):
    """Where an entry stands in the list: the next page begins after the last entry's key."""

    at_wall_ms: int
    source: int
    number: int


_THE_FIRST_PAGE = AuditKey(2**63 - 1, 0, 0)


class Changed(NamedTuple):
    """One thing that came to be another: a setting by its name, `strategy`, `pause` or `kill switch`."""

    what: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that a person wanted, and what came of it.

    Attributes:
        at_wall_ms: when it was asked for; of other settings, when the run began that has them.
        who: who asked (`cli`, `dashboard`), or `settings`.
        what: what was asked for, in words.
        changed: what is other since then; empty where nothing is, or where an older ledger has not noted it.
        state: of the command; settings are DONE.
        answer: the trader's sentence, empty while it is pending.
        done_ms: market time of the answer, or of the run's start.
        command_id: None of settings; client_order_id: of the order that the command asked for.
    """

    key: AuditKey
    who: str
    what: str
    changed: tuple[Changed, ...]
    state: CommandState
    answer: str
    done_ms: int | None
    command_id: int | None = None
    client_order_id: str | None = None

    @property
    def at_wall_ms(self) -> int:
        """See the class."""
        return self.key.at_wall_ms


def audit(connection: sqlite3.Connection, limit: int, before: AuditKey | None = None) -> list[AuditEntry]:
    """The newest entries first, those after the entry with the key `before` where that is given."""
    rows = connection.execute(
        "SELECT at_wall_ms, source, number FROM ("
        "  SELECT requested_wall_ms AS at_wall_ms, :a_command AS source, command_id AS number FROM commands"
        "  UNION ALL SELECT started_wall_ms, :a_run, number FROM ("
        "    SELECT started_wall_ms, number, settings_json, lag(settings_json) OVER (ORDER BY number) AS last FROM runs"
        "  ) WHERE settings_json != last"
        ") WHERE (at_wall_ms, source, number) < (:at_wall_ms, :source, :number)"
        " ORDER BY at_wall_ms DESC, source DESC, number DESC LIMIT :limit",
        {"a_command": _A_COMMAND, "a_run": _A_RUN, "limit": limit, **(before or _THE_FIRST_PAGE)._asdict()},
    ).fetchall()
    keys = [AuditKey(*row) for row in rows]
    return [_of_command(connection, key) if key.source == _A_COMMAND else _of_run(connection, key) for key in keys]


def _of_command(connection: sqlite3.Connection, key: AuditKey) -> AuditEntry:
    asked = command(connection, key.number)
    assert asked is not None, "it was just read, in the same transaction"
    return AuditEntry(
        key=key,
        who=asked.requested_by,
        what=in_words(asked),
        changed=tuple(_changed_by(connection, asked)),
        state=asked.state,
        answer=asked.answer,
        done_ms=asked.done_ms,
        command_id=asked.command_id,
        client_order_id=asked.client_order_id,
    )


def _of_run(connection: sqlite3.Connection, key: AuditKey) -> AuditEntry:
    """Its settings beside those of the run before; of a limit or strategy that somebody had changed, what had held."""
    earlier, run = connection.execute(
        "SELECT * FROM runs WHERE number <= ? ORDER BY number DESC LIMIT 2", (key.number,)
    ).fetchall()[::-1]
    said, says = json.loads(earlier["settings_json"]), json.loads(run["settings_json"])
    changed = {
        name: Changed(name, said.get(name, ""), value) for name, value in says.items() if said.get(name, "") != value
    }
    by_settings = connection.execute(
        "SELECT setting, old_value, new_value FROM risk_changes WHERE run_id = ? AND requested_by = ?",
        (run["run_id"], BY_SETTINGS),
    )
    changed.update({setting: Changed(setting, old, new) for setting, old, new in by_settings})
    changed.update({each.what: each for each in _strategy(connection, run_id=run["run_id"])})
    return AuditEntry(
        key=key,
        who=BY_SETTINGS,
        what=f"run {run['run_id']} with other settings",
        changed=tuple(changed.values()),
        state=CommandState.DONE,
        answer="",
        done_ms=run["started_ms"],
    )


def in_words(asked: Command) -> str:
    """What a command asks for."""
    said = _WORDS.get(asked.kind)
    return said(asked.payload) if said else str(asked.kind)  # of a newer program


def _order_in_words(order: Mapping[str, str]) -> str:
    said = f"{order.get('side', '')} {order.get('quantity', '')} {order.get('symbol', '')} {order.get('type', '')}"
    prices = {"stop_price": "stop", "stop_limit_price": "limit of the stop", "price": "limit", "worst_price": "worst"}
    return said + "".join(f", {word} {order[name]}" for name, word in prices.items() if order.get(name))


def _kill_in_words(payload: Mapping[str, str]) -> str:
    closing = ", and close all positions" if payload.get("close_positions") == "true" else ""
    return f"throw the kill switch{closing}{_because(payload)}"


def _strategy_in_words(payload: Mapping[str, str]) -> str:
    params = f" ({payload['params']})" if payload.get("params") else ""
    return f"set the strategy {payload.get('name', '')}{params}"


def _because(payload: Mapping[str, str]) -> str:
    return f": {payload['reason']}" if payload.get("reason") else ""


_WORDS: Mapping[CommandKind, Callable[[Mapping[str, str]], str]] = {
    CommandKind.STOP: lambda _: "stop the trader",
    CommandKind.PAUSE: lambda payload: f"pause {payload.get('scope', PauseScope.ENTRIES)}",
    CommandKind.RESUME: lambda _: "resume",
    CommandKind.KILL: _kill_in_words,
    CommandKind.RELEASE: lambda payload: f"release {payload.get('name', '')}",
    CommandKind.SET_STRATEGY: _strategy_in_words,
    CommandKind.SET_RISK: lambda payload: f"set {', '.join(f'{name}={value}' for name, value in payload.items())}",
    CommandKind.ORDER: _order_in_words,
    CommandKind.CANCEL: lambda payload: f"cancel order {payload.get('client_order_id', '')}",
    CommandKind.CLOSE: lambda payload: f"close {payload.get('symbol') or 'all positions'}{_because(payload)}",
}


def _changed_by(connection: sqlite3.Connection, asked: Command) -> Iterator[Changed]:
    if asked.kind is CommandKind.SET_STRATEGY:
        yield from _strategy(connection, command_id=asked.command_id)
    elif asked.kind is CommandKind.SET_RISK:
        for row in connection.execute(
            "SELECT setting, old_value, new_value FROM risk_changes WHERE command_id = ? ORDER BY number",
            (asked.command_id,),
        ):
            yield Changed(*row)
    elif asked.kind in _SWITCHES:
        yield from _switched(connection, asked, *_SWITCHES[asked.kind])


_PAUSES = (CommandKind.RESUME, CommandKind.PAUSE)
_KILLS = (CommandKind.RELEASE, CommandKind.KILL)
_SWITCHES = {
    **dict.fromkeys(_PAUSES, ("pause", _PAUSES)),
    **dict.fromkeys(_KILLS, ("kill switch", _KILLS)),
}


def _switched(
    connection: sqlite3.Connection, asked: Command, what: str, kinds: tuple[CommandKind, ...]
) -> Iterator[Changed]:
    """Where a switch stood before the command and after it; nothing while the command has not moved it."""
    if not _counts(asked.kind, asked.state):
        return
    last = connection.execute(
        "SELECT command_id FROM commands WHERE kind IN (?, ?) AND command_id < ?"
        " AND (state = 'DONE' OR (kind = 'kill' AND state = 'PENDING')) ORDER BY command_id DESC LIMIT 1",
        (*kinds, asked.command_id),
    ).fetchone()
    before = command(connection, last["command_id"]) if last else None
    old = _position(before.kind, before.payload) if before else "off"
    new = _position(asked.kind, asked.payload)
    if old != new:
        yield Changed(what, old, new)


def _counts(kind: CommandKind, state: CommandState) -> bool:
    """A kill counts from when it is placed, everything else once it is carried out."""
    return state is CommandState.DONE or (kind is CommandKind.KILL and state is CommandState.PENDING)


def _position(kind: CommandKind, payload: Mapping[str, str]) -> str:
    """Where a switch stands after such a command."""
    if kind is CommandKind.PAUSE:
        return payload.get("scope", PauseScope.ENTRIES)
    return "on" if kind is CommandKind.KILL else "off"


def _strategy(
    connection: sqlite3.Connection, *, command_id: int | None = None, run_id: str | None = None
) -> Iterator[Changed]:
    """The strategy that a command brought, or that the settings of a run did, and the one before."""
    rows = connection.execute(
        "SELECT now.strategy, now.params_json, last.strategy, last.params_json FROM strategy_changes AS now"
        " JOIN strategy_changes AS last ON last.number = now.number - 1"
        " WHERE now.command_id = ? OR (now.run_id = ? AND now.requested_by = ?)",
        (command_id, run_id, BY_SETTINGS),
    )
    for name, params, last_name, last_params in rows:
        new, old = StrategyChoice(name, json.loads(params)), StrategyChoice(last_name, json.loads(last_params))
        if new != old:
            yield Changed("strategy", str(old), str(new))
