"""Who may ask the MCP server: this machine, or whoever has the token; and what may be asked of it."""

import asyncio
import socket

import httpx2
import pytest

from binance_trade_agent.configuration import ConfigError, load
from binance_trade_agent.desk import serving
from binance_trade_agent.mcp_server.command import serve
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import spawn
from tests.mcp_server.served import GENERATIONS, configuration

TOKEN = "canary-of-the-assistants"


async def status(server, **headers):
    answer = await server.post(**headers)
    return answer.status_code, answer.text


class TestToken:
    @pytest.mark.parametrize("generation", GENERATIONS)
    async def test_only_the_token_that_is_set_opens_it(self, serve_mcp, generation):
        server = serve_mcp(MCP_AUTH_TOKEN=TOKEN)
        async with server.client(mode=generation) as client:
            assert (await client.call_tool("get_system_status", {})).is_error is False
        for wrong in (
            {},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": TOKEN},
        ):
            answer = await server.post(**wrong)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in answer.text

    async def test_a_token_of_other_characters_is_wrong_and_no_error(self, serve_mcp):
        server = serve_mcp(MCP_AUTH_TOKEN=TOKEN)
        async with httpx2.AsyncClient() as http:
            answer = await http.post(f"{server.base}/mcp", headers=[(b"authorization", b"Bearer \xff\xfe")])
        assert answer.status_code == 401

    async def test_it_may_come_from_a_file(self, serve_mcp, tmp_path):
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        server = serve_mcp(played=False, MCP_AUTH_TOKEN_FILE=str(tmp_path / "token"))
        async with server.client() as client:
            assert (await client.list_tools()).tools

    async def test_with_it_any_name_of_this_host_will_do(self, serve_mcp):
        server = serve_mcp(MCP_AUTH_TOKEN=TOKEN)
        assert (await status(server, Host="bot.example", Authorization=f"Bearer {TOKEN}"))[0] == 200

    @pytest.mark.parametrize("token", ["short", "with a blank in it", "täglich-ein-anderes"])
    def test_one_that_is_none_is_refused(self, tmp_path, token):
        with pytest.raises(ConfigError) as refused:
            load(environment={"MCP_AUTH_TOKEN": token}, folder=tmp_path)
        assert "it must be 16 characters or more, printable ASCII without blanks" in str(refused.value)
        assert token not in str(refused.value)


class TestWhereFrom:
    async def test_without_a_token_it_answers_to_names_of_this_machine_only(self, serve_mcp):
        server = serve_mcp()
        assert (await status(server))[0] == 200
        assert (await status(server, Host="localhost:8080"))[0] == 200
        code, text = await status(server, Host="rebound.example")
        assert code == 421
        assert text.startswith("Without MCP_AUTH_TOKEN this server is for this machine only")

    async def test_a_page_of_another_site_is_refused(self, serve_mcp):
        server = serve_mcp()
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
            assert (await status(server, Origin=origin))[0] == 403
        assert (await status(server, Origin=server.base))[0] == 200

    async def test_the_token_does_not_help_a_page_of_another_site(self, serve_mcp):
        server = serve_mcp(MCP_AUTH_TOKEN=TOKEN)
        assert (await status(server, Origin="https://evil.example", Authorization=f"Bearer {TOKEN}"))[0] == 403

    def test_an_address_that_others_reach_needs_a_token(self, tmp_path):
        with pytest.raises(
            ConfigError, match=r"MCP_HOST=0\.0\.0\.0 lets others reach the MCP server, which needs a token"
        ):
            serve(configuration(tmp_path, MCP_HOST="0.0.0.0", MCP_PORT="0"))

    async def test_locked_it_answers_nothing_but_a_notice(self, serve_mcp):
        server = serve_mcp(is_locked=True)
        code, text = await status(server)
        assert code == 503
        assert "Set MCP_AUTH_TOKEN" in text


class TestTrading:
    async def test_without_mcp_allow_trading_no_tool_changes_anything(self, serve_mcp):
        async with serve_mcp().client() as client:
            tools = (await client.list_tools()).tools
            assert all(tool.annotations.read_only_hint for tool in tools)
            answer = await client.call_tool("set_emergency_stop", {})
        assert answer.is_error
        assert answer.content[0].text == (
            "set_emergency_stop changes what is traded, and this server only reads: MCP_ALLOW_TRADING is false."
        )

    async def test_with_it_they_are_offered_and_say_that_they_change_something(self, serve_mcp):
        async with serve_mcp(MCP_ALLOW_TRADING="true").client() as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        for name in ("place_buy_order", "confirm_order", "set_emergency_stop"):
            assert tools[name].annotations.read_only_hint is False
        assert tools["confirm_order"].annotations.destructive_hint is True

    async def test_nothing_withdraws_touches_keys_changes_the_mode_or_releases_the_stop(self, serve_mcp):
        async with serve_mcp(MCP_ALLOW_TRADING="true").client() as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
        assert not [name for name in names if any(word in name for word in ("withdraw", "key", "mode", "release"))]


class TestPatience:
    """Who has no token must not use up the connections that the process may have."""

    @pytest.mark.parametrize(
        "begun",
        [
            b"",
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Endless: ",
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",  # refused by its headers
        ],
    )
    async def test_a_connection_that_asks_for_nothing_is_closed(self, serve_mcp, monkeypatch, begun):
        monkeypatch.setattr(serving, "_PATIENCE_SECONDS", 0.1)
        server = serve_mcp(MCP_AUTH_TOKEN=TOKEN)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base.rpartition(":")[2]))
        writer.write(begun)
        answer = await asyncio.wait_for(reader.read(), 30)
        assert answer.startswith(b"HTTP/1.1 401" if b"Content-Length" in begun else b"")
        writer.close()

    async def test_one_that_waits_for_its_answer_is_kept(self, monkeypatch):
        """Its patience is for who asks for nothing: the answer comes after it is over."""
        monkeypatch.setattr(serving, "_PATIENCE_SECONDS", 1.0)

        async def answers_late(scope, receive, send):
            assert scope["type"] == "http"
            await sleep_seconds(1.3)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"late"})

        with socket.create_server(("127.0.0.1", 0)) as made:
            server = serving.web_server(answers_late)
            server.config.lifespan = "off"
            running = spawn(server.serve(sockets=[made]), name="server")
            reader, writer = await asyncio.open_connection(*made.getsockname())
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b"late" in await asyncio.wait_for(reader.read(), 30)
            writer.close()
            server.should_exit = True
            await running
