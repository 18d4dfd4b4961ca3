"""Every tool that is offered, by the official client over each transport, on one real trader and simulated exchange."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import Implementation

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.ops.clock import sleep_seconds, wall_ms
from tests.mcp_server.stack import Stack, running_stack
from tests.sessions.daemon_process import CLEAN_ENVIRONMENT

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

# The strategy says BUY at nearly each tick, and the bot itself is too cautious to follow it: what it proposes is left
# for assistants to confirm.
SETTINGS = {
    "STRATEGY_PARAMS": "rsi_oversold=98,rsi_overbought=99",
    "RISK_MIN_CONFIDENCE": "1",
    "RISK_COOLDOWN_SECONDS": "0",
    "MCP_MAX_QUOTE_PER_DAY": "0",
    "MCP_MAX_ORDERS_PER_HOUR": "0",
}
READING = {
    "get_market_price": {"symbol": "BTCUSDT"},
    "get_order_book": {"symbol": "BTCUSDT", "levels": 5},
    "get_candles": {"symbol": "BTCUSDT", "interval": "5m", "limit": 3},
    "generate_trading_signal": {"symbol": "ETHUSDT"},
    "validate_trade_risk": {"symbol": "ETHUSDT", "side": "BUY", "quote_amount": 50},
    "explain_decision": {"symbol": "BTCUSDT"},
    "list_strategies": {},
    "compare_strategies": {"symbol": "BTCUSDT"},
    "run_backtest": {
        "strategy": "rsi_momentum",
        "symbols": ["BTCUSDT"],
        "interval": "1m",
        "parameters": {"rsi_period": 5},
    },
    "get_portfolio_summary": {},
    "get_performance_metrics": {},
    "get_risk_status": {},
    "get_logs": {"limit": 5},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory, history):
    async with running_stack(tmp_path_factory.mktemp("traded"), HISTORY_PATH=str(history), **SETTINGS) as stack:
        yield stack


@asynccontextmanager
async def over_http(stack: Stack, folder: Path) -> AsyncIterator[Client]:
    """A client of the server that listens."""
    async with stack.client() as client:
        yield client


@asynccontextmanager
async def over_stdio(stack: Stack, folder: Path) -> AsyncIterator[Client]:
    """A client that starts a server of its own; all that this writes to standard output is for the protocol."""
    out, log = folder / "out", folder / "log"
    server = StdioServerParameters(
        command="sh",
        args=["-c", f'"$0" -m binance_trade_agent.cli mcp --stdio | tee "{out}"', sys.executable],
        env={**CLEAN_ENVIRONMENT, **stack.settings, "LEDGER_PATH": str(stack.folder / "ledger.db")},
        cwd=stack.folder,
    )
    with log.open("w") as errors:
        async with Client(stdio_client(server, errors), client_info=Implementation(name="own", version="1")) as client:
            yield client
    lines = out.read_text().splitlines()
    assert lines
    assert {json.loads(line)["jsonrpc"] for line in lines} == {"2.0"}
    assert "Traceback" not in log.read_text()


class Assistant:
    """Calls tools, and remembers which. Attributes: called: their names."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.called: set[str] = set()

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers; the client holds that against the schema that it was told."""
        self.called.add(tool)
        progress: list[float] = []

        async def note(so_far: float, total: float | None, message: str | None) -> None:
            assert (total, bool(message)) == (100, True)
            progress.append(so_far)

        result = await self._client.call_tool(tool, arguments, progress_callback=note)
        assert not result.is_error, result.content
        assert progress == sorted(set(progress)), "it only grows"
        assert (tool in {"run_backtest", "compare_strategies"}) == bool(progress)
        assert result.structured_content is not None
        assert json.loads(result.content[0].text) == result.structured_content
        return result.structured_content

    async def until(self, is_so, tool: str, **arguments: Any) -> dict[str, Any]:
        """The same, asked again while something is still on its way, such as a price that is being read."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(60):
                while not is_so(found := await self.ask(tool, **arguments)):
                    await sleep_seconds(0.2)
        except TimeoutError:
            raise AssertionError(found) from None
        return found

    async def confirm(self, preview: dict[str, Any]) -> dict[str, Any]:
        """The second step."""
        outcome = await self.ask("confirm_order", preview_id=preview["preview_id"])
        assert outcome["state"] == "done", outcome
        return outcome


@pytest.mark.parametrize("connected", [over_http, over_stdio], ids=["http", "stdio"])
async def test_an_assistant_uses_every_tool(stack, tmp_path, connected):
    async with connected(stack, tmp_path) as client:
        offered = {tool.name for tool in (await client.list_tools()).tools}
        assistant = Assistant(client)
        await assistant.until(lambda status: status["is_ready"], "get_system_status")
        await it_reads(assistant)
        await it_buys_what_the_strategy_proposes(assistant)
        await it_sells_half_of_it_and_closes_the_rest(assistant)
        await it_takes_an_order_back(assistant)
        await it_throws_switches(assistant)
        await it_stops_everything_until_a_person_lets_go(stack, assistant)
        assert assistant.called == offered


