"""What a client's person may type: symbols that are traded, and names of strategies."""

from mcp.server.mcpserver import MCPServer
from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.judging import orderable
from binance_trade_agent.mcp_server.offering import Shared
from binance_trade_agent.strategies.registry import describe

_MOST = 100  # as the protocol has it


def offer_completions(server: MCPServer[Shared], desk: Desk) -> None:
    """Complete a prompt's symbol and the name of a strategy's page."""

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]
    async def complete(
        ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument, _: CompletionContext | None
    ) -> Completion:
        names: list[str] = []
        if isinstance(ref, PromptReference) and argument.name == "symbol":
            names = list(await orderable(desk))
        elif isinstance(ref, ResourceTemplateReference) and argument.name == "name":
            names = [each.name for each in await desk.in_thread(describe)]
        fitting = [name for name in names if name.lower().startswith(argument.value.lower())]
        return Completion(values=fitting[:_MOST], total=len(fitting), has_more=len(fitting) > _MOST)
