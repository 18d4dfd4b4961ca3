"""The page Advanced: each change is checked, shown as old and new, recorded; longer work is done and shown."""

import asyncio
import json
import re
import shutil
import sqlite3
from contextlib import closing, contextmanager
from io import BytesIO
from zipfile import ZipFile

import pytest

from binance_trade_agent.control.commands import CommandKind, latest_commands, place
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops import vitals
from binance_trade_agent.ops.vitals import AccountVitals, ClaimVitals, Vitals
from tests.dashboard.served import WITH_PASSWORDS, served
from tests.made_up_candles import NOON_MS, write_minutes

SECTIONS = ("", "/strategy", "/risk", "/configuration", "/backtest", "/ledger", "/changes")
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Ten hours of made-up minutes of BTCUSDT."""
    return write_minutes(tmp_path_factory.mktemp("history"))


@pytest.fixture
def advanced(serve, history):
    """A dashboard on a copy of a played ledger, with candles to test on."""
    return serve(HISTORY_PATH=str(history), BINANCE_API_KEY="k" * 64, BINANCE_API_SECRET="s" * 64)


@pytest.fixture(scope="module")
def unmoved(played_folder, history, tmp_path_factory):
    """The same for tests in which everything is refused."""
    folder = tmp_path_factory.mktemp("unmoved") / "copy"
    shutil.copytree(played_folder, folder)
    with served(folder, **WITH_PASSWORDS, HISTORY_PATH=str(history)) as running:
        yield running
        assert commands_of(running) == []
        assert running.inner.state.jobs.of("backtest", "verify", "export", "backup") == []


@pytest.fixture(scope="module")
def asking(unmoved):
    return unmoved.trader()


@contextmanager
def trader_runs(at, **settings):
    """The newest run goes on, with other settings than the dashboard's."""
    with closing(sqlite3.connect(at.ledger_path)) as connection, connection:
        row = connection.execute("SELECT number, settings_json FROM runs ORDER BY number DESC LIMIT 1").fetchone()
        said = json.dumps({**json.loads(row[1]), **settings})
        connection.execute("UPDATE runs SET settings_json = ?, end_reason = NULL WHERE number = ?", (said, row[0]))
    with LedgerLock.acquire(at.ledger_path, Holder(1, "here", 0)):
        yield


def commands_of(at):
    with LedgerReader.open(at.ledger_path) as reader:
        return reader.snapshot(lambda connection: latest_commands(connection, 10))


def carried_out(at, kind, **payload):
    """A command that the trader has carried out."""
    number = place(at.ledger_path, kind, requested_by="cli", requested_wall_ms=NOON_MS, payload=payload)
    with closing(sqlite3.connect(at.ledger_path)) as connection, connection:
        connection.execute("UPDATE commands SET state = 'DONE', done_ms = 1 WHERE command_id = ?", (number,))
    return number


def until_ended(at):
    """Return when no job of the dashboard runs any more."""
    for task in list(at.inner.state.jobs._following.values()):
        asyncio.run_coroutine_threadsafe(_wait(task), task.get_loop()).result(60)


async def _wait(task):
    await asyncio.wait([task])


class TestEverySection:
    @pytest.mark.parametrize("section", SECTIONS)
    def test_viewers_see_it_with_its_controls_switched_off(self, section, trader, viewer):
        seen, own = viewer.get(f"/advanced{section}"), trader.get(f"/advanced{section}")
        assert (seen.status, own.status) == (200, 200)
        assert "You are logged in to look only" in seen.words
        assert "look only" not in own.words
        main = seen.text.split("<main", 1)[1].split("</main>")[0]
        for form in re.findall(r'<form method="post".*?</form>', main, re.DOTALL):
            assert re.search(r"<(button|fieldset)[^>]* disabled", form), form

    @pytest.mark.parametrize(
        "action",
        [
            "/commands/pause",
            "/commands/resume",
            "/advanced/strategy/review",
            "/advanced/strategy",
            "/advanced/risk/review",
            "/advanced/risk",
            "/advanced/backtest",
            "/advanced/backtest/1/cancel",
            "/advanced/ledger/verify",
            "/advanced/ledger/export",
            "/advanced/ledger/backup",
            "/advanced/ledger/1/cancel",
        ],
    )
    def test_viewers_change_nothing(self, action, viewer, dashboard):
        before = commands_of(dashboard)
        assert viewer.post(action).status == 403
        assert commands_of(dashboard) == before
        assert dashboard.inner.state.jobs.of("backtest", "verify", "export", "backup") == []

    def test_without_a_ledger_and_candles_each_says_so(self, serve, tmp_path):
        at = serve(played=False, HISTORY_PATH=str(tmp_path / "none"))
        visitor = at.trader()
        words = {section: visitor.get(f"/advanced{section}") for section in SECTIONS}
        assert {reply.status for reply in words.values()} == {200}
        assert "There is no ledger yet" in words[""].words
        assert "no trader has run on this ledger yet" in words["/strategy"].words
        assert "No trader runs now: these are the values that the next one starts with" in words["/risk"].words
        assert "Nothing was changed yet" in words["/changes"].words
        backtest = words["/backtest"].words
        assert f"There is no data folder {tmp_path / 'none'} yet (HISTORY_PATH)." in backtest
        assert "trade-agent data download --symbol BTCUSDT,ETHUSDT --interval 1m" in backtest
        token = re.search(r'name="csrf" value="([^"]+)"', words[""].text)[1]
        refused = visitor.post("/advanced/risk", {"csrf": token, "RISK_MAX_OPEN_POSITIONS": "4"})
        assert (refused.status, "There is no ledger at" in refused.words) == (503, True)


