"""Exits on candles, on the real simulator: what the candles do, and by which exit and at which price it is left.

A candle is played as a path of trades from its open over its low and high to its close, some five seconds apart. Where
both barriers lie inside one candle, that is left at which the path comes to first: no side is favoured. What rests on
the exchange is met by the trade itself; what the bot watches and moves is looked at every five seconds, at minutes too.
"""

from decimal import Decimal

import pytest

from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.orders import Fill, Order, Role, Side
from binance_trade_agent.domain.values import replace
from tests.agents.desk import Desk
from tests.agents.market import alarms, assert_equal, held, levels
from tests.agents.played import played_desk

STOP, TARGET, TABLE, TRAILING, TIME = (
    ExitKind.STOP_LOSS,
    ExitKind.TAKE_PROFIT,
    ExitKind.TARGET_TABLE,
    ExitKind.TRAILING_STOP,
    ExitKind.TIME_STOP,
)
OCO = {"stop": "2", "target": "4"}  # bought at 60000: 58800 and 62400
NONE = {"stop": "0", "target": "0"}
QUIET = "60000 60010 59990 60000"


async def bought(ready: Desk, atr: str | None) -> None:
    intent = replace(await ready.intent(quantity="0.01"), atr_quote=None if atr is None else Decimal(atr))
    await ready.execution.execute(ready.decision(intent), intent)


async def view(ready: Desk) -> MarketView:
    candles = await ready.gateway.candles("BTCUSDT", "1m", 20)
    return MarketView("BTCUSDT", ready.rules["BTCUSDT"], candles, await ready.gateway.book_ticker("BTCUSDT"), 0, 0)


async def at_a_tick(ready: Desk, protection: Protection) -> None:
    """As the orchestrator does: what is due is sold, once the protection has given way."""
    due = await protection.due("BTCUSDT", await view(ready))
    if due is not None and await protection.release("BTCUSDT"):
        quantity = ready.rules["BTCUSDT"].round_market_quantity(await held(ready))
        intent = await ready.intent(Side.SELL, str(quantity))
        intent = replace(intent, role=Role.EXIT, exit=due[0], reason=due[1])
        await ready.execution.execute(ready.decision(intent), intent)
        await protection.ensure("BTCUSDT", ready.rules["BTCUSDT"])


async def lived(ready: Desk, protection: Protection, minutes: int) -> None:
    for beat in range(minutes * 12):
        if beat % 12 == 0:
            await at_a_tick(ready, protection)
        await protection.ensure_all(ready.rules)
        await ready.wait(5_000)
        await ready.recovery.catch_up()
    await protection.ensure_all(ready.rules)


async def sales(ready: Desk) -> list[tuple[Order, Fill]]:
    orders = {entry.order.client_order_id: entry.order for entry in await ready.orders()}
    return [(orders[fill.client_order_id], fill) for fill in await ready.ledger.fills() if fill.side is Side.SELL]


# fmt: off
EXITS = {
    # what, candles, exit, least and most that it sells at
    "the stop is touched":
        (OCO, ["60000 60010 59000 59100", "59100 59150 58700 58750"], STOP, "58700", "58800"),
    "a gap through the stop sells at the worse price":
        (OCO, ["60000 60010 59000 59100", "57000 57100 56800 57000"], STOP, "56800", "57100"),
    "the target is touched":
        (OCO, ["60000 61000 59990 60900", "60900 62500 60800 62450"], TARGET, "62400", "62400"),
    "a gap over the target":
        (OCO, [QUIET, "63000 63100 62900 63000"], TARGET, "62400", "63100"),
    "both barriers inside one candle, whose path comes to its low first":
        (OCO, ["60000 63000 58000 61000"], STOP, "58000", "58800"),
    "both barriers inside one candle, whose path comes to its high first":
        (OCO, ["60000 63000 58000 59000"], TARGET, "62400", "62400"),
    "between the barriers it stays":
        (OCO, ["60000 62300 58900 61000", "61000 62300 58900 60000"], None, "", ""),
    "a stop by the range":
        ({**NONE, "stop_loss_atr": "2"}, ["60000 60010 59100 59150", "59150 59200 58950 59000"], STOP, "58950", "59000"),
    "a target by the range":
        ({**NONE, "take_profit_atr": "3"}, ["60000 61000 59990 60900", "60900 61600 60800 61550"], TARGET, "61500", "61500"),
    "the stop trails":
        ({**NONE, "trailing_stop_pct": "2"},
         ["60000 61500 59990 61450", "61450 61500 61400 61450", "61450 61460 60000 60050"], TRAILING, "60000", "60270"),
    "the stop trails beside a target":
        ({**OCO, "trailing_stop_pct": "1"},
         ["60000 61500 59990 61450", "61450 61500 61400 61450", "61450 61460 60500 60550"], TRAILING, "60500", "60885"),
    "a gap through the trailing stop":
        ({**NONE, "trailing_stop_pct": "2"},
         ["60000 61500 59990 61450", "61450 61500 61400 61450", "59000 59010 58900 59000"], TRAILING, "58900", "59010"),
    "a trailing stop that has not begun leaves the fixed one":
        ({**OCO, "trailing_stop_pct": "1", "trailing_start_pct": "3"},
         ["60000 61500 59990 61450", "61450 61460 59000 59050", "59050 59060 58700 58750"], STOP, "58700", "58800"),
    "a trailing stop that has begun":
        ({**OCO, "trailing_stop_pct": "1", "trailing_start_pct": "2"},
         ["60000 61500 59990 61450", "61450 61500 61400 61450", "61450 61460 60500 60550"], TRAILING, "60500", "60885"),
    "the target comes down by the table, and is met there":
        ({**NONE, "stop": "2", "target_table": {0: "4", 2: "1"}},
         [QUIET, QUIET, "60000 60700 59990 60650"], TABLE, "60600", "60600"),
    "the target comes down to under the price":
        ({**NONE, "stop": "2", "target_table": {0: "4", 2: "1"}},
         [QUIET, "60000 60900 59990 60850", "60850 60860 60800 60850"], TABLE, "60800", "60860"),
    "a table that accepts a loss":
        ({**NONE, "stop": "5", "target_table": {0: "4", 2: "-2"}},
         [QUIET, "60000 60010 59500 59550", "59550 59600 59500 59550"], TABLE, "59500", "59600"),
    "the time is over":
        ({**OCO, "time_stop_minutes": 2}, [QUIET, QUIET, "60000 60900 59990 60850"], TIME, "59990", "60900"),
    "only the time is over":
        ({**NONE, "time_stop_minutes": 2}, [QUIET, QUIET, "60000 60900 59990 60850"], TIME, "59990", "60900"),
    "the stop comes before the time is over":
        ({**OCO, "time_stop_minutes": 3}, [QUIET, "60000 60010 58700 58750", QUIET], STOP, "58700", "58800"),
}
# fmt: on


