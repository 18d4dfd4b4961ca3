"""`trade-agent dashboard` as a process of its own."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.sessions.daemon_process import CLEAN_ENVIRONMENT

END_SECONDS = 30


@asynccontextmanager
async def dashboard_process(
    folder: Path, *flags: str, **settings: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`trade-agent dashboard` on a ledger in `folder`, and the address that it gives out."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "binance_trade_agent.cli",
        "dashboard",
        *flags,
        cwd=folder,
        env={**CLEAN_ENVIRONMENT, "LEDGER_PATH": str(folder / "ledger.db"), "DASHBOARD_PORT": "0", **settings},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process, await asyncio.wait_for(_address(process), END_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if found := re.search(r"Dashboard on (http://\S+)", line.decode()):
            return found[1]
    raise AssertionError("it has ended")