class TestControl:
    def test_it_says_what_is_paused_since_when_by_whom(self, advanced):
        visitor = advanced.trader()
        assert "It was never paused." in visitor.get("/advanced/control").words
        carried_out(advanced, CommandKind.PAUSE, scope="everything")
        words = visitor.get("/advanced/control").words
        assert "everything paused Paused 2026-01-05 12:00:00 by cli." in words
        assert "Nothing is decided but the protection of positions." in words
        carried_out(advanced, CommandKind.RESUME)
        words = visitor.get("/advanced/control").words
        assert "not paused Resumed 2026-01-05 12:00:00 by cli." in words

    def test_an_emergency_stop_is_shown_with_its_reason_as_it_was_typed(self, advanced):
        visitor = advanced.trader()
        fields = {"reason": SCRIPT, "confirmation": "STOP", "close_positions": "true"}
        assert visitor.post("/stop", fields).status == 303
        reply = visitor.get("/advanced/control")
        assert SCRIPT not in reply.text
        assert "Why: &lt;script&gt;alert(1)" in reply.text
        assert "This one closes all positions." in reply.words
        assert "Waiting for the trader" in reply.words
        carried_out(advanced, CommandKind.RELEASE, name="default")
        assert "Released 2026-01-05 12:00:00 by cli." in visitor.get("/advanced/control").words

    def test_an_emergency_stop_may_reach_the_other_daemons_of_the_account(self, advanced):
        told = AccountVitals(claims=(ClaimVitals(instance="alpha"), ClaimVitals(instance="beta")))
        vitals.write(vitals.vitals_path(advanced.ledger_path), Vitals(account=told))
        visitor, fields = advanced.trader(), {"reason": "enough", "confirmation": "STOP", "whole_account": "true"}
        assert "beta trades on this account too. Stop it where it runs." in visitor.get("/stop").words
        refused = visitor.post("/stop", fields)
        assert (refused.status, "nothing was stopped" in refused.words, commands_of(advanced)) == (422, True, [])
        with trader_runs(advanced):
            assert "Stop it too; what is held there stays" in visitor.get("/stop").words
            assert visitor.post("/stop", fields).status == 303
        (kill,) = commands_of(advanced)
        assert kill.payload == {"reason": "enough", "close_positions": "false", "account": "true"}


