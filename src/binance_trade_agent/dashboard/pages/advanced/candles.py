"""Which recorded candles there are, from when to when: `trade-agent data list`, anew when files have changed."""

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.dashboard.pages.advanced.shared import JobsOf
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.jobs.job import Job, Work
from binance_trade_agent.desk.jobs.runner import BusyError, Jobs
from binance_trade_agent.ops.clock import wall_ms

KIND = "candles"
_LIMIT_SECONDS = 300.0
_AGAIN_MS = 30_000  # while a download goes on, the folder changes all the time

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


class _File(msgspec.Struct):
    """A line of `data list --json`."""

    symbol: str
    interval: str
    from_ms: int
    to_ms: int
    candles: int
    gaps: int


class _Listed(msgspec.Struct):
    files: list[_File]
    broken: list[str]


@router.get("/advanced/backtest/candles", tags=[REGION])
async def show_candles(request: Request, desk: DeskOf, jobs: JobsOf) -> Response:
    """The files of the data folder; they are read in the background, which this begins where it has to."""
    folder = desk.settings.history_path
    state = await desk.in_thread(lambda: _state(folder))
    if state:
        await _look_again(jobs, folder, state)
    known = next((job for job in jobs.of(KIND) if not job.is_running), None)
    is_reading = bool(state) and any(job.is_running for job in jobs.of(KIND))
    return await render(request, "advanced/candles.html", job=known if state else None, is_reading=is_reading)


async def _look_again(jobs: Jobs, folder: Path, state: str) -> None:
    last: Job | None = next(iter(jobs.of(KIND)), None)
    if last is not None and (
        last.is_running or last.about["state"] == state or last.started_wall_ms > wall_ms() - _AGAIN_MS
    ):
        return
    arguments = ["data", "list", f"--data={folder}", "--json"]
    # 1: a file is broken; the others were read
    work = Work(KIND, KIND, lambda _: arguments, {"state": state}, _listed, _LIMIT_SECONDS, frozenset({0, 1}), keep=1)
    with contextlib.suppress(BusyError, OSError):  # it is only a help: a backtest names what it does not find
        await jobs.start(work, "the page")


def _listed(folder: Path) -> dict[str, Any]:
    listed: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode((folder / "out").read_bytes(), type=_Listed))
    return listed


def _state(folder: Path) -> str:
    """What tells that files have changed; empty where there is no folder."""
    try:
        about = sorted((each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in folder.iterdir())
    except OSError:
        return ""
    return hashlib.sha256(repr(about).encode()).hexdigest()
