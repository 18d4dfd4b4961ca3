"""Dashboards on real ledgers: one to look at for all tests of a worker, and new ones for tests that change something."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.dashboard.browser import chromium
from tests.dashboard.served import WITH_PASSWORDS, Served, served
from tests.dashboard.visitor import Visitor
from tests.sessions.daemon_process import EAGER, session

# Trades at many ticks, and protects what it bought.
PLAYED = {**EAGER, "RISK_STOP_LOSS_PCT": "2", "RISK_TAKE_PROFIT_PCT": "3", "TRADING_DURATION_MINUTES": "20"}

_PLAYED_WITHIN_SECONDS = 110  # it takes a few, of a machine that does much else more; a test may take 120


@pytest.fixture(scope="session")
def played_folder(tmp_path_factory) -> Path:
    """The folder of a trader that has traded 20 simulated minutes: `ledger.db`, heartbeat, log. Copy it to change it.

    It is played once for all workers; each has a copy.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    first, own = shared / "first-played", base / "played"
    with (shared / "first-played.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not first.exists():
            playing = shared / "playing"
            shutil.rmtree(playing, ignore_errors=True)  # of a worker whose try failed
            playing.mkdir()
            asyncio.run(session(playing, within_seconds=_PLAYED_WITHIN_SECONDS, **PLAYED))
            playing.rename(first)
    shutil.copytree(first, own, dirs_exist_ok=True)  # tests/mcp_server asks for it too
    return own


@pytest.fixture(scope="session")
def dashboard(played_folder) -> Iterator[Served]:
    """A dashboard with both passwords on that ledger, only to look at: who places a command asks for `serve`."""
    with served(played_folder, **WITH_PASSWORDS) as running:
        yield running


@pytest.fixture(scope="session")
def trader(dashboard) -> Visitor:
    """Somebody who is logged in to trade, at `dashboard`."""
    return dashboard.trader()


@pytest.fixture(scope="session")
def viewer(dashboard) -> Visitor:
    """Somebody who is logged in to look, at `dashboard`."""
    return dashboard.viewer()


@pytest.fixture
def serve(tmp_path, played_folder) -> Iterator[Callable[..., Served]]:
    """serve(played=True, password=True, **settings): one more dashboard, on a copy of the ledger or on none, until the test ends.

    A test that makes its own ledger writes it to `tmp_path / "ledger.db"` and says played=False.
    """
    with ExitStack() as stack:

        def start(*, played: bool = True, password: bool = True, is_locked: bool = False, **settings: str) -> Served:
            if played:
                shutil.copytree(played_folder, tmp_path, dirs_exist_ok=True)
            passwords = WITH_PASSWORDS if password else {}
            return stack.enter_context(served(tmp_path, is_locked=is_locked, **{**passwords, **settings}))

        yield start


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started_browser() -> AsyncIterator[Browser]:
    """A browser for all tests of a module; `browser` is it without what they have opened."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def browser(started_browser) -> AsyncIterator[Browser]:
    """A browser without windows. Who asks for it runs in the module's loop: `pytest.mark.asyncio(loop_scope="module")`."""
    yield started_browser
    for context in started_browser.contexts:
        await context.close()