class TestStrategy:
    def test_the_form_has_each_parameter_with_default_bounds_and_meaning(self, trader):
        reply = trader.get("/advanced/strategy?name=rsi_aggressive")
        assert "rsi_aggressive , a preset of rsi_momentum" in reply.words
        assert 'name="p:rsi_period"' in reply.text
        assert 'placeholder="7"' in reply.text
        assert "period of Wilder&#39;s RSI, candles; 2 to 70" in reply.text
        assert 'name="p:ETHUSDT.rsi_period"' in reply.text

    def test_one_that_is_not_there_is_refused_with_the_nearest(self, trader):
        reply = trader.get("/advanced/strategy?name=rsi_momentun")
        assert reply.status == 422
        assert "rsi_momentun&#39; is not a strategy, did you mean rsi_momentum?" in reply.text

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"name": "no"}, "'no' is not a strategy"),
            ({"p:rsi_period": "999"}, "rsi_period is 999: it must be a whole number from 2 to 70."),
            ({"p:rsi_period": "10,rsi_oversold=3"}, "it must be a whole number from 2 to 70."),
            ({"p:rsi_perriod": "9"}, "rsi_perriod is not a parameter of rsi_momentum, did you mean rsi_period?"),
            ({"p:XRPUSDT.rsi_period": "9"}, "XRPUSDT is not traded, so it has no parameters"),
            ({"p:ETHUSDT.rsi_period": "1"}, "on ETHUSDT, rsi_period is 1: it must be a whole number from 2 to 70."),
            ({"p:rsi_oversold": "80"}, "rsi_oversold"),
        ],
    )
    def test_what_the_trader_would_refuse_is_refused_at_once(self, fields, sentence, asking):
        reply = asking.post("/advanced/strategy/review", {"name": "rsi_momentum", **fields})
        assert reply.status == 422
        assert sentence in reply.words.replace("&#39;", "'")

    def test_old_and_new_are_shown_before_it_is_asked_for(self, advanced):
        visitor = advanced.trader()
        fields = {"name": "rsi_momentum", "p:rsi_period": "10", "p:rsi_oversold": "", "p:ETHUSDT.rsi_period": "14"}
        review = visitor.post("/advanced/strategy/review", fields)
        assert "Change the strategy?" in review.words
        assert "rsi_period 2 → 10" in review.words
        assert "rsi_oversold 45 → default" in review.words
        assert "ETHUSDT.rsi_period default → 14" in review.words
        assert commands_of(advanced) == []
        hidden = dict(re.findall(r'name="(name|params)" value="([^"]*)"', review.text))
        assert hidden == {"name": "rsi_momentum", "params": "rsi_period=10,ETHUSDT.rsi_period=14"}
        assert visitor.post("/advanced/strategy", hidden).headers["location"] == "/commands/1"
        (command,) = commands_of(advanced)
        assert (command.kind, dict(command.payload)) == (CommandKind.SET_STRATEGY, hidden)
        assert command.requested_by.startswith("dashboard (trader")

    def test_what_is_in_use_already_is_no_change(self, asking):
        fields = {"name": "rsi_momentum", "p:rsi_period": "2", "p:rsi_oversold": "45", "p:rsi_overbought": "55"}
        reply = asking.post("/advanced/strategy/review", fields)
        assert "Nothing would change" in reply.words

    def test_a_confirmation_that_was_tampered_with_is_refused(self, asking):
        assert asking.post("/advanced/strategy", {"name": "rsi_momentum", "params": "rsi_period=0"}).status == 422

    def test_only_symbols_of_the_trader_that_runs_may_have_parameters(self, advanced):
        with closing(sqlite3.connect(advanced.ledger_path)) as connection, connection:
            connection.execute("UPDATE runs SET symbols = 'BTCUSDT XRPUSDT'")
        fields = {"name": "rsi_momentum", "p:XRPUSDT.rsi_period": "9"}
        with trader_runs(advanced):
            assert advanced.trader().post("/advanced/strategy/review", fields).status == 200


