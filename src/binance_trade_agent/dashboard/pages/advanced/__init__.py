"""The page Advanced: what may be changed while the trader runs, and longer work, a section at an address of its own."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse

from binance_trade_agent.dashboard.pages.advanced import (
    backtest,
    candles,
    changes,
    configuration,
    control,
    ledger,
    limits,
    strategy,
)
from binance_trade_agent.dashboard.region import PROBLEMS
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.jobs.runner import Jobs, environment_of


@contextlib.asynccontextmanager
async def _with_jobs(app: FastAPI) -> AsyncIterator[None]:
    """Jobs live as long as the dashboard does."""
    desk: Desk = app.state.desk
    path = desk.ledger_path
    app.state.jobs = Jobs(path.with_name(f"{path.name}.jobs"), environment_of(desk.configuration))
    try:
        yield
    finally:
        await app.state.jobs.close()


router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS, lifespan=_with_jobs)
for section in (control, strategy, limits, configuration, candles, backtest, ledger, changes):
    router.routes.extend(section.router.routes)  # each as a route of this page, among which the hub finds the regions
