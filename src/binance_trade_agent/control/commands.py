"""Commands: any process places one as a row of the ledger, the trader carries it out and answers.

A place is the only write that a process other than the trader makes. The switches are no flags of their own: the
commands say where they stand (ledger/switches.py). So they hold in every process and over restarts. A `kill` counts
from when it is placed, whether or not a trader has taken it.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.ledger.connection import explained, in_transaction, open_existing
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.switches import killed, pause_scope, paused

OF_ASSISTANTS = "mcp ("  # how the name of an assistant that placed a command begins
OF_ACCOUNT = "account"  # in the payload of a kill or a pause: `true` asks all daemons of the account
HEARD = "heard"  # there: another one has passed it on, and it goes no further


class CommandKind(StrEnum):
    """What can be asked.

    STOP ends the run gracefully. PAUSE keeps it from entering positions until RESUME, or from deciding on any order
    (`scope=everything`): what protects positions goes on. KILL keeps it from entering too, cancels what rests and
    protects nothing, closes all positions when asked to (`close_positions=true`), and is taken back only by a RELEASE
    that names the trader. SET_STRATEGY changes what decides, SET_RISK the limits (setting names and their new values).
    ORDER places an order of a person, CANCEL cancels one (`client_order_id`), CLOSE sells a position (`symbol`) or,
    where that is empty, all of them: they are for the trader that runs, so that one which comes too late is refused.
    """

    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    KILL = "kill"
    RELEASE = "release"
    SET_STRATEGY = "set_strategy"
    SET_RISK = "set_risk"
    ORDER = "order"
    CANCEL = "cancel"
    CLOSE = "close"


class CommandState(StrEnum):
    """Where a command stands."""

    PENDING = "PENDING"
    DONE = "DONE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Command:
    """One command and what came of it.

    Attributes:
        command_id: from 1, in the order of their placing.
        requested_by: who asked, for a person: `cli`, `dashboard`; an assistant's begins with OF_ASSISTANTS.
        requested_wall_ms: the machine's time, ms UTC.
        answer: one sentence, empty while pending.
        done_ms: market time of the answer.
        client_order_id: of the order that it asked for, once that is in the ledger.
    """

    command_id: int
    kind: CommandKind
    payload: Mapping[str, str]
    requested_by: str
    requested_wall_ms: int
    state: CommandState = CommandState.PENDING
    answer: str = ""
    done_ms: int | None = None
    client_order_id: str | None = None

    @property
    def is_by_assistant(self) -> bool:
        """Whether it came by the MCP server, which writes that down whatever its client says of itself."""
        return self.requested_by.startswith(OF_ASSISTANTS)


def command_kind(name: str) -> CommandKind:
    """The kind by its name.

    Raises:
        ValueError: there is none; the message names the nearest.
    """
    allowed = [kind.value for kind in CommandKind]
    if name in allowed:
        return CommandKind(name)
    hint = nearest(name, allowed)
    raise ValueError(
        f"{name!r} is not a command; allowed are {', '.join(allowed)}" + (f"; did you mean {hint}?" if hint else "")
    )


def place(
    ledger_path: Path,
    kind: CommandKind,
    *,
    requested_by: str,
    requested_wall_ms: int,
    payload: Mapping[str, str] | None = None,
    allow: Callable[[sqlite3.Connection], None] | None = None,
) -> int:
    """Place a command for the trader, from any process.

    `allow` is asked in the transaction that it is placed in: when it raises, nothing is placed.

    Returns:
        The command's id, by which its answer is found.

    Raises:
        LedgerError: there is no ledger, or it cannot be written.
    """

    def insert(connection: sqlite3.Connection) -> int:
        if allow is not None:
            allow(connection)
        return add(connection, kind, requested_by, requested_wall_ms, payload or {})

    with closing(open_existing(ledger_path)) as connection:
        try:
            return in_transaction(insert)(connection)
        except sqlite3.Error as error:
            raise explained(error, ledger_path) from error


def add(
    connection: sqlite3.Connection,
    kind: CommandKind,
    requested_by: str,
    requested_wall_ms: int,
    payload: Mapping[str, str],
) -> int:
    """Write a command that waits for the trader; its id. In the transaction of who calls."""
    command_id = int(connection.execute("SELECT coalesce(max(command_id), 0) + 1 FROM commands").fetchone()[0])
    connection.execute(
        "INSERT INTO commands (command_id, kind, payload_json, requested_by, requested_wall_ms, state, answer)"
        " VALUES (?, ?, ?, ?, ?, ?, '')",
        (
            command_id,
            kind,
            json.dumps(dict(payload), sort_keys=True),
            _encodable(requested_by),
            requested_wall_ms,
            CommandState.PENDING,
        ),
    )
    return command_id


async def pending(ledger: Ledger) -> list[Command]:
    """The commands that wait for the trader, oldest first."""
    return await ledger.read(waiting)


def waiting(connection: sqlite3.Connection) -> list[Command]:
    """The same, of a snapshot."""
    # The state is written out: so SQLite knows that the index of what waits will do.
    rows = connection.execute("SELECT * FROM commands WHERE state = 'PENDING' ORDER BY command_id")
    return [_command_from(row) for row in rows]


async def answer(
    ledger: Ledger,
    command_id: int,
    state: CommandState,
    text: str,
    done_ms: int,
    beside: Callable[[sqlite3.Connection], None] | None = None,
    client_order_id: str | None = None,
) -> None:
    """Note what came of a command: DONE or REFUSED, and one sentence for who asked; `beside` is written with it.

    `client_order_id` is of the order that it asked for; None leaves what is known of it.
    """

    def write(connection: sqlite3.Connection) -> None:
        _answer(connection, command_id, state, text, done_ms)
        if client_order_id is not None:
            name_order(connection, command_id, client_order_id)
        if beside:
            beside(connection)

    await ledger.write(write)


NOT_TAKEN = "no trader has carried it out: none was running, or it ended on the way"
FOR_THE_RUN = frozenset({CommandKind.STOP, CommandKind.ORDER, CommandKind.CANCEL, CommandKind.CLOSE})
"""What is for the trader that runs: refused when it comes too late."""


async def refuse_stale(ledger: Ledger, done_ms: int, *, began_wall_ms: int | None = None) -> list[Command]:
    """At the start of a run: refuse what was meant for one that is over, and that nobody was there to take.

    What has its order in the ledger was taken: it is answered from what became of that. A `stop` that was placed since
    this run's process began (`began_wall_ms`, machine's time) is meant for it, though it has traded nothing yet.
    """

    def is_stale(command: Command) -> bool:
        if command.kind not in FOR_THE_RUN or command.client_order_id is not None:
            return False
        is_for_this_run = began_wall_ms is not None and command.requested_wall_ms >= began_wall_ms
        return not (command.kind is CommandKind.STOP and is_for_this_run)

    def refuse(connection: sqlite3.Connection) -> list[Command]:
        stale = [command for command in waiting(connection) if is_stale(command)]
        for command in stale:
            _answer(connection, command.command_id, CommandState.REFUSED, NOT_TAKEN, done_ms)
        return stale

    return await ledger.write(refuse)


async def is_paused(ledger: Ledger) -> bool:
    """Whether the trader may enter no positions, from the trader's own connection."""
    return await ledger.read(paused)


