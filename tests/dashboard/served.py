"""A dashboard that is served as `trade-agent dashboard` serves it, in a thread of this process with a loop of its own."""

import functools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI

from binance_trade_agent.cache.shared import board_namespace, shared_cache
from binance_trade_agent.configuration import Configuration, load
from binance_trade_agent.dashboard import app
from binance_trade_agent.dashboard.access import passwords
from binance_trade_agent.dashboard.access.gate import Gate
from binance_trade_agent.dashboard.access.passwords import Passwords
from binance_trade_agent.dashboard.app import application
from binance_trade_agent.dashboard.assets import Assets
from binance_trade_agent.dashboard.command import server
from binance_trade_agent.desk.desk import Desk
from tests.dashboard.visitor import Visitor

TRADER_PASSWORD, VIEWER_PASSWORD = "canary-of-the-trader", "canary-of-the-viewer"
WITH_PASSWORDS = {"DASHBOARD_PASSWORD": TRADER_PASSWORD, "DASHBOARD_VIEWER_PASSWORD": VIEWER_PASSWORD}

_packed_once = functools.cache(Assets)  # the same files for each dashboard of this process
_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # what the real one asks is told in test_access.py


@dataclass(frozen=True)
class Served:
    """A dashboard that answers at `base`."""

    base: str
    gate: Gate
    inner: FastAPI  # behind the gate
    desk: Desk

    @property
    def ledger_path(self) -> Path:
        return self.desk.ledger_path

    def visitor(self) -> Visitor:
        """A browser that has never been here."""
        return Visitor(self.base)

    def trader(self) -> Visitor:
        """A browser that is logged in with the trader's password; where there is none, one that has loaded a page."""
        return self._logged_in(TRADER_PASSWORD)

    def viewer(self) -> Visitor:
        """A browser that is logged in with the viewer's password."""
        return self._logged_in(VIEWER_PASSWORD)

    def _logged_in(self, password: str) -> Visitor:
        visitor = self.visitor()
        if self.inner.state.has_password:
            assert visitor.log_in(password).status == 303
        else:
            visitor.get("/stop")
        return visitor


def configuration(folder: Path, **settings: str) -> Configuration:
    """Settings of a dashboard on `ledger.db` in `folder`."""
    return load(environment={"LEDGER_PATH": str(folder / "ledger.db"), **settings}, folder=folder)


@contextmanager
def served(folder: Path, *, is_locked: bool = False, port: int = 0, **settings: str) -> Iterator[Served]:
    """Serve the ledger in `folder` until the end of the block; port 0 is a free one."""
    known = configuration(folder, **settings)
    desk = Desk(known, shared_cache(known.settings), board_namespace(known.settings))
    with mock.patch.object(passwords, "_HASHER", _QUICK), mock.patch.object(app, "Assets", _packed_once):
        gate = application(desk, Passwords.of(known.settings), is_locked=is_locked)
    assert isinstance(gate, Gate)
    running = server(gate)
    ended: list[BaseException] = []
    with socket.create_server(("127.0.0.1", port)) as listening:
        thread = threading.Thread(target=_run, args=(running, listening, ended), daemon=True)
        thread.start()
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            yield Served(base, gate, gate._app.app, desk)
        finally:
            running.should_exit = True
            thread.join(10)
    assert not thread.is_alive()
    assert ended == []


def _run(running: uvicorn.Server, listening: socket.socket, ended: list[BaseException]) -> None:
    try:
        running.run(sockets=[listening])
    except BaseException as failure:
        ended.append(failure)
        raise
