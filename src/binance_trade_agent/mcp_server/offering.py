"""How a tool is written: a function, what it is given, how it refuses, and what it says of itself.

A tool is an async function whose first parameter is the `Call`; the others are its typed input, and what it returns, a
pydantic model, is its structured output. Its docstring is its description. It refuses with `ToolError` and one
sentence. A module lists its tools in TOOLS, made by `reads` or `acts`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.jobs.runner import Jobs
from binance_trade_agent.desk.memory import Memory
from binance_trade_agent.desk.tickets import Tickets
from binance_trade_agent.settings import Settings

__all__ = ["Call", "Shared", "Tool", "ToolError", "acts", "reads", "shared"]


@dataclass(frozen=True, slots=True)
class Shared:
    """What all tools of one server share.

    Attributes:
        desk: what is read from, and where commands are left.
        memory: sums over all trades and equity curves.
        jobs: long work as processes of their own; they end with the server.
        tickets: what was previewed and may be confirmed.
    """

    desk: Desk
    memory: Memory
    jobs: Jobs
    tickets: Tickets = field(default_factory=Tickets)

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return self.desk.settings


Call = Context[Shared, Any]  # the call that a tool answers


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the server offers it.

    Attributes:
        changes: it changes what is traded, so it needs MCP_ALLOW_TRADING.
    """

    function: Callable[..., Awaitable[Any]]
    title: str
    annotations: ToolAnnotations
    changes: bool

    @property
    def name(self) -> str:
        """The name that clients call."""
        return self.function.__name__


def reads(function: Callable[..., Awaitable[Any]], title: str) -> Tool:
    """A tool that changes nothing of what is traded."""
    annotations = ToolAnnotations(title=title, read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    return Tool(function, title, annotations, changes=False)


def acts(
    function: Callable[..., Awaitable[Any]], title: str, *, is_destructive: bool, is_idempotent: bool = False
) -> Tool:
    """A tool that changes what is traded; only with MCP_ALLOW_TRADING.

    Args:
        function: see the module.
        title: for people.
        is_destructive: what it does cannot be taken back.
        is_idempotent: the same call once more changes nothing more.
    """
    annotations = ToolAnnotations(
        title=title,
        read_only_hint=False,
        destructive_hint=is_destructive,
        idempotent_hint=is_idempotent,
        open_world_hint=False,
    )
    return Tool(function, title, annotations, changes=True)


def shared(call: Call) -> Shared:
    """What all tools share."""
    return call.request_context.lifespan_context
