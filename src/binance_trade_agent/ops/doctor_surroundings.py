"""What `trade-agent doctor` finds around the trader: its folder, its ports, who may reach it, who is told."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from binance_trade_agent.configuration import SECRETS, ConfigError, Configuration
from binance_trade_agent.dashboard.access.passwords import Passwords
from binance_trade_agent.desk.addresses import is_loopback
from binance_trade_agent.domain.checks import Checked, Verdict
from binance_trade_agent.ledger.connection import FILE_ERRORS, explained, open_of_any_schema
from binance_trade_agent.ledger.disk import MB, free_bytes
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.integrity import check_at_start
from binance_trade_agent.ledger.lock import is_held
from binance_trade_agent.ledger.migrations import latest_version, schema_version
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.notifications.targets import targets
from binance_trade_agent.ops.port_holder import holder_of, is_taken
from binance_trade_agent.settings import Settings

_OURS = ("trade-agent", "binance_trade_agent")
_LEAST_FREE_MB, _COMFORTABLE_FREE_MB = 100, 1000


def settings_line(configuration: Configuration) -> Checked:
    """How many settings were given, and where."""
    given: dict[str, int] = {}
    for name, _, origin in configuration.rows():
        if origin != "default":
            what = origin if name not in SECRETS else f"{origin} (a secret)"
            given[what] = given.get(what, 0) + 1
    told = ", ".join(f"{count} from {origin}" for origin, count in sorted(given.items()))
    return Checked("settings", Verdict.OK, f"{told or 'all have their defaults'}; `trade-agent config` shows them")


def folder(ledger_path: Path) -> Checked:
    """Whether the ledger's folder can be written, by a file that is written and removed."""
    there = next(parent for parent in ledger_path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"doctor")
            file.flush()
            os.fsync(file.fileno())
    except OSError as failure:
        return Checked(
            "folder", Verdict.FAILED, f"{there} cannot be written ({failure.strerror}): {_remedy(there, failure)}"
        )
    return Checked("folder", Verdict.OK, f"{there} can be written by user {os.geteuid()}")


def _remedy(there: Path, failure: OSError) -> str:
    if failure.errno == errno.EROFS:
        return "mount it so that it can be written, or set LEDGER_PATH"
    owner = f"it belongs to user {there.stat().st_uid}, this is user {os.geteuid()}"
    return f"{owner}; give it to that user, or set LEDGER_PATH"


def ledger(path: Path) -> Checked:
    """Whether the ledger can be used, and of which schema it is."""
    if not path.exists():
        return Checked("ledger", Verdict.OK, f"{path} does not exist yet; the first run makes it")
    try:
        found, known = _schema(path), latest_version()
        if 0 < found < known:
            return Checked(
                "ledger",
                Verdict.WARNING,
                f"{path} has schema {found}; the next start of the trader copies it and upgrades it to {known}",
            )
        with LedgerReader.open(path):
            check_at_start(path)  # as a start does, so it takes a second at most
    except LedgerError as failure:
        return Checked("ledger", Verdict.FAILED, str(failure))
    runs = ", a trader is running on it" if is_held(path) else ""
    return Checked("ledger", Verdict.OK, f"{path}, schema {found}{runs}")


def _schema(path: Path) -> int:
    with closing(open_of_any_schema(path)) as connection:
        try:
            return schema_version(connection)
        except FILE_ERRORS as error:
            raise explained(error, path) from error


def disk(ledger_path: Path, least_free_mb: int) -> Checked:
    """Whether the ledger's disk has room; below LEDGER_MIN_FREE_MB the trader enters no position."""
    try:
        free_mb = free_bytes(ledger_path) // MB
    except OSError as failure:
        return Checked("disk", Verdict.FAILED, f"the disk of {ledger_path} cannot be asked: {failure.strerror}")
    text = f"{free_mb} MB free for {ledger_path}"
    if free_mb < max(_LEAST_FREE_MB, least_free_mb):
        least = f"LEDGER_MIN_FREE_MB={least_free_mb}" if least_free_mb >= _LEAST_FREE_MB else f"{_LEAST_FREE_MB} MB"
        return Checked("disk", Verdict.FAILED, f"{text}, less than {least}: no position is entered, free some")
    return Checked("disk", Verdict.OK if free_mb >= _COMFORTABLE_FREE_MB else Verdict.WARNING, text)


def servers(settings: Settings) -> Iterator[Checked]:
    """Dashboard, MCP server and metrics: where, by whom the port is taken, and who may come in."""
    yield _dashboard(settings)
    may = "assistants may trade" if settings.mcp_allow_trading else "assistants only read"
    token = "no token" if settings.mcp_auth_token is None else "a token is set"
    no_token = settings.mcp_auth_token is None
    yield _server("mcp", "MCP", settings.mcp_host, settings.mcp_port, f"{token}, {may}", is_open=no_token)
    if settings.metrics_port:
        yield _server("metrics", "METRICS", settings.metrics_host, settings.metrics_port, "no password", is_open=False)
    else:
        yield Checked("metrics", Verdict.OK, "METRICS_PORT is not set; none are served")


def _dashboard(settings: Settings) -> Checked:
    try:
        passwords = Passwords.of(settings).hashes
    except ValueError as failure:
        return Checked("dashboard", Verdict.FAILED, str(failure))
    access = f"a password for each of {', '.join(passwords)} is set" if passwords else "no password"
    return _server(
        "dashboard", "DASHBOARD", settings.dashboard_host, settings.dashboard_port, access, is_open=not passwords
    )


def _server(subject: str, prefix: str, host: str, port: int, access: str, *, is_open: bool) -> Checked:
    where = f"{host}:{port}" if port else f"a free port of {host}"
    if is_open and not is_loopback(host):
        name = "DASHBOARD_PASSWORD" if prefix == "DASHBOARD" else "MCP_AUTH_TOKEN"
        access = f"{access}: locked, as others can reach it, until {name} is set"
    try:
        is_there = bool(port) and is_taken(host, port)
    except OSError as failure:
        told = failure.strerror or failure
        return Checked(subject, Verdict.FAILED, f"cannot listen on {where} ({told}): set {prefix}_HOST, {prefix}_PORT")
    if not is_there:
        return Checked(subject, Verdict.OK, f"{where} is free; {access}" if port else f"on {where}; {access}")
    who = holder_of(port)
    if who is None:
        return Checked(
            subject, Verdict.WARNING, f"{where} is taken, by whom cannot be seen from here; {access}; see {prefix}_PORT"
        )
    is_ours = any(name in who.command for name in _OURS)
    return Checked(
        subject,
        Verdict.OK if is_ours else Verdict.WARNING,
        f"process {who.pid} ({who.command}) listens on {where}; {access}" + ("" if is_ours else f"; set {prefix}_PORT"),
    )


def notifications(settings: Settings) -> Checked:
    """Who is told; nothing is sent."""
    try:
        known = targets(settings)
    except ConfigError as failure:
        return Checked("notify", Verdict.FAILED, str(failure))
    if not known:
        return Checked("notify", Verdict.OK, "NOTIFY_URLS is not set: nobody is told of alarms")
    shown = ", ".join(target.shown for target in known)
    return Checked("notify", Verdict.OK, f"{shown}; not tried here: `trade-agent notify` sends a message")
