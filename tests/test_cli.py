"""The command line: what a person types, and the sentences and exit codes that come back."""

import asyncio
import json
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from binance_trade_agent.cli import group
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.pauses import begin_pause
from binance_trade_agent.ops.supervision import Stage, Supervision
from binance_trade_agent.risk.state import Pause
from binance_trade_agent.settings import setting_names
from tests.ledger.bookkeeping import trading_ledger
from tests.reports.explained_day import write_explained_day
from tests.sessions import command

KEY, SECRET = "a1" * 32, "b2" * 32


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Run a command in this process, in an empty folder and without settings from outside."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environment: str) -> Result:
        with monkeypatch.context() as patch:
            for name in setting_names():
                patch.delenv(name, raising=False)
            for name, value in environment.items():
                patch.setenv(name, value)
            result = CliRunner().invoke(group, arguments, prog_name="trade-agent")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def trade_agent(tmp_path):
    """Run a command as a process of its own, in an empty folder and without settings from outside."""
    return lambda *arguments, **settings: asyncio.run(command.trade_agent(tmp_path, *arguments, **settings))


@pytest.fixture
def explained_day(tmp_path):
    """Path of a ledger in which every kind of decision stands."""
    path = tmp_path / "explained.db"
    asyncio.run(write_explained_day(path))
    return str(path)


def only_error(text: str) -> str:
    """The one sentence that went wrong; everything else on standard error is information."""
    (line,) = [line for line in text.splitlines() if line.startswith(("Error: ", "❌ "))]
    return line.partition(" ")[2].strip()


def candles(folder: Path, rows: str) -> str:
    path = folder / "BTCUSDT-1m.csv"
    path.write_text(f"open_time_ms,open,high,low,close,volume\n{rows}")
    return str(path)


def rows(number: int) -> str:
    first_ms = 1_722_816_000_000
    return "".join(f"{first_ms + 60_000 * minute},60000,60010,59990,60005,1.5\n" for minute in range(number))


