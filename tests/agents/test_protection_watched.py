"""Levels that the bot watches itself: the exchange takes no stop orders, or does not take this target."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal

import pytest

from binance_trade_agent.agents.order_keeper import QUIET_MS
from binance_trade_agent.agents.protection import TARGET_WATCHED, Protection
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.orders import Role, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.errors import UnavailableError
from tests.agents.desk import Desk, desk, reopened
from tests.agents.market import alarms, assert_equal, held, killed_at, levels, price, resting
from tests.agents.played import played_desk

STOP, TARGET, TRAILING = ExitKind.STOP_LOSS, ExitKind.TAKE_PROFIT, ExitKind.TRAILING_STOP


class Prices:
    """A stream of prices by hand."""

    def __init__(self) -> None:
        self.watched: set[str] = set()
        self.bids: dict[str, Decimal] = {}

    def watch(self, symbols: Iterable[str]) -> None:
        self.watched = set(symbols)

    def bid(self, symbol: str) -> tuple[Decimal, int] | None:
        return (self.bids[symbol], 0) if symbol in self.bids else None


def without_stops(ready: Desk) -> SymbolRules:
    """The rules of a symbol whose order types hold no stops."""
    rules = ready.rules["BTCUSDT"]
    kinds = tuple(kind for kind in rules.order_types if not kind.startswith("STOP_LOSS"))
    return replace(rules, order_types=kinds)


async def entered(ready: Desk, protection: Protection, rules: SymbolRules | None = None) -> str:
    """A position at 64000.01 without stop orders: 62720 and 66560.01 by two and four percent."""
    await price(ready, "64000")
    await ready.trade()
    await ready.wait(1)
    return await protection.ensure("BTCUSDT", rules or without_stops(ready))


async def told(ready: Desk, protection: Protection, bid: str) -> None:
    await price(ready, bid)
    await protection.on_price("BTCUSDT", Decimal(bid), Decimal(bid) + Decimal("0.01"))


async def sold(ready: Desk) -> list[tuple[Role, ExitKind | None, Decimal]]:
    """What has sold, why, and at which price."""
    orders = {entry.order.client_order_id: entry.order for entry in await ready.orders()}
    sales = [fill for fill in await ready.ledger.fills() if fill.side is Side.SELL]
    return [(orders[f.client_order_id].role, orders[f.client_order_id].exit, f.price) for f in sales]


async def requests(ready: Desk, path: str, method: str = "GET") -> int:
    return sum(
        row["method"] == method and row["target"].startswith(f"/api/v3/{path}") for row in await ready.exchange.log()
    )


async def test_nothing_rests_and_it_is_said_once_without_an_alarm(tmp_path):
    async with played_desk(tmp_path) as ready:
        prices = Prices()
        protection = ready.protection(prices=prices)
        said = await entered(ready, protection)
        assert (
            said
            == "0.01 watched by the bot itself, stop 62720, target 66560.01: the exchange takes no stop orders here"
        )
        assert await protection.ensure("BTCUSDT", without_stops(ready)) == ""
        assert await levels(ready) == {}
        assert await alarms(ready) == {}
        assert prices.watched == {"BTCUSDT"}


# fmt: off
TOLD = [
    # settings                               bids of the stream                    sold by, at
    ({},                                     ["63000", "62720.01"],                None),
    ({},                                     ["63000", "62720"],                   (STOP, "62720")),
    ({},                                     ["63000", "60000"],                   (STOP, "60000")),      # a gap
    ({},                                     ["66560", "66560.01"],                (TARGET, "66560.01")),
    ({},                                     ["68000"],                            (TARGET, "68000")),
    ({"stop": "0", "trailing_stop_pct": "1", "target": "0"},
                                             ["65000", "66000", "65341", "65340"], (TRAILING, "65340")),
    ({"target": "0", "trailing_stop_pct": "1", "trailing_start_pct": "3"},
                                             ["65900", "65000", "62719"],          (STOP, "62719")),
]
# fmt: on


@pytest.mark.parametrize(("exits", "bids", "expected"), TOLD)
async def test_price_of_the_stream_sells_at_once(tmp_path, exits, bids, expected):
    async with played_desk(tmp_path) as ready:
        protection = ready.protection(**exits, prices=Prices())
        await entered(ready, protection)
        for bid in bids:
            await told(ready, protection, bid)
        assert await sold(ready) == ([(Role.EXIT, expected[0], Decimal(expected[1]))] if expected else [])
        await assert_equal(ready)


async def test_ordinary_target_without_any_stop_rests_all_the_same(tmp_path):
    async with played_desk(tmp_path) as ready:
        prices = Prices()
        protection = ready.protection("0", "4", prices=prices)
        assert await entered(ready, protection) == "0.01 protected, target 66560.01"
        assert (await levels(ready)).keys() == {"LIMIT_MAKER"}
        assert prices.watched == set()


async def test_without_fresh_prices_they_are_asked_for_at_each_look(tmp_path):
    async with played_desk(tmp_path) as ready:
        prices, rules = Prices(), without_stops(ready)
        protection = ready.protection(prices=prices)
        await entered(ready, protection)
        asked = await requests(ready, "ticker/bookTicker")
        prices.bids["BTCUSDT"] = Decimal(63_000)
        await protection.ensure_all({"BTCUSDT": rules})
        assert await requests(ready, "ticker/bookTicker") == asked
        prices.bids.clear()
        await price(ready, "62000")
        await protection.ensure_all({"BTCUSDT": rules})
        assert await requests(ready, "ticker/bookTicker") == asked + 1
        assert await sold(ready) == [(Role.EXIT, STOP, Decimal(62_000))]
        await protection.ensure_all({"BTCUSDT": rules})
        assert prices.watched == set()
        await ready.assert_reconciled()


async def test_many_prices_and_a_look_at_once_sell_once(tmp_path):
    async with played_desk(tmp_path) as ready:
        protection = ready.protection(prices=Prices())
        await entered(ready, protection)
        await price(ready, "62000")
        tellings = [protection.on_price("BTCUSDT", Decimal(62_000 + n), Decimal(63_000)) for n in range(5)]
        await asyncio.gather(*tellings, protection.ensure_all({"BTCUSDT": without_stops(ready)}))
        assert await sold(ready) == [(Role.EXIT, STOP, Decimal(62_000))]
        await ready.assert_reconciled()


async def test_price_between_the_release_and_the_sale_sells_nothing(tmp_path):
    async with played_desk(tmp_path) as ready:
        protection = ready.protection(prices=Prices())
        await entered(ready, protection)
        assert await protection.release("BTCUSDT")
        await told(ready, protection, "62000")
        assert await sold(ready) == []
        await ready.trade(Side.SELL, "0.01")
        await protection.ensure("BTCUSDT", without_stops(ready))
        assert len(await sold(ready)) == 1
        await ready.assert_reconciled()


async def test_release_that_leads_to_no_sale_is_over_with_the_next_look(tmp_path):
    async with played_desk(tmp_path) as ready:
        protection = ready.protection(prices=Prices())
        await entered(ready, protection)
        await protection.release("BTCUSDT")
        await protection.ensure("BTCUSDT", without_stops(ready))
        await told(ready, protection, "62000")
        assert await sold(ready) == [(Role.EXIT, STOP, Decimal(62_000))]


async def test_sale_that_fails_is_tried_again_at_the_next_look(tmp_path):
    async with played_desk(tmp_path) as ready:
        protection = ready.protection(prices=Prices())
        await entered(ready, protection)
        await ready.exchange.fault("http", method="GET", path="ticker/bookTicker", status=503)
        await price(ready, "62000")
        with pytest.raises(UnavailableError):
            await protection.on_price("BTCUSDT", Decimal(62_000), Decimal(62_001))
        assert await sold(ready) == []
        await protection.ensure_all({"BTCUSDT": without_stops(ready)})
        assert await sold(ready) == [(Role.EXIT, STOP, Decimal(62_000))]


async def test_symbol_that_cannot_be_asked_about_leaves_no_other_unprotected(tmp_path):
    async with desk(tmp_path) as ready:
        protection = ready.protection()
        await ready.trade(quantity="0.01")
        await ready.trade(quantity="0.1", symbol="ETHUSDT")
        await ready.exchange.fault("http", method="GET", path="ticker/bookTicker", status=503)
        with pytest.raises(UnavailableError):
            await protection.ensure_all(ready.rules)
        assert {order.symbol for order in await resting(ready)} == {"ETHUSDT"}
        await protection.ensure_all(ready.rules)
        assert {order.symbol for order in await resting(ready)} == {"BTCUSDT", "ETHUSDT"}


@pytest.mark.parametrize("point", ["protection.committed", "order.sending", "order.answered", "order.booked"])
async def test_killed_while_it_sells_it_sells_once(tmp_path, point):
    async with played_desk(tmp_path) as ready:
        protection = ready.protection(prices=Prices())
        await entered(ready, protection)
        await price(ready, "62000")
        with killed_at(point):
            await protection.on_price("BTCUSDT", Decimal(62_000), Decimal(62_001))
        async with reopened(tmp_path, ready.exchange, symbols=("BTCUSDT",)) as again:
            protection = again.protection(fence=2)
            for _ in range(3):
                await again.reconciler.run("start")
                await protection.ensure_all({"BTCUSDT": without_stops(again)})
                await again.wait(QUIET_MS + 1)
            assert await sold(again) == [(Role.EXIT, STOP, Decimal(62_000))]
            await again.assert_reconciled()


async def test_target_that_the_exchange_refuses_is_watched_beside_the_stop_that_rests(tmp_path):
    async with played_desk(tmp_path) as ready:
        prices = Prices()
        protection = ready.protection(prices=prices)
        refusal = '{"code": -1013, "msg": "Filter failure: PERCENT_PRICE_BY_SIDE"}'
        await ready.exchange.fault("http", method="POST", path="orderList/oco", status=400, body=refusal)
        assert await entered(ready, protection, ready.rules["BTCUSDT"]) == "0.01 protected, stop 62720, target 66560.01"
        assert (await levels(ready)).keys() == {"STOP_LOSS"}
        assert set(await alarms(ready)) == {(TARGET_WATCHED, "BTCUSDT")}
        assert prices.watched == {"BTCUSDT"}
        await told(ready, protection, "66560")
        assert await sold(ready) == []
        await told(ready, protection, "66560.01")
        assert await sold(ready) == [(Role.EXIT, TARGET, Decimal("66560.01"))]
        await protection.ensure_all(ready.rules)
        assert await alarms(ready) == {}
        await ready.assert_reconciled()


async def test_stop_with_a_limit_that_was_jumped_over_is_sold_at_market(tmp_path):
    """It rests on under the gap: its limit is watched, two percent under the stop."""
    async with played_desk(tmp_path) as ready:
        rules = ready.rules["BTCUSDT"]
        rules = replace(rules, order_types=tuple(kind for kind in rules.order_types if kind != "STOP_LOSS"))
        protection = ready.protection("2", "0", prices=Prices())
        assert await entered(ready, protection, rules) == "0.01 protected, stop 62720"
        await price(ready, "60000")
        await ready.recovery.catch_up()
        assert (await levels(ready)).keys() == {"STOP_LOSS_LIMIT"}  # awake, unfilled
        await told(ready, protection, "60000")
        assert await sold(ready) == [(Role.EXIT, STOP, Decimal(60_000))]
        await ready.assert_reconciled()


# What is due at a tick

# fmt: off
DUE = [
    # settings                    minutes, bid                    due
    ({},                          0,       "63000",               None),
    ({},                          0,       "62720",               (STOP, "the price 62720 is at or under the stop 62720")),
    ({},                          0,       "66600",               (TARGET, "the price 66600 has reached 66560.01")),
    ({"time_stop_minutes": 5},    4,       "64000",               None),
    ({"time_stop_minutes": 5},    5,       "64000",               (ExitKind.TIME_STOP, "held for 5 min, RISK_TIME_STOP_MINUTES is 5")),
]
# fmt: on


@pytest.mark.parametrize(("exits", "minutes", "bid", "expected"), DUE)
async def test_tick_asks_what_is_due(tmp_path, exits, minutes, bid, expected):
    async with played_desk(tmp_path) as ready:
        protection, rules = ready.protection(**exits), without_stops(ready)
        await entered(ready, protection)
        await ready.wait(minutes * 60_000)
        await price(ready, bid)
        view = MarketView("BTCUSDT", rules, (), await ready.gateway.book_ticker("BTCUSDT"), 0, 0)
        assert await protection.due("BTCUSDT", view) == expected


async def test_nothing_is_due_without_a_position_or_where_the_exchange_does_it(tmp_path):
    async with played_desk(tmp_path) as ready:
        await price(ready, "62000")
        protection = ready.protection()
        view = MarketView("BTCUSDT", ready.rules["BTCUSDT"], (), await ready.gateway.book_ticker("BTCUSDT"), 0, 0)
        assert await protection.due("BTCUSDT", view) is None
        await entered(ready, protection, ready.rules["BTCUSDT"])
        assert await protection.due("BTCUSDT", view) is None
        assert await held(ready) == Decimal("0.01")
