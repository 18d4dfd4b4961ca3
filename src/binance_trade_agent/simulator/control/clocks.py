"""POST /sim/clock: how the clock runs, and where to (binance-protocol.md Appendix A).

`stepped` is the clock of a daemon that moves its own market: signatures and limits stay with the wall clock of the
clients. `manual` is the clock of a check: everything goes by it, so that every edge can be met to the millisecond. On a
fixture it may be set to any time as long as nobody has ordered; a market that moves by itself only goes forward.
"""

from decimal import Decimal
from typing import Literal

from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.simulator.clock import MarketClock
from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT, Exchange
from binance_trade_agent.simulator.fixtures import FixtureFeed
from binance_trade_agent.simulator.options import FIXTURE_SESSION, fixture_exchange
from binance_trade_agent.simulator.simulation import Simulation

Mode = Literal["real", "manual", "stepped"]

_SLIGHT_MS = 60_000  # back by so little: the candle that is open stays open
_FAR_MS = 8 * 86_400_000  # forward by more: a fixture is made anew there instead of minute by minute


def set_mode(simulation: Simulation, mode: Mode) -> None:
    """Let the clock run from the present, or stop it.

    A fixture that is `real` is on the wall clock again.
    """
    simulation.advance()
    exchange = simulation.exchange
    is_fixture = isinstance(exchange.feed, FixtureFeed)
    exchange.clock.set_speed(Decimal(1) if mode == "real" else None)
    exchange.timestamps.is_strict = mode == "manual" or (mode == "real" and is_fixture)
    if mode == "real" and is_fixture:
        set_time(simulation, wall_ms())


def set_time(simulation: Simulation, now_ms: int) -> None:
    """Set the clock to `now_ms`.

    Raises:
        ValueError: the market cannot go there; one sentence.
    """
    exchange = simulation.exchange
    distance_ms = now_ms - exchange.now_ms
    if not isinstance(exchange.feed, FixtureFeed):
        exchange.clock.advance_to(now_ms)
    elif -_SLIGHT_MS <= distance_ms <= _FAR_MS:
        exchange.clock.set_to(now_ms)
        if distance_ms < 0:
            exchange.market.now_ms = now_ms
    elif any(True for _ in exchange.engine.history.all_orders()):
        raise ValueError(
            f"market time is {exchange.now_ms} and there are orders: it goes back by {_SLIGHT_MS // 1000} s and "
            f"forward by {_FAR_MS // 86_400_000} days at most; POST /sim/reset first"
        )
    else:
        simulation.move(_fixture_at(exchange, now_ms))


def _fixture_at(exchange: Exchange, now_ms: int) -> Exchange:
    """The same fixture at another time, with the keys, accounts and books of `exchange`."""
    clock = MarketClock(now_ms, exchange.clock.speed)
    moved = fixture_exchange(exchange.session_id.removeprefix(FIXTURE_SESSION), clock=clock)
    moved.timestamps.is_strict = exchange.timestamps.is_strict
    moved.engine.settlement.commissions = exchange.engine.settlement.commissions
    moved.switches = exchange.switches
    for key in exchange.access.keys:
        moved.access.register(key)
    for name, account in exchange.engine.accounts.items():
        if name != MAIN_ACCOUNT:
            moved.open_account(name, {asset: account.total(asset) for asset in account.assets})
    return moved