class TestHelp:
    def test_help_imports_nothing_heavy(self):
        code = (
            "import sys; sys.argv = ['trade-agent', '--help']\n"
            "from binance_trade_agent.cli import main\n"
            "try: main()\n"
            "finally: print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        heavy = {"pandas", "numpy", "talib", "pydantic", "aiohttp", "binance", "redis", "structlog", "asyncio"}
        assert not heavy & set(done.stderr.split())
        assert "run" in done.stdout

    def test_help_of_every_command_works(self, invoke):
        for name in group.commands:
            assert invoke(name, "--help").exit_code == 0

    def test_every_setting_but_the_secret_ones_has_a_flag(self, invoke):
        text = invoke("run", "--help").output
        for flag in ("--symbols", "--duration-minutes", "--strategy-name", "--simulation-speed", "--ledger-path"):
            assert flag in text
        for secret in ("--binance-api-key", "--binance-api-secret", "--redis-url", "--live-trading-ack"):
            assert secret not in text

    def test_unknown_command_and_unknown_flag_are_told_with_exit_code_2(self, invoke):
        assert (invoke("rum").exit_code, invoke("run", "--symbol", "X").exit_code) == (2, 2)
        assert "No such command 'rum'" in invoke("rum").output
        assert "--symbols" in invoke("run", "--symbol", "X").output

    def test_version_is_told(self, invoke):
        assert invoke("--version").output.startswith("trade-agent, version ")


class TestBadInput:
    """Each is one clear sentence and exit code 2 (issue 2)."""

    @pytest.mark.parametrize(
        ("arguments", "environment", "sentence"),
        [
            (["--duration-minutes", "-5"], {}, "TRADING_DURATION_MINUTES=-5 (given as a flag) is not allowed"),
            (["--candle-interval", "7m"], {}, "TRADING_CANDLE_INTERVAL=7m (given as a flag) is not allowed"),
            ([], {"TRADING_SYMBOL": "BTCUSDT"}, "TRADING_SYMBOL in the environment is not a setting; the nearest"),
            ([], {"BINANCE_API_KEY": KEY[:-1], "BINANCE_API_SECRET": SECRET}, "BINANCE_API_KEY has 63 characters"),
            ([], {"BINANCE_API_KEY": KEY}, "BINANCE_API_SECRET is missing"),
            (
                [],
                {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET, "BINANCE_TESTNET": "False"},
                "BINANCE_TESTNET=false does not select production",
            ),
            ([], {"BINANCE_TESTNET": "off"}, "BINANCE_TESTNET=off (from the environment) is not allowed"),
            ([], {"REDIS_URL": "redis://:secret@host:port"}, "REDIS_URL=redis://****@host:port"),
        ],
    )
    def test_wrong_setting(self, invoke, arguments, environment, sentence):
        for name in ("run", "config"):
            result = invoke(name, *arguments, **environment)
            assert result.exit_code == 2
            assert only_error(result.stderr).startswith(sentence)
            assert result.stdout == ""

    def test_unknown_strategy_is_told_with_the_list(self, trade_agent):
        done = trade_agent("run", "--strategy-name", "rsi_momentun")
        assert done.code == 2
        assert only_error(done.err).startswith(
            "STRATEGY_NAME: 'rsi_momentun' is not a strategy, did you mean rsi_momentum?"
        )
        assert "macd_crossover, bollinger_bands" in done.err

    def test_symbol_that_no_market_has_is_told_with_the_nearest(self, trade_agent):
        done = trade_agent("run", "--symbols", "BTCUSD")
        assert done.code == 2
        assert "'BTCUSD' is unknown" in only_error(done.err)
        assert "did you mean BTCUSDT?" in done.err

    def test_symbol_that_the_replay_has_not_is_told_with_the_nearest(self, trade_agent, tmp_path):
        path = candles(tmp_path, rows(30))
        start = "2024-08-05T00:10:00Z"
        done = trade_agent("run", "--simulation-replay", path, "--simulation-start", start, "--symbols", "ETHUSDT")
        assert done.code == 2
        assert only_error(done.err).startswith("ETHUSDT in TRADING_SYMBOLS is not traded on this exchange")

    def test_order_under_the_minimum_notional_is_told_with_the_numbers(self, trade_agent):
        done = trade_agent("run", "--order-quote", "1.5")
        assert done.code == 2
        assert only_error(done.err).startswith("TRADING_ORDER_QUOTE=1.5 is under BTCUSDT's minimum notional, 5 USDT")

    @pytest.mark.parametrize(
        ("broken", "why"),
        [
            ("1722816180000,60000,60010,59990\n", "BTCUSDT-1m.csv:5"),
            ("1722816180000,60000,many,59990,60005,1.5\n", "BTCUSDT-1m.csv:5"),
        ],
    )
    def test_broken_row_of_a_replay_is_told_with_file_and_line(self, trade_agent, tmp_path, broken, why):
        path = candles(tmp_path, rows(3) + broken)
        done = trade_agent("run", "--simulation-replay", path, "--symbols", "BTCUSDT")
        assert done.code == 2
        assert why in only_error(done.err)

    def test_missing_replay_file_is_named(self, trade_agent, tmp_path):
        done = trade_agent("run", "--simulation-replay", str(tmp_path / "ETHUSDT-1m.csv"))
        assert done.code == 2
        assert "ETHUSDT-1m.csv" in only_error(done.err)

    def test_ledger_that_is_not_sqlite_is_told_and_left_as_it_is(self, trade_agent, tmp_path):
        path = tmp_path / "notes.txt"
        path.write_text("these are my notes\n" * 100)
        done = trade_agent("run", LEDGER_PATH=str(path))
        assert done.code == 2
        assert only_error(done.err).startswith(f"{path} is not a SQLite file")
        assert path.read_text() == "these are my notes\n" * 100

    def test_exchange_that_is_not_there_is_told_with_exit_code_1(self, trade_agent):
        done = trade_agent("run", EXCHANGE_URL="http://127.0.0.1:1", EXCHANGE_STARTUP_SECONDS="0")
        assert done.code == 1
        assert only_error(done.err).startswith("the exchange cannot be reached")

    def test_log_in_json_tells_it_as_one_object(self, trade_agent):
        done = trade_agent("run", "--strategy-name", "nothing", "--log-format", "json")
        (line,) = done.err.splitlines()
        assert json.loads(line)["level"] == "error"


class TestConfig:
    def test_each_setting_is_shown_with_its_origin_and_secrets_masked(self, invoke):
        Path(".env").write_text("TRADING_INSTANCE=two\n")
        result = invoke(
            "config",
            "--log-level",
            "debug",
            BINANCE_API_KEY=KEY,
            BINANCE_SECRET_KEY=SECRET,
            REDIS_URL="redis://:secret-word@127.0.0.1:1",
        )
        lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in result.stdout.splitlines()}
        assert tuple(lines) == setting_names()
        assert lines["TRADING_INSTANCE"] == f"two  ({Path.cwd() / '.env'})"
        assert lines["LOG_LEVEL"] == "DEBUG  (flag)"
        assert lines["BINANCE_API_KEY"] == "a1a1****  (environment)"
        assert lines["REDIS_URL"] == "redis://****@127.0.0.1:1  (environment)"
        assert lines["TRADING_INTERVAL_SECONDS"] == "120  (default)"
        assert not any(secret in result.output for secret in (KEY, SECRET, "secret-word"))

    def test_json_is_one_document_and_nothing_else(self, invoke):
        document = json.loads(invoke("config", "--json", TRADING_SYMBOLS="ethusdt").stdout)
        assert tuple(document) == setting_names()
        assert document["TRADING_SYMBOLS"] == {"value": "ETHUSDT", "origin": "environment"}

    def test_default_folder_is_where_it_is_started(self, invoke):
        Path("config").mkdir()
        Path("config/mine.toml").write_text("[trading]\ninterval_seconds = 7\n")
        assert "TRADING_INTERVAL_SECONDS 7 (" in " ".join(invoke("config").stdout.split())


