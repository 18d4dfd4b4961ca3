"""Starting backtests on recorded candles, and their reports."""

import base64
import hashlib
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import FileResponse, HTMLResponse, Response

from binance_trade_agent.dashboard.access.guard import SessionOf
from binance_trade_agent.dashboard.pages.advanced.shared import JobsOf, begun, newest_run, said_or_back, show
from binance_trade_agent.dashboard.pages.advanced.strategy import checked_texts, in_use_of, traded
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import THEME_COOKIE, THEMES, render
from binance_trade_agent.desk.jobs.backtest import KEEP, KIND, LIMIT_SECONDS, backtest, missing_candles
from binance_trade_agent.desk.jobs.candle_names import candle_names
from binance_trade_agent.desk.jobs.job import Job
from binance_trade_agent.domain.money import plain
from binance_trade_agent.strategies.registry import describe

ADDRESS = "/advanced/backtest"
_ITS_SCRIPT = re.compile(rb"<script>(.*?)</script></body></html>\s*\Z", re.DOTALL)

Percent = Annotated[Decimal, Form(ge=0, le=10, max_digits=12)]

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


@router.get(ADDRESS)
async def show_backtests(request: Request, desk: DeskOf) -> Response:
    """The section: what can be tested, and what was."""
    run = await newest_run(desk)
    return await show(
        request,
        "advanced/backtest.html",
        ADDRESS,
        candles=await desk.in_thread(lambda: candle_names(desk.settings.history_path)),
        strategies=[each for each in await desk.in_thread(describe) if not each.broken],
        in_use=(await in_use_of(desk)).choice,
        symbols=traded(desk, run),
        interval=desk.settings.trading_candle_interval,
        limit_minutes=int(LIMIT_SECONDS / 60),
        keep=KEEP,
    )


@router.get(f"{ADDRESS}/jobs", tags=[REGION])
async def show_jobs(request: Request, jobs: JobsOf) -> Response:
    """All that are kept, newest first; how far the running one is."""
    found = jobs.of(KIND)
    running = next((job for job in found if job.is_running), None)
    return await render(
        request,
        "advanced/backtest_jobs.html",
        jobs=found,
        progress_pct=jobs.progress_pct(running) if running else None,
        log=jobs.log(running)[-8:] if running else [],
    )


@router.post(ADDRESS)
async def start(
    request: Request,
    desk: DeskOf,
    jobs: JobsOf,
    session: SessionOf,
    strategy: Annotated[str, Form(max_length=100)],
    interval: Annotated[str, Form(max_length=10)],
    symbols: Annotated[list[str], Form(max_length=50)] = [],  # noqa: B006 (FastAPI copies it)
    params: Annotated[str, Form(max_length=2_000)] = "",
    start: Annotated[date | None, Form()] = None,
    end: Annotated[date | None, Form()] = None,
    cash: Annotated[Decimal, Form(gt=0, le=10**12, max_digits=24)] = Decimal(10_000),
    fills: Annotated[Literal["candles", "simulated"], Form()] = "candles",
    fee: Percent = Decimal("0.1"),
    spread: Percent = Decimal("0.02"),
    slippage: Annotated[Literal["none", "sqrt", "book"], Form()] = "sqrt",
) -> Response:
    """Begin one."""
    names = await desk.in_thread(lambda: candle_names(desk.settings.history_path))
    if why_not := missing_candles(names, symbols, interval):
        raise HTTPException(422, why_not)
    if start is not None and end is not None and start >= end:
        raise HTTPException(422, "The period is empty: its begin is not before its end.")
    choice = await checked_texts(desk, strategy, params, symbols)
    written = ",".join(f"{name}={value}" for name, value in choice.params.items())
    asked = {
        "strategy": choice.name,
        "params": written,
        "symbol": ",".join(symbols),
        "interval": interval,
        "data": str(names.folder),
        "start": start.isoformat() if start else None,
        "end": end.isoformat() if end else None,
        "cash": plain(cash),
        "fee": plain(fee),
        "fills": fills,
        **({"spread": plain(spread), "slippage": slippage} if fills == "candles" else {}),
    }
    await begun(jobs, backtest(asked), session)
    return await said_or_back(request, "It has begun; how far it is stands in the list.", ADDRESS)


@router.post(f"{ADDRESS}/{{number}}/cancel")
async def cancel(request: Request, jobs: JobsOf, number: int) -> Response:
    """End it."""
    await jobs.cancel(_job(jobs.find(KIND, number), number))
    return await said_or_back(request, f"Backtest {number} has ended.", ADDRESS)


@router.get(f"{ADDRESS}/{{number}}")
async def show_backtest(request: Request, jobs: JobsOf, number: int) -> Response:
    """One of them with its report."""
    job = _job(jobs.find(KIND, number), number)
    has_report = (jobs.place(job) / "report.html").is_file()
    return await show(request, "advanced/backtest_one.html", ADDRESS, job=job, has_report=has_report, log=jobs.log(job))


@router.get(f"{ADDRESS}/{{number}}/report")
async def show_report(request: Request, desk: DeskOf, jobs: JobsOf, number: int) -> Response:
    """The report as the backtest wrote it. It may load nothing and run nothing but its own script, apart from us."""
    path = _file(jobs, number, "report.html")
    page = await desk.in_thread(path.read_bytes)
    headers = {"Content-Security-Policy": _policy(page)}
    return HTMLResponse(_in_theme(page, request.cookies.get(THEME_COOKIE, THEMES[0])), headers=headers)


@router.get(f"{ADDRESS}/{{number}}/report.json", response_class=FileResponse)
async def download_figures(jobs: JobsOf, number: int) -> Response:
    """The report for programs."""
    return FileResponse(
        _file(jobs, number, "report.json"), media_type="application/json", filename=f"backtest-{number}.json"
    )


def _in_theme(page: bytes, theme: str) -> bytes:
    """The report has the theme of the system; within our pages it has theirs, where the reader has chosen one."""
    if theme not in {"dark", "light"}:
        return page
    always = b"all" if theme == "dark" else b"not all"
    return page.replace(b"@media (prefers-color-scheme: dark)", b"@media " + always, 1).replace(
        b"color-scheme: light dark", f"color-scheme: {theme}".encode(), 1
    )


def _policy(page: bytes) -> str:
    """What the report may do (W3C Content Security Policy Level 3): its own script is known by its hash."""
    script = _ITS_SCRIPT.search(page)
    known = base64.b64encode(hashlib.sha256(script[1]).digest()).decode() if script else ""
    rules = ["default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "frame-ancestors 'self'"]
    rules += ["base-uri 'none'", "form-action 'none'"]
    rules += [f"script-src 'sha256-{known}'", "sandbox allow-scripts"] if known else ["sandbox"]
    return "; ".join(rules)


def _job(job: Job | None, number: int) -> Job:
    if job is None:
        raise HTTPException(404, f"There is no backtest {number}; the last {KEEP} are kept.")
    return job


def _file(jobs: JobsOf, number: int, name: str) -> Path:
    path = jobs.place(_job(jobs.find(KIND, number), number)) / name
    if not path.is_file():
        raise HTTPException(404, f"Backtest {number} has no report.")
    return path
