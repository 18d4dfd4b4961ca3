"""`trade-agent dashboard` as a process of its own."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.sessions.daemon_process import CLEAN_ENVIRONMENT
from tests.warm_python import WarmProcess, start

END_SECONDS = 30


@asynccontextmanager
async def dashboard_process(folder: Path, *flags: str, **settings: str) -> AsyncIterator[tuple[WarmProcess, str]]:
    """`trade-agent dashboard` on a ledger in `folder`, and the address that it gives out."""
    environment = {
        **CLEAN_ENVIRONMENT,
        "LEDGER_PATH": str(folder / "ledger.db"),
        "DASHBOARD_PORT": "0",
        **settings,
    }
    process = await start("binance_trade_agent.cli", "dashboard", *flags, folder=folder, environment=environment)
    try:
        yield process, await asyncio.wait_for(_address(process), END_SECONDS)
    finally:
        process.kill()
        await process.wait()


async def _address(process: WarmProcess) -> str:
    async for line in process.stderr:
        if found := re.search(r"Dashboard on (http://\S+)", line.decode()):
            return found[1]
    raise AssertionError("it has ended")