class TestAnalyze:
    def test_missing_ledger_is_told_and_nothing_is_created(self, invoke):
        result = invoke("analyze")
        assert result.exit_code == 1
        assert only_error(result.stderr).startswith("there is no ledger at data/ledger.db")
        assert list(Path().iterdir()) == []

    def test_ledger_that_is_not_sqlite_is_told(self, invoke):
        Path("notes.txt").write_text("these are my notes\n" * 100)
        result = invoke("analyze", "--ledger-path", "notes.txt")
        assert result.exit_code == 1
        assert only_error(result.stderr).startswith("notes.txt is not a SQLite file")

    @pytest.mark.parametrize("arguments", [["--limit", "0"], ["--limit", "many"]])
    def test_wrong_limit_is_refused(self, invoke, arguments):
        assert invoke("analyze", *arguments).exit_code == 2

    def test_wrong_time_is_told(self, invoke):
        result = invoke("analyze", "--since", "yesterday")
        assert result.exit_code == 1
        assert "'yesterday' is not a date" in only_error(result.stderr)


class TestWhy:
    def test_without_an_option_it_explains_the_last_decision(self, invoke, explained_day):
        text = invoke("why", "btcusdt", LEDGER_PATH=explained_day).stdout
        assert text.startswith("BTCUSDT, the last decision: the tick at 2024-08-05 14:37:00 UTC")

    @pytest.mark.parametrize(
        ("option", "words"),
        [
            (("--at", "14:32"), "BTCUSDT, the latest tick up to 2024-08-05 14:32:00"),
            (("--last", "2"), "The last 2 decisions on BTCUSDT"),
            (("--order", "bta-BTCUSDT-f"), "BTCUSDT, the order bta-BTCUSDT-first"),
        ],
    )
    def test_each_option_has_its_answer_in_words_and_as_json(self, invoke, explained_day, option, words):
        assert invoke("why", "BTCUSDT", *option, LEDGER_PATH=explained_day).stdout.startswith(words)
        document = json.loads(invoke("why", "BTCUSDT", *option, "--json", LEDGER_PATH=explained_day).stdout)
        assert document["symbol"] == "BTCUSDT"

    @pytest.mark.parametrize(
        "options",
        [("--at", "14:32", "--last", "2"), ("--last", "0"), ("--order", "1", "--at", "14:32"), ("--when", "1")],
    )
    def test_wrong_usage_is_exit_code_2(self, invoke, explained_day, options):
        result = invoke("why", "BTCUSDT", *options, LEDGER_PATH=explained_day)
        assert (result.exit_code, result.stdout) == (2, "")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("BTCUSD",), "did you mean BTCUSDT?"),
            (("BTCUSDT", "--order", "bta-BTCUSDT-secnd"), "the nearest is bta-BTCUSDT-second"),
            (("BTCUSDT", "--at", "9:00"), "the first tick was at 2024-08-05 14:30:00, the last at 2024-08-05 14:37:00"),
            (("BTCUSDT", "--at", "noon"), "'noon' is not a time"),
        ],
    )
    def test_what_is_not_there_is_one_sentence_with_the_nearest(self, invoke, explained_day, arguments, sentence):
        result = invoke("why", *arguments, LEDGER_PATH=explained_day)
        assert (result.exit_code, result.stdout) == (1, "")
        assert sentence in only_error(result.stderr)

    def test_missing_ledger_is_told(self, invoke):
        result = invoke("why", "BTCUSDT")
        assert result.exit_code == 1
        assert only_error(result.stderr).startswith("there is no ledger at data/ledger.db")


