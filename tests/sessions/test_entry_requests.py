"""What an entry asks the exchange: a whole daemon on virtual time, which hears the market from streams."""

import random
from collections import Counter
from decimal import Decimal

import pytest

from tests.torture.loop import run_virtual
from tests.torture.strategy import CoinStrategy
from tests.torture.world import World

SETTINGS = {
    "TRADING_INTERVAL_SECONDS": "10",
    "RISK_MAX_ORDER_QUOTE": "1000000",
    "RISK_MAX_POSITION_QUOTE": "1000000",
    "RISK_MAX_EXPOSURE_PCT": "100",
}


def asked_by_entries(**settings):
    """How often each path was asked by GET while positions were entered, by path, and the entries that were made."""

    async def work():
        strategy = CoinStrategy(random.Random(1), buy=1, sell=0)
        strategy.is_quiet = True
        async with World(1, usdt=Decimal(10_000_000), strategy=strategy, **SETTINGS, **settings) as world:
            daemon = world.start()
            assert await world.until(lambda: daemon.traded_at is not None, 60)
            await world.sleep(40)  # each stream has told something
            asked: Counter[str] = Counter()
            world.exchange.request_listeners.append(
                lambda method, target, _: asked.update([target.partition("?")[0]] if method == "GET" else [])
            )
            strategy.is_quiet = False
            await world.sleep(35)
            return asked, await entries(world)

    return run_virtual(work)


async def entries(world):
    found = "SELECT count(*) FROM orders WHERE role = 'ENTRY' AND executed_base != '0'"
    return world.read(lambda inside: inside.execute(found).fetchone()[0])


@pytest.mark.parametrize(
    ("settings", "depths_an_entry"),
    [({"TRADING_ORDER_QUOTE": "100"}, 0), ({"TRADING_ORDER_QUOTE": "45000"}, 1)],
    ids=["what the best ask holds", "more than any best ask holds"],
)
def test_an_entry_asks_for_no_last_price_and_for_the_depth_only_when_it_takes_more_than_the_best_ask(
    settings, depths_an_entry
):
    asked, made = asked_by_entries(**settings)
    assert made >= 6, "two symbols, three ticks"
    assert asked["/api/v3/ticker/price"] == 0
    assert asked["/api/v3/depth"] == depths_an_entry * made
