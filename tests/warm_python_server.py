"""The process whose forks are the processes of `tests/warm_python.py`. It has one thread and imports before it forks."""

import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Iterable
from typing import Any

from binance_trade_agent.ops.lean_pandas import import_pandas

_IMPORTED = ("binance_trade_agent.cli", "binance_trade_agent.daemon", "tests.exchange_process", "talib", "uvloop")
_MOST_BYTES = 1 << 16


def serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork for each request; returns the request in the fork, and None here, when the tests are over."""
    wakes, woken = socket.socketpair()
    for each in (wakes, woken):
        each.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes.fileno())
    told: dict[int, int] = {}  # process id -> where its end is told
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(_MOST_BYTES)
            _tell_of_ends(told)
        if control not in ready:
            continue
        message, files, _, _ = socket.recv_fds(control, _MOST_BYTES, 3)
        if not message:
            _end(told)
            return None
        while not message.endswith(b"\n"):
            message += control.recv(_MOST_BYTES)
        out, errors, ends = files
        if not (pid := os.fork()):
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(out, sys.stdout.fileno())
            os.dup2(errors, sys.stderr.fileno())
            for each in (control, wakes, woken):
                each.close()
            for descriptor in (*files, *told.values()):
                os.close(descriptor)
            return json.loads(message)
        told[pid] = ends
        os.write(ends, b"%d\n" % pid)
        os.close(out)
        os.close(errors)


def _end(left: Iterable[int]) -> None:
    """Let nothing outlive the tests that one which failed has left behind."""
    for pid in left:
        os.kill(pid, signal.SIGKILL)


def _tell_of_ends(told: dict[int, int]) -> None:
    while told:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        descriptor = told.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more
            os.write(descriptor, b"%d" % os.waitstatus_to_exitcode(status))
        os.close(descriptor)


def become(request: dict[str, Any]) -> None:
    """Be `python -m MODULE`, until it ends."""
    for which, limits in request["limits"]:
        resource.setrlimit(which, limits)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv[1:] = request["arguments"]
    sys.path[0] = request["folder"]
    warnings.filterwarnings("ignore", ".*found in sys.modules", RuntimeWarning, "runpy")
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    import_pandas()  # as `trade-agent run` does it
    for name in _IMPORTED:
        with contextlib.suppress(ModuleNotFoundError):  # not every machine has uvloop
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    if asked := serve(socket.socket(fileno=int(sys.argv[1]))):
        become(asked)