class TestRisk:
    def test_the_first_line_says_whether_entries_are_allowed(self, invoke, explained_day):
        first = invoke("risk", LEDGER_PATH=explained_day).stdout.splitlines()[0]
        assert first == "Entries are allowed now on ETHUSDT, not on BTCUSDT: cooldown. No trader runs."

    def test_settings_are_those_of_flags_and_environment(self, invoke, explained_day):
        result = invoke("risk", "--risk-cooldown-seconds", "60", LEDGER_PATH=explained_day, RISK_MAX_TRADES_PER_DAY="2")
        assert result.stdout.startswith("No entries now: trades_per_day.")

    def test_json_is_one_document_and_nothing_else(self, invoke, explained_day):
        document = json.loads(invoke("risk", "--json", "--symbol", "btcusdt", LEDGER_PATH=explained_day).stdout)
        assert [one["stopped_by"] for one in document["symbols"]] == [["cooldown"]]

    @pytest.mark.parametrize(
        ("arguments", "exit_code", "sentence"),
        [
            (("--symbol", "ETHUSD"), 1, "did you mean ETHUSDT?"),
            (("--risk-max-drawdown-pct", "101"), 2, "RISK_MAX_DRAWDOWN_PCT=101 (given as a flag) is not allowed"),
        ],
    )
    def test_what_is_wrong_is_one_sentence(self, invoke, explained_day, arguments, exit_code, sentence):
        result = invoke("risk", *arguments, LEDGER_PATH=explained_day)
        assert (result.exit_code, result.stdout) == (exit_code, "")
        assert sentence in only_error(result.stderr)

    def test_missing_ledger_is_told(self, invoke):
        result = invoke("risk")
        assert result.exit_code == 1
        assert only_error(result.stderr).startswith("there is no ledger at data/ledger.db")


