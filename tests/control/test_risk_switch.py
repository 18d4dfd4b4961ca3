"""The risk switch: limits changed while the trader runs are checked whole, answered, kept, and hold over restarts."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from binance_trade_agent.agents.breakers import Breakers
from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.control.carriers import Carried, Moment
from binance_trade_agent.control.commands import CommandKind, CommandState, answer, command, pending, place
from binance_trade_agent.control.risk_switch import (
    RiskSwitch,
    changeable,
    checked,
    effective_settings,
    in_force,
    with_values,
    written,
)
from binance_trade_agent.ledger.errors import LedgerUnavailable
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.ledger.risk_changes import latest_changes
from binance_trade_agent.limits import risk_settings
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.settings import Settings
from tests.ledger.bookkeeping import run_record, trading_ledger
from tests.virtual_clock import VirtualClock

NOW_MS = 1_767_622_560_000  # 2026-01-05T14:16:00Z
OF_200 = {"RISK_MAX_ORDER_QUOTE": "200"}


def configured(**settings: str) -> Settings:
    return Settings(**{"risk_max_order_quote": "500", **settings})


@dataclass
class Trader:
    """A run, as far as its limits go."""

    ledger: Ledger
    switch: RiskSwitch
    run_id: str
    taken: list[RiskSettings] = field(default_factory=list)

    async def carried(self, wanted: dict[str, str], by: str = "cli") -> tuple[int, Carried]:
        """Ask for limits, and let it be carried out up to its answer."""
        number = place(self.ledger.path, CommandKind.SET_RISK, requested_by=by, requested_wall_ms=1, payload=wanted)
        (waiting,) = await pending(self.ledger)
        return number, await self.switch.carry_out(waiting, Moment(self.run_id, NOW_MS, NOW_MS + 5_000))

    async def asked(self, by: str = "cli", **wanted: str) -> tuple[CommandState, str]:
        """Ask for limits and have it answered."""
        number, carried = await self.carried(wanted, by)
        await answer(self.ledger, number, carried.state, carried.answer, NOW_MS, beside=carried.beside)
        if carried.afterwards:
            carried.afterwards()
        answered = await self.ledger.read(lambda connection: command(connection, number))
        return answered.state, answered.answer

    async def changes(self) -> list[tuple[str, str, str, str, str, int | None]]:
        """Rows of the ledger, newest first: run, who, which setting, old, new, by which command."""
        rows = await self.ledger.read(lambda connection: latest_changes(connection, 100))
        return [
            (each.run_id, each.requested_by, each.setting, each.old, each.new, each.command_id)
            for each in rows
            if each.at_ms == (1_000 if each.requested_by == "settings" else NOW_MS)
        ]


async def started(ledger: Ledger, settings: Settings, run_id: str) -> Trader:
    """What a start does: as the settings say, then what was asked for, then the rows."""
    switch = RiskSwitch(settings, ledger)
    await switch.restore()
    await switch.begin_run(run_id, 1_000)
    running = Trader(ledger, switch, run_id)
    switch.takers.append(running.taken.append)
    return running


@asynccontextmanager
async def trader(tmp_path, **settings: str):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        yield await started(ledger, configured(**settings), "run-a")


async def restarted(before: Trader, run_id: str = "run-b", **settings: str) -> Trader:
    await before.ledger.begin_run(run_record(run_id))
    return await started(before.ledger, configured(**settings), run_id)


class TestWhatCanBeChanged:
    def test_the_limits_on_entries_and_their_size_and_nothing_else(self):
        assert {"RISK_MAX_ORDER_QUOTE", "RISK_MIN_CONFIDENCE", "RISK_LOSS_PAUSE_MINUTES"} <= set(changeable())
        assert {"TRADING_ORDER_QUOTE", "TRADING_ORDER_FRACTION", "TRADING_SIZING"} <= set(changeable())
        others = {"RISK_STOP_LOSS_PCT", "RISK_PROFILE", "RISK_ATR_PERIOD", "RISK_SUSPEND_TICKS", "TRADING_SYMBOLS"}
        assert others.isdisjoint(changeable())

    @pytest.mark.parametrize("name", [name for name in changeable() if name != "TRADING_SIZING"])
    def test_each_of_them_changes_the_limits(self, name):
        settings = configured()
        fractions = {"TRADING_ORDER_FRACTION", "TRADING_KELLY_MULTIPLIER", "RISK_MIN_CONFIDENCE"}
        value = "0.7" if name in fractions else "150" if name == "RISK_MAX_ORDER_QUOTE" else "9"
        after = checked(settings, {name: value})
        assert risk_settings(after) != risk_settings(settings)
        assert written(after)[name] == value

    @pytest.mark.parametrize(
        ("wanted", "sentence"),
        [
            (
                {"RISK_MAX_ORDER_QUOTE": "50"},
                "TRADING_ORDER_QUOTE is 100: RISK_MAX_ORDER_QUOTE allows no more than 50, so every entry would be refused.",
            ),
            (
                {"RISK_MAX_OPEN_POSITIONS": "0"},
                "RISK_MAX_OPEN_POSITIONS=0 (in the command) is not allowed: it must be a whole number, 1 to 1000.",
            ),
            ({"RISK_MIN_CONFIDENCE": ""}, "RISK_MIN_CONFIDENCE= (in the command) is not allowed: it must be 0 to 1."),
            (
                {"RISK_MAX_ORDR_QUOTE": "50"},
                "RISK_MAX_ORDR_QUOTE is not a setting; the nearest valid name is RISK_MAX_ORDER_QUOTE.",
            ),
            (
                {"RISK_STOP_LOSS_PCT": "1"},
                (
                    "RISK_STOP_LOSS_PCT cannot be changed while the trader runs: set it in the settings, and start the "
                    "trader again."
                ),
            ),
            (
                {"TRADING_ORDER_QUOTE": "50", "TRADING_ORDER_FRACTION": "0.1"},
                "TRADING_ORDER_QUOTE and TRADING_ORDER_FRACTION are both set: set one of them.",
            ),
            ({"TRADING_SIZING": "fraction"}, "TRADING_SIZING=fraction needs TRADING_ORDER_FRACTION."),
        ],
    )
    def test_what_cannot_be_is_a_sentence_of_the_settings(self, wanted, sentence):
        with pytest.raises(ConfigError) as refused:
            checked(configured(), wanted)
        assert str(refused.value) == sentence

    def test_each_mistake_has_its_sentence(self):
        with pytest.raises(ConfigError) as refused:
            checked(configured(), {"RISK_MAX_ORDER_QUOTE": "x", "RISK_MAX_OPEN_POSITIONS": "0"})
        assert len(str(refused.value).splitlines()) == 2

    def test_nothing_is_no_wish(self):
        with pytest.raises(ConfigError, match="no setting is named; these can be changed: RISK_MAX_ORDER_QUOTE, "):
            checked(configured(), {})

    def test_names_may_be_written_small_and_values_with_blanks(self):
        assert checked(configured(), {"risk_max_order_quote": " 200 "}).risk_max_order_quote == 200

    def test_two_changes_that_only_fit_together_are_one_wish(self):
        smaller = checked(configured(), {"RISK_MAX_ORDER_QUOTE": "50", "TRADING_ORDER_QUOTE": "40"})
        assert (smaller.risk_max_order_quote, smaller.trading_order_quote) == (50, 40)

    def test_a_size_takes_the_place_of_the_other_one(self):
        fraction = checked(configured(trading_order_quote="90"), {"TRADING_ORDER_FRACTION": "0.05"})
        assert (fraction.sizing, written(fraction)["TRADING_ORDER_QUOTE"]) == ("fraction", "not set")
        quote = checked(fraction, {"TRADING_ORDER_QUOTE": "80"})
        assert (quote.sizing, quote.trading_order_quote, quote.trading_order_fraction) == ("quote", 80, None)

    def test_settings_with_keys_are_checked_with_them(self):
        keys = {"binance_api_key": "a" * 64, "binance_api_secret": "b" * 64, "trading_mode": "testnet"}
        after = checked(configured(**keys), OF_200)
        assert after.mode == "testnet"
        assert after.binance_api_secret.get_secret_value() == "b" * 64


class TestAChange:
    async def test_is_answered_with_old_and_new_taken_at_once_and_kept(self, tmp_path):
        async with trader(tmp_path) as running:
            assert await running.asked(RISK_MAX_ORDER_QUOTE="200.00") == (
                CommandState.DONE,
                "from now on: RISK_MAX_ORDER_QUOTE 500 -> 200",
            )
            assert [limits.max_order_quote for limits in running.taken] == [200]
            assert running.switch.limits.max_order_quote == 200
            assert running.switch.changed() == OF_200
            assert await running.changes() == [("run-a", "cli", "RISK_MAX_ORDER_QUOTE", "500", "200", 1)]

    async def test_of_several_limits_is_one_answer_and_a_row_each(self, tmp_path):
        async with trader(tmp_path) as running:
            state, said = await running.asked(TRADING_ORDER_FRACTION="0.05", RISK_COOLDOWN_SECONDS="60")
            assert state is CommandState.DONE
            assert said == (
                "from now on: RISK_COOLDOWN_SECONDS 300 -> 60, TRADING_ORDER_QUOTE 100 -> not set, "
                "TRADING_ORDER_FRACTION not set -> 0.05"
            )
            assert {setting for _, _, setting, _, _, _ in await running.changes()} == {
                "RISK_COOLDOWN_SECONDS",
                "TRADING_ORDER_QUOTE",
                "TRADING_ORDER_FRACTION",
            }
            assert running.taken[0].sizing.order_fraction == Decimal("0.05")

    async def test_is_checked_against_what_holds_not_against_the_settings(self, tmp_path):
        async with trader(tmp_path) as running:
            await running.asked(TRADING_ORDER_QUOTE="150")
            state, said = await running.asked(RISK_MAX_ORDER_QUOTE="120")
            assert state is CommandState.REFUSED
            assert said == (
                "TRADING_ORDER_QUOTE is 150: RISK_MAX_ORDER_QUOTE allows no more than 120, so every entry would be "
                "refused"
            )

    async def test_that_cannot_be_leaves_every_limit_as_it_was(self, tmp_path):
        async with trader(tmp_path) as running:
            state, said = await running.asked(RISK_COOLDOWN_SECONDS="60", RISK_STOP_LOSS_PCT="1")
            assert state is CommandState.REFUSED
            assert said.startswith("RISK_STOP_LOSS_PCT cannot be changed while the trader runs")
            assert (running.taken, running.switch.changed(), await running.changes()) == ([], {}, [])

    async def test_to_what_holds_already_changes_nothing(self, tmp_path):
        async with trader(tmp_path) as running:
            assert await running.asked(RISK_MAX_ORDER_QUOTE="500") == (
                CommandState.DONE,
                "nothing has changed: the limits say that already",
            )
            assert (running.taken, await running.changes()) == ([], [])

    async def test_that_cannot_be_written_is_not_made_and_the_command_still_waits(self, tmp_path, monkeypatch):
        async with trader(tmp_path) as running:

            async def full(_work) -> None:
                raise LedgerUnavailable("the disk is full")

            with monkeypatch.context() as patched:
                patched.setattr(running.ledger, "write", full)
                with pytest.raises(LedgerUnavailable):
                    await running.asked(**OF_200)
            assert (running.taken, running.switch.limits.max_order_quote) == ([], 500)
            assert [waiting.kind for waiting in await pending(running.ledger)] == [CommandKind.SET_RISK]
            assert await running.changes() == []

    async def test_of_a_limit_on_losses_begins_its_pause_from_what_the_account_has_lost_already(self, tmp_path):
        async with trader(tmp_path, risk_max_drawdown_pct="10") as running:
            for minute, worth in enumerate(["10000", "9600"]):
                amounts = (Decimal(worth), Decimal(worth), *[Decimal(0)] * 4)
                await running.ledger.record_equity(
                    EquityPoint("run-a", 1_000 + minute * 60_000, minute, *amounts, "USDT")
                )
            breakers = Breakers(running.ledger, VirtualClock(61_000), running.switch.limits, "USDT")
            running.switch.takers.append(breakers.use)

            async def pauses() -> list[str]:
                await breakers.look()
                return list(await running.ledger.consult(lambda books: books.active_pauses(61_000)))

            assert await pauses() == []
            await running.asked(RISK_MAX_DRAWDOWN_PCT="3")
            assert await pauses() == ["drawdown"]


class TestARestart:
    async def test_a_change_holds_while_the_settings_say_the_same_and_the_log_says_so(self, tmp_path, caplog):
        async with trader(tmp_path) as first:
            await first.asked(by="dashboard", **OF_200)
            with caplog.at_level("INFO"):
                caplog.clear()
                second = await restarted(first)
                said = list(caplog.messages)
            third = await restarted(second, "run-c")
            assert second.switch.limits.max_order_quote == third.switch.limits.max_order_quote == 200
            assert len(await first.changes()) == 1
        assert said == [
            "RISK_MAX_ORDER_QUOTE 200, by a command by dashboard, in force since 2026-01-05T14:16:00Z; the settings say 500"
        ]

    async def test_a_kill_between_the_answer_and_its_taking_loses_nothing(self, tmp_path):
        async with trader(tmp_path) as first:
            number, carried = await first.carried(OF_200)
            await answer(first.ledger, number, carried.state, carried.answer, NOW_MS, beside=carried.beside)
            assert first.taken == []  # here it was killed
            second = await restarted(first)
            assert second.switch.limits.max_order_quote == 200

    async def test_a_kill_before_the_answer_leaves_the_command_to_the_next_run(self, tmp_path):
        async with trader(tmp_path) as first:
            await first.carried(OF_200)
            second = await restarted(first)
            assert second.switch.limits.max_order_quote == 500
            (waiting,) = await pending(first.ledger)
            carried = await second.switch.carry_out(waiting, Moment("run-b", NOW_MS, NOW_MS))
            assert carried.answer == "from now on: RISK_MAX_ORDER_QUOTE 500 -> 200"

    async def test_a_changed_setting_wins_over_what_was_asked_for_and_the_others_still_hold(self, tmp_path, caplog):
        async with trader(tmp_path) as first:
            await first.asked(RISK_COOLDOWN_SECONDS="60", **OF_200)
            second = await restarted(first, risk_max_order_quote="400")
            assert second.switch.limits.max_order_quote == 400
            assert second.switch.limits.cooldown_seconds == 60
            assert (await first.changes())[0] == ("run-b", "settings", "RISK_MAX_ORDER_QUOTE", "200", "400", None)
        assert "RISK_MAX_ORDER_QUOTE is 400 by the settings, and no longer 200, asked for by cli" in caplog.text

    async def test_settings_that_were_changed_and_changed_back_do_not_bring_an_old_wish_back(self, tmp_path):
        async with trader(tmp_path) as first:
            await first.asked(**OF_200)
            second = await restarted(first, risk_max_order_quote="400")
            third = await restarted(second, "run-c")
            assert third.switch.limits.max_order_quote == 500
            assert third.switch.changed() == {}

    async def test_what_was_changed_back_is_not_in_force_and_no_more_is_said(self, tmp_path, caplog):
        async with trader(tmp_path) as first:
            await first.asked(**OF_200)
            await first.asked(RISK_MAX_ORDER_QUOTE="500")
            assert first.switch.changed() == {}
            with caplog.at_level("INFO"):
                caplog.clear()
                second = await restarted(first, risk_max_order_quote="400")
            assert (second.switch.limits.max_order_quote, caplog.messages) == (400, [])

    async def test_the_two_ways_to_set_a_size_hold_and_end_together(self, tmp_path):
        async with trader(tmp_path, trading_order_quote="90") as first:
            await first.asked(TRADING_ORDER_FRACTION="0.05")
            same = await restarted(first, trading_order_quote="90")
            assert same.switch.limits.sizing.order_fraction == Decimal("0.05")
            other = await restarted(first, "run-c", trading_order_quote="95")
            assert (other.switch.limits.sizing.order_fraction, other.switch.limits.sizing.order_quote) == (None, 95)

    async def test_changes_that_no_longer_fit_the_other_settings_give_way_to_them(self, tmp_path, caplog):
        async with trader(tmp_path) as first:
            await first.asked(**OF_200)
            second = await restarted(first, trading_order_quote="300")
            assert second.switch.limits.max_order_quote == 500
            third = await restarted(second, "run-c")
            assert third.switch.limits.max_order_quote == 500
        assert "changed limits cannot be used any more, so the settings hold: TRADING_ORDER_QUOTE is 300" in caplog.text


class TestAReader:
    async def test_sees_what_the_trader_goes_by(self, tmp_path):
        async with trader(tmp_path) as running:
            await running.asked(by="dashboard", **OF_200)
            seen = await running.ledger.read(lambda connection: in_force(connection, configured()))
            assert seen.settings.risk_max_order_quote == 200
            assert (seen.changes["RISK_MAX_ORDER_QUOTE"].requested_by, seen.trouble) == ("dashboard", "")

    async def test_whose_settings_say_otherwise_sees_those(self, tmp_path):
        async with trader(tmp_path) as running:
            await running.asked(**OF_200)
            other = configured(risk_max_order_quote="400")
            seen = await running.ledger.read(lambda connection: effective_settings(connection, other))
            assert seen is other

    def test_a_recording_gives_the_same_settings_from_what_was_changed(self):
        after = checked(configured(trading_order_quote="90"), {"TRADING_ORDER_FRACTION": "0.05", **OF_200})
        changes = {name: text for name, text in written(after).items() if text != written(configured())[name]}
        again = with_values(configured(trading_order_quote="90"), changes)
        assert risk_settings(again) == risk_settings(after)
