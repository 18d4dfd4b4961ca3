"""The daemon dies at each point that a person's command comes to, one after the other; the next one makes it good."""

from collections import Counter
from decimal import Decimal

import pytest

from binance_trade_agent.control.commands import CommandKind, CommandState, refuse_stale
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.ops import crash_points
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import Killed, assert_equal, held, open_orders, price
from tests.agents.persons import ASKED_WALL_MS, Person, person

QUANTITY = "0.004"


async def begun(ready: Desk) -> tuple[Person, str]:
    """A protected position of which a person has a part on sale; that order's name."""
    await price(ready, "64000")
    await ready.trade()
    who = person(ready)
    await who.watch.tick(1)
    await price(ready, "64000")
    return who, (await who.order("SELL", QUANTITY, "limit", price="70000")).client_order_id


def asked(kind: CommandKind, resting: str) -> dict[str, str]:
    return {
        CommandKind.ORDER: {"symbol": "BTCUSDT", "side": "SELL", "type": "market", "quantity": "0.003"},
        CommandKind.CANCEL: {"client_order_id": resting},
        CommandKind.CLOSE: {"symbol": "BTCUSDT"},
        CommandKind.KILL: {"close_positions": "true", "reason": "fire"},
    }[kind]


async def dies_at(who: Person, nth: int) -> str | None:
    """Carry out what waits, and die at the nth point that is passed; its name, None when fewer are."""
    passed = []

    def listener(point: str) -> None:
        passed.append(point)
        if len(passed) == nth:
            raise Killed

    with crash_points.listening(listener):
        try:
            await who.carry_out()
        except Killed:
            return passed[-1]
    return None


async def sent_twice(ready: Desk) -> list[str]:
    """Orders that the exchange was asked for more than once."""
    names = Counter(
        part.partition("=")[2]
        for request in await ready.exchange.log()
        if request["method"] == "POST"
        for part in (request["target"].partition("?")[2] + "&" + str(request.get("body", ""))).split("&")
        if part.partition("=")[0].endswith("lientOrderId")
    )
    assert names, "the log tells of no order"
    return [name for name, count in names.items() if count > 1]


async def on_sale(ready: Desk) -> Decimal:
    lists: dict[object, Decimal] = {}
    for row in await open_orders(ready):
        assert row["side"] == "SELL"
        key = row["orderListId"] if row["orderListId"] != -1 else f"order {row['orderId']}"
        lists[key] = Decimal(row["origQty"]) - Decimal(row["executedQty"])
    return sum(lists.values(), start=ZERO)


@pytest.mark.parametrize("kind", [CommandKind.ORDER, CommandKind.CANCEL, CommandKind.CLOSE, CommandKind.KILL])
async def test_after_a_death_at_any_point_nothing_is_sent_twice_and_all_is_protected_or_sold(tmp_path, kind):
    points = []
    for nth in range(1, 40):
        folder = tmp_path / str(nth)
        folder.mkdir()
        async with desk(folder) as ready:
            who, resting = await begun(ready)
            before = await held(ready)
            number = who.place(kind, **asked(kind, resting))
            point = await dies_at(who, nth)
            if point is None:
                break
            points.append(point)
            async with reopened(folder, ready.exchange) as again:
                await again.reconciler.run("start")
                await refuse_stale(again.ledger, again.clock.now_ms())
                who = person(again, fence=2)
                who.wall_ms = ASKED_WALL_MS + 3_600_000
                for _ in range(4):
                    await again.wait(30_000)
                    await price(again, "64000")
                    await who.watch.watch.before_tick()
                    await who.emergency.obey()
                    await who.carry_out()
                command = await who.command(number)
                left = await held(again)
                at = f"{kind} dies at {nth}, {point}: {command}"
                assert command.state is not CommandState.PENDING, at
                assert await sent_twice(again) == [], at
                sold = before - left
                is_done = command.state is CommandState.DONE or kind is CommandKind.KILL
                aim = {CommandKind.ORDER: Decimal("0.003"), CommandKind.CANCEL: ZERO}.get(kind, before)
                assert sold == (aim if is_done else 0), at
                assert await on_sale(again) == again.rules["BTCUSDT"].round_market_quantity(left), at
                await assert_equal(again)
    assert len(points) > 3, points