class TestStrategies:
    def test_names_parameters_and_defaults_are_listed(self, invoke):
        text = invoke("strategies").stdout
        for name in ("rsi_momentum", "macd_crossover", "bollinger_bands", "combined_default", "rsi_aggressive"):
            assert f"\n{name}: " in f"\n{text}"
        assert "rsi_period = 14" in text

    def test_json_is_one_document(self, invoke):
        described = json.loads(invoke("strategies", "--json").stdout)
        assert {"name", "summary", "parameters"} <= set(described[0])


class TestExchange:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (
                ["--speed", "fast"],
                "--speed fast is not allowed: it must be a number above 0, up to 1000000, or stepped",
            ),
            (["--fixture", "F0", "--seed", "1"], "--fixture and --seed contradict each other"),
            (
                ["--relay", "testent"],
                "it must be mainnet, testnet or an address such as http://127.0.0.1:8090; the nearest",
            ),
            (["--faults", "missing.toml"], "fault file missing.toml cannot be read"),
            (["--replay", "BTCUSDT-1min.csv"], "interval '1min' is none of"),
            (["--balance", "USDT"], "--balance USDT is not allowed"),
            (["--balance", "USDT=1", "--balance", "usdt=2"], "--balance USDT is given twice"),
            (["--symbols", "NOTHING"], "'NOTHING' is unknown"),
            (["--fixture", "F9"], "fixture 'F9' is unknown"),
        ],
    )
    def test_wrong_flag_is_one_sentence_and_exit_code_2(self, invoke, arguments, sentence):
        result = invoke("exchange", "--port", "0", "--control-port", "0", *arguments)
        assert result.exit_code == 2
        assert sentence in result.stderr
        assert len(result.stderr.splitlines()) == 1

    @pytest.mark.parametrize(
        "environment",
        [
            {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET, "EXCHANGE_URL": "http://127.0.0.1:8090"},
            {"EXCHANGE_URL": "http://exchange.example:9000"},
            {"EXCHANGE_URL": "http://exchange.example:8090"},
            {},
        ],
    )
    def test_exchange_that_nobody_trades_on_ends_at_once(self, invoke, environment):
        result = invoke("exchange", "--when-needed", **environment)
        assert result.exit_code == 0
        assert "is not needed" in result.stdout


async def _paused(path: Path) -> None:
    async with trading_ledger(path) as ledger:
        number = commands.place(path, CommandKind.PAUSE, requested_by="cli", requested_wall_ms=1)
        await commands.answer(ledger, number, CommandState.DONE, "paused", 1_000)
        await ledger.write(lambda connection: begin_pause(connection, 1, Pause("daily_loss", 1_000, 3_000, "lost")))


@pytest.fixture
def holding():
    """holding(ledger_path): the ledger is held, as by a trader that runs, until the test ends."""
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(LedgerLock.acquire(path, Holder(4711, "run-a", 1)))