class TestLimits:
    def test_each_has_its_value_range_and_meaning(self, trader):
        reply = trader.get("/advanced/risk")
        assert 'name="RISK_MAX_OPEN_POSITIONS" value="5"' in reply.text
        assert "most symbols with an open position. Allowed: a whole number, 1 to 1000." in reply.words

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            (
                {"RISK_MAX_OPEN_POSITIONS": "0"},
                "RISK_MAX_OPEN_POSITIONS=0 is not allowed: it must be a whole number, 1 to",
            ),
            ({"RISK_MAX_ORDER_QUOTE": ""}, "RISK_MAX_ORDER_QUOTE= is not allowed: it must be an amount above 0."),
            ({"RISK_MAX_ORDER_QUOTE": SCRIPT}, "&lt;script&gt;"),
            ({"LEDGER_PATH": "/etc/passwd"}, "Nothing would change"),
            ({"RISK_MAX_OPEN_POSITIONS": "5"}, "Nothing would change: every value is what it is already."),
        ],
    )
    def test_a_wrong_value_is_refused_with_a_sentence(self, fields, sentence, asking):
        reply = asking.post("/advanced/risk/review", fields)
        assert reply.status == 422
        assert sentence in reply.text
        assert SCRIPT not in reply.text

    def test_old_and_new_are_shown_before_they_are_asked_for(self, advanced):
        visitor = advanced.trader()
        fields = {"RISK_MAX_OPEN_POSITIONS": "4", "RISK_MAX_SPREAD_PCT": "0.5", "TRADING_ORDER_FRACTION": "0.1"}
        review = visitor.post("/advanced/risk/review", fields)
        assert "RISK_MAX_OPEN_POSITIONS 5 → 4" in review.words
        assert "TRADING_ORDER_QUOTE 100 → not set" in review.words  # of the two one is set
        assert "RISK_MAX_SPREAD_PCT" not in review.words
        assert "No trader runs now: the next one carries it out when it starts." in review.words
        wanted = {"RISK_MAX_OPEN_POSITIONS": "4", "TRADING_ORDER_FRACTION": "0.1"}
        assert visitor.post("/advanced/risk", wanted).status == 303
        (command,) = commands_of(advanced)
        assert (command.kind, dict(command.payload)) == (CommandKind.SET_RISK, wanted)

    def test_what_somebody_else_has_changed_meanwhile_is_not_changed_back(self, asking):
        fields = {"RISK_MAX_OPEN_POSITIONS": "6", "was:RISK_MAX_OPEN_POSITIONS": "6", "RISK_MIN_CONFIDENCE": "0.6"}
        review = asking.post("/advanced/risk/review", {**fields, "was:RISK_MIN_CONFIDENCE": "0.5"})
        assert "RISK_MIN_CONFIDENCE 0.5 → 0.6" in review.words
        assert "RISK_MAX_OPEN_POSITIONS" not in review.text

    def test_what_cannot_be_changed_is_not_asked_for(self, asking):
        reply = asking.post("/advanced/risk", {"LEDGER_PATH": "/etc/passwd"})
        assert reply.status == 422
        assert "LEDGER_PATH cannot be changed while the trader runs" in reply.words
        assert asking.post("/advanced/risk").status == 422

    def test_the_values_are_those_of_the_trader_that_runs(self, advanced):
        with trader_runs(advanced, RISK_MAX_OPEN_POSITIONS="7"):
            reply = advanced.trader().get("/advanced/risk")
            assert 'name="RISK_MAX_OPEN_POSITIONS" value="7"' in reply.text
            review = advanced.trader().post("/advanced/risk/review", {"RISK_MAX_OPEN_POSITIONS": "5"})
        assert "RISK_MAX_OPEN_POSITIONS 7 → 5" in review.words
        assert "It holds from the trader's next tick on" in review.words.replace("&#39;", "'")


class TestConfiguration:
    def test_secrets_are_masked(self, advanced):
        reply = advanced.trader().get("/advanced/configuration?text=binance_api")
        assert "kkkk****" in reply.words
        assert "k" * 8 not in reply.text
        for secret in WITH_PASSWORDS.values():
            assert secret not in advanced.trader().get("/advanced/configuration").text

    def test_it_is_filtered_by_words_and_by_source(self, asking, history):
        found = asking.get("/advanced/configuration?text=history+folder").words
        assert "1 of" in found
        assert str(history) in found
        not_default = asking.get("/advanced/configuration?which=set").words
        assert "HISTORY_PATH" in not_default.replace(" ", "")
        assert "RISK_PROFILE" not in not_default.replace(" ", "")
        assert "No setting is like that." in asking.get("/advanced/configuration?text=%3Cscript%3E").words

    def test_where_the_trader_has_something_else_it_says_so(self, advanced):
        with trader_runs(advanced, RISK_MAX_OPEN_POSITIONS="7"):
            words = advanced.trader().get("/advanced/configuration?which=differing&text=risk_max_open").words
        assert re.search(r"RISK_ MAX_ OPEN_ POSITIONS .* 5 default 7", words), words
        assert "0 of" in advanced.trader().get("/advanced/configuration?which=differing").words


ASKED = {"strategy": "rsi_momentum", "params": "rsi_period=5", "symbols": ["BTCUSDT"], "interval": "1m"}


