"""Changing the strategy of a daemon that runs, and the kill switch, as a person does both: by the command line."""

import json
from pathlib import Path

import pytest

from binance_trade_agent.domain.signals import Action
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.strategy_changes import in_use_at
from tests.sessions.command import trade_agent
from tests.sessions.daemon_process import EAGER, Daemon, assert_books_balance, daemon, session

pytestmark = pytest.mark.slow

# A tick a second.
SLOW = {"SIMULATION_SPEED": "60", "TRADING_DURATION_MINUTES": "0", "STRATEGY_NAME": "rsi_momentum"}
SHORT = {"TRADING_DURATION_MINUTES": "3"}
BUSY = {**EAGER, "TRADING_DURATION_MINUTES": "0", "SIMULATION_SPEED": "600"}


async def two_more_ticks(running: Daemon) -> None:
    done = sum("Trading Cycle #" in line for line in running.log)
    await running.until_logged("Trading Cycle #", times=done + 2)


async def placed(folder: Path, *arguments: str, **settings: str) -> str:
    """What a command that has to succeed prints."""
    said = await trade_agent(folder, *arguments, **settings)
    assert said.code == 0, said
    return said.out


def asked_and_in_use(folder: Path) -> list[tuple[str, str]]:
    """The strategy that decided, and the one that the ledger says was in use, at each decision with a signal."""
    with LedgerReader.open(folder / "ledger.db") as reader:
        (run, *_) = reversed(reader.snapshot(queries.runs))

        def both(connection):
            decisions = [each for each in queries.decisions(connection, run.run_id) if each.signal]
            used = [in_use_at(connection, run.run_id, each.tick_ms) for each in decisions]
            return [
                (each.signal.strategy, change.choice.name)
                for each, change in zip(decisions, used, strict=True)
                if change
            ]

        return reader.snapshot(both)


def commands_in(folder: Path) -> int:
    with LedgerReader.open(folder / "ledger.db") as reader:
        return reader.snapshot(lambda connection: connection.execute("SELECT count(*) FROM commands").fetchone()[0])


async def test_strategy_changes_at_a_tick_and_holds_over_restarts_until_the_settings_change(tmp_path, there):
    async with daemon(tmp_path, **SLOW, **there) as running:
        await running.until_logged("Trading Cycle #1")
        said = await placed(tmp_path, "set-strategy", "macd_crossover", "--params", "ETHUSDT.macd_fast=10")
        assert said.startswith("From the tick at ")
        assert said.endswith(" UTC on: rsi_momentum -> macd_crossover (ETHUSDT.macd_fast=10).\n")
        await two_more_ticks(running)
        status = json.loads(await placed(tmp_path, "status", "--json"))["strategy"]
        assert (status["choice"]["name"], status["requested_by"]) == ("macd_crossover", "cli")
        await placed(tmp_path, "stop")
        assert await running.ended() == 0
    assert "command set-strategy by cli: from the tick at " in running.everything
    decided = asked_and_in_use(tmp_path)
    assert {name for name, _ in decided} == {"rsi_momentum", "macd_crossover"}
    assert all(name == used for name, used in decided)

    held = await session(tmp_path, **SHORT, **there, STRATEGY_NAME="rsi_momentum")
    assert "Strategy macd_crossover (ETHUSDT.macd_fast=10), by a command by cli, in force since 20" in held.everything
    assert set(asked_and_in_use(tmp_path)) == {("macd_crossover", "macd_crossover")}

    changed = await session(tmp_path, **SHORT, **there, STRATEGY_NAME="rsi_momentum", STRATEGY_PARAMS="rsi_period=10")
    assert "STRATEGY_NAME or STRATEGY_PARAMS was changed since" in changed.everything
    assert "Strategy rsi_momentum (rsi_period=10), by the settings" in changed.everything
    assert set(asked_and_in_use(tmp_path)) == {("rsi_momentum", "rsi_momentum")}
    assert "Strategy: rsi_momentum (rsi_period=10), by settings since " in await placed(tmp_path, "status")


