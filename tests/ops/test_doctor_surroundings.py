"""Doctor's lines on what is around the trader: each says how it is and, where it is not well, what to do."""

import contextlib
import errno
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from binance_trade_agent.configuration import load
from binance_trade_agent.domain.checks import Checked
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.migrations import latest_version
from binance_trade_agent.ops import doctor_surroundings as doctor
from binance_trade_agent.ops.port_holder import holder_of
from tests.ledger.old_ledgers import ledger_of_schema
from tests.ledger.tiny_disk import fill_up, make_read_only, tiny_disk

PASSWORD = "correct-horse-battery"


def configured(tmp_path, **settings):
    return load(environment=settings, folder=tmp_path)


def servers(tmp_path, **settings) -> dict[str, str]:
    return {found.subject: str(found) for found in doctor.servers(configured(tmp_path, **settings).settings)}


@contextlib.contextmanager
def listening(code: str):
    """A process of its own that listens on a free port; gives the port and its pid."""
    with subprocess.Popen([sys.executable, "-c", code, "dashboard"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.kill()


LISTEN = """
import socket
made = socket.create_server(("127.0.0.1", 0))
print(made.getsockname()[1], flush=True)
made.accept()
"""


def test_settings_are_counted_by_where_they_are_from_and_secrets_are_not_shown(tmp_path):
    (tmp_path / ".env").write_text("TRADING_SYMBOLS=BTCUSDT\n")
    line = doctor.settings_line(configured(tmp_path, DASHBOARD_PASSWORD=PASSWORD, MCP_PORT="0"))
    assert str(line) == (
        f"ok       settings   1 from {tmp_path}/.env, 1 from environment, 1 from environment (a secret); "
        "`trade-agent config` shows them"
    )
    assert "all have their defaults" in str(doctor.settings_line(configured(tmp_path / "none")))


def test_a_folder_that_can_be_written_is_told_with_who_writes(tmp_path):
    assert str(doctor.folder(tmp_path / "ledger.db")) == (
        f"ok       folder     {tmp_path} can be written by user {os.geteuid()}"
    )
    assert "ok " in str(doctor.folder(tmp_path / "not" / "there" / "ledger.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_with_whose_it_is(tmp_path, monkeypatch):
    def refused(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    assert str(doctor.folder(tmp_path / "ledger.db")) == (
        f"failed   folder     {tmp_path} cannot be written (Permission denied): it belongs to user "
        f"{tmp_path.stat().st_uid}, this is user {os.geteuid()}; give it to that user, or set LEDGER_PATH"
    )


def test_a_folder_that_is_mounted_for_reading_only_is_told_as_that(tmp_path):
    with tiny_disk(tmp_path / "disk") as disk:
        make_read_only(disk)
        said = str(doctor.folder(disk / "ledger.db"))
    assert said == (
        f"failed   folder     {disk} cannot be written (Read-only file system): mount it so that it can be written, "
        "or set LEDGER_PATH"
    )


def test_the_ledgers_schema_is_told_and_what_becomes_of_an_older_one(tmp_path):
    known = latest_version()
    for version in (1, known - 1):
        old = tmp_path / f"old-{version}"
        ledger_of_schema(version, old)
        assert str(doctor.ledger(old)) == (
            f"warning  ledger     {old} has schema {version}; the next start of the trader copies it and upgrades it to "
            f"{known}"
        )
    path = tmp_path / "ledger.db"
    assert "does not exist yet" in str(doctor.ledger(path))
    ledger_of_schema(known, path)
    assert str(doctor.ledger(path)) == f"ok       ledger     {path}, schema {known}"
    with LedgerLock.acquire(path, Holder(1, "run-a", 0)):
        assert "a trader is running on it" in str(doctor.ledger(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "failed   ledger " in str(doctor.ledger(path))
    path.write_text("a letter")
    assert "is not a SQLite file" in str(doctor.ledger(path))


def test_a_ledger_that_is_damaged_behind_its_head_has_failed(tmp_path):
    path = tmp_path / "ledger.db"
    ledger_of_schema(latest_version(), path)
    text = path.read_bytes()
    path.write_bytes(text[:8192] + b"\xff" * 4096 + text[12288:])
    assert "failed   ledger " in str(doctor.ledger(path))


def test_a_disk_below_its_limit_has_failed(tmp_path):
    with tiny_disk(tmp_path / "disk") as disk:
        fill_up(disk)
        said = str(doctor.disk(disk / "ledger.db", 200))
        assert said.endswith("less than LEDGER_MIN_FREE_MB=200: no position is entered, free some")
        assert said.startswith("failed   disk ")
        assert "less than 100 MB" in str(doctor.disk(disk / "ledger.db", 0))


def test_ports_that_are_free_are_told_with_who_may_come_in(tmp_path):
    found = servers(tmp_path, DASHBOARD_PORT="0", MCP_PORT="0", DASHBOARD_PASSWORD=PASSWORD, MCP_ALLOW_TRADING="true")
    assert found == {
        "dashboard": "ok       dashboard  on a free port of 127.0.0.1; a password for each of trader is set",
        "mcp": "ok       mcp        on a free port of 127.0.0.1; no token, assistants may trade",
        "metrics": "ok       metrics    METRICS_PORT is not set; none are served",
    }


def test_what_others_can_reach_without_a_password_is_locked(tmp_path):
    found = servers(tmp_path, DASHBOARD_PORT="0", MCP_PORT="0", DASHBOARD_HOST="0.0.0.0", MCP_HOST="0.0.0.0")
    assert found["dashboard"].endswith("locked, as others can reach it, until DASHBOARD_PASSWORD is set")
    assert found["mcp"].endswith("locked, as others can reach it, until MCP_AUTH_TOKEN is set")


def test_a_password_that_begins_like_a_hash_and_is_none_has_failed(tmp_path):
    found = servers(tmp_path, DASHBOARD_PORT="0", MCP_PORT="0", DASHBOARD_PASSWORD="$argon2id$nothing-of-the-kind")
    assert found["dashboard"] == "failed   dashboard  DASHBOARD_PASSWORD begins like an argon2 hash and is none."


def test_a_host_that_is_not_this_machines_has_failed(tmp_path):
    found = servers(tmp_path, DASHBOARD_PORT="1", MCP_PORT="0", DASHBOARD_HOST="192.0.2.1")
    assert found["dashboard"].startswith("failed   dashboard  cannot listen on 192.0.2.1:1 (")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="who listens is read in Linux's /proc")
def test_a_port_that_is_taken_is_told_with_the_process_that_has_it(tmp_path):
    with listening(LISTEN) as (port, pid):
        assert holder_of(port).pid == pid
        found = servers(tmp_path, DASHBOARD_PORT=str(port), MCP_PORT="0")["dashboard"]
        assert found.startswith(f"warning  dashboard  process {pid} (-c ")
        assert found.endswith("; set DASHBOARD_PORT")
    assert holder_of(port) is None


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="who listens is read in Linux's /proc")
def test_a_port_that_our_own_program_has_is_well(tmp_path):
    with listening(f"# binance_trade_agent.cli\n{LISTEN}") as (port, pid):
        found = servers(tmp_path, DASHBOARD_PORT="0", MCP_PORT="0", METRICS_PORT=str(port))["metrics"]
        assert found.startswith(f"ok       metrics    process {pid} ")
        assert f" listens on 127.0.0.1:{port}; no password" in found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="who listens is read in Linux's /proc")
def test_a_socket_that_is_bound_by_this_process_is_seen():
    with socket.create_server(("127.0.0.1", 0)) as made:
        assert holder_of(made.getsockname()[1]).pid == os.getpid()


def test_addresses_of_notifications_are_told_by_their_scheme_and_nothing_is_sent(tmp_path):
    pytest.importorskip("apprise")

    def line(**settings) -> Checked:
        return doctor.notifications(configured(tmp_path, **settings).settings)

    assert "nobody is told of alarms" in str(line())
    assert str(line(NOTIFY_URLS="json://hidden@127.0.0.1:9/x")) == (
        "ok       notify     json://****; not tried here: `trade-agent notify` sends a message"
    )
    assert str(line(NOTIFY_URLS="jsom://hidden")).startswith(
        "failed   notify     NOTIFY_URLS, address 1: Apprise has no"
    )