class TestHealth:
    def test_a_trader_that_was_killed_is_ill_at_once(self, invoke, explained_day, holding):
        from binance_trade_agent.ops import heartbeat

        beat = heartbeat.heartbeat_path(Path(explained_day))
        heartbeat.beat(beat, run_id="run-a", state="trading", cycle=3, next_within_seconds=60)
        result = invoke("health", LEDGER_PATH=explained_day)
        assert result.exit_code == 1
        assert only_error(result.stderr) == "run run-a: gone without a word, cycle 3, heartbeat 0 s old."
        holding(Path(explained_day))
        assert invoke("health", LEDGER_PATH=explained_day).exit_code == 0

    def test_what_keeps_a_healthy_trader_from_trading_is_said(self, invoke, tmp_path, holding):
        from binance_trade_agent.ops import heartbeat, vitals
        from binance_trade_agent.ops.clock import wall_ms

        path = tmp_path / "paused.db"
        asyncio.run(_paused(path))
        holding(path)
        beat = {"run_id": "run-a", "state": "trading", "cycle": 3, "next_within_seconds": 60, "detail": "no news"}
        heartbeat.beat(heartbeat.heartbeat_path(path), **beat)
        silent = vitals.BudgetVitals(silent_until_wall_ms=wall_ms() + 600_000)
        known = vitals.Vitals(run_id="run-a", market_ms=2_000, exchange=vitals.ExchangeVitals(budget=silent))
        vitals.write(vitals.vitals_path(path), known)
        result = invoke("health", LEDGER_PATH=str(path))
        assert result.exit_code == 0
        assert re.fullmatch(
            r"run run-a: trading, cycle 3, heartbeat \d s old; no news; entries are paused by a person, until resume; "
            r"entries rest because a limit was passed: daily loss; "
            r"the exchange is asked nothing for (10|9) min( \d+ s)?, as it has demanded "
            r"\(a limit of requests, or a ban\)\.",
            result.stdout.strip(),
        ), result.stdout

    def test_a_feed_has_a_health_of_its_own(self, invoke, tmp_path):
        from binance_trade_agent.feed.signs import SignsOfLife, signs_path

        ledger = tmp_path / "ledger.db"
        result = invoke("health", "--feed", LEDGER_PATH=str(ledger))
        assert result.exit_code == 1
        assert "no feed has ever run here" in only_error(result.stderr)
        SignsOfLife(signs_path(ledger), "host:4711").beat(1, lambda: ("serving", "27 symbols for 2 daemons"))
        result = invoke("health", "--feed", LEDGER_PATH=str(ledger))
        assert result.exit_code == 0
        assert re.search(r"serving, heartbeat \d+ s old; 27 symbols for 2 daemons\.", result.stdout)

    def test_without_a_trader_it_is_unhealthy(self, invoke):
        result = invoke("health")
        assert result.exit_code == 1
        assert "no trader has ever run on data/ledger.db" in only_error(result.stderr)

    def test_a_trader_that_nobody_has_started_is_no_illness(self, invoke):
        assert invoke("health", TRADING_AUTOSTART="no").exit_code == 0

    @pytest.mark.parametrize(
        ("age_ms", "state", "exit_code"), [(0, "trading", 0), (90_000, "trading", 1), (90_000, "stopped", 0)]
    )
    def test_fresh_heartbeat_is_health(self, invoke, age_ms, state, exit_code, holding):
        from binance_trade_agent.ops.clock import wall_ms

        holding(Path("data/ledger.db"))
        Path("data/ledger.db.heartbeat").write_text(
            json.dumps(
                {
                    "pid": 1,
                    "run_id": "run-a",
                    "state": state,
                    "cycle": 3,
                    "beat_wall_ms": wall_ms() - age_ms,
                    "next_within_seconds": 1.0,
                }
            )
        )
        result = invoke("health")
        assert result.exit_code == exit_code
        assert "run run-a" in result.output

    @pytest.mark.parametrize(
        ("known", "state", "exit_code", "said"),
        [
            (Supervision(Stage.RUNNING, restarts=2), "trading", 0, "restarts since the container began: 2"),
            (Supervision(Stage.REFUSED, ended="ended with exit code 2"), "stopped", 1, "it ended with exit code 2"),
            (Supervision(Stage.WAITING, failures=4, ended="was killed"), "stopped", 1, "failures in a row: 4"),
            (Supervision(Stage.REFUSED, ended="ended with exit code 2"), "trading", 0, "it is not started again"),
            (Supervision(Stage.OVER), "stopped", 0, "stopped, cycle 3"),
        ],
        ids=["restarted", "refused", "waiting", "refused beside another trader", "over"],
    )
    def test_what_the_watchdog_of_a_container_knows_counts(self, invoke, known, state, exit_code, said, holding):
        from binance_trade_agent.ops import heartbeat, supervision

        holding(Path("data/ledger.db"))
        heartbeat.beat(Path("data/ledger.db.heartbeat"), run_id="run-a", state=state, cycle=3, next_within_seconds=60)
        supervision.write(Path("known"), {"trader": known})
        result = invoke("health", SUPERVISION_FILE="known")
        assert result.exit_code == exit_code
        assert said in result.output