async def it_reads(assistant: Assistant) -> None:
    updated = await assistant.ask("update_market_prices")
    assert [one["symbol"] for one in updated["prices"]] == ["BTCUSDT", "ETHUSDT"]
    assert all(one["age_seconds"] < 30 and one["last_price"] for one in updated["prices"])
    found = {tool: await assistant.ask(tool, **arguments) for tool, arguments in READING.items()}
    price, book = found["get_market_price"], found["get_order_book"]
    assert Decimal(price["bid"]) < Decimal(price["ask"])
    assert len(book["bids"]) == len(book["asks"]) == 5
    assert Decimal(book["bids"][0]["price"]) < Decimal(book["asks"][0]["price"])
    assert [one["is_closed"] for one in found["get_candles"]["candles"]][:2] == [True, True]
    assert found["generate_trading_signal"]["age_seconds"] is not None
    assert found["validate_trade_risk"]["why_not"] is None
    tested, compared = found["run_backtest"], found["compare_strategies"]
    assert (tested["strategy"], tested["symbols"], tested["interval"]) == ("rsi_momentum", ["BTCUSDT"], "1m")
    assert tested["opening_quote"] == tested["final_quote"] == "10000", "it obeys RISK_MIN_CONFIDENCE too"
    assert (tested["confirm_interval"], compared["not_asked"]) == (None, None)
    assert compared["buy"] + compared["sell"] + compared["hold"] == len(compared["strategies"]) == 8
    assert (await assistant.ask("get_open_orders"))["orders"] == [], "a trial places nothing"


async def it_buys_what_the_strategy_proposes(assistant: Assistant) -> None:
    proposal = await assistant.until(
        lambda found: found["preview"] and found["preview"]["verdict"] == "allowed",
        "execute_trading_workflow",
        symbol="BTCUSDT",
    )
    assert (proposal["signal"], proposal["outcome"]) == ("BUY", "REFUSED")
    assert Decimal(95) < Decimal(proposal["preview"]["worth_quote"]) <= Decimal(100), "the size of the settings"
    outcome = await assistant.confirm(proposal["preview"])
    assert outcome["order_state"] == "FILLED"
    (held,) = [one for one in (await assistant.ask("get_current_positions"))["positions"] if one["symbol"] == "BTCUSDT"]
    assert held["strategy"] == "by hand"
    trades = (await assistant.ask("get_trade_history", symbol="BTCUSDT", side="BUY"))["trades"]
    assert trades[0]["client_order_id"] == outcome["order_id"]


async def it_sells_half_of_it_and_closes_the_rest(assistant: Assistant) -> None:
    order = {"symbol": "BTCUSDT", "percent_of_free": 50}
    preview = await assistant.until(lambda found: found["verdict"] == "allowed", "place_sell_order", **order)
    assert (await assistant.confirm(preview))["order_state"] == "FILLED"
    answer = await assistant.ask("close_position", symbol="BTCUSDT", reason="enough for today")
    assert answer["answer"].startswith("BTCUSDT: EXECUTED "), answer


async def it_takes_an_order_back(assistant: Assistant) -> None:
    order = {"symbol": "ETHUSDT", "quantity": "0.02", "type": "limit", "price": 1000}
    preview = await assistant.until(lambda found: found["verdict"] == "allowed", "place_buy_order", **order)
    outcome = await assistant.confirm(preview)
    assert [one["client_order_id"] for one in (await assistant.ask("get_open_orders"))["orders"]] == [
        outcome["order_id"]
    ]
    assert (await assistant.ask("cancel_order", order_id=outcome["order_id"]))["answer"] == "Cancelled."


async def it_throws_switches(assistant: Assistant) -> None:
    assert (await assistant.ask("pause"))["answer"] == "Entries are paused."
    assert (await assistant.ask("get_system_status"))["paused"] == "entries"
    assert (await assistant.ask("resume"))["answer"] == "Entries are allowed again."
    parameters = {"rsi_oversold": 97.5, "rsi_overbought": 99}
    answer = await assistant.ask("set_strategy", name="rsi_momentum", parameters=parameters)
    assert answer["state"] == "done", answer


async def it_stops_everything_until_a_person_lets_go(stack: Stack, assistant: Assistant) -> None:
    answer = await assistant.ask("set_emergency_stop", reason="a test")
    assert answer["answer"].startswith("The kill switch is on"), answer
    assert (await assistant.ask("get_system_status"))["is_emergency_stopped"] is True
    commands.place(
        stack.folder / "ledger.db",
        CommandKind.RELEASE,
        requested_by="a person",
        requested_wall_ms=wall_ms(),
        payload={"name": stack.settings["TRADING_INSTANCE"]},
    )
    await assistant.until(lambda status: not status["is_emergency_stopped"], "get_system_status")
