"""Faults of user events."""

import asyncio

import pytest

from tests.simulator.order_calls import place
from tests.simulator.ws_api.client import EVENTS, ws_client

RESTING = {"quantity": "0.01", "price": "90000"}


@pytest.fixture
async def events(exchange):
    async with ws_client(exchange.url) as ws:
        assert (await ws.signed(EVENTS))["status"] == 200
        yield ws


async def kinds(ws, number, seconds=2.0):
    return [(await ws.socket.receive_json(timeout=seconds))["event"]["e"] for _ in range(number)]


REPORT, POSITION = "executionReport", "outboundAccountPosition"


@pytest.mark.parametrize(
    ("fault", "arriving"),
    [
        ({"kind": "event_drop"}, []),
        ({"kind": "event_drop", "nth": 2}, [REPORT, POSITION]),
        ({"kind": "event_drop", "event": REPORT}, [POSITION]),
        ({"kind": "event_drop", "event": POSITION}, [REPORT]),
        ({"kind": "event_duplicate"}, [REPORT, REPORT, POSITION, POSITION]),
        ({"kind": "event_duplicate", "event": REPORT}, [REPORT, REPORT, POSITION]),
        ({"kind": "event_reorder"}, [POSITION, REPORT]),
        ({"kind": "event_reorder", "event": POSITION, "ms": 50}, [REPORT, POSITION]),
        ({"kind": "event_delay", "ms": 100}, [REPORT, POSITION]),
        ({"kind": "event_delay", "ms": 100, "event": REPORT}, [REPORT, POSITION]),
        ({"kind": "event_drop", "count": None}, []),
        ({"kind": "event_drop", "method": "POST", "path": "order", "count": None}, []),
        ({"kind": "event_drop", "method": "DELETE", "path": "order"}, [REPORT, POSITION]),
    ],
)
async def test_events_of_an_order_under_a_fault(exchange, client, events, fault, arriving):
    await exchange.control("fault", **fault)
    await place(client, **RESTING)
    assert await kinds(events, len(arriving)) == arriving
    with pytest.raises(asyncio.TimeoutError):
        await events.socket.receive(timeout=0.2)


async def test_fault_of_one_occasion_spares_the_next_order(exchange, client, events):
    await exchange.fault("event_drop", method="POST", path="order")
    orders = [await place(client, **RESTING) for _ in range(2)]
    report, position = [(await events.socket.receive_json(timeout=20))["event"] for _ in range(2)]
    assert (report["i"], position["e"]) == (orders[1]["orderId"], POSITION)


async def test_delayed_event_holds_back_those_of_later_requests(exchange, client, events):
    await exchange.fault("event_delay", ms=200)
    first = await place(client, **RESTING)
    second = await place(client, **RESTING)
    seen = [(await events.socket.receive_json(timeout=20))["event"] for _ in range(4)]
    assert [event["e"] for event in seen] == [REPORT, POSITION] * 2
    assert [event["i"] for event in seen[::2]] == [first["orderId"], second["orderId"]]


async def test_steps_of_the_market_are_occasions_of_their_own(exchange, client, events):
    await exchange.fault("event_drop", nth=2)
    for _ in range(3):
        await exchange.control("config", deposit={"asset": "USDT", "amount": "5"})
    assert await kinds(events, 4) == ["balanceUpdate", POSITION] * 2


async def test_lost_events_change_nothing_in_the_account(exchange, client, events):
    await exchange.fault("event_drop", count=None)
    order = await place(client, **RESTING)
    assert [row["orderId"] for row in await client.get_open_orders(symbol="BTCUSDT")] == [order["orderId"]]


async def test_connection_can_be_cut_when_an_event_is_due(exchange, client, events):
    await exchange.fault("ws_abort", event=POSITION)
    await place(client, **RESTING)
    seen = [await events.socket.receive(timeout=20) for _ in range(2)]
    assert events.socket.closed or seen[-1].type.name in {"CLOSED", "ERROR", "CLOSING"}
