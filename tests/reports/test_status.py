"""What the status says of what people have asked for: pauses and their scope, the kill switch, changed limits."""

import json
from decimal import Decimal

import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.ledger import risk_changes
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.ledger.risk_changes import RiskChange
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.heartbeat import Heartbeat
from binance_trade_agent.reports.status import as_json, lines, status
from tests.ledger.bookkeeping import OPENING, run_record


@pytest.fixture
async def path(tmp_path):
    path = tmp_path / "ledger.db"
    async with await Ledger.open(path) as ledger:
        await ledger.open_epoch(500, "new market", OPENING)
        settings = {"RISK_MAX_ORDER_QUOTE": "500", "RISK_COOLDOWN_SECONDS": "300"}
        await ledger.begin_run(run_record(settings_json=json.dumps(settings)))
    return path


async def asked(path, kind: CommandKind, state: CommandState = CommandState.DONE, **payload: str) -> None:
    number = commands.place(path, kind, requested_by="cli", requested_wall_ms=1, payload=payload)
    async with await Ledger.open(path) as ledger:
        await commands.answer(ledger, number, state, "done", 2_000)


def found(path):
    with LedgerReader.open(path) as reader:
        return status(reader, None, is_running=False)


async def test_the_scope_of_a_pause_is_said_until_resume(path):
    assert (found(path).is_paused, found(path).pause_scope) == (False, None)
    await asked(path, CommandKind.PAUSE)  # as older programs placed it, without a scope
    assert "Entries are paused until `trade-agent resume`" in list(lines(found(path)))
    await asked(path, CommandKind.PAUSE, scope="everything")
    assert (found(path).is_paused, found(path).pause_scope) == (True, PauseScope.EVERYTHING)
    assert "Everything but what protects positions is paused until `trade-agent resume`" in list(lines(found(path)))
    assert json.loads(as_json(found(path)))["pause_scope"] == "everything"
    await asked(path, CommandKind.PAUSE, CommandState.REFUSED, scope="all")
    assert found(path).pause_scope is PauseScope.EVERYTHING
    await asked(path, CommandKind.RESUME)
    assert found(path).pause_scope is None


async def test_why_the_kill_switch_is_on_is_said_until_it_is_released(path):
    await asked(path, CommandKind.KILL, CommandState.PENDING, reason="the news")
    assert (found(path).is_killed, found(path).kill_reason) == (True, "the news")
    assert "It was thrown because: the news" in list(lines(found(path)))
    await asked(path, CommandKind.KILL, CommandState.PENDING)
    await asked(path, CommandKind.KILL, CommandState.PENDING, reason="")
    assert found(path).kill_reason == "the news", "a second one without a reason hides none"
    await asked(path, CommandKind.RELEASE, name="default")
    assert (found(path).is_killed, found(path).kill_reason) == (False, "")
    await asked(path, CommandKind.KILL, CommandState.PENDING)
    assert (found(path).is_killed, found(path).kill_reason) == (True, "")


async def test_a_run_that_was_killed_is_not_said_to_trade(path):
    beat = Heartbeat(1, "run-a", "trading", 3, wall_ms(), 1.0)
    with LedgerReader.open(path) as reader:
        for is_running, state in ((True, "trading"), (False, "gone without a word")):
            said = list(lines(status(reader, beat, is_running=is_running)))
            assert said[1].startswith(f"  run run-a: {state}, cycle 3, heartbeat ")


async def test_what_waits_for_the_trader_is_said_until_it_is_answered(path):
    commands.place(path, CommandKind.RELEASE, requested_by="cli", requested_wall_ms=1, payload={"name": "default"})
    commands.place(path, CommandKind.SET_STRATEGY, requested_by="dashboard", requested_wall_ms=2)
    assert "Waiting for the next trader: release by cli, set-strategy by dashboard" in list(lines(found(path)))
    async with await Ledger.open(path) as ledger:
        for each in await commands.pending(ledger):
            await commands.answer(ledger, each.command_id, CommandState.DONE, "done", 2_000)
    assert found(path).waiting == []


async def test_changed_limits_of_the_newest_run_are_said_with_who_and_since_when(path):
    async with await Ledger.open(path) as ledger:
        changes = [
            RiskChange("run-a", 60_000, "dashboard", "RISK_MAX_ORDER_QUOTE", "500", "200", "500"),
            RiskChange("run-a", 60_000, "dashboard", "RISK_COOLDOWN_SECONDS", "300", "60", "300"),
            RiskChange("run-a", 90_000, "dashboard", "RISK_COOLDOWN_SECONDS", "60", "300", "300"),  # and back
        ]
        await ledger.write(lambda connection: risk_changes.record(connection, changes))
    assert [line for line in lines(found(path)) if line.startswith("Limit")] == [
        "Limit: RISK_MAX_ORDER_QUOTE is 200, by dashboard since 1970-01-01 00:01:00 UTC; the settings say 500"
    ]
    async with await Ledger.open(path) as ledger:
        other = json.dumps({"RISK_MAX_ORDER_QUOTE": "400"})
        await ledger.begin_run(run_record("run-b", settings_json=other))
    assert found(path).changed_limits == []


async def test_what_the_account_is_worth_is_said_with_its_moment_and_what_it_has_gained(path):
    assert found(path).worth is None
    day_ms = 86_400_000
    points = [(1_000, "10000", "0", "0"), (day_ms - 1, "9900", "0", "-1.5"), (day_ms + 60_000, "9900", "90", "-0.25")]
    async with await Ledger.open(path) as ledger:
        for cycle, (at_ms, cash, held, unrealised) in enumerate(points):
            worth = Decimal(cash), Decimal(held), Decimal("-9.75"), Decimal(unrealised)
            point = EquityPoint("run-a", at_ms, cycle, worth[0] + worth[1], *worth, quote_asset="USDT")
            await ledger.record_equity(point)
    assert (
        "Equity: 9,990.00 USDT at 1970-01-02 00:01:00 UTC, -10.00 (-0.10 %) since 1970-01-01 00:00:01, "
        "+90.00 (+0.91 %) today; realised -9.75, unrealised -0.25"
    ) in list(lines(found(path)))
    assert json.loads(as_json(found(path)))["worth"]["equity_quote"] == "9990"
