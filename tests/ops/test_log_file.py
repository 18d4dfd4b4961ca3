"""The log as files: what is written, how they are bounded, what a disk that fails does to it."""

import errno
import json
import logging
import os
import threading

import pytest
import structlog

from binance_trade_agent.cli.shared import set_up_log
from binance_trade_agent.configuration import load
from binance_trade_agent.ops import logging as ops_logging
from binance_trade_agent.ops.log_file import LogFile, file_path, json_line, log_files, log_folder

SECRET = "b2" * 32


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines_of(folder, name="trader"):
    return [line for path in log_files(folder, name).values() for line in path.read_text("utf-8").splitlines()]


class Disk:
    """Writes to the real one; while `is_full`, what is begun ends half-way, and nothing more is taken."""

    def __init__(self):
        self.is_full = False
        self.refused = threading.Event()
        self._has_room = True

    def write(self, descriptor, text):
        if not self.is_full:
            return os.write(descriptor, text)
        if self._has_room:
            self._has_room = False
            return os.write(descriptor, text[: len(text) // 2])
        self.refused.set()
        raise OSError(errno.ENOSPC, "No space left on device")


class TestWhatIsWritten:
    @pytest.fixture
    def logged(self, tmp_path):
        """What a process has written once its log is closed, as objects."""
        file = LogFile(tmp_path, "trader", 1)
        ops_logging.configure("console", "INFO", secrets=[SECRET], file=file)

        def entries():
            file.close()
            return [json.loads(line) for line in lines_of(tmp_path)]

        return entries

    def test_an_event_stands_there_with_its_sentence_its_fields_and_what_is_bound(self, logged):
        with structlog.contextvars.bound_contextvars(run="run-a", tick="2026-01-05T14:36:00.000Z", cycle=3):
            structlog.get_logger("trading").info("decision", line="BTCUSDT: ⛔", symbol="BTCUSDT", rule=None)
            logging.getLogger("somewhere").warning("two\nlines %d", 7)
        first, second = logged()
        assert first.pop("timestamp").endswith("Z")
        assert first == {
            "level": "info",
            "event": "decision",
            "line": "BTCUSDT: ⛔",
            "logger": "trading",
            "symbol": "BTCUSDT",
            "run": "run-a",
            "tick": "2026-01-05T14:36:00.000Z",
            "cycle": 3,
        }
        assert (second["event"], second["run"], second["logger"]) == ("two\nlines 7", "run-a", "somewhere")

    def test_time_comes_first_so_that_it_is_found_without_parsing(self):
        assert json_line({"event": "e", "level": "info", "timestamp": "T"}) == (
            '{"timestamp":"T","level":"info","event":"e"}'
        )

    def test_no_secret_stands_there_not_in_a_trace_either(self, logged):
        try:
            int(SECRET)
        except ValueError:
            logging.getLogger("somewhere").exception("failed with %s", SECRET)
        (entry,) = logged()
        assert SECRET not in json.dumps(entry)
        assert "ValueError" in entry["exception"]

    def test_text_that_is_no_unicode_or_far_too_long_is_written_as_far_as_it_goes(self, tmp_path):
        file = LogFile(tmp_path, "trader", 1)
        file.put(json_line({"event": "half a pair \udc80", "line": "x" * 100_000}))
        file.close()
        (entry,) = map(json.loads, lines_of(tmp_path))
        assert entry["event"] == "half a pair \udc80"
        assert entry["line"] == "x" * 64_000 + "… (36000 more characters)"

    def test_the_latest_troubles_stay_in_memory_newest_first_without_secrets(self, logged):
        for number in range(25):
            logging.getLogger("somewhere").warning("trouble %d with %s", number, SECRET)
        logging.getLogger("somewhere").info("nothing")
        structlog.get_logger("trading").error("failed", line="what a person reads")
        troubles = ops_logging.latest_troubles()
        assert len(troubles) == 20
        assert (troubles[0].level, troubles[0].text) == ("error", "what a person reads")
        assert troubles[1].text == "trouble 24 with ****"
        logged()


class TestSpace:
    def test_files_have_a_tenth_of_the_space_each_and_the_oldest_go(self, tmp_path):
        file = LogFile(tmp_path, "trader", 1)
        for number in range(3000):
            file.put(f"{number} {'x' * 990}")
        file.close()
        files = log_files(tmp_path)
        assert len(files) == 10
        assert all(path.stat().st_size <= 100_000 for path in files.values())
        assert min(files) > 1
        numbers = [int(line.split()[0]) for line in lines_of(tmp_path)]
        assert numbers == list(range(numbers[0], 3000))

    def test_two_logs_share_a_folder(self, tmp_path):
        for name in ("trader", "dashboard"):
            file = LogFile(tmp_path, name, 1)
            file.put(name)
            file.close()
        assert lines_of(tmp_path) == ["trader"]
        assert lines_of(tmp_path, "dashboard") == ["dashboard"]

    def test_the_folder_stands_beside_the_ledger(self, tmp_path):
        assert log_folder(tmp_path / "ledger.db") == tmp_path / "ledger.db.logs"

    def test_the_next_process_goes_on_in_the_same_file_behind_a_line_that_was_cut_off(self, tmp_path):
        file_path(tmp_path, "trader", 4).write_text('{"timestamp":"2026')
        file = LogFile(tmp_path, "trader", 1)
        file.put("whole")
        file.close()
        assert list(log_files(tmp_path)) == [4]
        assert lines_of(tmp_path) == ['{"timestamp":"2026', "whole"]

    def test_a_folder_that_was_removed_is_made_again(self, tmp_path):
        disk, folder = Disk(), tmp_path / "logs"
        file = LogFile(folder, "trader", 1, write=disk.write)
        file.put("one")
        wait_until(lambda: folder.exists() and lines_of(folder) == ["one"])
        file_path(folder, "trader", 1).unlink()
        folder.rmdir()
        file.put("two")
        file.close()
        assert lines_of(folder) == ["two"]


class TestSetting:
    @pytest.mark.parametrize(("mb", "kept"), [("0", 0), ("1", 10), ("2", 10)])
    def test_log_file_mb_says_whether_and_how_much_is_kept(self, tmp_path, mb, kept):
        ledger = tmp_path / "ledger.db"
        flags = {"LOG_FILE_MB": mb, "LEDGER_PATH": ledger}
        set_up_log(load(flags, environment={}, folder=tmp_path), "trader")
        for _ in range(60):
            logging.getLogger("somewhere").debug("not told")
            structlog.get_logger("trading").info("long", line="x" * 50_000)
        for handler in logging.getLogger().handlers:
            handler.close()
        files = log_files(log_folder(ledger)).values()
        assert len(files) == kept
        sizes = sum(path.stat().st_size for path in files)
        assert sizes == 0 if kept == 0 else 0.5 < sizes / int(mb) / 1_000_000 <= 1


class TestDiskThatFails:
    def test_what_waits_is_written_once_there_is_space_again_and_no_line_twice(self, tmp_path):
        disk = Disk()
        file = LogFile(tmp_path, "trader", 1, write=disk.write)
        disk.is_full = True
        for number in range(5):
            file.put(f"line {number}")
        assert disk.refused.wait(10)
        wait_until(lambda: file.trouble == "No space left on device")
        disk.is_full = False
        file.close()
        whole = [line for line in lines_of(tmp_path) if line in {f"line {number}" for number in range(5)}]
        assert whole == [f"line {number}" for number in range(5)]
        assert (file.lost, file.trouble) == (0, None)

    def test_what_finds_no_place_to_wait_is_lost_and_the_log_says_how_much(self, tmp_path):
        disk = Disk()
        disk.is_full = True
        file = LogFile(tmp_path, "trader", 50, write=disk.write)
        file.put("first")
        assert disk.refused.wait(10)
        for number in range(500):
            file.put(f"{number} {'x' * 10_000}")
        disk.is_full = False
        file.close()
        assert file.lost > 90
        said = next(line for line in lines_of(tmp_path) if "were lost" in line)
        assert json.loads(said)["event"].startswith(f"{file.lost} lines of the log were lost before this one")

    def test_a_place_that_cannot_be_written_costs_the_log_and_nothing_else(self, tmp_path):
        (tmp_path / "logs").write_text("a file where the folder belongs")
        file = LogFile(tmp_path / "logs", "trader", 1)
        ops_logging.configure("console", "INFO", file=file)
        logging.getLogger("somewhere").info("goes on")
        file.close()
        assert file.trouble == "File exists"


def wait_until(holds):
    """Ask again and again what another thread brings about; there is nothing to be told by."""
    once = threading.Event()
    for _ in range(10_000):
        if holds():
            return
        once.wait(0.001)
    raise AssertionError("it never came")
