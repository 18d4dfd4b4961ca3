"""The second step of an order: by whom, how long, how often, and with whose word. Over real HTTP, both generations."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp_types import ElicitResult

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import OF_ASSISTANTS, CommandKind, CommandState
from binance_trade_agent.desk import tickets
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.mcp_server.trading import orders, switches, workflow
from binance_trade_agent.mcp_server.trading.client import recorded
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.mcp_server.explained_desk import ExplainedDesk, explained_desk
from tests.mcp_server.stack import refused, said

BUY = {"symbol": "BTCUSDT", "quote_amount": 60}
CHANGING = [tool for module in (orders, workflow, switches) for tool in module.TOOLS]
ARGUMENTS = {
    "place_buy_order": BUY,
    "place_sell_order": BUY,
    "confirm_order": {"preview_id": "x"},
    "execute_trading_workflow": {"symbol": "BTCUSDT"},
    "set_strategy": {"name": "rsi_momentum"},
    "set_emergency_stop": {"reason": "why not"},
    "close_position": {"symbol": "BTCUSDT"},
    "cancel_order": {"order_id": "bta-1"},
}
both_generations = pytest.mark.parametrize("mode", ["legacy", "auto"])


@pytest.fixture
def desk(tmp_path) -> Iterator[ExplainedDesk]:
    with explained_desk(tmp_path) as found:
        yield found


@both_generations
async def test_what_was_previewed_is_placed_once(desk, mode):
    async with desk.client(mode=mode) as client, desk.answering():
        preview = await said(client, "place_buy_order", **BUY)
        assert preview["verdict"] == "allowed", preview["why_not"]
        assert preview["order"] == (
            "Buy 0.001 BTC (BTCUSDT) at market, on average at most 60,300, worth about 60.00 USDT."
        )
        assert preview["expires_in_seconds"] == 60
        assert desk.placed() == []
        for _ in range(2):
            outcome = await said(client, "confirm_order", preview_id=preview["preview_id"])
            assert (outcome["state"], outcome["answer"]) == ("done", "Carried out order.")
    (command,) = desk.placed()
    assert command.requested_by == "mcp (claude 1.0)"
    assert command.payload["worst_price"] == "60300"


@both_generations
async def test_after_60_seconds_it_is_worth_nothing(desk, mode, monkeypatch):
    async with desk.client(mode=mode) as client:
        name = (await said(client, "place_buy_order", **BUY))["preview_id"]
        later = monotonic_seconds() + tickets.LIFETIME_SECONDS + 1
        monkeypatch.setattr(tickets, "monotonic_seconds", lambda: later)
        sentence = await refused(client, "confirm_order", preview_id=name)
    assert sentence.startswith("This confirmation is older than 60 s, and prices have moved")
    assert desk.placed() == []


@both_generations
async def test_another_client_confirms_nothing(desk, mode):
    async with desk.client(mode=mode) as client, desk.client("another", mode=mode) as another:
        name = (await said(client, "place_buy_order", **BUY))["preview_id"]
        sentence = await refused(another, "confirm_order", preview_id=name)
    assert sentence.startswith("This confirmation is not known any more")
    assert desk.placed() == []


async def test_another_session_of_the_same_name_confirms_nothing(desk):
    async with desk.client(mode="legacy") as client, desk.client(mode="legacy") as another:
        name = (await said(client, "place_buy_order", **BUY))["preview_id"]
        await refused(another, "confirm_order", preview_id=name)
    assert desk.placed() == []


class TestAPersonIsAsked:
    """Where the client can (elicitation)."""

    @both_generations
    async def test_and_says_yes(self, desk, mode):
        asked = []

        async def answer(_, params) -> ElicitResult:
            asked.append(params.message)
            return ElicitResult(action="accept", content={"place": True})

        async with desk.client(mode=mode, elicitation_callback=answer) as client, desk.answering():
            name = (await said(client, "place_buy_order", **BUY))["preview_id"]
            for _ in range(2):
                assert (await said(client, "confirm_order", preview_id=name))["state"] == "done"
        assert asked == [
            "Buy 0.001 BTC (BTCUSDT) at market, on average at most 60,300, worth about 60.00 USDT. Place it?"
        ]
        assert [command.requested_by for command in desk.placed()] == ["mcp (claude 1.0, confirmed by a person)"]

    @both_generations
    @pytest.mark.parametrize(
        "said_by_person",
        [
            ElicitResult(action="decline"),
            ElicitResult(action="cancel"),
            ElicitResult(action="accept", content={"place": False}),
        ],
        ids=["declines", "leaves", "says no"],
    )
    async def test_and_does_not_agree(self, desk, mode, said_by_person):
        async def answer(*_) -> ElicitResult:
            return said_by_person

        async with desk.client(mode=mode, elicitation_callback=answer) as client:
            name = (await said(client, "place_buy_order", **BUY))["preview_id"]
            outcome = await said(client, "confirm_order", preview_id=name)
            assert (outcome["state"], outcome["command_id"]) == ("declined", None)
            assert outcome["answer"] == "The person did not agree; nothing was placed."
            sentence = await refused(client, "confirm_order", preview_id=name)
            assert sentence.startswith("This confirmation is not known any more"), "asked once, for good"
        assert desk.placed() == []

    async def test_not_of_what_cannot_be_confirmed(self, desk):
        async def answer(*_) -> ElicitResult:
            raise AssertionError("nobody is to be asked")

        async with desk.client(mode="legacy", elicitation_callback=answer) as client:
            await refused(client, "confirm_order", preview_id="guessed")


@pytest.fixture
def alone(tmp_path) -> Iterator[ExplainedDesk]:
    """No trader runs."""
    with explained_desk(tmp_path, has_trader=False) as found:
        yield found


async def test_without_a_trader_only_switches_can_be_thrown(alone):
    async with alone.client() as client:
        for tool in ("place_buy_order", "set_strategy", "close_position", "cancel_order"):
            assert (await refused(client, tool, **ARGUMENTS[tool])).startswith("No trader runs, which would ")
        assert alone.placed() == []
        answer = await said(client, "pause")
        assert (answer["state"], answer["answer"]) == (
            "pending",
            "No trader runs; it will carry this out when it starts.",
        )
        answer = await said(client, "set_emergency_stop", reason=" odd\x1b[31m\n\tprices ")
        assert answer["answer"].startswith("No trader runs; the emergency stop is on; ")
        sentence = await refused(client, "set_emergency_stop", reason="odd", whole_account=True)
        assert sentence.startswith("No trader runs, which would ask the other daemons of its account")
    assert len(alone.placed()) == 2
    assert alone.placed()[0].payload == {"reason": "odd [31m prices", "close_positions": "false"}


async def test_what_ended_between_the_two_steps_places_nothing(desk, monkeypatch):
    async with desk.client(mode="legacy") as client:
        name = (await said(client, "place_buy_order", **BUY))["preview_id"]
        monkeypatch.setattr(Desk, "is_running", lambda _: False)
        sentence = await refused(client, "confirm_order", preview_id=name)
    assert sentence == "No trader runs, which would carry the order out; nothing was placed."
    assert desk.placed() == []


@pytest.fixture
def reading(tmp_path) -> Iterator[ExplainedDesk]:
    """A server that is not allowed to trade, as without its setting."""
    with explained_desk(tmp_path, MCP_ALLOW_TRADING="") as found:
        yield found


async def test_without_the_setting_each_tool_that_changes_something_is_refused(reading):
    async with reading.client() as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        for tool in CHANGING:
            assert tool.name not in listed
            sentence = await refused(client, tool.name, **ARGUMENTS.get(tool.name, {}))
            assert sentence == (
                f"{tool.name} changes what is traded, and this server only reads: MCP_ALLOW_TRADING is false."
            )
    assert reading.placed() == []


def test_hints_tell_what_is_previewed_from_what_is_done():
    hints = {tool.name: (tool.annotations.destructive_hint, tool.annotations.idempotent_hint) for tool in CHANGING}
    assert not any(tool.annotations.read_only_hint for tool in CHANGING)
    assert {name for name, (destructive, _) in hints.items() if destructive} == {
        "confirm_order",
        "set_emergency_stop",
        "close_position",
        "cancel_order",
    }
    assert {name for name, (_, idempotent) in hints.items() if not idempotent} == {
        "place_buy_order",
        "place_sell_order",
        "execute_trading_workflow",
        "close_position",
    }


@settings(max_examples=100, deadline=None)
@given(name=st.text(max_size=200), version=st.text(max_size=100))
def test_the_record_of_a_client_is_one_short_line_whatever_it_calls_itself(name, version):
    found = recorded(name, version, "confirmed by a person")
    assert found.startswith(OF_ASSISTANTS)
    assert found.endswith(", confirmed by a person)")
    assert found.isprintable()
    assert len(found) <= 100
    assert found.count("(") == found.count(")") == found.count(",") == 1
    assert "(" not in recorded(name, version).removeprefix(OF_ASSISTANTS)


async def test_what_a_person_has_paused_is_not_resumed_and_nothing_is_placed(desk):
    async with desk.client() as client, desk.answering():
        commands.place(desk.path, CommandKind.PAUSE, requested_by="cli", requested_wall_ms=1)
        while desk.placed()[0].state is CommandState.PENDING:
            await sleep_seconds(0.01)
        sentence = await refused(client, "resume")
        await refused(client, "set_strategy", name="rsi_momentum")
    assert sentence == (
        "Entries are paused by cli since 1970-01-01T00:00:00Z, and an assistant cannot resume: a person ends it, by "
        "`trade-agent resume` or on the dashboard."
    )
    assert [command.kind for command in desk.placed()] == [CommandKind.PAUSE]