@pytest.mark.parametrize(("exits", "candles", "kind", "least", "most"), EXITS.values(), ids=list(EXITS))
async def test_candles_lead_to_this_exit(tmp_path, exits, candles, kind, least, most):
    async with played_desk(tmp_path, candles, flat="60000") as ready:
        exits = dict(exits)
        if "target_table" in exits:
            exits["target_table"] = {minute: Decimal(pct) for minute, pct in exits["target_table"].items()}
        protection = ready.protection(**exits)
        await bought(ready, atr="500")
        await lived(ready, protection, len(candles))
        found = await sales(ready)
        assert await alarms(ready) == {}
        await assert_equal(ready)
        if kind is None:
            assert found == []
            assert (await levels(ready)).keys() == {"STOP_LOSS", "LIMIT_MAKER"}
            return
        assert {order.exit for order, _ in found} == {kind}
        assert all(Decimal(least) <= fill.price <= Decimal(most) for _, fill in found)
        assert await held(ready) == 0
        assert await levels(ready) == {}
        await ready.assert_reconciled()


@pytest.mark.parametrize("candle", ["60000 63000 58000 61000", "60000 63000 58000 59000", "60000 63000 58000 60000"])
async def test_of_two_barriers_inside_one_candle_the_first_on_its_path_sells_and_the_other_sells_nothing(
    tmp_path, candle
):
    async with played_desk(tmp_path, [candle], flat="60000") as ready:
        await bought(ready, atr=None)
        await ready.protection().ensure("BTCUSDT", ready.rules["BTCUSDT"])
        await ready.wait(60_000)  # nobody looks meanwhile
        await ready.recovery.catch_up()
        path = [
            Decimal(row["price"]) for row in await (await ready.exchange.client()).get_recent_trades(symbol="BTCUSDT")
        ]
        first = next(price for price in path if not Decimal(58_800) < price < Decimal(62_400))
        ((order, _),) = await sales(ready)
        assert order.exit is (STOP if first <= 58_800 else TARGET)
        assert await held(ready) == 0
        await ready.assert_reconciled()


async def test_what_was_forgotten_at_every_look_is_left_where_it_would_have_been(tmp_path):
    """A daemon that dies every five seconds: the ledger alone says when it was entered and how far the stop had come."""
    candles = ["60000 61500 59990 61450", "61450 61500 61400 61450", "61450 61460 60000 60050"]
    async with played_desk(tmp_path, candles, flat="60000") as ready:
        await bought(ready, atr=None)
        stood: list[Decimal] = []
        for fence in range(36):
            protection = ready.protection("0", "0", trailing_stop_pct="2", time_stop_minutes=60, fence=fence)
            await protection.ensure_all(ready.rules)
            stood += [price for _, price in (await levels(ready)).values()]
            await ready.wait(5_000)
            await ready.recovery.catch_up()
        assert stood == sorted(stood)
        ((order, fill),) = await sales(ready)
        assert order.exit is TRAILING
        assert order.stop_price == stood[-1] > Decimal(60_200)
        assert fill.price <= order.stop_price
        await ready.assert_reconciled()
