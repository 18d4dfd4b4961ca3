"""A desk that decides: the orchestrator on it, protection where a test wants it, and how a test ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.agents.suspension import Suspensions
from binance_trade_agent.agents.turns import turns
from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Order, OrderReport, Role
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ops import crash_points
from binance_trade_agent.orchestrator import Tick, TradingOrchestrator
from binance_trade_agent.risk.settings import SizingSettings
from tests.agents.desk import RUN_ID, Desk, always, desk
from tests.agents.risk_desk import risk_agent
from tests.test_orchestrator import FAILURES_IN_A_ROW, TICKS_OF_REST, Pipeline, Scripted

NO_SUCH_ORDER = {"status": 400, "body": '{"code": -2013, "msg": "Order does not exist."}'}


class Killed(BaseException):
    """What ends the daemon in a test, where SIGKILL would. Nothing in the product catches it."""


def dying_at(point: str, passes: int = 1):
    """A context in which the daemon is killed at `point`, when it comes there for the `passes`-th time."""
    left = passes

    def listener(passed: str) -> None:
        nonlocal left
        if passed == point:
            left -= 1
            if left == 0:
                raise Killed(point)

    return crash_points.listening(listener)


@asynccontextmanager
async def trader(
    tmp_path: Path,
    *,
    protection: tuple[str, str] = ("0", "0"),
    balances=None,
    order_quote: int = 100,
    **opinions: Action,
) -> AsyncIterator[Pipeline]:
    """A trader on a desk of its own. `protection`: distances of stop and target in percent."""
    options = {} if balances is None else {"balances": balances}
    async with desk(tmp_path, **options) as ready:
        yield trading_on(ready, ready.protection(*protection), order_quote=order_quote, **opinions)


def trading_on(ready: Desk, protection: Protection, *, order_quote: int = 100, **opinions: Action) -> Pipeline:
    """A trader on `ready`."""
    strategy = Scripted(**opinions)
    risk = risk_agent(
        ready,
        strategy=strategy.name,
        sizing=SizingSettings(order_quote=Decimal(order_quote)),
        max_position_quote=Decimal(order_quote * 5),
    )
    orchestrator = TradingOrchestrator(
        ready.market_data(),
        SignalAgent(always(strategy)),
        risk,
        ready.execution,
        protection,
        ready.ledger,
        Suspensions(FAILURES_IN_A_ROW, TICKS_OF_REST),
    )
    return Pipeline(ready, strategy, orchestrator)


async def decided_now(ready: Pipeline, symbol: str = "BTCUSDT") -> Decision:
    """The decision on one symbol at this moment of the market."""
    tick = Tick(RUN_ID, ready.desk.clock.now_ms(), 99)
    return await ready.orchestrator.decide(tick, symbol, turns([symbol])[symbol])


async def legs(ready: Desk) -> dict[Role, Order]:
    """The protective orders that are not settled, by role."""
    return {order.role: order for order in await ready.ledger.open_orders() if order.role.is_protective}


async def resting(ready: Desk, symbol: str = "BTCUSDT") -> list[OrderReport]:
    """What rests on the exchange."""
    return await ready.gateway.open_orders(symbol)


async def alarms(ready: Desk) -> list[str]:
    """Kinds of the alarms that stand in the ledger."""
    return [alarm.kind for alarm in await ready.ledger.alarms()]


async def held(ready: Desk, symbol: str = "BTCUSDT") -> Decimal:
    """The bot's position."""
    position = (await ready.ledger.positions()).get(symbol)
    return position.quantity if position else ZERO


async def assert_equal(ready: Desk, *, sent: int) -> None:
    """Ledger and exchange agree to the last digit, nothing differs, and so many orders or lists were sent in all."""
    assert await ready.reconciler.run("check") == []
    balances = (await ready.gateway.account()).balances
    wallet = {asset: amount for asset, amount in (await ready.ledger.wallet()).items() if amount}
    assert wallet == balances
    for symbol in ready.rules:
        ours = [replace(fill, client_order_id="") for fill in await ready.ledger.fills(symbol)]
        assert ours == await ready.gateway.trades_since(symbol, 0)
        there = {report.exchange_order_id for report in await resting(ready, symbol)}
        here = {order.exchange_order_id for order in await ready.ledger.open_orders() if order.symbol == symbol}
        assert here == there, "what rests there is in the ledger, and nothing else"
    external = await ready.ledger.read(
        lambda connection: connection.execute("SELECT * FROM postings WHERE kind = 'external'").fetchall()
    )
    assert external == [], "nothing was explained away as coming from outside"
    assert await ready.times_sent() == sent


async def assert_settled(ready: Desk, *, sent: int) -> None:
    """The same, and no order is open."""
    await assert_equal(ready, sent=sent)
    await ready.assert_reconciled()
