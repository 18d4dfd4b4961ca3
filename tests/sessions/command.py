"""A command of `trade-agent` as a process of its own."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.sessions.daemon_process import CLEAN_ENVIRONMENT


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


async def trade_agent(folder: Path, *arguments: str, **settings: str) -> Said:
    """Run a command in `folder` on its `ledger.db`; a traceback fails the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "binance_trade_agent.cli",
        *arguments,
        cwd=folder,
        env={**CLEAN_ENVIRONMENT, "LEDGER_PATH": str(folder / "ledger.db"), **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return Said(process.returncode, out.decode(), err.decode())