async def test_strategy_that_cannot_be_is_refused_at_once_and_nothing_is_placed(tmp_path, there):
    async with daemon(tmp_path, **SLOW, **there) as running:
        await running.until_logged("Trading Cycle #1")
        for arguments, sentence in (
            (["macd_crossovr"], "did you mean macd_crossover?"),
            (["rsi_momentum", "--params", "rsi_period=1"], "rsi_period is 1: it must be a whole number from 2"),
            (["rsi_momentum", "--params", "SOLUSDT.rsi_period=10"], "SOLUSDT is not traded"),
        ):
            # The trader that runs says what is traded, not the settings of who asks.
            said = await trade_agent(tmp_path, "set-strategy", *arguments, TRADING_SYMBOLS="SOLUSDT,BTCUSDT")
            assert (said.code, said.out) == (2, "")
            assert sentence in said.err
        assert commands_in(tmp_path) == 0
        await two_more_ticks(running)
        await placed(tmp_path, "stop")
        assert await running.ended() == 0
    assert set(asked_and_in_use(tmp_path)) == {("rsi_momentum", "rsi_momentum")}


async def test_strategy_asked_for_while_no_trader_runs_decides_from_the_first_tick_of_the_next(tmp_path, there):
    await session(tmp_path, **SHORT, **there)
    said = await placed(tmp_path, "set-strategy", "macd_crossover")
    assert said.endswith("the next one will carry this out: set-strategy.\n")
    await session(tmp_path, **SHORT, **there)
    assert set(asked_and_in_use(tmp_path)) == {("macd_crossover", "macd_crossover")}


def entries_after(folder: Path, command: str) -> tuple[int, set[str | None]]:
    """Entries executed at ticks after a command was carried out, and the rules that refused one."""
    with LedgerReader.open(folder / "ledger.db") as reader:
        done_ms = reader.snapshot(
            lambda connection: connection.execute(
                "SELECT done_ms FROM commands WHERE kind = ? ORDER BY command_id DESC", (command,)
            ).fetchone()[0]
        )
        (run, *_) = reversed(reader.snapshot(queries.runs))
        decisions = reader.snapshot(lambda connection: queries.decisions(connection, run.run_id))
    entries = [
        each for each in decisions if each.tick_ms > done_ms and each.signal and each.signal.action is Action.BUY
    ]
    return sum(each.outcome == "EXECUTED" for each in entries), {each.rule for each in entries if each.rule}


async def test_kill_switch_refuses_entries_over_a_restart_until_the_trader_is_released_by_its_name(tmp_path, there):
    named = {**BUSY, **there, "TRADING_INSTANCE": "first"}
    async with daemon(tmp_path, **named) as running:
        await running.until_logged("TRADE EXECUTED")
        said = await placed(tmp_path, "kill")
        assert said == "The kill switch is on: nothing is entered until `trade-agent release first`.\n"
        await running.until_logged("⛔ refused by kill_switch")
        assert "the kill switch is on, until `trade-agent release first`" in await placed(tmp_path, "health")
        status = await placed(tmp_path, "status")
        assert status.count("the kill switch is on") == 1, status
        wrong = await trade_agent(tmp_path, "release", "second")
        assert wrong.code == 1
        assert "`trade-agent release first`" in wrong.out
        await placed(tmp_path, "stop")
        assert await running.ended() == 0
    assert entries_after(tmp_path, "kill") == (0, {"kill_switch"})
    assert assert_books_balance(tmp_path / "ledger.db") > 0

    nobody = await trade_agent(tmp_path, "release", "second", TRADING_INSTANCE="first")
    assert nobody.code == 1
    assert "TRADING_INSTANCE is first, not second" in nobody.out
    async with daemon(tmp_path, **named) as running:
        await running.until_logged("⛔ refused by kill_switch")
        assert "TRADE EXECUTED" not in "".join(line for line in running.log if "BUY" in line)
        assert await placed(tmp_path, "release", "first") == "The kill switch is off.\n"
        await running.until_logged("TRADE EXECUTED")
        await placed(tmp_path, "stop")
        assert await running.ended() == 0
    assert json.loads(await placed(tmp_path, "status", "--json"))["is_killed"] is False


async def test_kill_without_a_trader_lets_the_next_one_enter_nothing(tmp_path, there):
    await session(tmp_path, **SHORT, **there)
    await placed(tmp_path, "kill")
    assert json.loads(await placed(tmp_path, "status", "--json"))["is_killed"] is True
    killed = await session(tmp_path, **EAGER, **there)
    assert "⛔ refused by kill_switch" in killed.everything
    assert "TRADE EXECUTED" not in killed.everything