async def scope_of_pause(ledger: Ledger) -> PauseScope | None:
    """What a pause keeps back, None without one, from the trader's own connection."""
    return await ledger.read(pause_scope)


async def is_killed(ledger: Ledger) -> bool:
    """Whether the kill switch is on, from the trader's own connection."""
    return await ledger.read(killed)


def command(connection: sqlite3.Connection, command_id: int) -> Command | None:
    """One command, None when there is none."""
    row = connection.execute("SELECT * FROM commands WHERE command_id = ?", (command_id,)).fetchone()
    return _command_from(row) if row else None


def latest_commands(connection: sqlite3.Connection, limit: int, before: int | None = None) -> list[Command]:
    """The newest commands first, those with a smaller id than `before` where that is given."""
    rows = connection.execute(
        "SELECT * FROM commands WHERE :before IS NULL OR command_id < :before ORDER BY command_id DESC LIMIT :limit",
        {"before": before, "limit": limit},
    )
    return [_command_from(row) for row in rows]


def name_order(connection: sqlite3.Connection, command_id: int, client_order_id: str) -> None:
    """Note which order a command has asked for, in the transaction that its intent is committed in."""
    connection.execute("UPDATE commands SET client_order_id = ? WHERE command_id = ?", (client_order_id, command_id))


def _answer(connection: sqlite3.Connection, command_id: int, state: CommandState, text: str, done_ms: int) -> None:
    connection.execute(
        "UPDATE commands SET state = ?, answer = ?, done_ms = ? WHERE command_id = ? AND state = ?",
        (state, text, done_ms, command_id, CommandState.PENDING),
    )


def _command_from(row: sqlite3.Row) -> Command:
    return Command(
        command_id=row["command_id"],
        kind=_kind_from(row["kind"]),
        payload=_payload_from(row["payload_json"]),
        requested_by=row["requested_by"],
        requested_wall_ms=row["requested_wall_ms"],
        state=CommandState(row["state"]),
        answer=row["answer"],
        done_ms=row["done_ms"],
        client_order_id=row["client_order_id"],
    )


def _kind_from(name: str) -> CommandKind:
    """The kind; of a command that a newer program has placed, one that no trader of this program carries out."""
    try:
        return CommandKind(name)
    except ValueError:
        kind = str.__new__(CommandKind, name)
        kind._name_ = kind._value_ = name
        return kind


def _payload_from(text: str) -> dict[str, str]:
    """Texts by name, none that cannot be written again; nothing of what is no JSON object, no value that is no text."""
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(payload, dict):
        return {}
    return {_encodable(name): _encodable(value) for name, value in payload.items() if isinstance(value, str)}


def _encodable(text: str) -> str:
    """The text with a `?` for each lone surrogate, as JSON and a shell's arguments may hold them: SQLite takes none."""
    return text.encode("utf-8", "replace").decode()
