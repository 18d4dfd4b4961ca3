"""An assistant's day on the real stack: the official client, `trade-agent mcp`, a trader on the simulated exchange."""

import asyncio
import json
from decimal import Decimal

import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import sleep_seconds
from tests.dashboard.served import served
from tests.mcp_server.stack import Stack, refused, running_stack, said
from tests.sessions.command import trade_agent

pytestmark = pytest.mark.slow


def ordered(stack: Stack) -> list[commands.Command]:
    """Orders that were placed as commands, newest first."""
    with LedgerReader.open(stack.folder / "ledger.db") as reader:
        latest = reader.snapshot(lambda connection: commands.latest_commands(connection, 50))
    return [one for one in latest if one.kind is commands.CommandKind.ORDER]


def held(stack: Stack, symbol: str) -> Decimal:
    with LedgerReader.open(stack.folder / "ledger.db") as reader:
        return reader.snapshot(lambda connection: queries.position(connection, 1, symbol)).quantity


async def test_an_assistants_day(tmp_path):
    async with running_stack(tmp_path, MCP_MAX_ORDERS_PER_HOUR="4", RISK_COOLDOWN_SECONDS="0") as stack:
        async with stack.client() as claude, stack.client("other") as other:
            await the_trader_is_ready(claude)
            await it_is_refused_by_risk_corrects_confirms_and_sees_the_fill(stack, claude)
            await a_confirmation_that_is_sent_twice_places_one_order(stack, claude)
            await what_another_previewed_cannot_be_confirmed(stack, claude, other)
            await a_resting_order_is_placed_and_cancelled(claude)
            await it_pauses_and_resumes(claude)
            await it_changes_the_strategy(claude)
            await where_the_strategy_says_hold_there_is_nothing_to_confirm(claude)
            await it_sells_within_its_budget_and_no_further(stack, claude)
            await it_closes_a_position_outside_of_its_budget(stack, claude)
            await it_throws_the_emergency_stop(stack, claude)
        await stack.stop()
        await asyncio.gather(stack.start_trader(), stack.start_server())
        async with stack.client(mode="auto") as claude:
            await the_emergency_stop_still_holds(stack, claude)


async def the_trader_is_ready(claude) -> None:
    """After its start it first hears from the exchange."""
    async with asyncio.timeout(30):
        while not (await said(claude, "get_system_status"))["is_ready"]:
            await sleep_seconds(0.1)


async def allowed(claude, tool: str, **order) -> dict:
    """A preview that every rule allows: what lasts a moment, such as a price that is being read, is waited for."""
    preview = {}
    try:
        async with asyncio.timeout(20):
            while (preview := await said(claude, tool, **order))["verdict"] != "allowed":
                await sleep_seconds(0.2)
    except TimeoutError:
        raise AssertionError(preview["why_not"]) from None
    return preview


async def it_is_refused_by_risk_corrects_confirms_and_sees_the_fill(stack: Stack, claude) -> None:
    preview = await said(claude, "place_buy_order", symbol="btcusdt", quote_amount=700)
    assert preview["verdict"] == "refused"
    assert preview["why_not"].startswith("Refused by max order: the order is worth"), preview["why_not"]
    assert preview["preview_id"] is None
    against = [finding["rule"] for finding in preview["findings"] if not finding["allows"]]
    assert against[0] == "max_order"
    assert len(preview["findings"]) > 30

    preview = await allowed(claude, "place_buy_order", symbol="BTCUSDT", quote_amount="60")
    assert preview["order"].startswith("Buy ")
    assert "on average at most" in preview["order"]
    expected, worst = Decimal(preview["expected_price"]), Decimal(preview["worst_price"])
    assert expected <= worst <= expected * Decimal("1.02")
    assert preview["budget"]["orders_this_hour"] == 4
    assert ordered(stack) == [], "a preview places nothing"

    outcome = await said(claude, "confirm_order", preview_id=preview["preview_id"])
    assert outcome["state"] == "done"
    assert outcome["answer"].startswith("EXECUTED ")
    assert outcome["order_state"] == "FILLED"
    assert sum(Decimal(fill["quantity"]) for fill in outcome["fills"]) == Decimal(preview["quantity"])
    assert all(Decimal(fill["price"]) <= worst for fill in outcome["fills"])
    (command,) = ordered(stack)
    assert command.requested_by == "mcp (claude 1.0)"
    assert command.payload["worst_price"] == preview["worst_price"]
    lasts_ms = int(command.payload["expires_wall_ms"]) - command.requested_wall_ms
    assert 29_000 < lasts_ms <= 30_000
    assert command.client_order_id == outcome["order_id"]
    assert 0 < held(stack, "BTCUSDT") <= Decimal(preview["quantity"])


async def a_confirmation_that_is_sent_twice_places_one_order(stack: Stack, claude) -> None:
    preview = await allowed(claude, "place_buy_order", symbol="ETHUSDT", quote_amount=50)
    name = preview["preview_id"]
    before = len(ordered(stack))
    first, second = await asyncio.gather(
        said(claude, "confirm_order", preview_id=name), said(claude, "confirm_order", preview_id=name)
    )
    assert first == second == await said(claude, "confirm_order", preview_id=name)
    assert first["state"] == "done"
    assert len(ordered(stack)) == before + 1


