"""`trade-agent replay`: a recorded run is decided again, the same; what is not the same is found where it begins."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from binance_trade_agent.backtest.replay.replay import Replay, replay
from binance_trade_agent.cli import group
from binance_trade_agent.domain.claims import ACCOUNT_RULES
from binance_trade_agent.history.recording import recordings_folder
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from tests.backtest.replay.recorded import KILLED, LAST, play, play_with_people


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("played")
    play(folder)
    return folder / "ledger.db"


@pytest.fixture
def ledger(played, tmp_path):
    """A copy to be changed."""
    shutil.copytree(played.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "ledger.db"


def rows(ledger: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(query, values).fetchall()


def change_ledger(ledger: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        assert connection.execute(statement, values).rowcount == 1
        connection.commit()


def change_recording(ledger: Path, run_id: str, change: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Change the first line of the run's recording that `change` says it has changed; returns the line."""
    (path,) = recordings_folder(ledger).glob(f"{run_id}.*")
    lines = [msgspec.json.decode(text) for text in path.read_bytes().splitlines()]
    line = next(line for line in lines if change(line))
    path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in lines))
    return line


def first(found: Replay, line: dict[str, Any]) -> str:
    """What the first difference is in, when it is at the tick and symbol of a line of the recording."""
    assert found.first is not None
    assert (found.first.symbol, found.first.tick_ms) == (line["symbol"], line["tick_ms"])
    return found.first.what


class TestTheSame:
    def test_the_session_holds_what_is_to_be_decided_again(self, played):
        outcomes = Counter(dict(rows(played, "SELECT outcome, count(*) FROM decisions GROUP BY 1")))
        assert outcomes.keys() >= {"EXECUTED", "HELD", "REFUSED", "ORDERED"}
        exits = {kind for (kind,) in rows(played, "SELECT exit FROM orders WHERE state = 'FILLED'")}
        assert exits >= {None, "trailing_stop", "time_stop"}
        assert rows(played, "SELECT * FROM pauses")
        strategies = rows(played, "SELECT DISTINCT strategy FROM decisions WHERE run_id = ?", KILLED)
        assert sorted(strategies) == [("bollinger_bands",), ("mean_reversion_zscore",)]
        assert rows(played, "SELECT count(*) FROM decisions WHERE reason LIKE '%confirmed on 3m%'")[0][0] > 0

    @pytest.mark.parametrize("run_id", [KILLED, LAST])
    def test_a_run_that_was_killed_and_the_one_after_it_replay_each_by_itself(self, played, run_id):
        found = replay(played, run_id)
        assert found.first is None
        assert (found.differences, found.not_recorded) == (0, 0)
        ((count,),) = rows(played, "SELECT count(*) FROM decisions WHERE run_id = ?", run_id)
        assert found.decisions == count > 15
        assert (found.from_ms, found.to_ms) == rows(
            played, "SELECT min(tick_ms), max(tick_ms) FROM decisions WHERE run_id = ?", run_id
        )[0]

    @pytest.mark.parametrize(("run_id", "limits"), [(KILLED, {None, "3"}), (LAST, {"3"})])
    def test_a_limit_that_a_person_changed_holds_from_then_on_and_in_the_run_after(self, played, run_id, limits):
        with LedgerReader.open(played) as reader:
            made = reader.snapshot(lambda connection: queries.decisions(connection, run_id))
        findings = [finding for each in made for finding in each.findings if finding.rule == "cooldown"]
        assert {finding.limit and str(finding.limit) for finding in findings} == limits

    def test_the_orders_that_were_on_their_way_at_the_kill_are_decided_again_too(self, played):
        found = rows(played, "SELECT symbol, tick_ms FROM decisions WHERE run_id = ? AND outcome = 'ORDERED'", KILLED)
        last_ms = replay(played, KILLED).to_ms
        assert sorted(found) == [("BTCUSDT", last_ms), ("ETHUSDT", last_ms)], "side by side"

    def test_it_changes_nothing(self, ledger):
        before = {path: path.read_bytes() for path in ledger.parent.rglob("*") if path.is_file()}
        replay(ledger, LAST)
        after = {path: path.read_bytes() for path in ledger.parent.rglob("*") if path.is_file()}
        assert {path: text for path, text in after.items() if not path.name.endswith(("-shm", "-wal"))} == {
            path: text for path, text in before.items() if not path.name.endswith(("-shm", "-wal"))
        }

    def test_of_daemons_that_met_in_a_redis(self, ledger):
        (written,) = rows(ledger, "SELECT settings_json FROM runs WHERE run_id = ?", LAST)[0]
        met = {"TRADING_CAPITAL_QUOTE": "5000", "TRADING_FEED": "shared", "ACCOUNT_MAX_EXPOSURE_QUOTE": "900"}
        changed = json.dumps(json.loads(written) | met)
        change_ledger(ledger, "UPDATE runs SET settings_json = ? WHERE run_id = ?", changed, LAST)
        assert replay(ledger, LAST).first is None

    @pytest.mark.parametrize("rule", sorted(ACCOUNT_RULES))
    def test_what_daemons_of_an_account_did_not_agree_on_was_approved_before(self, ledger, rule):
        query = "SELECT client_order_id FROM orders WHERE run_id = ? AND role = 'ENTRY' LIMIT 1"
        ((order_id,),) = rows(ledger, query, LAST)
        change_ledger(
            ledger,
            "UPDATE decisions SET outcome = 'REFUSED', rule = ?, client_order_id = NULL WHERE client_order_id = ?",
            rule,
            order_id,
        )
        assert replay(ledger, LAST).first is None


