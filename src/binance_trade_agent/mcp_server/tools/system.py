"""What the bot is doing."""

from pydantic import BaseModel, Field

from binance_trade_agent.desk.health import health_of, readiness_of
from binance_trade_agent.mcp_server.offering import Call, reads, shared


class SystemStatus(BaseModel):
    """Whether the trader lives and may enter positions."""

    state: str = Field(description="trading, late, starting, stopped, failed, gone or never ran")
    sentence: str = Field(description="the state in words")
    is_ready: bool = Field(description="whether positions may be entered now")
    missing: list[str] = Field(description="what keeps all entries away")
    limited: list[str] = Field(description="what keeps some symbols away")


async def get_system_status(call: Call) -> SystemStatus:
    """Whether the trader lives, and whether it may enter positions now."""
    desk = shared(call).desk
    health = health_of(desk)
    readiness = await readiness_of(desk, health)
    return SystemStatus(
        state=health.state,
        sentence=health.sentence,
        is_ready=readiness.is_ready,
        missing=list(readiness.missing),
        limited=list(readiness.limited),
    )


TOOLS = (reads(get_system_status, "System status"),)
