"""What the user data stream says of orders and lists (binance-protocol.md 4.5)."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT
from tests.simulator.order_calls import fall_through_stop, place, refusal
from tests.simulator.test_conformance_orders_lists import OCO, OTO

ALWAYS = set("esSofqpPFgCxXrilzLnNTtIwmMOZYQVE") | {"c"}
EXECUTION = "executionReport"
POSITION = "outboundAccountPosition"


@asynccontextmanager
async def watched(exchange, client):
    """Collects events until an account position has come so and so often."""
    async with exchange.socket_manager(client).user_socket() as user:

        async def until_positions(number: int) -> list[dict]:
            events = []
            while sum(event["e"] == POSITION for event in events) < number:
                events.append(await asyncio.wait_for(user.recv(), 20))
            return events

        yield until_positions


def steps(events: list[dict]) -> list[str]:
    """Events in short: of orders what happened and where they stand."""
    return [f"{event['x']} {event['X']}" if event["e"] == EXECUTION else event["e"] for event in events]


async def test_market_order_with_two_fills_is_told_as_in_the_specification(exchange, client):
    await exchange.control("book", symbol="BTCUSDT", bids=[], asks=[["100000", "0.1"], ["100010", "0.2"]])
    async with watched(exchange, client) as events:
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.25")
        seen = await events(1)
    assert steps(seen) == ["NEW NEW", "TRADE PARTIALLY_FILLED", "TRADE FILLED", POSITION]
    new, first, last, position = seen
    assert new.keys() == first.keys() == ALWAYS | {"W"}
    assert [(event["w"], event["M"], event["m"]) for event in (new, first, last)] == [
        (True, False, False), (False, True, False), (False, True, False),
    ]  # fmt: skip
    assert (new["n"], new["N"], new["t"], new["C"], new["r"], new["g"]) == ("0", None, -1, "", "NONE", -1)
    assert (last["l"], last["z"], last["Y"], last["Z"]) == (
        "0.15000000",
        "0.25000000",
        "15001.50000000",
        "25001.50000000",
    )
    assert new["I"] < first["I"] < last["I"]
    assert position["B"] == [
        {"a": "BTC", "f": "1.24975000", "l": "0.00000000"},
        {"a": "USDT", "f": "74998.50000000", "l": "0.00000000"},
    ]


async def test_what_the_book_does_not_hold_expires_with_a_reason(exchange, client):
    await exchange.control("book", symbol="BTCUSDT", bids=[], asks=[["100000", "0.1"]])
    async with watched(exchange, client) as events:
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.2")
        seen = await events(1)
    assert steps(seen) == ["NEW NEW", "TRADE PARTIALLY_FILLED", "EXPIRED EXPIRED", POSITION]
    assert (seen[2]["eR"], seen[2]["l"], seen[2]["w"]) == ("INSUFFICIENT_LIQUIDITY", "0.00000000", False)
    assert "eR" not in seen[1]


async def test_triggered_stop_is_new_a_second_time(exchange, client):
    async with watched(exchange, client) as events:
        await place(
            client, "SELL", "STOP_LOSS_LIMIT", quantity="0.1", stopPrice="95000", price="94900", timeInForce="GTC",
            strategyId=7, strategyType=1_000_007,
        )  # fmt: skip
        new, _ = await events(1)
        await fall_through_stop(exchange)
        again, traded, *_ = await events(1)
    assert (new["w"], "W" in new, new["P"], new["j"], new["J"]) == (False, False, "95000.00000000", 7, 1_000_007)
    assert (again["x"], again["X"], again["w"]) == ("NEW", "NEW", True)
    assert again["W"] == again["T"]
    assert (traded["x"], traded["X"], traded["L"]) == ("TRADE", "FILLED", "94950.00000000")


async def test_trailing_stop_tells_its_delta_and_since_when_it_follows(exchange, client):
    async with watched(exchange, client) as events:
        await place(client, "SELL", "STOP_LOSS", quantity="0.1", trailingDelta=100)
        new, _ = await events(1)
        for price in ("102000", "100980"):
            await exchange.control("trade", symbol="BTCUSDT", price=price, qty="0.001", taker="BUY")
        triggered, *_ = await events(1)
    assert (new["d"], new["D"]) == (100, -1)
    assert triggered["d"] == 100
    assert new["T"] <= triggered["D"] <= triggered["T"]


async def test_reports_come_before_the_list_and_the_list_before_the_position(exchange, client):
    async with watched(exchange, client) as events:
        placed = await client.create_oco_order(**OCO, listClientOrderId="l-1")
        seen = await events(1)
        await fall_through_stop(exchange)
        after = await events(1)
    assert steps(seen) == ["NEW NEW", "NEW NEW", "listStatus", POSITION]
    assert [event["g"] for event in seen[:3]] == [placed["orderListId"]] * 3
    status = seen[2]
    assert (status["c"], status["l"], status["L"], status["r"], status["C"]) == (
        "OCO", "EXEC_STARTED", "EXECUTING", "NONE", "l-1",
    )  # fmt: skip
    assert status["O"] == [
        {"s": "BTCUSDT", "i": order["orderId"], "c": order["clientOrderId"]} for order in placed["orders"]
    ]
    assert steps(after) == ["NEW NEW", "EXPIRED EXPIRED", "TRADE FILLED", "listStatus", POSITION]
    assert (after[1]["eR"], after[3]["l"], after[3]["L"]) == ("OCO_TRIGGER", "ALL_DONE", "ALL_DONE")


async def test_pending_order_is_told_when_it_waits_and_when_it_works(exchange, client):
    async with watched(exchange, client) as events:
        await client.v3_post_order_list_oto(**OTO)
        seen = await events(1)
        await exchange.control("trade", symbol="BTCUSDT", price="98000", qty="1", taker="SELL")
        after = await events(1)
    assert steps(seen) == ["NEW NEW", "NEW PENDING_NEW", "listStatus", POSITION]
    assert (seen[1]["w"], "W" in seen[1]) == (False, False)
    assert steps(after) == ["TRADE FILLED", "NEW NEW", POSITION]
    assert (after[0]["m"], after[1]["w"]) == (True, True)


async def test_prevented_self_trade_is_told_with_its_match(exchange, client):
    maker = await place(client, "SELL", quantity="0.1", price="99995")
    async with watched(exchange, client) as events:
        taker = await place(client, quantity="0.3", price="99995", selfTradePreventionMode="EXPIRE_MAKER")
        seen = await events(1)
    assert steps(seen) == ["NEW NEW", "TRADE_PREVENTION EXPIRED_IN_MATCH", POSITION]
    prevented = seen[1]
    assert (prevented["i"], prevented["U"], prevented["Cs"]) == (maker["orderId"], taker["orderId"], "BTCUSDT")
    assert (prevented["A"], prevented["B"], prevented["pl"], prevented["pL"], prevented["pY"]) == (
        "0.10000000", "0.10000000", "0.10000000", "99995.00000000", "9999.50000000",
    )  # fmt: skip
    assert (prevented["l"], prevented["L"], prevented["Y"]) == ("0.00000000",) * 3
    assert {"v", "u"} <= prevented.keys()


async def test_orders_without_a_taker_keep_standing_in_the_book(exchange, client):
    await place(client, quantity="0.1", price="99995")
    async with watched(exchange, client) as events:
        await exchange.control("trade", symbol="BTCUSDT", price="99995", qty="0.04", taker="SELL")
        traded, _ = await events(1)
    assert (traded["X"], traded["w"], traded["m"], traded["z"]) == ("PARTIALLY_FILLED", True, True, "0.04000000")


async def test_deposit_is_told_as_balance_update(exchange, client):
    async with watched(exchange, client) as events:
        exchange.simulation.exchange.deposit(MAIN_ACCOUNT, "USDT", Decimal(100))
        update, position = await events(1)
    assert (update["e"], update["a"], update["d"]) == ("balanceUpdate", "USDT", "100.00000000")
    assert position["B"] == [{"a": "USDT", "f": "100100.00000000", "l": "0.00000000"}]


async def test_refused_order_is_told_when_that_is_switched_on(exchange, client):
    exchange.simulation.exchange.switches.report_rejected_orders = True
    async with exchange.socket_manager(client).user_socket() as user:
        refused = place(client, quantity="2", price="99000", newClientOrderId="dear")
        assert (await refusal(refused))[1] == -2010
        event = await asyncio.wait_for(user.recv(), 20)
    assert (event["x"], event["X"], event["r"], event["c"]) == ("REJECTED", "REJECTED", "INSUFFICIENT_BALANCES", "dear")


async def test_cancel_leaves_the_client_id_when_that_is_switched_off(exchange, client):
    exchange.simulation.exchange.switches.cancel_replaces_client_id = False
    order = await place(client, quantity="0.01", price="99000", newClientOrderId="mine")
    async with watched(exchange, client) as events:
        cancelled = await client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"], newClientOrderId="bye")
        event, _ = await events(1)
    found = await client.get_order(symbol="BTCUSDT", origClientOrderId="mine")
    assert (cancelled["origClientOrderId"], cancelled["clientOrderId"]) == ("mine", "bye")
    assert (event["C"], event["c"]) == ("mine", "bye")
    assert (found["clientOrderId"], found["status"]) == ("mine", "CANCELED")
