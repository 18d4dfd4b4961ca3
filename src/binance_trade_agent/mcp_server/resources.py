"""What can be read as documents: settings, the last session, what the daemon survives, the strategies."""

from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.mcp_server.fields import NOTICE, sentence
from binance_trade_agent.mcp_server.offering import Shared
from binance_trade_agent.reports.session import render, session_report
from binance_trade_agent.strategies.registry import StrategyDescription, describe

# In a wheel it lies beside this file, in a checkout among the documents.
_SURVIVAL = (Path(__file__).with_name("survival.md"), Path(__file__).parents[3] / "docs" / "survival.md")


def offer_resources(server: MCPServer[Shared], desk: Desk) -> None:
    """Register all of them."""

    @server.resource(
        "trade-agent://configuration",
        title="Configuration",
        description="Every setting in effect, where it is from; secrets are masked.",
        mime_type="text/markdown",
    )
    def configuration() -> str:
        rows = (f"| {name} | {_cell(value)} | {_cell(origin)} |" for name, value, origin in desk.configuration.rows())
        return "\n".join(["# Settings in effect", "", "| setting | value | from |", "|---|---|---|", *rows, ""])

    @server.resource(
        "trade-agent://session",
        title="The last session",
        description="The report of the newest run: decisions, orders, profit, positions.",
        mime_type="text/plain",
    )
    async def session() -> str:
        try:
            return await desk.with_reader(_session)
        except LedgerError as failure:
            raise ResourceError(sentence(str(failure))) from None

    @server.resource(
        "trade-agent://survival",
        title="What the daemon survives",
        description="Each failure that the daemon is held to survive, and how it does.",
        mime_type="text/markdown",
    )
    async def survival() -> str:
        return await desk.in_thread(_survival)

    @server.resource(
        "trade-agent://strategies",
        title="Strategies",
        description="Names and summaries of all strategies; each has a page of its own below this address.",
        mime_type="text/markdown",
    )
    async def strategies() -> str:
        described = await desk.in_thread(describe)
        rows = (f"- {each.name}: {each.broken or each.summary}" for each in described)
        return "\n".join(["# Strategies", "", NOTICE, "", *rows, ""])

    @server.resource(
        "trade-agent://strategies/{name}",
        title="A strategy",
        description="One strategy with its parameters, their defaults, bounds and meaning.",
        mime_type="text/markdown",
    )
    async def strategy(name: str) -> str:
        described = await desk.in_thread(describe)
        found = next((each for each in described if each.name == name), None)
        if found is None:
            near = nearest(name, [each.name for each in described])
            raise ResourceNotFoundError(f"There is no strategy {name!r}" + (f"; did you mean {near}?" if near else "."))
        return _page(found)


def _session(reader: LedgerReader) -> str:
    runs = reader.snapshot(queries.runs)
    if not runs:
        raise LedgerError("no trader has ever run on this ledger")
    return render(session_report(reader, runs[-1].run_id))


def _survival() -> str:
    path = next((path for path in _SURVIVAL if path.is_file()), None)
    if path is None:
        raise ResourceNotFoundError("This installation does not hold the table of what the daemon survives.")
    return path.read_text(encoding="utf-8")


def _page(found: StrategyDescription) -> str:
    preset = f"A preset of {found.preset_of}." if found.preset_of else ""
    lines = [f"# {found.name}", "", NOTICE, "", found.broken or found.summary, preset, ""]
    lines += ["| parameter | default | allowed | meaning |", "|---|---|---|---|"]
    lines += [
        f"| {each.name} | {each.default} | {each.allowed} | {_cell(each.description)} |" for each in found.parameters
    ]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