async def what_another_previewed_cannot_be_confirmed(stack: Stack, claude, other) -> None:
    before = len(ordered(stack))
    preview = await allowed(claude, "place_sell_order", symbol="ETHUSDT", percent_of_free=100)
    for client, name in ((other, preview["preview_id"]), (claude, "guessed")):
        sentence = await refused(client, "confirm_order", preview_id=name)
        assert sentence.startswith("This confirmation is not known any more")
    async with stack.client() as same_name:
        await refused(same_name, "confirm_order", preview_id=preview["preview_id"])
    assert len(ordered(stack)) == before


async def a_resting_order_is_placed_and_cancelled(claude) -> None:
    preview = await allowed(claude, "place_buy_order", symbol="ETHUSDT", quantity="0.02", type="limit", price="1000")
    assert preview["expected_price"] is None
    outcome = await said(claude, "confirm_order", preview_id=preview["preview_id"])
    assert (outcome["state"], outcome["order_state"], outcome["executed"]) == ("done", "ACCEPTED", "0")
    answer = await said(claude, "cancel_order", order_id=outcome["order_id"])
    assert (answer["state"], answer["answer"]) == ("done", "Cancelled.")
    answer = await said(claude, "cancel_order", order_id=outcome["order_id"])
    assert (answer["state"], answer["answer"]) == ("refused", f"{outcome['order_id']} is over already: CANCELED.")
    answer = await said(claude, "cancel_order", order_id="bta-nothing")
    assert answer["answer"] == "There is no order 'bta-nothing'."


async def it_pauses_and_resumes(claude) -> None:
    assert (await said(claude, "pause"))["answer"] == "Entries are paused."
    preview = await said(claude, "place_buy_order", symbol="BTCUSDT", quote_amount=20)
    assert preview["why_not"].startswith("Refused by pause:")
    assert (await said(claude, "resume"))["answer"] == "Entries are allowed again."


async def it_changes_the_strategy(claude) -> None:
    answer = await said(claude, "set_strategy", name="rsi_momentun")
    assert answer["state"] == "refused"
    assert "rsi_momentum" in answer["answer"]
    parameters = {"rsi_oversold": 2, "rsi_overbought": 98}
    answer = await said(claude, "set_strategy", name="rsi_momentum", parameters=parameters)
    assert answer["state"] == "done"
    assert answer["answer"].startswith("From the tick at ")


async def where_the_strategy_says_hold_there_is_nothing_to_confirm(claude) -> None:
    async with asyncio.timeout(30):  # the strategy was changed from the next tick on
        while (found := await said(claude, "execute_trading_workflow", symbol="BTCUSDT"))["outcome"] != "HELD":
            await sleep_seconds(0.1)
    assert (found["signal"], found["preview"]) == ("HOLD", None)
    assert found["nothing_to_do"] == "The strategy said HOLD."
    assert "RSI" in found["reason"]


async def it_sells_within_its_budget_and_no_further(stack: Stack, claude) -> None:
    preview = await allowed(claude, "place_sell_order", symbol="ETHUSDT", percent_of_free=100)
    assert preview["budget"]["orders_this_hour"] == 1
    another = await allowed(claude, "place_buy_order", symbol="BTCUSDT", quote_amount=20)
    assert (await said(claude, "confirm_order", preview_id=preview["preview_id"]))["state"] == "done"
    sentence = await refused(claude, "confirm_order", preview_id=another["preview_id"])
    assert sentence.startswith("Assistants have placed 4 orders in the last hour and MCP_MAX_ORDERS_PER_HOUR is 4")
    assert sentence.endswith("Nothing was placed.")
    preview = await said(claude, "place_buy_order", symbol="BTCUSDT", quote_amount=20)
    assert "MCP_MAX_ORDERS_PER_HOUR" in preview["why_not"]
    assert len(ordered(stack)) == 4


async def it_closes_a_position_outside_of_its_budget(stack: Stack, claude) -> None:
    answer = await said(claude, "close_position", symbol="BTCUSDT", reason="enough\nfor today")
    assert answer["state"] == "done"
    assert answer["answer"].startswith("BTCUSDT: EXECUTED ")
    assert held(stack, "BTCUSDT") < Decimal("0.00002")
    assert (await said(claude, "close_position", symbol="BTCUSDT"))["state"] == "refused"


async def it_throws_the_emergency_stop(stack: Stack, claude) -> None:
    sentence = await refused(claude, "set_emergency_stop", enabled=False, reason="all is well")
    assert sentence.startswith("An assistant cannot release the emergency stop")
    answer = await said(claude, "set_emergency_stop", reason="the market\x00 looks odd", close_positions=True)
    assert answer["state"] == "done"
    assert answer["answer"].startswith("The kill switch is on: nothing is entered until `trade-agent release desk-7`")
    await it_is_on_everywhere(stack)


async def the_emergency_stop_still_holds(stack: Stack, claude) -> None:
    await it_is_on_everywhere(stack)
    sentence = (await said(claude, "place_buy_order", symbol="BTCUSDT", quote_amount=20))["why_not"]
    assert sentence.startswith("Refused by kill switch")
    assert (await said(claude, "resume"))["answer"].startswith(
        "Entries are no longer paused, but the kill switch is on"
    )
    await it_is_on_everywhere(stack)


async def it_is_on_everywhere(stack: Stack) -> None:
    """By the trader's ledger as the command line tells it, and on the dashboard."""
    status = json.loads((await trade_agent(stack.folder, "status", "--json")).out)
    assert status["is_killed"], status
    assert status["kill_reason"] == "the market looks odd"

    def bar() -> str:
        with served(stack.folder) as dashboard:
            return dashboard.visitor().get("/bar").words

    assert "emergency stop" in await asyncio.to_thread(bar)