def test_a_run_in_which_persons_acted_is_decided_again_the_same(tmp_path):
    play_with_people(tmp_path)
    ledger = tmp_path / "ledger.db"
    done = dict(rows(ledger, "SELECT kind, count(*) FROM commands WHERE state = 'DONE' GROUP BY 1"))
    assert done.keys() >= {"order", "cancel", "pause", "resume"}
    assert rows(ledger, "SELECT count(*) FROM decisions WHERE outcome = 'EXECUTED'")[0][0] > 3
    found = replay(ledger, KILLED)
    assert (found.first, found.differences, found.not_recorded) == (None, 0, 0)


class TestTheFirstDifference:
    def test_a_price_of_the_book(self, ledger):
        def change(line):
            if line["type"] != "decision" or line["cycle"] != 5:
                return False
            line["book"]["bid"] = str(float(line["book"]["bid"]) - 1)
            return True

        line = change_recording(ledger, LAST, change)
        found = replay(ledger, LAST)
        assert first(found, line) == "bid"
        assert found.first is not None
        assert found.first.replay == line["book"]["bid"]
        assert (
            found.first.run
            == rows(
                ledger, "SELECT bid FROM decisions WHERE tick_ms = ? AND symbol = ?", line["tick_ms"], line["symbol"]
            )[0][0]
        )

    def test_a_close_that_is_older_than_the_candles_in_the_ledger(self, ledger):
        def change(line):
            if line["type"] != "decision" or "candles" not in line:
                return False
            line["candles"]["new"][-4][5] = str(float(line["candles"]["new"][-4][5]) + 30)
            return True

        line = change_recording(ledger, LAST, change)
        assert first(replay(ledger, LAST), line) == "indicators"

    @pytest.mark.parametrize(
        ("name", "value", "rule"),
        [
            ("wallet", {"USDT": "20"}, "drawdown"),
            ("now_ms", 1_900_000_000_000, "data_age"),
            ("is_killed", True, "kill_switch"),
            ("gate", ["lease", "another trader has the account"], "entry_gate"),
            ("last_price", "1", "price_deviation"),
        ],
    )
    def test_an_answer_that_a_decision_hung_on(self, ledger, name, value, rule):
        def change(line):
            asked = line.get("asked", [])
            places = [place for place, each in enumerate(asked) if each[0] == name]
            if not places or not any(each[0] == "wallet" for each in asked):
                return False
            asked[places[-1]][2] = value
            return True

        line = change_recording(ledger, LAST, change)
        found = replay(ledger, LAST)
        assert first(found, line) == f"finding {rule}"
        assert found.first is not None
        assert found.first.run.startswith("allowed: ")
        assert found.first.replay.startswith("refused: ")

    def test_a_decision_of_the_ledger(self, ledger):
        query = "SELECT tick_ms, symbol FROM decisions WHERE run_id = ? AND confidence > 0 ORDER BY tick_ms LIMIT 1"
        ((tick_ms, symbol),) = rows(ledger, query, LAST)
        change_ledger(
            ledger, "UPDATE decisions SET confidence = 0.123 WHERE tick_ms = ? AND symbol = ?", tick_ms, symbol
        )
        found = replay(ledger, LAST)
        assert first(found, {"tick_ms": tick_ms, "symbol": symbol}) == "confidence"
        assert found.differences == 1

    def test_an_order_of_the_ledger(self, ledger):
        query = "SELECT client_order_id, tick_ms, symbol FROM orders WHERE run_id = ? AND role = 'ENTRY' LIMIT 1"
        ((order_id, tick_ms, symbol),) = rows(ledger, query, LAST)
        change_ledger(ledger, "UPDATE orders SET quantity = '0.5' WHERE client_order_id = ?", order_id)
        found = replay(ledger, LAST)
        assert first(found, {"tick_ms": tick_ms, "symbol": symbol}) == "order quantity"

    @pytest.mark.parametrize("run_id", [KILLED, LAST])
    def test_a_limit_that_was_changed_and_is_not_in_the_recording(self, ledger, run_id):
        def change(line):
            return line.pop("limits", None) == {"RISK_COOLDOWN_SECONDS": "3"}

        change_recording(ledger, run_id, change)
        found = replay(ledger, run_id)
        assert found.first is not None
        assert found.first.what in {"finding cooldown", "outcome"}

    def test_a_size_that_is_a_fraction_of_equity(self, ledger):
        written = json.loads(rows(ledger, "SELECT settings_json FROM runs WHERE run_id = ?", LAST)[0][0])
        written["TRADING_ORDER_FRACTION"] = "0.02"  # TRADING_ORDER_QUOTE stays there with its default
        change_ledger(ledger, "UPDATE runs SET settings_json = ? WHERE run_id = ?", json.dumps(written), LAST)
        found = replay(ledger, LAST)
        assert found.first is not None
        assert found.first.what == "finding sizing"

    def test_other_settings(self, ledger):
        written = json.loads(rows(ledger, "SELECT settings_json FROM runs WHERE run_id = ?", LAST)[0][0])
        written["RISK_MAX_CONSECUTIVE_LOSSES"] = "100"
        change_ledger(ledger, "UPDATE runs SET settings_json = ? WHERE run_id = ?", json.dumps(written), LAST)
        found = replay(ledger, LAST)
        assert found.first is not None
        assert found.first.what == "finding consecutive_losses"


