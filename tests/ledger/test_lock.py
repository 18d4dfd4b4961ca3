import shutil
import subprocess
import sys
import threading

import pytest

from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.lock import Holder, LedgerInUse, LedgerLock, is_held, lock_path

HOLD = """
import sys, time
from pathlib import Path
from binance_trade_agent.ledger.lock import Holder, LedgerLock
lock = LedgerLock.acquire(Path(sys.argv[1]), Holder(99, "run-b", 5))
print("held", flush=True)
time.sleep(60)
"""
HOLDER = Holder(pid=12, run_id="run-a", started_wall_ms=77)


def test_the_second_is_refused_with_the_holders_name(tmp_path):
    path = tmp_path / "data" / "ledger.sqlite3"
    with LedgerLock.acquire(path, HOLDER):
        assert is_held(path)
        with pytest.raises(LedgerInUse, match=r"the trader already runs: process 12 \(run run-a\)") as refusal:
            LedgerLock.acquire(path, Holder(13, "run-b", 78))
    assert refusal.value.holder == HOLDER


def test_a_symbolic_link_to_the_ledger_is_the_same_ledger(tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    with LedgerLock.acquire(tmp_path / "real.db", HOLDER):
        assert is_held(tmp_path / "link.db")
        with pytest.raises(LedgerInUse):
            LedgerLock.acquire(tmp_path / "link.db", HOLDER)


def test_a_released_lock_can_be_taken_again(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    assert not is_held(path)
    for _ in range(2):
        LedgerLock.acquire(path, HOLDER).release()
    assert not is_held(path)


def test_who_looks_whether_it_is_held_keeps_nobody_from_taking_it(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    LedgerLock.acquire(path, HOLDER).release()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            is_held(path)

    looking = [threading.Thread(target=look) for _ in range(4)]
    for thread in looking:
        thread.start()
    try:
        for _ in range(100):
            LedgerLock.acquire(path, HOLDER).release()
    finally:
        is_over.set()
        for thread in looking:
            thread.join()


def test_a_killed_holder_leaves_the_lock_free(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LedgerInUse, match="process 99"):
            LedgerLock.acquire(path, HOLDER)
        other.kill()
    with LedgerLock.acquire(path, HOLDER):
        assert is_held(path)


def test_a_holder_that_has_not_written_its_name_is_another_process(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    with LedgerLock.acquire(path, HOLDER):
        lock_path(path).write_text("")
        with pytest.raises(LedgerInUse, match="another process owns") as refusal:
            LedgerLock.acquire(path, HOLDER)
    assert refusal.value.holder is None


def test_a_lock_that_cannot_be_written_is_one_clear_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"cannot write .*; check LEDGER_PATH"):
        LedgerLock.acquire(tmp_path / "file" / "ledger.sqlite3", HOLDER)


def test_killed_holder_is_told_to_the_next(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        other.kill()
    with LedgerLock.acquire(path, HOLDER) as lock:
        assert lock.killed == Holder(99, "run-b", 5)
    with LedgerLock.acquire(path, HOLDER) as lock:
        assert lock.killed is None  # the one before has given it back


def test_copy_of_the_folder_says_nothing_of_who_runs_on_the_original(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    copy = tmp_path / "copy" / "ledger.sqlite3"
    with LedgerLock.acquire(path, HOLDER):
        copy.parent.mkdir()
        shutil.copy(lock_path(path), lock_path(copy))
        with LedgerLock.acquire(copy, Holder(13, "run-b", 78)) as lock:
            assert lock.killed is None
