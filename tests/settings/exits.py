"""Settings that decide where a position is left: what the exchange is to be told, and what the protection does there.

The pure probes hold 1 BTC that was bought at 100, an hour ago, with an average true range of 1; since then the price was
at 110. What is told is where stop and target are to stand, in words.
"""

from decimal import Decimal

from binance_trade_agent.agents.exit_plan import is_step, plan_of
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.risk import Identity
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.limits import exit_settings
from binance_trade_agent.risk.exits import Levels, exit_levels
from tests.agents.desk import Desk
from tests.agents.market import held, levels, price
from tests.agents.played import played_desk
from tests.settings.effects import Effect, Probe, Trial, effect

RULES = SymbolRules(
    symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    tick_size=Decimal("0.01"),
    step_size=Decimal("0.00001"),
    min_notional=Decimal(5),
    order_types=("MARKET", "STOP_LOSS", "LIMIT_MAKER"),
)
HOLDING = Holding(
    Position("BTCUSDT", quantity=Decimal(1), cost_quote=Decimal(100)),
    opened_ms=0,
    entry_order_id="entry",
    highest_paid=Decimal(100),
    atr_quote=Decimal(1),
)
ONE_STOP = {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 1}
STOP_OF_THE_USER = {"symbol": "BTCUSDT", "side": "BUY", "type": "STOP_LOSS", "quantity": "0.001", "stopPrice": "70000"}
HOUR_LATER_MS = 60 * MINUTE_MS


def levels_of(trial: Trial) -> Levels:
    return exit_levels(exit_settings(trial.settings), HOLDING, Decimal(110), HOUR_LATER_MS)


def levels_at(trial: Trial) -> str:
    """`stop 98, target 104`."""
    return str(plan_of(exit_settings(trial.settings), levels_of(trial), HOLDING, RULES))


def closed(trial: Trial) -> ExitKind | None:
    """What makes the position be closed now, whatever the price."""
    close = levels_of(trial).close
    return None if close is None else close[0]


def is_moved(*, by: str) -> Probe:
    """Whether a trailing stop that stands at 100 is moved up so far."""
    return lambda trial: is_step(exit_settings(trial.settings), Decimal(100), 100 + Decimal(by))


def protection_of(ready: Desk, trial: Trial) -> Protection:
    """As the daemon has it."""
    return Protection(
        exit_settings(trial.settings),
        ready.gateway,
        ready.ledger,
        ready.clock,
        ready.keeper,
        ready.execution,
        ready.alarms,
        Identity("test", "s", 1),
    )


async def bought(ready: Desk, bid: str) -> None:
    await price(ready, bid)
    await ready.trade(quantity="0.01")
    await ready.wait(1)


async def seconds_between_moves(trial: Trial) -> int:
    """Each second the price rises by 0.2 %: market time between the first and the second move of what trails it."""
    async with played_desk(trial.folder) as ready:
        protection = protection_of(ready, trial)
        stood_since_ms: dict[Decimal, int] = {}
        await bought(ready, "64000")
        for second in range(60):
            await price(ready, str(64_000 + 128 * second))
            await protection.ensure_all(ready.rules)
            _, stop = (await levels(ready))["STOP_LOSS"]
            stood_since_ms.setdefault(stop, ready.clock.now_ms())
            await ready.wait(1_000)
        _, first_ms, second_ms, *_ = stood_since_ms.values()
        return (second_ms - first_ms) // 1000


async def held_after_refusal(trial: Trial) -> str:
    """What is held of 0.01 BTC after the exchange has refused its protection."""
    async with played_desk(trial.folder) as ready:
        await bought(ready, "64000")
        await ready.exchange.control("config", symbol={"symbol": "BTCUSDT", "filters": [ONE_STOP]})
        await (await ready.exchange.client()).create_order(**STOP_OF_THE_USER)
        protection = protection_of(ready, trial)
        for _ in range(2):
            await protection.ensure("BTCUSDT", ready.rules["BTCUSDT"])
        assert len(await levels(ready)) == 1, "the user's"
        return f"{await held(ready):f}"


# fmt: off
EXITS: dict[str, Effect] = {
    "RISK_STOP_LOSS_PCT": effect(
        levels_at, {"2": "stop 98, target 104", "5": "stop 95, target 104", "0": "target 104"}),
    "RISK_STOP_LOSS_ATR": effect(levels_at, {"0": "stop 98, target 104", "3": "stop 97, target 104"}),
    "RISK_TAKE_PROFIT_PCT": effect(
        levels_at, {"4": "stop 98, target 104", "10": "stop 98, target 110", "0": "stop 98"}),
    "RISK_TAKE_PROFIT_ATR": effect(levels_at, {"0": "stop 98, target 104", "6": "stop 98, target 106"}),
    "RISK_TARGET_TABLE": effect(
        levels_at,
        {None: "stop 98, target 104", "0=8,60=2": "stop 98, target 102", "0=8,61=2": "stop 98, target 108"}),
    "RISK_TRAILING_STOP_PCT": effect(levels_at, {"0": "stop 98, target 104", "10": "stop 99, target 104"}),
    "RISK_TRAILING_STOP_ATR": effect(levels_at, {"0": "stop 98, target 104", "8": "stop 102, target 104"}),
    "RISK_TRAILING_START_PCT": effect(
        levels_at, {"10": "stop 99, target 104", "11": "stop 98, target 104"}, RISK_TRAILING_STOP_PCT="10"),
    "RISK_TRAILING_STEP_PCT": effect(is_moved(by="0.5"), {"0.5": True, "0.6": False}),
    "RISK_TRAILING_SECONDS": effect(
        seconds_between_moves, {"5": 5, "20": 20}, RISK_TRAILING_STOP_PCT="5", RISK_TAKE_PROFIT_PCT="0"),
    "RISK_TIME_STOP_MINUTES": effect(closed, {"0": None, "61": None, "60": ExitKind.TIME_STOP}),
    "RISK_UNPROTECTED": effect(held_after_refusal, {"protect": "0.01", "close": "0"}),
}
# fmt: on
