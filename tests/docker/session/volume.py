"""The ledger's volume: written by an earlier release, by a later one, copied while the trader runs."""

import subprocess
from pathlib import Path

from tests.docker.session.engine import IMAGE, PROJECT, ROOT, FailedError
from tests.docker.session.scenario import Session, SkippedError, pause
from tests.docker.session.stack import BRISK, Stack

_FIRST = 2  # when ledgers had schema 1 the simulated exchange kept its own state in another form
_HALF_DONE = {"82d3748b6ed3591f90e95c28c5f36f038d09109c"}  # commits whose trader does not start; the one before does
_SCHEMA = "src/binance_trade_agent/ledger/schema"
_EARLIER = f"{PROJECT}-earlier"
_VOLUME = f"{PROJECT}_ledger"
_SET_VERSION = """
import sqlite3
with sqlite3.connect("/app/data/ledger.db") as ledger:
    ledger.execute("PRAGMA user_version = 9999")
"""


def backup_and_restore(session: Session) -> None:
    """a backup made while it trades is put back: the next start takes from the exchange what was traded since."""
    with session.stack(BRISK) as stack:
        stack.up()
        session.within(90, "trading", lambda: stack.fills() >= 2)
        stack.exec("mkdir", "-p", "/app/data/backups")
        done = stack.exec("trade-agent", "ledger", "backup", "--to", "/app/data/backups")
        session.expect(done.code == 0, done.out.strip(), done.output)
        had = stack.fills()
        session.within(90, "four fills more", lambda: stack.fills() >= had + 4)
        session.expect(stack.exec("trade-agent", "stop").code == 0, "`trade-agent stop`")
        session.within(20, "stopped", lambda: "EXITED" in stack.exec("supervisorctl", "status", "trader").out)
        traded = stack.fills()
        name = stack.exec("ls", "/app/data/backups").out.strip()
        done = stack.exec("trade-agent", "ledger", "restore", f"/app/data/backups/{name}")
        session.expect(done.code == 0, done.out.strip().splitlines()[-1], done.output)
        session.expect(stack.fills() < traded, f"{stack.fills()} fills of {traded} are in it")
        stack.exec("supervisorctl", "start", "trader")
        session.within(60, "it trades again", lambda: stack.count("Trading Cycle #1 ") >= 2)
        session.expect(stack.fills() >= traded, f"and has {stack.fills()} fills")
        session.no_differences(stack)


def upgrade(session: Session) -> None:
    """a volume that an earlier release has traded on is upgraded, with a backup beside it, and trading goes on."""
    earlier = sorted(_earlier_versions().items())
    for version, commit in dict.fromkeys((earlier[0], earlier[-1])):
        with session.stack(BRISK) as stack:
            stack.do("up", "--no-start")
            had = _trade_with(session, stack, commit, version)
            stack.up()
            session.within(60, "the present release trades on it", lambda up=stack: up.count("Trading Cycle #1 "))
            files = stack.exec("sh", "-c", "ls /app/data").out.split()
            backups = [name for name in files if name.startswith("ledger.db.") and f"schema-{version}" in name]
            session.expect(backups, f"a backup lies beside it: {', '.join(backups)}", files)
            session.within(90, "with more fills than before", lambda up=stack, before=had: up.fills() > before)
            session.no_differences(stack)


def downgrade(session: Session) -> None:
    """a ledger of a later release: refused in one line, left as it is, and not tried again and again."""
    with session.stack(BRISK) as stack:
        stack.up()
        session.within(90, "trading", stack.fills)
        stack.do("stop", "trading-agent")
        done = stack.run_beside("python", "-c", _SET_VERSION, flags=("-v", f"{_VOLUME}:/app/data"))
        session.expect(done.code == 0, "its schema says 9999", done.output)
        stack.up()
        stack.do("start", "trading-agent")
        said = session.within(60, "it is refused", lambda: stack.lines("has schema 9999"))
        pause(10)
        session.expect(stack.lines("has schema 9999") == said, f"once: {said[0].strip()}", said)
        session.within(90, "unhealthy", lambda: stack.health == "unhealthy")
        status = stack.exec("supervisorctl", "status", "trader").out
        session.expect("EXITED" in status, "nobody starts it again", status)


def _earlier_versions() -> dict[int, str]:
    """Schema version -> the last commit that wrote it, of those that git knows."""
    found: dict[int, str] = {}
    numbers = sorted(int(file.name[:4]) for file in (ROOT / _SCHEMA).glob("*.sql"))
    for number in numbers[_FIRST:]:
        file = next(file.name for file in (ROOT / _SCHEMA).glob(f"{number:04}*.sql"))
        added = _git("log", "--diff-filter=A", "--format=%H", "--", f"{_SCHEMA}/{file}").split()
        if added and (before := _git("rev-parse", "--verify", "--quiet", f"{added[-1]}^").strip()):
            found[number - 1] = _git("rev-parse", f"{before}^").strip() if before in _HALF_DONE else before
    if not found:
        raise SkippedError("git does not know the earlier releases here")
    return found


def _sources(commit: str, folder: Path) -> Path:
    """The package as it was at a commit, in a folder that the container's user can read."""
    folder.mkdir(exist_ok=True)
    archive = subprocess.run(
        ("git", "archive", commit, "src", "config", "supervisord.conf"), cwd=ROOT, capture_output=True, check=True
    )
    subprocess.run(("tar", "-x", "-C", str(folder)), input=archive.stdout, check=True)
    subprocess.run(("chmod", "-R", "a+rX", str(folder)), check=True)
    return folder


def _trade_with(session: Session, stack: Stack, commit: str, version: int) -> int:
    """Let an earlier release trade on the volume, its exchange and its trader under its own supervisord.

    It runs with the present dependencies. Returns how many fills it has left.
    """
    source = _sources(commit, session.folder / commit)
    package = source / "src" / "binance_trade_agent"
    known = "".join(path.read_text("utf-8") for path in package.glob("setting*.py"))
    settings = [f"--env={name}={value}" for name, value in BRISK.items() if f" {name.lower()}:" in known]
    mounts = ["-v", f"{_VOLUME}:/app/data", "-v", f"{source}:/earlier:ro", "-v", f"{source}/config:/app/config:ro"]
    run = ("run", "--detach", "--name", _EARLIER, "--init", *mounts, *settings, "--env=PYTHONPATH=/earlier/src", IMAGE)
    done = session.engine.docker(*run, "supervisord", "--configuration", "/earlier/supervisord.conf")
    try:
        session.expect(done.code == 0, f"the release of {commit[:7]}, schema {version}, starts", done.output)
        session.within(90, "it trades", lambda: stack.ask_ledger("SELECT 1 FROM fills LIMIT 3 OFFSET 2", _EARLIER))
        had = stack.ask_ledger("SELECT count(*) FROM fills", _EARLIER)[0][0]
        found = stack.ask_ledger("PRAGMA user_version", _EARLIER)[0][0]
        session.expect(found == version, f"{had} fills in a ledger of schema {found}")
        session.engine.docker("stop", "--time", "20", _EARLIER)
    except FailedError:
        print(session.engine.docker("logs", "--tail", "40", _EARLIER).output)
        raise
    finally:
        session.engine.docker("rm", "--force", _EARLIER)
    return int(had)


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
