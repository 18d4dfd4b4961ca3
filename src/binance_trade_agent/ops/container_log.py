"""The container's log for a process without an output of its own, as `docker exec -d` starts them."""

import os
from collections.abc import Mapping
from pathlib import Path

_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2


def attach_detached_output(environment: Mapping[str, str]) -> None:
    """Send standard output and error to the file that CONTAINER_LOG names, where both would go to /dev/null.

    The image sets CONTAINER_LOG to the standard output of its first process, which is what `docker logs` shows. When
    the file cannot be written, everything stays as it is.
    """
    path = environment.get("CONTAINER_LOG")
    if path is None or not (_is_discarded(_STANDARD_OUTPUT) and _is_discarded(_STANDARD_ERROR)):
        return
    try:
        log = os.open(path, os.O_WRONLY | os.O_APPEND)
    except OSError:
        return
    os.dup2(log, _STANDARD_OUTPUT)
    os.dup2(log, _STANDARD_ERROR)
    os.close(log)


def _is_discarded(descriptor: int) -> bool:
    return os.fstat(descriptor).st_rdev == Path(os.devnull).stat().st_rdev
