"""A command of `trade-agent` as a process of its own."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.sessions.daemon_process import CLEAN_ENVIRONMENT
from tests.warm_python import start


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


async def trade_agent(folder: Path, *arguments: str, **settings: str) -> Said:
    """Run a command in `folder` on its `ledger.db`; a traceback fails the test."""
    environment = {**CLEAN_ENVIRONMENT, "LEDGER_PATH": str(folder / "ledger.db"), **settings}
    process = await start("binance_trade_agent.cli", *arguments, folder=folder, environment=environment)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert b"Traceback" not in out + err, (out + err).decode()
    return Said(await process.wait(), out.decode(), err.decode())
