import sqlite3
from contextlib import closing

import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import (
    NOT_TAKEN,
    Command,
    CommandKind,
    CommandState,
    answer,
    command,
    command_kind,
    is_killed,
    is_paused,
    name_order,
    pending,
    place,
    refuse_stale,
)
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.ledger.connection import BUSY_TIMEOUT_MS
from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.switches import closes_positions, kill_reason, killed, pause_scope, paused
from binance_trade_agent.reports.audit import audit
from tests.ledger.bookkeeping import trading_ledger


@pytest.fixture
async def ledger(tmp_path):
    async with trading_ledger(tmp_path / "ledger.sqlite3") as opened:
        yield opened


def placed(ledger, kind, **changes):
    return place(ledger.path, kind, **{"requested_by": "cli", "requested_wall_ms": 77, **changes})


async def carried_out(ledger, kind, state=CommandState.DONE):
    await answer(ledger, placed(ledger, kind), state, "done", 1_000)


async def test_a_placed_command_waits_for_the_trader_and_its_answer_can_be_read(ledger):
    command_id = placed(ledger, CommandKind.PAUSE, payload={"why": "news"})
    waiting = Command(command_id, CommandKind.PAUSE, {"why": "news"}, "cli", 77)
    assert await pending(ledger) == [waiting]
    await answer(ledger, command_id, CommandState.DONE, "no new entries", 1_000)
    assert await pending(ledger) == []
    with LedgerReader.open(ledger.path) as reader:
        answered = reader.snapshot(lambda connection: command(connection, command_id))
        assert (answered.state, answered.answer, answered.done_ms) == (CommandState.DONE, "no new entries", 1_000)
        assert reader.snapshot(lambda connection: command(connection, 99)) is None
        assert reader.snapshot(paused)


async def test_commands_come_in_the_order_of_their_placing(ledger):
    ids = [placed(ledger, kind) for kind in (CommandKind.PAUSE, CommandKind.RESUME, CommandKind.STOP)]
    assert [(waiting.command_id, waiting.kind) for waiting in await pending(ledger)] == [
        (ids[0], CommandKind.PAUSE),
        (ids[1], CommandKind.RESUME),
        (ids[2], CommandKind.STOP),
    ]


async def test_an_answer_is_given_once(ledger):
    command_id = placed(ledger, CommandKind.PAUSE)
    await answer(ledger, command_id, CommandState.DONE, "first", 1_000)
    await answer(ledger, command_id, CommandState.REFUSED, "second", 2_000)
    answered = await ledger.read(lambda connection: command(connection, command_id))
    assert (answered.state, answered.answer) == (CommandState.DONE, "first")


