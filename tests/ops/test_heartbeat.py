import os

import pytest

from binance_trade_agent.domain.values import replace
from binance_trade_agent.ops import heartbeat as module
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.heartbeat import Heartbeat, beat, heartbeat_path, read


def given(path, **changes):
    beat(path, **{"run_id": "run-a", "state": "trading", "cycle": 3, "next_within_seconds": 1.0, **changes})


def test_sign_of_life_is_read_back(tmp_path):
    path = heartbeat_path(tmp_path / "ledger.db")
    given(path)
    last = read(path)
    assert path.name == "ledger.db.heartbeat"
    assert (last.pid, last.run_id, last.state, last.cycle) == (os.getpid(), "run-a", "trading", 3)
    assert abs(last.beat_wall_ms - wall_ms()) < 10_000
    assert [entry.name for entry in tmp_path.iterdir()] == ["ledger.db.heartbeat"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_later_sign_replaces_the_earlier_one(tmp_path):
    given(tmp_path / "beat")
    given(tmp_path / "beat", cycle=4, state="stopped")
    assert (read(tmp_path / "beat").cycle, read(tmp_path / "beat").state) == (4, "stopped")


@pytest.mark.parametrize(
    ("state", "age_seconds", "is_healthy"),
    [("trading", 0, True), ("trading", 26, True), ("trading", 27, False), ("stopped", 9_999, True)],
)
def test_health_is_a_trading_loop_that_is_not_late(monkeypatch, state, age_seconds, is_healthy):
    monkeypatch.setattr(module, "wall_ms", lambda: 1_000_000)
    last = Heartbeat(1, "run-a", state, 3, 1_000_000 - age_seconds * 1000, 1.0)
    assert last.age_seconds == age_seconds
    assert last.is_healthy is is_healthy


def test_longer_planned_silence_is_no_illness(monkeypatch):
    monkeypatch.setattr(module, "wall_ms", lambda: 1_000_000)
    last = Heartbeat(1, "run-a", "trading", 3, 1_000_000 - 100_000, next_within_seconds=120)
    assert last.is_healthy
    assert not replace(last, state="starting").is_healthy


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid":1}', '{"unknown":1}'])
def test_file_that_is_no_heartbeat_is_none(tmp_path, text):
    (tmp_path / "beat").write_text(text)
    assert read(tmp_path / "beat") is None


def test_missing_file_is_none(tmp_path):
    assert read(tmp_path / "beat") is None


def test_sign_that_cannot_be_written_does_not_stop_the_loop(tmp_path):
    given(tmp_path / "missing" / "beat")
    assert list(tmp_path.iterdir()) == []


def test_on_a_full_disk_the_last_sign_is_written_over(tmp_path, monkeypatch):
    path = tmp_path / "beat"
    given(path, detail="a long detail, which the next one does not have")
    written = path.stat().st_size

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "written", full)
    given(path, cycle=4)
    assert (read(path).cycle, read(path).detail) == (4, "")
    assert path.stat().st_size == written
