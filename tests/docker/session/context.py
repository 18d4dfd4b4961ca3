"""A copy of the project, to build from with something changed in it."""

import shutil
import subprocess
from pathlib import Path

from tests.docker.session.engine import ROOT

# Where the project is no git repository: what never belongs to a build, and is large.
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", "node_modules", "data", ".*_cache", ".env")


def copy_of_project(folder: Path) -> Path:
    """All that a clone with the present changes would hold, in a new folder below `folder`."""
    target = folder / "project"
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        return Path(shutil.copytree(ROOT, target, ignore=_NOT_COPIED))
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target