async def test_a_pause_holds_over_a_restart_until_resume(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        assert not await is_paused(ledger)
        await carried_out(ledger, CommandKind.PAUSE)
    async with await Ledger.open(path) as ledger:
        assert await is_paused(ledger)
        await carried_out(ledger, CommandKind.RESUME)
        assert not await is_paused(ledger)


@pytest.mark.parametrize("payload", ["", "{", "[]", "null", '"everything"', '{"scope": 7}', '{"scope": "all"}'])
async def test_a_pause_that_cannot_be_read_is_one_of_entries(ledger, payload):
    await carried_out(ledger, CommandKind.PAUSE)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as connection:
        connection.execute("UPDATE commands SET payload_json = ?", (payload,))
    assert await ledger.read(pause_scope) is PauseScope.ENTRIES
    await carried_out(ledger, CommandKind.RESUME)
    with LedgerReader.open(ledger.path) as reader:
        resumed, before = reader.snapshot(lambda inside: audit(inside, 5))
    assert (resumed.what, before.what.split()[0]) == ("resume", "pause")


async def test_a_pause_that_waits_or_was_refused_is_no_pause(ledger):
    await carried_out(ledger, CommandKind.PAUSE, CommandState.REFUSED)
    placed(ledger, CommandKind.PAUSE)
    assert not await is_paused(ledger)


async def test_a_kill_holds_from_its_placing_over_restarts_until_a_release_is_carried_out(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        assert not await is_killed(ledger)
        kill = placed(ledger, CommandKind.KILL)
        assert await is_killed(ledger), "no trader has taken it yet"
        await answer(ledger, kill, CommandState.DONE, "done", 1_000)
    async with await Ledger.open(path) as ledger:
        assert await is_killed(ledger)
        await carried_out(ledger, CommandKind.RESUME)
        await carried_out(ledger, CommandKind.RELEASE, CommandState.REFUSED)
        release = placed(ledger, CommandKind.RELEASE)
        assert await is_killed(ledger), "a release counts when it is carried out"
        await answer(ledger, release, CommandState.DONE, "done", 2_000)
        assert not await is_killed(ledger)
        placed(ledger, CommandKind.KILL)
        with LedgerReader.open(path) as reader:
            assert reader.snapshot(killed)
            assert not reader.snapshot(paused)


async def test_a_stop_meant_for_an_earlier_run_is_refused_at_the_start(ledger):
    stop = placed(ledger, CommandKind.STOP)
    pause = placed(ledger, CommandKind.PAUSE)
    assert [stale.command_id for stale in await refuse_stale(ledger, 1_000)] == [stop]
    assert [waiting.command_id for waiting in await pending(ledger)] == [pause]
    refused = await ledger.read(lambda connection: command(connection, stop))
    assert (refused.state, refused.answer) == (CommandState.REFUSED, NOT_TAKEN)


async def test_a_stop_that_was_placed_while_a_trader_starts_is_for_that_one(ledger):
    began_wall_ms = 5_000
    for at_ms in (began_wall_ms - 1, began_wall_ms):
        for kind in (CommandKind.STOP, CommandKind.CLOSE):
            place(ledger.path, kind, requested_by="cli", requested_wall_ms=at_ms)
    stale = await refuse_stale(ledger, 1_000, began_wall_ms=began_wall_ms)
    assert [command.command_id for command in stale] == [1, 2, 4]
    assert [(waiting.kind, waiting.command_id) for waiting in await pending(ledger)] == [(CommandKind.STOP, 3)]


def test_a_command_without_a_ledger_is_refused_and_makes_none(tmp_path):
    with pytest.raises(LedgerError, match="there is no ledger"):
        place(tmp_path / "ledger.sqlite3", CommandKind.STOP, requested_by="cli", requested_wall_ms=1)
    assert list(tmp_path.iterdir()) == []


async def test_a_locked_ledger_takes_no_command_and_says_so(ledger, monkeypatch):
    monkeypatch.setattr("binance_trade_agent.ledger.connection.BUSY_TIMEOUT_MS", BUSY_TIMEOUT_MS // 100)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="locked by another process"):
            placed(ledger, CommandKind.STOP)
        other.execute("ROLLBACK")
    assert await pending(ledger) == []


def test_a_misspelt_command_names_the_nearest():
    assert command_kind("pause") is CommandKind.PAUSE
    with pytest.raises(ValueError, match=r"'resme' is not a command; .*did you mean resume"):
        command_kind("resme")


async def test_what_a_kill_asks_for_holds_until_the_release_and_a_second_kill_takes_nothing_back(ledger):
    async def closes() -> bool:
        return await ledger.read(closes_positions)

    placed(ledger, CommandKind.KILL, payload={"close_positions": "false"})
    assert not await closes()
    placed(ledger, CommandKind.KILL, payload={"close_positions": "true"})
    assert await closes(), "it counts from when it is placed"
    placed(ledger, CommandKind.KILL)
    assert await closes()
    await carried_out(ledger, CommandKind.RELEASE)
    assert not await closes()
    placed(ledger, CommandKind.KILL)
    assert not await closes(), "what was asked for before the release is over"


async def test_order_that_was_taken_is_not_refused_at_the_start(ledger):
    waiting = [placed(ledger, kind) for kind in (CommandKind.ORDER, CommandKind.CANCEL, CommandKind.CLOSE)]
    taken = placed(ledger, CommandKind.ORDER)
    await ledger.write(lambda connection: name_order(connection, taken, "bta-1"))
    assert [stale.command_id for stale in await refuse_stale(ledger, 1_000)] == waiting
    (left,) = await pending(ledger)
    assert (left.command_id, left.client_order_id) == (taken, "bta-1")


@pytest.mark.parametrize("payload", ["{}", '{"scope": 7, "name": "x"}', "[]", "{", "null", '"text"'])
async def test_command_of_a_newer_program_is_a_command_that_nobody_carries_out(ledger, payload):
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as connection:
        for number, kind in ((1, "rebalance"), (2, "kill")):
            connection.execute(
                "INSERT INTO commands (command_id, kind, payload_json, requested_by, requested_wall_ms, state, answer)"
                " VALUES (?, ?, ?, 'newer', 77, 'PENDING', '')",
                (number, kind, payload),
            )
    assert await refuse_stale(ledger, 1_000) == []
    strange, kill = await pending(ledger)
    assert (strange.kind, strange.kind in list(CommandKind)) == ("rebalance", False)
    assert f"{strange.kind} {strange.kind.value}" == "rebalance rebalance"
    assert kill.kind is CommandKind.KILL
    assert set(map(type, strange.payload.values())) <= {str}
    assert await is_killed(ledger)
    assert not await ledger.read(closes_positions)
    assert await ledger.read(kill_reason) == ""
    with LedgerReader.open(ledger.path) as reader:
        assert [entry.what for entry in reader.snapshot(lambda inside: audit(inside, 5))][1] == "rebalance"


async def test_however_many_commands_there_were_none_is_read_to_know_what_waits_and_where_switches_stand(ledger):
    def plans(connection):
        asked = []
        connection.set_trace_callback(asked.append)
        killed(connection), paused(connection), closes_positions(connection), kill_reason(connection)
        commands.waiting(connection)
        connection.set_trace_callback(None)
        return [row[3] for query in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]

    found = await ledger.read(plans)
    assert len(found) >= 5
    assert not [plan for plan in found if plan.startswith("SCAN")]
    assert {plan.split(" (")[0] for plan in found if "commands_" in plan} == {
        "SEARCH commands USING INDEX commands_by_kind",
        "SEARCH commands USING INDEX commands_pending",
    }
