"""Taking the ledger from a process that holds it: asked first, then killed, and never by removing a file."""

import logging
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from binance_trade_agent.ledger import takeover
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.lock import Holder, LedgerLock, is_held, lock_path
from binance_trade_agent.ledger.takeover import holds, take_over

HOLDER = Holder(pid=os.getpid(), run_id="run-b", started_wall_ms=77)
HOLD = """
import os, signal, sys, time
from pathlib import Path
from binance_trade_agent.ledger.lock import Holder, LedgerLock
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock = LedgerLock.acquire(Path(sys.argv[1]), Holder(int(sys.argv[3]) or os.getpid(), "run-a", 5))
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def another(path, *, manner: str = "polite", told_pid: int = 0):
    """A process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(path), manner, str(told_pid)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


async def test_free_ledger_is_taken_without_a_word(tmp_path, caplog):
    with await take_over(tmp_path / "ledger.db", HOLDER):
        assert is_held(tmp_path / "ledger.db")
    assert caplog.messages == []


async def test_holder_is_asked_to_end(tmp_path, caplog):
    path = tmp_path / "ledger.db"
    with another(path) as process:
        inode = lock_path(path).stat().st_ino
        with await take_over(path, HOLDER):
            assert process.wait(5) == -15
            assert lock_path(path).stat().st_ino == inode
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert f"process {process.pid} (run run-a) owns the ledger and is asked to end" in caplog.messages[0]


async def test_holder_that_does_not_end_is_killed(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(takeover, "END_SECONDS", 0.3)
    path = tmp_path / "ledger.db"
    with another(path, manner="stubborn") as process, await take_over(path, HOLDER) as lock:
        assert process.wait(5) == -9
        assert lock.killed == Holder(process.pid, "run-a", 5)
    assert "was killed" in caplog.messages[-1]


async def test_process_that_has_the_number_but_not_the_lock_is_left_alone(tmp_path):
    """The lock names a number of another container, which some other process has here."""
    path = tmp_path / "ledger.db"
    with (
        another(tmp_path / "other.db") as bystander,
        another(path, told_pid=bystander.pid) as process,
    ):
        with pytest.raises(LedgerError, match=f"cannot end process {bystander.pid} .*End it where it runs"):
            await take_over(path, HOLDER)
        assert bystander.poll() is None
        assert process.poll() is None


async def test_number_that_nobody_has_is_a_refusal(tmp_path):
    path = tmp_path / "ledger.db"
    with another(path, told_pid=2**22 - 1) as process:
        with pytest.raises(LedgerError, match="cannot end process"):
            await take_over(path, HOLDER)
        assert process.poll() is None


async def test_nameless_holder_is_not_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(takeover, "_NAME_SECONDS", 0.1)
    path = tmp_path / "ledger.db"
    with another(path) as process:
        lock_path(path).write_text("")
        with pytest.raises(LedgerError, match="another process owns the ledger"):
            await take_over(path, HOLDER)
        assert process.poll() is None


def test_who_only_looks_at_the_lock_does_not_hold_it(tmp_path):
    path = tmp_path / "ledger.db"
    with another(path) as process, lock_path(path).open():
        assert holds(process.pid, lock_path(path))
        assert not holds(os.getpid(), lock_path(path))
    LedgerLock.acquire(path, HOLDER).release()