class TestBacktest:
    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"strategy": "nope"}, "is not a strategy"),
            ({"params": "rsi_period=5; touch x"}, "it must be a whole number from 2 to 70"),
            ({"params": "--data=/etc"}, "--data is not a parameter of rsi_momentum"),
            ({"symbols": []}, "Choose at least one symbol."),
            ({"symbols": ["../BTCUSDT"]}, "There are no 1m candles of ../BTCUSDT, nor of another interval."),
            ({"interval": "5m"}, "There are no 5m candles of BTCUSDT; there are: 1m."),
            ({"start": "2026-02-01", "end": "2026-01-01"}, "The period is empty"),
            ({"start": "yesterday"}, "start: input should be a valid date"),
            ({"cash": "NaN"}, "cash: "),
            ({"fee": "11"}, "fee: input should be less than or equal to 10"),
            ({"fills": "dreams"}, "fills: "),
        ],
    )
    def test_what_cannot_be_tested_is_refused_before_anything_starts(self, fields, sentence, asking):
        reply = asking.post("/advanced/backtest", {**ASKED, **fields})
        assert reply.status == 422
        assert sentence in reply.words.replace("&#39;", "'")

    def test_it_runs_is_listed_with_its_figures_and_has_its_report(self, advanced):
        visitor = advanced.trader()
        assert visitor.post("/advanced/backtest", ASKED).headers["location"] == "/advanced/backtest"
        refused = visitor.post("/advanced/backtest", ASKED, hx_request="true")
        assert (refused.status, "A backtest runs already" in refused.words) == (409, True)
        assert "<progress" in visitor.get("/advanced/backtest").text
        until_ended(advanced)
        (job,) = advanced.inner.state.jobs.of("backtest")
        assert job.is_done, job.sentence
        assert advanced.inner.state.jobs.progress_pct(job) > 50
        assert f"--data={advanced.desk.settings.history_path}" in job.arguments
        row = visitor.get("/advanced/backtest/jobs").words
        assert "1: rsi_momentum BTCUSDT, 1m rsi_period=5" in row
        assert f"{job.result['trades']['trades']} " in row
        page = visitor.get("/advanced/backtest/1")
        assert 'src="/advanced/backtest/1/report" sandbox="allow-scripts"' in page.text
        assert json.loads(visitor.get("/advanced/backtest/1/report.json").text)["setup"]["strategy"] == "rsi_momentum"
        self._report_is_kept_apart(visitor)
        assert advanced.viewer().get("/advanced/backtest/1/report").status == 200

    @staticmethod
    def _report_is_kept_apart(visitor):
        report = visitor.get("/advanced/backtest/1/report")
        policy = report.headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "sandbox allow-scripts" in policy
        assert not [rule for rule in policy if rule.startswith("script-src") and "unsafe-inline" in rule]
        assert "color-scheme: dark" in report.text
        visitor.cookies["trading_agent_theme"] = "light"
        assert "color-scheme: light;" in visitor.get("/advanced/backtest/1/report").text

    def test_what_there_is_to_test_on_is_read_in_the_background(self, advanced):
        visitor = advanced.trader()
        assert "reading the files" in visitor.get("/advanced/backtest").words
        until_ended(advanced)
        words = visitor.get("/advanced/backtest/candles").words
        assert "BTCUSDT 1m 2026-01-05 12:00:00 2026-01-05 21:59:00 600 0" in words
        assert len(advanced.inner.state.jobs.of("candles")) == 1

    def test_one_that_fails_says_why(self, advanced):
        visitor = advanced.trader()
        visitor.post("/advanced/backtest", {**ASKED, "start": "2030-01-01"})
        until_ended(advanced)
        (job,) = advanced.inner.state.jobs.of("backtest")
        assert job.exit_code == 2
        words = visitor.get("/advanced/backtest/1").words
        assert "failed" in words
        assert job.sentence[:40] in words
        assert visitor.get("/advanced/backtest/1/report").status == 404

    def test_one_that_cannot_be_kept_is_not_started(self, advanced):
        advanced.ledger_path.with_name("ledger.db.jobs").write_text("somebody's file")
        reply = advanced.trader().post("/advanced/backtest", ASKED)
        assert (reply.status, "The backtest cannot be started: " in reply.words) == (503, True)

    def test_one_that_is_cancelled_is_over(self, advanced):
        visitor = advanced.trader()
        visitor.post("/advanced/backtest", {**ASKED, "params": ""})
        assert "Backtest 1 has ended." in visitor.post("/advanced/backtest/1/cancel", hx_request="true").words
        assert "cancelled It was cancelled." in visitor.get("/advanced/backtest/jobs").words

    @pytest.mark.parametrize("address", ["1", "1/report", "1/report.json", "..%2f..%2fetc", "x"])
    def test_what_is_not_there_is_not_found(self, address, trader):
        assert trader.get(f"/advanced/backtest/{address}").status in {404, 422}