class TestWhatIsNotThere:
    def test_decisions_that_were_not_recorded_are_counted(self, ledger):
        (path,) = recordings_folder(ledger).glob(f"{LAST}.*")
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-5]) + lines[-5][:40])  # torn, as when the disk was full
        found = replay(ledger, LAST)
        assert found.differences == 0
        assert 0 < found.not_recorded <= 5

    def test_looks_without_a_decision_are_counted(self, ledger):
        (last,) = rows(ledger, "SELECT max(tick_ms) FROM decisions WHERE run_id = ?", LAST)[0]
        with closing(sqlite3.connect(ledger)) as connection:
            removed = connection.execute(
                "DELETE FROM decisions WHERE run_id = ? AND tick_ms = ?", (LAST, last)
            ).rowcount
            connection.commit()
        found = replay(ledger, LAST)
        assert (found.differences, found.not_decided) == (0, removed)


class TestCommand:
    def run(self, ledger: Path, *arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            group.main(["replay", "--ledger-path", str(ledger), *arguments], prog_name="trade-agent")
        return int(ended.value.code or 0)

    def test_says_how_many_decisions_and_no_difference(self, played, capsys):
        assert self.run(played) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"run {LAST} (run 2, simulated, bollinger_bands, BTCUSDT ETHUSDT)\nrecorded ticks from ")
        assert out.endswith(" decisions, 0 differences\n")

    def test_says_the_first_difference_with_both_sides(self, ledger, capsys):
        query = "SELECT tick_ms, symbol, reason FROM decisions WHERE run_id = ? ORDER BY tick_ms, symbol LIMIT 1"
        ((tick_ms, symbol, reason),) = rows(ledger, query, KILLED)
        change_ledger(
            ledger, "UPDATE decisions SET reason = 'a whim' WHERE tick_ms = ? AND symbol = ?", tick_ms, symbol
        )
        assert self.run(ledger, "1") == 1
        out = capsys.readouterr().out.splitlines()
        assert out[-4:-1] == [
            f"{symbol} at the tick of 2026-01-05T00:00:00Z (cycle 1): reason",
            "    run     a whim",
            f"    replay  {reason}",
        ]
        assert out[-1].endswith(" decisions, 1 differences")

    def test_json_is_one_document(self, played, capsys):
        assert self.run(played, KILLED, "--json") == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["run_id"], document["differences"], document["first"]) == (KILLED, 0, None)

    @pytest.mark.parametrize(
        ("named", "sentence"),
        [
            ("run-0", "run-0 is the beginning of 2 runs, run-001 and others: write more"),
            ("run-003", "there is no run run-003, did you mean run-00"),
            ("7", "there is no run 7; the last one is run-002."),
        ],
    )
    def test_a_run_that_is_not_there_is_one_sentence(self, played, named, sentence, capsys):
        assert self.run(played, named) == 2
        assert capsys.readouterr().err.startswith(f"Error: {sentence}")

    def test_a_run_that_was_not_recorded_is_one_sentence(self, ledger, capsys):
        shutil.rmtree(recordings_folder(ledger))
        assert self.run(ledger) == 2
        assert capsys.readouterr().err.startswith("Error: run run-002 was not recorded, or its recording was removed")
