import json
from decimal import Decimal

import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.domain.claims import AccountLimits
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState, OrderType, Role, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import risk_changes
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.pauses import begin_pause
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.ledger.risk_changes import RiskChange
from binance_trade_agent.limits import risk_settings
from binance_trade_agent.ops.vitals import AccountVitals, ClaimVitals
from binance_trade_agent.reports import risk_limits, risk_limits_text
from binance_trade_agent.reports.risk_limits import Trader
from binance_trade_agent.risk.policy import RiskPolicy
from binance_trade_agent.risk.state import Pause
from binance_trade_agent.settings import Settings
from tests.ledger.bookkeeping import BTCUSDT, OPENING, decision, fill, intent, place, report, run_record
from tests.reports.explained_day import NARROW, tick_ms, write_explained_day

NOW_MS = tick_ms(7)
RUNS = Trader(is_running=True, gate="", wall_ms=0)


@pytest.fixture
async def path(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    await write_explained_day(path)
    return path


def limits(path, trader=RUNS, symbol=None, **settings):
    with LedgerReader.open(path) as reader:
        return risk_limits.risk_limits(reader, Settings(**{"risk_cooldown_seconds": 0, **settings}), trader, symbol)


def named(rows, name):
    (found,) = [limit for limit in rows if limit.name == name]
    return found


def of(found, symbol):
    (limits,) = [one for one in found.symbols if one.symbol == symbol]
    return limits


def first_line(found):
    return next(risk_limits_text.lines(found))


def text_of(found):
    return "\n".join(risk_limits_text.lines(found))


async def with_equity(path, *points):
    """Points of the equity curve: what the account was worth at a minute of the day."""
    async with await Ledger.open(path) as ledger:
        for minute, worth in points:
            amounts = (Decimal(worth), Decimal(worth), Decimal(0), Decimal(0), Decimal(0), Decimal(0))
            await ledger.record_equity(EquityPoint("run-a", tick_ms(minute), minute + 1, *amounts, "USDT"))


class TestTheVerdict:
    def test_entries_are_allowed_while_nothing_stops_them(self, path):
        found = limits(path)
        assert [one.stopped_by for one in found.symbols] == [[], []]
        assert first_line(found) == "Entries are allowed now on BTCUSDT ETHUSDT."

    def test_a_limit_of_one_symbol_leaves_the_other_alone(self, path):
        found = limits(path, risk_cooldown_seconds=300)
        assert first_line(found) == "Entries are allowed now on ETHUSDT, not on BTCUSDT: cooldown."

    def test_a_limit_of_the_account_stops_all(self, path):
        found = limits(path, risk_max_trades_per_hour=2)
        assert first_line(found) == "No entries now: trades_per_hour."
        assert list(risk_limits_text.lines(found))[1] == (
            "  trades_per_hour: 2 entries in the last hour, at most 2 allowed (RISK_MAX_TRADES_PER_HOUR),"
            " since 2024-08-05 14:34:00, until 2024-08-05 15:32:00"
        )

    def test_what_all_daemons_of_a_shared_account_may_hold_stops_all(self, path):
        own = ClaimVitals(instance="alpha", quote_asset="USDT", exposure_quote=Decimal(120), open_symbols=("BTCUSDT",))
        other = ClaimVitals(
            instance="beta", quote_asset="USDT", exposure_quote=Decimal(400), limits=AccountLimits(Decimal(500), 1)
        )
        found = limits(path, replace(RUNS, account=AccountVitals(claims=(own, other))))
        assert first_line(found) == (
            "No entries now: BTCUSDT: account_exposure; ETHUSDT: account_exposure, account_positions."
        )
        limit = named(found.account, "account_exposure")
        assert (limit.setting, limit.value, limit.limit) == ("ACCOUNT_MAX_EXPOSURE_QUOTE", 520, 500)
        assert limit.configured == "500", "which is another daemon's here, and holds"

    def test_that_no_trader_runs_is_said(self, path):
        found = limits(path, Trader(is_running=False, gate="no news", wall_ms=0))
        assert first_line(found) == "Entries are allowed now on BTCUSDT ETHUSDT. No trader runs."

    def test_what_keeps_the_trader_itself_from_entering_is_told(self, path):
        found = limits(path, Trader(is_running=True, gate="the exchange does not answer", wall_ms=0))
        assert first_line(found) == "No entries now: entry_gate."
        assert "entry_gate: the exchange does not answer" in text_of(found)

    def test_one_symbol_can_be_asked_for(self, path):
        found = limits(path, symbol="ETHUSDT", risk_cooldown_seconds=300)
        assert [one.symbol for one in found.symbols] == ["ETHUSDT"]
        assert first_line(found) == "Entries are allowed now on ETHUSDT."

    def test_a_symbol_that_is_not_traded_is_told_with_the_nearest(self, path):
        with pytest.raises(ValueError, match="no symbol 'ETHUSD', only BTCUSDT, ETHUSDT; did you mean ETHUSDT"):
            limits(path, symbol="ETHUSD")

    async def test_without_a_run_there_is_nothing_to_compare(self, tmp_path):
        async with await Ledger.open(tmp_path / "empty.db") as ledger:
            await ledger.open_epoch(500, "new market", OPENING)
        with pytest.raises(ValueError, match="has no run yet"):
            limits(tmp_path / "empty.db")


class TestWhereEachLimitStands:
    def test_a_count_has_its_room_and_the_part_that_is_used(self, path):
        found = named(limits(path, risk_max_trades_per_day=8).account, "trades_per_day")
        assert (found.value, found.limit, found.unit) == (2, 8, "entries")
        assert (found.left, found.used_pct) == (6, 25)
        assert (found.setting, found.configured) == ("RISK_MAX_TRADES_PER_DAY", "8")
        assert (found.since_ms, found.until_ms) == (None, None)

    def test_a_count_that_is_reached_ends_when_its_oldest_entry_leaves_the_window(self, path):
        found = named(of(limits(path, risk_max_symbol_trades_per_hour=1), "BTCUSDT").now, "symbol_trades_per_hour")
        assert found.allows is False
        assert found.since_ms == tick_ms(2) + 100  # the first entry reached it
        assert found.until_ms == tick_ms(4) + 100 + 3_600_000  # when the second is an hour old too, none is left

    def test_a_cooldown_says_how_long_it_lasts(self, path):
        found = named(of(limits(path, risk_cooldown_seconds=300), "BTCUSDT").now, "cooldown")
        assert (found.allows, found.left, found.used_pct) == (False, Decimal("-120.1"), None)
        assert (found.since_ms, found.until_ms) == (tick_ms(4) + 100, tick_ms(9) + 100)

    def test_one_loss_in_a_row_is_counted(self, path):
        found = named(limits(path, risk_max_consecutive_losses=4).account, "consecutive_losses")
        assert (found.value, found.left, found.used_pct) == (1, 3, 25)

    async def test_a_fall_is_measured_from_the_highest_equity(self, path):
        await with_equity(path, (0, "12000"), (1, "12500"), (7, "12000"))
        found = limits(path, risk_max_drawdown_pct=25, risk_max_daily_loss_pct=50)
        # 10000 - 120 + 116.8751079 - 116 in cash, and 0.002006 BTC at 59999.9
        assert (found.equity_quote, found.peak_quote, found.day_quote) == (Decimal("10001.2349073"), 12500, 12000)
        drawdown = named(found.account, "drawdown")
        assert drawdown.value == round((12_500 - found.equity_quote) * 100 / 12_500, 8)
        assert drawdown.left == 25 - drawdown.value
        assert named(found.account, "daily_loss").value == round((12_000 - found.equity_quote) * 100 / 12_000, 8)
        assert "equity 10,001.23 USDT at bids of 2024-08-05 14:37:00, 0 s old" in text_of(found)

    async def test_a_pause_has_its_beginning_and_its_end(self, path):
        pause = Pause("drawdown", tick_ms(5), tick_ms(65), "equity was 11 % below its highest")
        async with await Ledger.open(path) as ledger:
            await ledger.write(lambda connection: begin_pause(connection, 1, pause))
        await with_equity(path, (6, "10000"))
        found = limits(path)
        assert first_line(found) == "No entries now: drawdown."
        drawdown = named(found.account, "drawdown")
        assert (drawdown.since_ms, drawdown.until_ms) == (pause.since_ms, pause.until_ms)
        assert found.account[0] is drawdown

    def test_exposure_is_what_is_held_at_the_bid(self, path):
        found = named(limits(path, risk_max_exposure_pct=50).account, "max_exposure")
        assert found.value == Decimal("0.002006") * Decimal("59999.9")
        assert found.limit == Decimal("5000.61745365")
        assert found.unit == "USDT"

    def test_a_position_is_worth_what_it_would_cost_now(self, path):
        found = limits(path, risk_max_position_quote=120)
        position = named(of(found, "BTCUSDT").now, "max_position")
        assert (position.allows, position.left) == (False, 120 - Decimal("0.002006") * Decimal("60000.1"))
        assert first_line(found) == "Entries are allowed now on ETHUSDT, not on BTCUSDT: max_position."

    def test_a_held_symbol_may_be_added_to_when_no_other_may_be_opened(self, path):
        found = limits(path, risk_max_open_positions=1)
        assert named(found.account, "max_open_positions").allows is False
        assert first_line(found) == "Entries are allowed now on BTCUSDT, not on ETHUSDT: max_open_positions."

    async def test_what_a_whole_sale_leaves_is_no_open_position(self, path):
        sold = {"quantity": Decimal("0.002"), "tick_ms": tick_ms(8)}
        async with await Ledger.open(path) as ledger:
            await place(ledger, "bta-BTCUSDT-exit", Side.SELL, **sold)
            done = fill(4, "bta-BTCUSDT-exit", Side.SELL, quantity=Decimal("0.002"), exchange_order_id=90)
            told = report("FILLED", "0.002", done, order_id="bta-BTCUSDT-exit", side=Side.SELL, exchange_order_id=90)
            await ledger.apply_report(told, **BTCUSDT)
        found = limits(path)
        assert named(found.account, "max_open_positions").value == 0

    async def test_what_is_left_where_a_person_has_sold_a_part_is_still_held(self, path):
        async with await Ledger.open(path) as ledger:
            await place(
                ledger,
                "bta-BTCUSDT-part",
                Side.SELL,
                tick_ms=tick_ms(8),
                exit=ExitKind.MANUAL,
                quantity=Decimal("0.0015"),
            )
            part = {"order_id": "bta-BTCUSDT-part", "side": Side.SELL, "exchange_order_id": 90}
            done = fill(4, quantity=Decimal("0.0015"), **part)
            told = report("FILLED", "0.0015", done, quantity=Decimal("0.0015"), **part)
            await ledger.apply_report(told, **BTCUSDT)
        found = limits(path)
        assert named(found.account, "max_open_positions").value == 1
        assert named(of(found, "BTCUSDT").now, "max_position").value == Decimal("0.000505") * Decimal("60000.1")

    async def test_what_a_stop_leaves_that_was_placed_in_the_millisecond_of_the_entry_is_none_either(self, path):
        stop, at_ms, whole = "bta-BTCUSDT-a", tick_ms(4), {"quantity": Decimal("0.002")}
        async with await Ledger.open(path) as ledger:
            await ledger.commit_protection(
                "run-a", [intent(stop, Side.SELL, at_ms, role=Role.STOP_LOSS, type=OrderType.STOP_LOSS, **whole)], at_ms
            )
            await ledger.transition(stop, OrderState.SENT, at_ms)
            done = fill(4, stop, Side.SELL, exchange_order_id=90, **whole)
            told = report("FILLED", "0.002", done, order_id=stop, side=Side.SELL, exchange_order_id=90)
            await ledger.apply_report(told, **BTCUSDT)
        assert named(limits(path).account, "max_open_positions").value == 0

    async def test_unknown_orders_are_counted(self, path):
        async with await Ledger.open(path) as ledger:
            await place(ledger, "bta-ETHUSDT-1", symbol="ETHUSDT", tick_ms=tick_ms(6))
            await ledger.transition("bta-ETHUSDT-1", OrderState.UNKNOWN, tick_ms(6) + 5)
        found = limits(path, risk_max_unknown_orders=1)
        unknown = named(found.account, "unknown_orders")
        assert (unknown.allows, unknown.value, unknown.since_ms) == (False, 1, tick_ms(6))
        assert of(found, "ETHUSDT").stopped_by == ["unknown_orders", "open_order"]
        assert of(found, "BTCUSDT").stopped_by == ["unknown_orders"]

    async def test_failures_in_a_row_lead_to_a_rest(self, path):
        async with await Ledger.open(path) as ledger:
            await ledger.record_decisions([decision(tick_ms(8 + n), Outcome.FAILED, cycle=9 + n) for n in range(3)])
        suspended = named(of(limits(path, risk_suspend_after_failures=4), "BTCUSDT").now, "suspended")
        assert (suspended.allows, suspended.value, suspended.left) == (True, 3, 1)
        found = limits(path, risk_suspend_after_failures=3, risk_suspend_ticks=2)
        assert of(found, "BTCUSDT").stopped_by == ["suspended"]
        assert "3 failures in a row, 2 more ticks of rest (RISK_SUSPEND_AFTER_FAILURES)" in text_of(found)

    async def test_before_the_first_tick_amounts_are_unknown_and_not_zero(self, tmp_path):
        async with await Ledger.open(tmp_path / "new.db") as ledger:
            await ledger.open_epoch(500, "new market", OPENING)
            await ledger.begin_run(run_record())
        found = limits(tmp_path / "new.db")
        assert named(found.account, "max_exposure").allows is None
        assert "equity unknown: no tick has noted yet what the account is worth" in text_of(found)
        assert {limit.allows for limit in found.symbols[0].seen} == {None}


class TestSwitchesAndAlarms:
    async def test_a_pause_says_what_it_keeps_back(self, path):
        number = commands.place(
            path, CommandKind.PAUSE, requested_by="cli", requested_wall_ms=1, payload={"scope": "everything"}
        )
        async with await Ledger.open(path) as ledger:
            await commands.answer(ledger, number, CommandState.DONE, "done", tick_ms(6))
        assert "pause: everything but what protects positions is paused until `resume`" in text_of(limits(path))

    @pytest.mark.parametrize(("kind", "rule"), [(CommandKind.PAUSE, "pause"), (CommandKind.KILL, "kill_switch")])
    async def test_a_switch_stops_all_since_it_was_carried_out(self, path, kind, rule):
        number = commands.place(path, kind, requested_by="cli", requested_wall_ms=1)
        async with await Ledger.open(path) as ledger:
            await commands.answer(ledger, number, CommandState.DONE, "done", tick_ms(6))
        found = limits(path)
        assert first_line(found) == f"No entries now: {rule}."
        assert found.account[0].since_ms == tick_ms(6)

    async def test_an_alarm_that_blocks_stops_its_symbol(self, path):
        async with await Ledger.open(path) as ledger:
            await ledger.raise_alarm("difference", "ETHUSDT", "0.1 ETH are missing", tick_ms(5), blocks=True)
            await ledger.raise_alarm("late_fill", "BTCUSDT", "a fill came late", tick_ms(5))
        found = limits(path)
        assert first_line(found) == "Entries are allowed now on BTCUSDT, not on ETHUSDT: difference."
        assert "difference on ETHUSDT: 0.1 ETH are missing, since 2024-08-05 14:35:00" in text_of(found)

    async def test_an_alarm_about_everything_stops_all(self, path):
        async with await Ledger.open(path) as ledger:
            await ledger.raise_alarm("keys", "", "the keys are refused", tick_ms(5), blocks=True)
        assert first_line(limits(path)) == "No entries now: keys."


class TestWhatOnlyTheMarketKnows:
    def test_spread_and_age_are_as_the_last_tick_saw_them(self, path):
        seen = of(limits(path), "BTCUSDT").seen
        assert named(seen, "spread").seen_ms == tick_ms(7)
        assert named(seen, "spread").value == Decimal("0.00033333")
        assert named(seen, "data_age").value == Decimal("0.02")

    def test_others_are_as_the_last_entry_on_trial_found_them(self, path):
        volatility = named(of(limits(path), "BTCUSDT").seen, "volatility")
        assert (volatility.value, volatility.limit, volatility.left) == (Decimal("0.4"), 5, Decimal("4.6"))
        assert volatility.seen_ms == tick_ms(4)
        assert "3 min ago" in text_of(limits(path))

    def test_what_was_never_seen_is_unknown(self, path):
        slippage = named(of(limits(path), "BTCUSDT").seen, "slippage")
        assert (slippage.allows, slippage.value, slippage.seen_ms) == (None, None, None)

    def test_the_market_of_the_last_tick_does_not_stop_the_next(self, path):
        found = limits(path, risk_max_spread_pct=Decimal("0.0001"))
        assert named(of(found, "BTCUSDT").seen, "spread").allows is False
        assert of(found, "BTCUSDT").stopped_by == []
        assert of(found, "BTCUSDT").seen[0].name == "spread"


def test_every_rule_with_a_setting_is_shown(path):
    settings = Settings()
    found = limits(path)
    policy = RiskPolicy(risk_settings(settings))
    rules = [*policy._entry_rules, *policy._entry_order_rules]
    asked = {rule.name for rule in rules if getattr(rule, "setting", "")}
    assert NARROW.rule in asked
    for symbol in found.symbols:
        assert asked <= {limit.name for limit in [*found.account, *symbol.now, *symbol.seen]}


def test_what_stops_comes_first_and_what_is_off_last(path):
    found = limits(path, risk_max_trades_per_hour=1, risk_max_drawdown_pct=0, risk_max_trades_per_day=3)
    assert [limit.name for limit in found.account[:2]] == ["trades_per_hour", "trades_per_day"]
    assert found.account[-1].name == "drawdown"
    assert found.account[-1].is_off
    assert any(line.startswith("  off    drawdown") for line in risk_limits_text.lines(found))


async def test_settings_other_than_the_runs_are_told(path):
    async with await Ledger.open(path) as ledger:
        settings = json.dumps({"RISK_MAX_SPREAD_PCT": "2", "RISK_MAX_DRAWDOWN_PCT": "10"})
        await ledger.begin_run(run_record("run-b", settings_json=settings, started_ms=NOW_MS))
    found = limits(path)
    assert found.differing == {"RISK_MAX_SPREAD_PCT": ("0.5", "2")}
    assert "RISK_MAX_SPREAD_PCT is 0.5 here and 2 in that run" in text_of(found)


class TestLimitsThatAPersonHasChanged:
    CHANGE = RiskChange("run-a", tick_ms(6), "dashboard", "RISK_MAX_TRADES_PER_HOUR", "20", "2", "20")

    @pytest.fixture
    async def changed(self, path):
        async with await Ledger.open(path) as ledger:
            await ledger.write(lambda connection: risk_changes.record(connection, [self.CHANGE]))
        return path

    def test_hold_and_are_marked_with_who_and_since_when(self, changed):
        found = limits(changed)
        hourly = named(found.account, "trades_per_hour")
        assert (hourly.configured, hourly.limit, hourly.allows) == ("2", 2, False)
        assert hourly.change == self.CHANGE
        assert named(found.account, "trades_per_day").change is None
        assert "RISK_MAX_TRADES_PER_HOUR=2, by dashboard" in text_of(found)
        assert (
            "RISK_MAX_TRADES_PER_HOUR is 2, by dashboard since 2024-08-05 14:36:00 UTC; the settings say 20"
            in text_of(found)
        )
        assert json.loads(risk_limits.as_json(found))["changed"][0]["requested_by"] == "dashboard"

    def test_do_not_hold_where_the_settings_have_changed_since(self, changed):
        found = limits(changed, risk_max_trades_per_hour=30)
        assert (named(found.account, "trades_per_hour").configured, found.changed) == ("30", [])

    async def test_are_what_the_run_has(self, changed):
        async with await Ledger.open(changed) as ledger:
            settings = json.dumps({"RISK_MAX_TRADES_PER_HOUR": "20"})
            await ledger.begin_run(run_record("run-b", settings_json=settings, started_ms=NOW_MS))
        assert limits(changed).differing == {}
        assert limits(changed, risk_max_trades_per_hour=30).differing == {"RISK_MAX_TRADES_PER_HOUR": ("30", "2")}


@pytest.mark.parametrize(("mode", "as_of_ms"), [("simulated", NOW_MS), ("testnet", NOW_MS + 7_200_000)])
async def test_only_a_simulated_market_has_a_time_of_its_own(path, mode, as_of_ms):
    async with await Ledger.open(path) as ledger:
        await ledger.begin_run(run_record("run-b", mode=mode, started_ms=NOW_MS))
    found = limits(path, Trader(is_running=True, gate="", wall_ms=NOW_MS + 7_200_000))
    assert found.as_of_ms == as_of_ms
    in_an_hour = {"simulated": 2, "testnet": 0}[mode]
    assert named(found.account, "trades_per_hour").value == in_an_hour


def test_json_is_one_document_with_exact_amounts_as_strings(path):
    document = json.loads(risk_limits.as_json(limits(path, risk_cooldown_seconds=300)))
    assert document["equity_quote"] == "10001.2349073"
    (bitcoin, _) = document["symbols"]
    assert bitcoin["stopped_by"] == ["cooldown"]
    assert bitcoin["now"][0]["left"] == "-120.1"
