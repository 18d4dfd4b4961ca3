"""Files that are for their owner only, as the ledger is: what others read of them tells of the account."""

import os
from pathlib import Path
from typing import IO, Any

_MODE = 0o600


def written(path: Path, mode: str = "w", **more: Any) -> IO[Any]:
    """As `path.open(mode)`, for writing; a file that is new is for its owner only.

    Raises:
        OSError: it cannot be opened.
    """
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, _MODE), **more)


def make_sure_of(path: Path) -> None:
    """The file, empty and for its owner only, where there is none yet: for what others open to write.

    Raises:
        OSError: it cannot be made.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE))
