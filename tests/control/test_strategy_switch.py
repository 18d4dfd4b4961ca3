"""The strategy switch: a change asked for is answered and kept, and holds over restarts as long as it should."""

from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from binance_trade_agent.control.carriers import Moment
from binance_trade_agent.control.commands import CommandKind, CommandState, answer, command, pending, place
from binance_trade_agent.control.strategy_switch import StrategySwitch, asked_choice
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.ledger.errors import LedgerUnavailable
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.strategy_changes import latest
from binance_trade_agent.strategies.in_use import StrategiesInUse
from binance_trade_agent.strategies.registry import BadStrategyParams
from tests.ledger.bookkeeping import run_record, trading_ledger

SYMBOLS = ("BTCUSDT", "ETHUSDT")
RSI = StrategyChoice("rsi_momentum", {"rsi_period": "10"})
MACD = StrategyChoice("macd_crossover")
TICK_MS = 1_767_622_560_000  # 2026-01-05T14:16:00Z


@dataclass
class Trader:
    """A run, as far as its strategies go."""

    ledger: Ledger
    strategies: StrategiesInUse
    switch: StrategySwitch
    run_id: str

    async def asked(self, name: str, params: str = "", by: str = "cli"):
        """Ask for another strategy, and let it be carried out; the answered command."""
        payload = {"name": name, "params": params}
        number = place(
            self.ledger.path, CommandKind.SET_STRATEGY, requested_by=by, requested_wall_ms=1, payload=payload
        )
        (waiting,) = await pending(self.ledger)
        carried = await self.switch.carry_out(waiting, Moment(self.run_id, TICK_MS - 5_000, TICK_MS))
        await answer(self.ledger, number, carried.state, carried.answer, TICK_MS - 5_000, beside=carried.beside)
        if carried.afterwards:
            carried.afterwards()
        return await self.ledger.read(lambda connection: command(connection, number))

    async def changes(self) -> list[tuple[int, str, str, str]]:
        """Rows of the ledger: run, time, who asked, which strategy."""
        rows = await self.ledger.read(
            lambda connection: connection.execute("SELECT * FROM strategy_changes ORDER BY number").fetchall()
        )
        return [(row["run_id"], row["at_ms"], row["requested_by"], row["strategy"]) for row in rows]


async def started(ledger: Ledger, choice: StrategyChoice, run_id: str, started_ms: int = 1_000) -> Trader:
    """What a start does: as the settings say, then what was asked for, then the row."""
    strategies = StrategiesInUse(choice, SYMBOLS)
    switch = StrategySwitch(strategies, ledger)
    await switch.restore()
    await switch.begin_run(run_id, started_ms)
    return Trader(ledger, strategies, switch, run_id)


@asynccontextmanager
async def trader(tmp_path, choice: StrategyChoice = RSI):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        yield await started(ledger, choice, "run-a")


async def restarted(before: Trader, choice: StrategyChoice = RSI, run_id: str = "run-b") -> Trader:
    await before.ledger.begin_run(run_record(run_id))
    return await started(before.ledger, choice, run_id)


async def test_first_run_notes_what_is_in_use_and_the_next_one_does_not_repeat_it(tmp_path, caplog):
    with caplog.at_level("INFO"):
        async with trader(tmp_path) as first:
            await restarted(first)
            assert await first.changes() == [("run-a", 1_000, "settings", "rsi_momentum")]
    assert caplog.messages == ["Strategy rsi_momentum (rsi_period=10), by the settings"] * 2


async def test_change_is_answered_with_the_tick_the_old_and_the_new_and_is_in_use_on_all_symbols(tmp_path):
    async with trader(tmp_path) as running:
        answered = await running.asked("macd_crossover", "macd_fast=10, ethusdt.macd_fast=11")
        assert answered.state is CommandState.DONE
        assert answered.answer == (
            "from the tick at 14:16:00 UTC on: rsi_momentum (rsi_period=10) -> "
            "macd_crossover (macd_fast=10, ETHUSDT.macd_fast=11)"
        )
        assert [running.strategies.of(symbol).params.macd_fast for symbol in SYMBOLS] == [10, 11]
        assert (await running.changes())[1:] == [("run-a", TICK_MS, "cli", "macd_crossover")]


