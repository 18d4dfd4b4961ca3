"""What may be asked of a preview, and what it promises whatever is asked."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp_types import Implementation

from binance_trade_agent.desk.judging import judge
from binance_trade_agent.ledger.connection import open_existing
from binance_trade_agent.mcp_server.trading.previews import sentence
from binance_trade_agent.ops.order_command import _lines
from binance_trade_agent.reports.order_draft import Draft
from tests.mcp_server.explained_desk import ExplainedDesk, explained_desk
from tests.mcp_server.stack import refused, said


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Iterator[ExplainedDesk]:
    """One at which nothing is placed."""
    folder = tmp_path_factory.mktemp("previews")
    with explained_desk(folder, is_served=False, RISK_MAX_SLIPPAGE_PCT="0", MCP_MAX_QUOTE_PER_DAY="300") as found:
        yield found


def client_of(desk: ExplainedDesk) -> Client:
    return Client(desk.server(), client_info=Implementation(name="claude", version="1.0"))


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence_said"),
    [
        ("place_buy_order", {}, "Say how much by one of quantity, quote_amount and percent_of_free."),
        ("place_buy_order", {"quantity": 1, "quote_amount": 1}, "Say how much by one of quantity"),
        ("place_buy_order", {"quantity": "many"}, "quantity: "),
        ("place_buy_order", {"quantity": -1}, "quantity: input should be greater than 0."),
        ("place_buy_order", {"quantity": "NaN"}, "quantity: "),
        ("place_buy_order", {"quantity": "1e999999"}, "quantity: "),
        ("place_buy_order", {"percent_of_free": 150}, "The amount is 150 %: at most 100 %"),
        ("place_buy_order", {"quantity": 1, "type": "limit"}, "The limit price is missing."),
        ("place_buy_order", {"quantity": 1, "type": "iceberg"}, "type: "),
        ("place_buy_order", {"quantity": "0.000001"}, "0.000001 BTC is less than the least step"),
        ("place_buy_order", {"symbol": "BTCUSD", "quantity": 1}, "BTCUSD is not traded here, only BTCUSDT"),
        (
            "place_buy_order",
            {"quantity": 1, "worst_prise": 1},
            "place_buy_order takes no 'worst_prise'; did you mean wor",
        ),
        ("place_buy_order", {"size": 1}, "place_buy_order takes no 'size'; it takes symbol, quantity, quote_amount,"),
        ("execute_trading_workflow", {"symbol": "DOGEUSDT"}, "The ledger has no symbol 'DOGEUSDT', only"),
        ("cancel_order", {"order_id": ""}, "order_id: "),
        ("set_strategy", {"name": "rsi_momentum", "parameters": {"a,b": 1}}, "parameters"),
        ("pause", {"scope": "all"}, "scope: "),
        ("set_emergency_stop", {"reason": "\t"}, "Say why, in a word; nothing was stopped."),
        ("withdraw", {}, "There is no tool 'withdraw'"),
        ("release", {}, "There is no tool 'release'"),
    ],
)
async def test_what_is_not_sound_is_refused_in_a_sentence(desk, monkeypatch, tool, arguments, sentence_said):
    monkeypatch.setattr("binance_trade_agent.mcp_server.awaiting.WAIT_SECONDS", -1)
    await desk.put_market()
    async with client_of(desk) as client:
        given_symbol = {"symbol": "BTCUSDT"} if tool.startswith("place_") else {}
        assert (await refused(client, tool, **{**given_symbol, **arguments})).startswith(sentence_said)
    assert desk.placed() == []


async def test_clients_that_never_send_nothing_are_answered(desk):
    async with client_of(desk) as client:
        assert (await said(client, "list_strategies", random_string=""))["strategies"]


async def test_a_market_order_always_has_a_price_bound(desk):
    await desk.put_market()
    async with client_of(desk) as client:
        buy = await said(client, "place_buy_order", symbol="BTCUSDT", quote_amount=60)
        assert (buy["expected_price"], buy["worst_price"]) == ("60000", "60600"), "1 % worse than the book"
        sell = await said(client, "place_sell_order", symbol="BTCUSDT", quantity="0.001")
        assert (sell["expected_price"], sell["worst_price"]) == ("59990", "59390.1")
        own = await said(client, "place_buy_order", symbol="BTCUSDT", quote_amount=60, worst_price="60010")
        assert own["worst_price"] == "60010"


@pytest.fixture
def own(tmp_path) -> Iterator[ExplainedDesk]:
    """One that may be changed."""
    with explained_desk(tmp_path, is_served=False) as found:
        yield found


async def test_limits_that_the_trader_has_otherwise_are_named(own):
    other = "RISK_COOLDOWN_SECONDS is 0 here and 300 in the run that trades"
    async with client_of(own) as client:
        assert (await said(client, "place_buy_order", symbol="BTCUSDT", quote_amount=60))["other_limits"] == []
        with closing(open_existing(own.path)) as connection:
            connection.execute("UPDATE runs SET settings_json = ?", ('{"RISK_COOLDOWN_SECONDS": "300"}',))
        preview = await said(client, "place_buy_order", symbol="BTCUSDT", quote_amount=60)
        assert (preview["verdict"], preview["other_limits"]) == ("allowed", [other])
    asks = own.desk()
    judged = await judge(asks, Draft("BTCUSDT", "BUY", "market", "60", "quote"))
    await asks.close()
    assert f"{other}, which judges by its own." in list(_lines(judged))


async def test_what_is_more_than_the_budget_has_left_is_refused_before_it_is_confirmed(desk):
    await desk.put_market()
    async with client_of(desk) as client:
        preview = await said(client, "place_buy_order", symbol="BTCUSDT", quote_amount=320)
        assert preview["verdict"] == "refused"
        assert preview["why_not"].startswith("It may cost 32")
        assert "MCP_MAX_QUOTE_PER_DAY, 300.00, only 300.00 is left" in preview["why_not"]
        assert all(finding["allows"] for finding in preview["findings"])
        assert preview["budget"] == {"orders_this_hour": 10, "quote_today": "300"}


Numbers = st.one_of(
    st.decimals(min_value="0.00000001", max_value=10**9, places=8).map(str),
    st.floats(min_value=1e-9, max_value=1e12),
    st.integers(-1, 10**20),
    st.sampled_from(["0.001", "0.002", "60", "100", "59000", "60000", "61000", "", "x", "∞", "1e-30"]),
)
Orders = st.fixed_dictionaries(
    {"symbol": st.sampled_from(["BTCUSDT", "btcusdt", "ETHUSDT", "X", ""])},
    optional={
        "type": st.sampled_from(["market", "limit", "stop_limit", "oco"]),
        "quantity": Numbers,
        "quote_amount": Numbers,
        "percent_of_free": Numbers,
        "price": Numbers,
        "stop_price": Numbers,
        "stop_limit_price": Numbers,
        "worst_price": Numbers,
    },
)
Small = st.builds(
    lambda amount: {"symbol": "BTCUSDT", "quote_amount": amount}, st.decimals("5", "700", places=2).map(str)
)
Calls = st.lists(
    st.tuples(st.sampled_from(["place_buy_order", "place_sell_order"]), st.one_of(Small, Orders)),
    min_size=4,
    max_size=8,
)


def check_promises(preview: dict[str, Any]) -> None:
    is_allowed = preview["verdict"] == "allowed"
    assert is_allowed is (preview["why_not"] is None) is (preview["preview_id"] is not None)
    quantity, worst = Decimal(preview["quantity"]), preview["worst_price"]
    if preview["type"] == "market":
        assert worst is not None
    if not is_allowed:
        assert preview["why_not"].endswith((".", "?"))
        return
    assert all(finding["allows"] for finding in preview["findings"])
    if preview["side"] == "BUY":
        assert preview["type"] != "market" or quantity * Decimal(worst) <= Decimal(preview["budget"]["quote_today"])


@settings(max_examples=10, deadline=None)
@given(calls=Calls)
def test_whatever_is_asked_it_is_a_preview_that_keeps_its_promises_or_a_sentence(desk, calls):
    async def ask() -> None:
        await desk.put_market()
        async with client_of(desk) as client:
            for tool, arguments in calls:
                result = await client.call_tool(tool, arguments)
                if result.is_error:
                    (content,) = result.content
                    assert content.text.endswith((".", "?"))
                    assert "for a reason of its own" not in content.text
                else:
                    assert result.structured_content is not None
                    check_promises(result.structured_content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("binance_trade_agent.mcp_server.awaiting.WAIT_SECONDS", -1)
        asyncio.run(ask())
    assert desk.placed() == []


@pytest.mark.parametrize(
    ("text", "said_so"),
    [
        ("entries are paused", "Entries are paused."),
        ("bta-BTCUSDT-1 is over already: FILLED", "bta-BTCUSDT-1 is over already: FILLED."),
        ("rsi_momentum takes no such parameter", "rsi_momentum takes no such parameter."),
        ("did you mean it?", "Did you mean it?"),
        ("", "."),
    ],
)
def test_a_sentence_leaves_names_as_they_are(text, said_so):
    assert sentence(text) == said_so
