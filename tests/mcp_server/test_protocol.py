"""What the protocol asks of a server, seen by the official client: https://modelcontextprotocol.io/specification."""

import asyncio
import json
import re

import httpx2
import pytest
from mcp import MCPError
from mcp_types import INVALID_PARAMS, PromptReference, ResourceTemplateReference

from binance_trade_agent import __version__
from binance_trade_agent.desk.tickets import LIFETIME_SECONDS
from binance_trade_agent.mcp_server import command
from binance_trade_agent.ops.clock import sleep_seconds
from tests.mcp_server.served import GENERATIONS, served_mcp

both_generations = pytest.mark.parametrize("generation", GENERATIONS)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """With everything that there is to call; nothing has ever run."""
    with served_mcp(tmp_path_factory.mktemp("protocol"), MCP_ALLOW_TRADING="true") as running:
        yield running


@both_generations
async def test_it_introduces_itself(server, generation):
    async with server.client(mode=generation) as client:
        about = client.server_info
        assert (about.name, about.title, about.version) == (
            "binance-trading-agent",
            "Binance trading agent",
            __version__,
        )
        assert f"within {LIFETIME_SECONDS} s" in client.instructions
        offered = {tool.name for tool in (await client.list_tools()).tools}
        asked = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", client.instructions))
        assert asked - {"preview_id"} <= offered
        capabilities = client.server_capabilities
        assert None not in (
            capabilities.tools,
            capabilities.resources,
            capabilities.prompts,
            capabilities.completions,
        )


async def test_it_answers_a_ping(server):
    async with server.client(mode="legacy") as client:
        await client.session.send_ping()


@both_generations
async def test_each_tool_says_what_it_is_for_and_what_each_input_means(server, generation):
    async with server.client(mode=generation) as client:
        tools = (await client.list_tools()).tools
    for tool in tools:
        assert tool.title == tool.annotations.title
        assert 20 < len(tool.description) < 500, tool.name
        assert tool.description.endswith(".")
        assert tool.annotations.read_only_hint is not None
        assert tool.annotations.read_only_hint or tool.annotations.destructive_hint is not None
        for name, schema in tool.input_schema.get("properties", {}).items():
            about = json.dumps(schema)
            assert "description" in about or "enum" in about, f"{tool.name}.{name}"
    described = {tool.name: tool.description for tool in tools}
    for name in ("place_buy_order", "place_sell_order", "execute_trading_workflow"):
        assert f"confirm_order with the preview_id places it, once, within {LIFETIME_SECONDS} s" in described[name]


@both_generations
@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (
            lambda client: client.get_prompt("review_my_days"),
            "There is no prompt 'review_my_days'; did you mean review_my_day?",
        ),
        (
            lambda client: client.get_prompt("why_no_trades", {"symbol": "B" * 500}),
            "The prompt why_no_trades cannot be written with these arguments; it takes symbol.",
        ),
        (
            lambda client: client.get_prompt("tune_my_risk", {"symbol": "BTCUSDT"}),
            "The prompt tune_my_risk cannot be written with these arguments; it takes no arguments.",
        ),
        (
            lambda client: client.read_resource("file:///etc/passwd"),
            "There is no document 'file:///etc/passwd'; there are trade-agent://configuration, ",
        ),
        (
            lambda client: client.read_resource("trade-agent://strategies/rsi_momentun"),
            "There is no strategy 'rsi_momentun'; did you mean rsi_momentum?",
        ),
    ],
)
async def test_what_there_is_not_is_an_error_of_the_protocol_in_a_sentence(server, generation, ask, sentence):
    async with server.client(mode=generation) as client:
        with pytest.raises(MCPError) as refused:
            await ask(client)
    assert refused.value.error.code == INVALID_PARAMS
    assert refused.value.error.message.startswith(sentence)


@both_generations
async def test_documents_have_a_template_and_names_are_completed(server, generation):
    async with server.client(mode=generation) as client:
        (template,) = (await client.list_resource_templates()).resource_templates
        ref = ResourceTemplateReference(uri=template.uri_template)
        names = (await client.complete(ref, {"name": "name", "value": "RSI"})).completion
        assert "rsi_momentum" in names.values
        assert names.total == len(names.values)
        page = await client.read_resource(template.uri_template.replace("{name}", names.values[0]))
        assert page.contents[0].mime_type == "text/markdown"
        ref = PromptReference(name="why_no_trades")
        assert (await client.complete(ref, {"name": "symbol", "value": "et"})).completion.values == ["ETHUSDT"]
        assert (await client.complete(ref, {"name": "other", "value": ""})).completion.values == []
        prompt = await client.get_prompt("why_no_trades", {"symbol": "ethusdt"})
    assert "on ETHUSDT?" in prompt.messages[0].content.text


async def test_a_session_ends_with_its_server_and_the_client_begins_another(tmp_path):
    with served_mcp(tmp_path) as first:
        port = int(first.base.rpartition(":")[2])
        async with first.client(mode="legacy") as client:
            await client.call_tool("get_system_status", {})
            session = await opened(first)
    with served_mcp(tmp_path, port=port) as second:
        lost = await asked(second, session)
        assert (lost.status_code, lost.json()["error"]["message"]) == (404, "Session not found")
        async with second.client(mode="legacy") as client:
            assert not (await client.call_tool("get_system_status", {})).is_error


async def test_a_version_of_the_protocol_that_nobody_knows_is_refused(server):
    session = await opened(server)
    assert (await asked(server, session, version="1999-01-01")).status_code == 400
    assert (await asked(server, session, version="2025-06-18")).status_code == 200


async def opened(server) -> str:
    """The id of a new session."""
    return (await server.post()).headers["mcp-session-id"]


async def asked(server, session: str, *, version: str = "2025-06-18") -> httpx2.Response:
    """The answer to a request in a session."""
    headers = {
        "Accept": "application/json, text/event-stream",
        "Mcp-Session-Id": session,
        "MCP-Protocol-Version": version,
    }
    message = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}
    async with httpx2.AsyncClient(timeout=30) as http:
        return await http.post(f"{server.base}/mcp", json=message, headers=headers)


async def test_a_session_that_nobody_uses_makes_room_for_another(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_MOST_SESSIONS", 1)
    monkeypatch.setattr(command, "_IDLE_SECONDS", 0.2)
    with served_mcp(tmp_path) as server:
        first = await opened(server)
        async with asyncio.timeout(60):
            while (another := await server.post()).status_code == 503:
                await sleep_seconds(0.05)
        assert another.headers["mcp-session-id"] != first
        assert (await asked(server, first)).status_code == 404