@pytest.mark.parametrize(
    ("name", "params", "sentence"),
    [
        ("macd_crossovr", "", "'macd_crossovr' is not a strategy, did you mean macd_crossover?"),
        ("", "", "'' is not a strategy"),
        ("rsi_momentum", "rsi_period=1", "rsi_period is 1: it must be a whole number from 2"),
        ("rsi_momentum", "SOLUSDT.rsi_period=10", "SOLUSDT is not traded"),
        ("rsi_momentum", "rsi_period", "'rsi_period' is not of the form name=value"),
    ],
)
async def test_change_that_cannot_be_is_refused_and_leaves_what_was_in_use(tmp_path, name, params, sentence):
    async with trader(tmp_path) as running:
        before = running.strategies.of("BTCUSDT")
        refused = await running.asked(name, params)
        assert refused.state is CommandState.REFUSED
        assert refused.answer.startswith(sentence)
        assert refused.answer.endswith("(still in use: rsi_momentum (rsi_period=10))")
        assert running.strategies.of("BTCUSDT") is before
        assert len(await running.changes()) == 1


async def test_change_that_cannot_be_written_is_not_made_and_the_command_still_waits(tmp_path, monkeypatch):
    async with trader(tmp_path) as running:

        async def full(_work) -> None:
            raise LedgerUnavailable("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(running.ledger, "write", full)
            with pytest.raises(LedgerUnavailable):
                await running.asked("macd_crossover")
        assert running.strategies.choice == RSI
        assert [waiting.kind for waiting in await pending(running.ledger)] == [CommandKind.SET_STRATEGY]
        assert len(await running.changes()) == 1


async def test_change_holds_over_restarts_while_the_settings_stay_the_same(tmp_path, caplog):
    async with trader(tmp_path) as first:
        await first.asked("macd_crossover", by="dashboard")
        with caplog.at_level("INFO"):
            caplog.clear()
            second = await restarted(first)
            said = list(caplog.messages)
        third = await restarted(second, run_id="run-c")
        assert second.strategies.choice == third.strategies.choice == MACD
        assert len(await first.changes()) == 2
    assert said == ["Strategy macd_crossover, by a command by dashboard, in force since 2026-01-05T14:16:00Z"]


async def test_changed_settings_win_over_what_was_asked_for_and_the_log_says_so(tmp_path, caplog):
    async with trader(tmp_path) as first:
        await first.asked("macd_crossover")
        longer = StrategyChoice("rsi_momentum", {"rsi_period": "20"})
        second = await restarted(first, longer)
        assert second.strategies.choice == longer
        assert (await first.changes())[2:] == [("run-b", 1_000, "settings", "rsi_momentum")]
    assert "STRATEGY_NAME or STRATEGY_PARAMS was changed since: they hold, and not macd_crossover" in caplog.text


async def test_settings_that_were_changed_and_changed_back_do_not_bring_an_old_wish_back(tmp_path):
    async with trader(tmp_path) as first:
        await first.asked("macd_crossover")
        second = await restarted(first, MACD)  # now the settings say the same as what was asked for
        third = await restarted(second, RSI, run_id="run-c")
        assert third.strategies.choice == RSI
        last = await first.ledger.read(latest)
        assert (last.requested_by, last.choice) == ("settings", RSI)


async def test_wish_that_cannot_be_met_any_more_gives_way_to_the_settings(tmp_path, caplog):
    async with trader(tmp_path) as first:
        await first.asked("macd_crossover", "ETHUSDT.macd_fast=10")
        await first.ledger.begin_run(run_record("run-b"))
        strategies = StrategiesInUse(RSI, ["BTCUSDT"])
        await StrategySwitch(strategies, first.ledger).restore()
        assert strategies.choice == RSI
    assert "cannot be used any more, so the settings hold: ETHUSDT is not traded" in caplog.text


def test_texts_of_a_command_become_a_choice():
    assert asked_choice(" rsi_momentum ", "rsi_period=10, ethusdt.rsi_period=14") == StrategyChoice(
        "rsi_momentum", {"rsi_period": "10", "ETHUSDT.rsi_period": "14"}
    )
    assert asked_choice("rsi_momentum", "") == StrategyChoice("rsi_momentum")
    with pytest.raises(BadStrategyParams, match="rsi_period is given twice"):
        asked_choice("rsi_momentum", "rsi_period=10,rsi_period=11")