class TestLedger:
    def test_it_is_verified_exported_and_backed_up(self, advanced):
        visitor = advanced.trader()
        assert "It was not verified from here yet." in visitor.get("/advanced/ledger").words
        for what in ("verify", "export", "backup"):
            assert visitor.post(f"/advanced/ledger/{what}").headers["location"] == "/advanced/ledger"
            until_ended(advanced)
        page = visitor.get("/advanced/ledger/jobs")
        assert "0 differences" in page.words
        assert re.search(r"Read: \d+ fills", page.words)
        (backup,) = re.findall(r'href="(/advanced/ledger/backups/[^"]+)"', page.text)
        assert backup.endswith("Z")
        (export,) = re.findall(r'href="(/advanced/ledger/exports/[^"]+)"', page.text)
        with ZipFile(BytesIO(_bytes(visitor, export))) as archive:
            assert archive.testzip() is None
            assert {"commands.csv", "fills.csv", "runs.csv"} <= set(archive.namelist())
        assert _bytes(visitor, backup).startswith(b"SQLite format 3\0")

    def test_differences_are_shown(self, advanced):
        with closing(sqlite3.connect(advanced.ledger_path)) as connection, connection:
            connection.execute("UPDATE wallets SET amount = '1' WHERE asset = 'USDT'")
        visitor = advanced.trader()
        visitor.post("/advanced/ledger/verify")
        until_ended(advanced)
        words = visitor.get("/advanced/ledger/jobs").words
        assert "USDT" in words
        assert re.search(r"[1-9]\d* differences?", words)

    @pytest.mark.parametrize(
        "address", ["exports/1.zip", "exports/..%2f1.zip", "backups/ledger.db", "backups/..%2f..%2fetc%2fpasswd"]
    )
    def test_nothing_else_can_be_downloaded(self, address, trader):
        assert trader.get(f"/advanced/ledger/{address}").status in {404, 422}

    def test_what_only_has_the_name_of_a_backup_is_none(self, advanced, tmp_path):
        """Links out of the folder, links to nowhere, folders."""
        secret = tmp_path / "secret"
        secret.write_text("secret")
        place = advanced.ledger_path.with_name
        for name, aim in (("secret", secret), ("nowhere", tmp_path / "nowhere")):
            place(f"{advanced.ledger_path.name}.backup-{name}").symlink_to(aim)
        place(f"{advanced.ledger_path.name}.backup-folder").mkdir()
        visitor = advanced.trader()
        page = visitor.get("/advanced/ledger/jobs")
        assert page.status == 200
        assert "/backups/" not in page.text
        for name in ("secret", "nowhere", "folder"):
            address = f"/advanced/ledger/backups/{advanced.ledger_path.name}.backup-{name}"
            assert visitor.get(address).status == 404


class TestChanges:
    def test_who_when_what_old_new_and_the_answer(self, advanced):
        carried_out(advanced, CommandKind.PAUSE, scope="entries")
        visitor = advanced.trader()
        visitor.post("/stop", {"reason": SCRIPT, "confirmation": "STOP"})
        reply = visitor.get("/advanced/changes")
        assert "2026-01-05 12:00:00 cli pause entries pause off → entries done" in reply.words
        assert "kill switch off → on waiting" in reply.words
        assert SCRIPT not in reply.text

    def test_they_come_page_by_page(self, advanced):
        for _ in range(30):
            place(advanced.ledger_path, CommandKind.RESUME, requested_by="cli", requested_wall_ms=NOON_MS)
        visitor = advanced.trader()
        first = visitor.get("/advanced/changes")
        assert first.text.count("<tr><td") == 25
        older = re.search(r'href="(/advanced/changes\?before=[^"]+)"', first.text)[1]
        second = visitor.get(older)
        assert second.text.count("<tr><td") == 5
        assert "Newest" in second.words

    @pytest.mark.parametrize("before", ["x", "1-2-3", "9" * 19 + "-0-1", "1-1-1;DROP"])
    def test_a_place_that_is_none_is_refused(self, before, trader):
        assert trader.get(f"/advanced/changes?before={before}").status == 422


def _bytes(visitor, path):
    import http.client

    connection = http.client.HTTPConnection(visitor.host, timeout=30)
    try:
        connection.request("GET", path, headers={"Cookie": visitor._cookie})
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read()
    finally:
        connection.close()
