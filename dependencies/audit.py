"""Asks the public databases whether a known weakness is in a package that is pinned here.

    make audit       fails (1) when one is found, and (2) when a database could not be asked
    CI=true ...      tells the same, and never fails: what is published tomorrow is no fault of a change of today

Python: pip-audit, by the database of OSV, over the lock files; it is installed only once that answers. JavaScript: `npm
audit`, over its lock file. Each file is given a minute. A package of which nothing is told does not count as sound.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
PIP_AUDIT = ROOT / ".venv" / "audit" / "bin" / "pip-audit"
OSV = "https://api.osv.dev/v1/query"
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-ccxt.lock", "requirements-audit.lock")
_SECONDS = 60
_FOUND, _NOT_ASKED = 1, 2


class NotAskedError(Exception):
    """A database did not answer. The text is one sentence."""


def python_findings(pip_audit: Path, osv: str = OSV) -> list[str]:
    """A line for each weakness of the Python packages. pip_audit: made by make where it is not there yet.

    Raises:
        NotAskedError: the database did not answer, or pip-audit cannot be had.
    """
    host = urlsplit(osv)
    try:  # pip-audit has a trace for this, and asks package after package
        socket.create_connection((host.hostname or "", host.port or 443), timeout=10).close()
    except OSError as failure:
        raise NotAskedError(f"{host.netloc} cannot be reached ({failure})") from None
    if not pip_audit.exists():
        made = _run(["make", "--no-print-directory", "--directory", str(ROOT), ".venv/audit/ready"])
        if made.returncode:
            raise NotAskedError(f"pip-audit cannot be installed: {_last_line(made.stderr)}")
    return sorted({line for name in LOCKS for line in _in_lock(pip_audit, osv, ROOT / name)})


def _in_lock(pip_audit: Path, osv: str, lock: Path) -> Iterator[str]:
    options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    done = _run(
        [str(pip_audit), "--requirement", str(lock), *options, "--vulnerability-service", "osv", "--osv-url", osv]
    )
    told = _json(done.stdout)
    if "dependencies" not in told:
        raise NotAskedError(f"pip-audit could not read {lock.name}: {_last_line(done.stderr)}")
    if skipped := [one["name"] for one in told["dependencies"] if "skip_reason" in one]:
        raise NotAskedError(f"of {lock.name} nothing was told of {', '.join(skipped)}")
    for one in told["dependencies"]:
        for weakness in one["vulns"]:
            mended = " and ".join(weakness["fix_versions"]) or "no version yet"
            yield f"{one['name']} {one['version']}: {weakness['id']}, mended in {mended}"


def javascript_findings(npm: str = "npm") -> list[str]:
    """A line for each package of npm with a weakness.

    Raises:
        NotAskedError: there is no npm, or the registry did not answer.
    """
    done = _run([npm, "audit", "--package-lock-only", "--json", "--fetch-retries=0"])
    told = _json(done.stdout)
    if "vulnerabilities" not in told:
        raise NotAskedError(f"npm's registry tells nothing: {told.get('message') or _last_line(done.stderr)}")
    return [f"{name} {one['range']}: {one['severity']}" for name, one in told["vulnerabilities"].items()]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=ROOT / "javascript", capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotAskedError(f"{Path(command[0]).name} had no answer within {_SECONDS} s") from None
    except OSError as failure:
        raise NotAskedError(f"{command[0]} cannot be run: {failure.strerror}") from None


def _json(text: str) -> dict:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason was given"])[-1]


def main() -> int:
    """Ask, print a line for each finding and a line for each language, and say what it comes to."""
    verdict = 0
    for language, ask in (("Python", lambda: python_findings(PIP_AUDIT)), ("JavaScript", javascript_findings)):
        try:
            found = ask()
        except NotAskedError as failure:
            print(f"audit, {language}: not done, {failure}")
            verdict = verdict or _NOT_ASKED
            continue
        print(*found, f"audit, {language}: {len(found) or 'no'} known weaknesses", sep="\n")
        verdict = _FOUND if found else verdict
    return 0 if os.environ.get("CI") else verdict


if __name__ == "__main__":
    sys.exit(main())
