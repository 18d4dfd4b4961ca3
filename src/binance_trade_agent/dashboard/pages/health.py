"""`/health` and `/ready` for machines: 200 or 503 and one JSON object, open to everybody, without secrets."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from binance_trade_agent.dashboard.region import DeskOf
from binance_trade_agent.desk.health import health_of, readiness_of

_BAD: dict[int | str, dict[str, Any]] = {503: {"description": "It is not; the answer says why."}}

router = APIRouter(default_response_class=JSONResponse, responses=_BAD)


@router.get("/health")
async def health(desk: DeskOf) -> Response:
    """Whether the trading loop is alive: 503 while it starts, is late, was stopped or has gone."""
    found = health_of(desk)
    beat = found.beat
    answer = {
        "healthy": found.is_healthy,
        "state": found.state,
        "detail": found.sentence,
        "heartbeat_age_seconds": round(beat.age_seconds, 1) if beat else None,
        "cycle": beat.cycle if beat else None,
    }
    return JSONResponse(answer, 200 if found.is_healthy else 503)


@router.get("/ready")
async def ready(desk: DeskOf) -> Response:
    """Whether it trades or may trade: `missing` says what keeps all entries away, `limited` what some symbols."""
    found = await readiness_of(desk, health_of(desk))
    answer = {"ready": found.is_ready, "missing": found.missing, "limited": found.limited}
    return JSONResponse(answer, 200 if found.is_ready else 503)
