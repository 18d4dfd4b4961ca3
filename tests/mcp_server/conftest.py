"""MCP servers on real ledgers."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.dashboard.conftest import played_folder

__all__ = ["played_folder"]  # a trader that has traded 20 simulated minutes, once for all workers
from tests.made_up_candles import write_minutes
from tests.mcp_server.served import ServedMcp, served_mcp


@pytest.fixture(scope="session")
def history(tmp_path_factory) -> Path:
    """A data folder with ten hours of minutes of BTCUSDT."""
    return write_minutes(tmp_path_factory.mktemp("history"))


@pytest.fixture
def serve_mcp(tmp_path, played_folder) -> Iterator[Callable[..., ServedMcp]]:
    """serve_mcp(played=True, **settings): a server on a copy of that ledger, or on none, until the test ends."""
    with ExitStack() as stack:

        def start(*, played: bool = True, is_locked: bool = False, **settings: str) -> ServedMcp:
            if played:
                shutil.copytree(played_folder, tmp_path, dirs_exist_ok=True)
            return stack.enter_context(served_mcp(tmp_path, is_locked=is_locked, **settings))

        yield start
