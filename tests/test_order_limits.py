"""A daemon on an exchange that takes few orders, on virtual time: who cannot be sent is not asked for, nor written down."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from binance_trade_agent.domain.orders import OrderState, Role
from binance_trade_agent.exchange.errors import BannedError
from binance_trade_agent.ledger import queries
from binance_trade_agent.simulator import limits
from binance_trade_agent.simulator.endpoints import general
from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT
from tests.torture.loop import run_virtual
from tests.torture.strategy import CoinStrategy
from tests.torture.world import World

MANY = tuple(f"SIM{number}USDT" for number in range(1, 7))
ORDERS_IN_TEN_SECONDS = 12  # 10 for entries: three with their lists
ENTRIES_IN_TEN_SECONDS = 3
SETTINGS = {
    "RISK_MAX_OPEN_POSITIONS": "20",
    "RISK_MAX_EXPOSURE_PCT": "100",
    "RISK_MAX_POSITION_QUOTE": "110",
    "RISK_COOLDOWN_SECONDS": "3600",  # each symbol is bought once
}


class Switched(CoinStrategy):
    """BUY or SELL of everything, or nothing."""

    def __init__(self) -> None:
        super().__init__(random.Random(0))
        self.hold()

    def buy(self) -> None:
        self._odds = 1.0, 0.0

    def sell(self) -> None:
        self._odds = 0.0, 1.0

    def hold(self) -> None:
        self._odds = 0.0, 0.0


@pytest.fixture
def few_orders(monkeypatch):
    """The simulated exchange takes few orders, and says so."""
    windows = tuple(
        replace(window, limit=ORDERS_IN_TEN_SECONDS) if window.length == "10s" else window
        for window in limits.ORDER_WINDOWS
    )
    monkeypatch.setattr(limits, "ORDER_WINDOWS", windows)
    monkeypatch.setattr(general, "ALL_WINDOWS", (limits.WEIGHT, *windows, limits.RAW_REQUESTS))


class Told:
    """Requests as they arrive.

    Attributes:
        asked: how often something was asked about a symbol, or ordered, but for candles.
        most_orders: as many as the exchange has counted in a window of ten seconds; what is filled is given back.
    """

    def __init__(self, world: World) -> None:
        self.asked: Counter[str] = Counter()
        self.most_orders = 0
        self._exchange = world.exchange.exchange
        world.exchange.request_listeners.append(self._hear)

    def _hear(self, _method: str, target: str, body: str) -> None:
        counts = self._exchange.order_count(MAIN_ACCOUNT).counts(self._exchange.limits_now_ms())
        self.most_orders = max(self.most_orders, *(count for window, count in counts.items() if window.length == "10s"))
        for symbol in MANY:
            if f"symbol={symbol}&" in f"{target}&{body}&" and "klines" not in target:
                self.asked[symbol] += 1


def decisions(world: World) -> list:
    return world.read(lambda connection: list(queries.decisions(connection, "run-001")))


async def until_decided(world: World, outcome: str, rule: str | None = None, *, symbols: int) -> None:
    """Until that has come of so many symbols; a strategy is asked anew when a candle has closed."""
    for _ in range(60):
        await world.sleep(2)
        if len({each.symbol for each in decisions(world) if (each.outcome, each.rule) == (outcome, rule)}) >= symbols:
            return
    raise AssertionError(Counter((each.outcome, each.rule) for each in decisions(world)))


def test_entries_come_one_window_after_the_other_and_exits_need_not_wait(few_orders):
    async def work():
        strategy = Switched()
        async with World(7, symbols=MANY, strategy=strategy, **SETTINGS) as world:
            told = Told(world)
            daemon = world.start()
            await until_decided(world, "HELD", symbols=len(MANY))
            told.asked.clear()
            strategy.buy()
            await until_decided(world, "REFUSED", "order_limit", symbols=len(MANY) - ENTRIES_IN_TEN_SECONDS)
            first_tick = min(each.cycle for each in decisions(world) if each.rule == "order_limit")
            refused = [each for each in decisions(world) if (each.cycle, each.rule) == (first_tick, "order_limit")]
            assert len(refused) == len(MANY) - ENTRIES_IN_TEN_SECONDS
            for each in refused:
                assert "no room for an entry's 3 orders" in str(each.detail)
                assert "of the 12 orders that the exchange takes in 10 s" in str(each.detail)
            assert {order.order.symbol for order in world.read(queries.orders)} == told.asked.keys()
            await until_decided(world, "EXECUTED", symbols=len(MANY))
            strategy.hold()
            assert told.most_orders <= 10, "what is kept for exits stays free"
            entries = world.read(queries.orders)
            assert {each.order.state for each in entries} == {OrderState.FILLED, OrderState.ACCEPTED}
            assert Counter(each.order.role for each in entries) == dict.fromkeys(
                (Role.ENTRY, Role.STOP_LOSS, Role.TAKE_PROFIT), len(MANY)
            ), "each is bought once and protected"

            strategy.sell()
            for _ in range(30):
                await world.sleep(2)
                sales = [each.order for each in world.read(queries.orders) if each.order.role is Role.EXIT]
                if len(sales) == len(MANY):
                    break
            assert [sale.state for sale in sales] == [OrderState.FILLED] * len(MANY)
            await daemon.stop()
            assert await world.converged() == []
            assert world.invariants.violations == []

    run_virtual(work, seed=7)


def test_while_the_exchange_wants_silence_an_entry_is_refused_without_asking():
    async def work():
        strategy = Switched()
        async with World(8, symbols=MANY[:2], strategy=strategy, **SETTINGS) as world:
            daemon = world.start()
            await until_decided(world, "HELD", symbols=2)
            await daemon.connection.gateway.budget.block(BannedError(300, "Banned."))
            told = Told(world)
            strategy.buy()
            await until_decided(world, "REFUSED", "silence", symbols=2)
            assert told.asked == {}
            assert world.read(queries.orders) == []
            assert world.invariants.violations == []

    run_virtual(work, seed=8)
