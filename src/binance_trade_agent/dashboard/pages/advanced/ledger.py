"""The ledger worked out again, exported and backed up."""

import contextlib
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse

from binance_trade_agent.dashboard.access.guard import SessionOf
from binance_trade_agent.dashboard.pages.advanced.shared import JobsOf, begun, said_or_back, show
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.jobs.job import Work
from binance_trade_agent.desk.jobs.zipped import zipped

ADDRESS = "/advanced/ledger"
VERIFY, EXPORT, BACKUP = "verify", "export", "backup"
_NAMES = {VERIFY: "verification", EXPORT: "export", BACKUP: "backup"}
_LANE = "ledger"
_MOST_DIFFERENCES = 200
_TABLES = "tables"  # folder of an export
_CSV_LINE = re.compile(r"/(\w+)\.csv  (\d+) rows$")

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


class _Verified(msgspec.Struct):
    """What `ledger verify --json` prints."""

    read: dict[str, int]
    differences: list[str]
    count: int


@router.get(ADDRESS)
async def show_ledger(request: Request) -> Response:
    """The section."""
    return await show(request, "advanced/ledger.html", ADDRESS)


@router.get(f"{ADDRESS}/jobs", tags=[REGION])
async def show_jobs(request: Request, desk: DeskOf, jobs: JobsOf) -> Response:
    """What was done, what is being done, and the backups that lie beside the ledger."""
    done = {kind: jobs.of(kind) for kind in (VERIFY, EXPORT, BACKUP)}
    running = next((job for found in done.values() for job in found if job.is_running), None)
    path = desk.ledger_path
    return await render(
        request,
        "advanced/ledger_jobs.html",
        ledger=path,
        bytes=path.stat().st_size if path.is_file() else None,
        verifications=done[VERIFY],
        exports=done[EXPORT],
        last_backup=next(iter(done[BACKUP]), None),
        backups=[(each.name, size) for each, size in _backups(desk)],
        running=running,
        names=_NAMES,
    )


@router.post(f"{ADDRESS}/verify")
async def verify(request: Request, desk: DeskOf, jobs: JobsOf, session: SessionOf) -> Response:
    """Work everything out again from the journal."""
    arguments = ["ledger", "verify", "--json", _option(desk)]
    # 1: it was read to its end, and there are differences
    work = Work(VERIFY, _LANE, lambda _: arguments, {}, _verified, good_codes=frozenset({0, 1}), keep=10)
    return await _started(request, jobs, work, session)


@router.post(f"{ADDRESS}/export")
async def export(request: Request, desk: DeskOf, jobs: JobsOf, session: SessionOf) -> Response:
    """Write each table as CSV."""

    def arguments(folder: Path) -> list[str]:
        return ["ledger", "export", "--format=csv", f"--to={folder / _TABLES}", _option(desk)]

    return await _started(request, jobs, Work(EXPORT, _LANE, arguments, {}, _exported, keep=2), session)


@router.post(f"{ADDRESS}/backup")
async def backup(request: Request, desk: DeskOf, jobs: JobsOf, session: SessionOf) -> Response:
    """Copy the ledger to a file beside it."""
    work = Work(BACKUP, _LANE, lambda _: ["ledger", "backup", _option(desk)], {}, _backed_up, keep=5)
    return await _started(request, jobs, work, session)


@router.post(f"{ADDRESS}/{{number}}/cancel")
async def cancel(request: Request, jobs: JobsOf, number: int) -> Response:
    """End a verification, an export or a backup."""
    found = next((job for kind in (VERIFY, EXPORT, BACKUP) if (job := jobs.find(kind, number))), None)
    if found is None:
        raise HTTPException(404, f"There is no such work as {number}.")
    await jobs.cancel(found)
    return await said_or_back(request, f"The {_NAMES[found.kind]} has ended.", ADDRESS)


@router.get(f"{ADDRESS}/exports/{{number}}.zip", responses={200: {"content": {"application/zip": {}}}})
async def download_export(jobs: JobsOf, number: int) -> Response:
    """The tables of an export in one archive, made while it is sent."""
    job = jobs.find(EXPORT, number)
    folder = jobs.place(job) / _TABLES if job is not None else None
    if job is None or folder is None or not folder.is_dir():
        raise HTTPException(404, f"There is no export {number}; the last two are kept.")
    name = f"ledger-{datetime.fromtimestamp(job.started_wall_ms / 1000, UTC):%Y%m%dT%H%M%SZ}.zip"
    pieces: Iterator[bytes] = zipped(folder)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.get(f"{ADDRESS}/backups/{{name}}", responses={200: {"content": {"application/vnd.sqlite3": {}}}})
async def download_backup(desk: DeskOf, name: str) -> Response:
    """A copy of the ledger that lies beside it."""
    path = next((each for each, _ in _backups(desk) if each.name == name), None)
    if path is None:
        raise HTTPException(404, "There is no such backup.")
    return FileResponse(path, media_type="application/vnd.sqlite3", filename=name)


def _option(desk: Desk) -> str:
    return f"--ledger-path={desk.ledger_path}"


def _verified(folder: Path) -> dict[str, Any]:
    found = msgspec.json.decode((folder / "out").read_bytes(), type=_Verified)
    return {"read": found.read, "differences": found.differences[:_MOST_DIFFERENCES], "count": found.count}


def _exported(folder: Path) -> dict[str, Any]:
    lines = (folder / "out").read_text(encoding="utf-8").splitlines()
    rows = {match[1]: int(match[2]) for line in lines if (match := _CSV_LINE.search(line))}
    size = sum(path.stat().st_size for path in (folder / _TABLES).iterdir())
    return {"tables": len(rows), "rows": sum(rows.values()), "bytes": size}


def _backed_up(folder: Path) -> dict[str, Any]:
    path, _, size = (folder / "out").read_text(encoding="utf-8").strip().removesuffix(" bytes").rpartition("  ")
    return {"name": Path(path).name, "bytes": int(size)}


def _backups(desk: Desk) -> list[tuple[Path, int]]:
    """Backups beside the ledger with their sizes, newest first by the time in their names; nothing a link leads to."""
    path, begins, found = desk.ledger_path, f"{desk.ledger_path.name}.backup-", []
    with contextlib.suppress(OSError):
        named = (each for each in path.parent.iterdir() if each.name.startswith(begins))
        for each in sorted(named, reverse=True):
            with contextlib.suppress(OSError):  # it has gone meanwhile
                status = each.lstat()
                if stat.S_ISREG(status.st_mode):
                    found.append((each, status.st_size))
    return found


async def _started(request: Request, jobs: JobsOf, work: Work, session: SessionOf) -> Response:
    await begun(jobs, work, session)
    return await said_or_back(
        request, f"The {_NAMES[work.kind]} has begun; what comes of it will stand above.", ADDRESS
    )
