"""Settings whose effect is seen in what a daemon does: a short session of the real one on a stepped simulated exchange.

It ticks each minute for a few minutes. What it trades by is a strategy of the user's own that says BUY for a minute, or
for so many as its parameter says, then SELL for as long; another one always fails.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise, takewhile
from typing import Any

from binance_trade_agent import daemon
from binance_trade_agent.agents.risk_context import average_true_range
from binance_trade_agent.configuration import load
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.order_ids import is_own_order_id
from binance_trade_agent.domain.orders import Order, OrderState, Role
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.connect import connected
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.strategies.own import OWN_FOLDER
from tests.exchange_process import RunningExchange, running_exchange
from tests.ledger.bookkeeping import decision, trading_ledger
from tests.settings.effects import Effect, Probe, Trial, effect

MINUTES = 4
STRATEGY = '''"""A strategy of a test."""

import numpy as np
from pydantic import Field

from binance_trade_agent.strategies.base import Strategy, Votes
from binance_trade_agent.strategies.params import StrategyParams


class TurnsParams(StrategyParams):
    minutes: int = Field(1, ge=1, le=60, description="of each direction")


class Turns(Strategy[TurnsParams]):
    """BUY for some minutes, then SELL for as many."""

    name = "turns"
    summary = "buys and sells by the clock"
    Params = TurnsParams
    warm_up = 1

    def vote(self, frame):
        turn = frame.index.to_numpy() // 60_000 // self.params.minutes
        direction = np.where(turn % 2, 1, -1).astype(np.int8)
        return Votes(direction, np.full(len(frame), 0.9), {})

    def reason(self, row):
        return "by the clock"
'''
FAILING = STRATEGY.replace("turns", "fails").replace("Turns", "Fails").replace("frame.index", "frame.no_such_thing")


@dataclass(frozen=True)
class Session:
    """What a session has left in its ledger, and the exchange, on which nothing moves any more."""

    trial: Trial
    exchange: RunningExchange
    decisions: list[Decision]
    orders: list[Order]


def environment(trial: Trial, exchange: RunningExchange) -> dict[str, str]:
    """The trial's settings on this exchange, and what they leave open."""
    return {
        "TRADING_SYMBOLS": "BTCUSDT",
        "TRADING_INTERVAL_SECONDS": "60",
        "TRADING_DURATION_MINUTES": str(MINUTES),
        "STRATEGY_NAME": "turns",
        "RISK_COOLDOWN_SECONDS": "0",
        "LEDGER_PATH": "ledger.db",
        "SIMULATION_SPEED": "1000000",
        "EXCHANGE_URL": exchange.url,
        "EXCHANGE_CONTROL_URL": exchange.control_url,
        **trial.environment,
    }


def session(look: Callable[[Session], Any]) -> Probe:
    """Trade in the trial's folder, and look at what came of it."""

    async def probe(trial: Trial) -> Any:
        own = trial.folder / OWN_FOLDER
        own.mkdir(parents=True)
        (own / "turns.py").write_text(STRATEGY, encoding="utf-8")
        (own / "fails.py").write_text(FAILING, encoding="utf-8")
        async with running_exchange(speed=None) as exchange:
            trial = replace(trial, environment=environment(trial, exchange))
            with contextlib.chdir(trial.folder):
                assert await daemon._run(load(environment=trial.environment, folder=trial.folder)) == 0
                with LedgerReader.open(trial.settings.ledger_path) as reader:
                    (run,) = reader.snapshot(queries.runs)
                    latest = reader.snapshot(lambda connection: queries.decisions(connection, run.run_id))
                    orders = [entry.order for entry in reader.snapshot(queries.orders)]
            told = look(Session(trial, exchange, latest[::-1], orders))
            return await told if hasattr(told, "__await__") else told

    return probe


async def old_decisions_left(trial: Trial) -> int:
    """Trade on a ledger that has an hour of decisions of long ago; how many of them are left."""
    async with running_exchange(speed=None) as exchange:
        trial = replace(trial, environment=environment(trial, exchange))
        with contextlib.chdir(trial.folder):
            async with trading_ledger(trial.settings.ledger_path) as ledger:
                old = [decision(minute * MINUTE_MS, bid=Decimal(1)) for minute in range(60)]
                await ledger.record_decisions(old)
            assert await daemon._run(load(environment=trial.environment, folder=trial.folder)) == 0
            with LedgerReader.open(trial.settings.ledger_path) as reader:
                return len(reader.snapshot(lambda connection: queries.decisions(connection, "run-a")))


def seconds_between_ticks(played: Session) -> set[float]:
    return {(later.tick_ms - earlier.tick_ms) / 1000 for earlier, later in pairwise(played.decisions)}


def minutes_of_a_candle(played: Session) -> set[float]:
    return {
        (later.open_time_ms - earlier.open_time_ms) / MINUTE_MS
        for decision in played.decisions
        for earlier, later in pairwise(decision.candles)
    }


def strategies(played: Session) -> set[str]:
    return {decision.signal.strategy for decision in played.decisions if decision.signal}


def actions(played: Session) -> str:
    return " ".join(decision.signal.action for decision in played.decisions if decision.signal)


def is_confirmed(on: str) -> Callable[[Session], bool]:
    """Whether what is said of entries speaks of larger candles."""
    return lambda played: any(f"on {on}" in decision.signal.reason for decision in played.decisions if decision.signal)


def has_ids_of(*instances: str) -> Callable[[Session], dict[str, bool]]:
    return lambda played: {
        instance: all(is_own_order_id(order.client_order_id, instance) for order in played.orders)
        for instance in instances
    }


def resting_at_the_end(played: Session) -> list[str]:
    return sorted(order.role for order in played.orders if order.state is OrderState.ACCEPTED)


def part_of_price_at_stop(played: Session) -> list[Decimal]:
    """Of each stop that the exchange was told, at which part of what was paid it sells."""
    paid = next(order.reference_price for order in played.orders if order.role is Role.ENTRY)
    return sorted({round(order.stop_price / paid, 2) for order in played.orders if order.stop_price is not None})


def is_closed_by_the_strategy(played: Session) -> bool:
    return any(order.exit is ExitKind.STRATEGY for order in played.orders)


def atr_period_of(*periods: int) -> Callable[[Session], Any]:
    """By which of these periods the average true range of an entry is reckoned."""

    async def found(played: Session) -> list[int]:
        entry = next(order for order in played.orders if order.atr_quote is not None)
        async with connected(played.trial.settings) as connection:
            candles = await connection.gateway.candles("BTCUSDT", "1m", 900)
        known = [candle for candle in candles if candle.open_time_ms <= entry.candle_open_ms]
        return [period for period in periods if average_true_range(known, period) == entry.atr_quote]

    return found


def rests(played: Session) -> list[bool]:
    """Of each tick of a strategy that always fails, whether the symbol is left alone."""
    assert {decision.outcome for decision in played.decisions} == {Outcome.FAILED}
    return [decision.detail.startswith("suspended") for decision in played.decisions]


def failures_before_rest(played: Session) -> int:
    return rests(played).index(True)


def ticks_of_rest(played: Session) -> int:
    all_ticks = rests(played)
    return count(takewhile(bool, all_ticks[all_ticks.index(True) :]))


def count(things: Iterable[Any]) -> int:
    return sum(1 for _ in things)


def is_refused_by(rule: str) -> Callable[[Session], bool]:
    return lambda played: rule in {decision.rule for decision in played.decisions}


def ledgers(played: Session) -> list[str]:
    return [path.relative_to(played.trial.folder).as_posix() for path in played.trial.folder.rglob("*.db")]


def symbols(played: Session) -> list[str]:
    return sorted({decision.symbol for decision in played.decisions})


LONG = {"TRADING_DURATION_MINUTES": "8", "STRATEGY_NAME": "fails", "RISK_SUSPEND_AFTER_FAILURES": "2"}

# fmt: off
SESSIONS: dict[str, Effect] = {
    "TRADING_SYMBOLS": effect(session(symbols), {"ETHUSDT": ["ETHUSDT"], "BTCUSDT,ETHUSDT": ["BTCUSDT", "ETHUSDT"]}),
    "TRADING_INTERVAL_SECONDS": effect(session(seconds_between_ticks), {"60": {60}, "40": {40}}),
    "TRADING_DURATION_MINUTES": effect(session(lambda played: len(played.decisions)), {"2": 2, "3": 3}),
    "TRADING_CANDLE_INTERVAL": effect(session(minutes_of_a_candle), {"1m": {1}, "5m": {5}}),
    "TRADING_ORDERS_ON_STOP": effect(
        session(resting_at_the_end),
        {"keep": ["STOP_LOSS", "TAKE_PROFIT"], "cancel_entries": ["STOP_LOSS", "TAKE_PROFIT"], "cancel_all": []},
        TRADING_DURATION_MINUTES="1"),
    "TRADING_CONFIRM_INTERVAL": effect(session(is_confirmed(on="15m")), {None: False, "15m": True}),
    "TRADING_INSTANCE": effect(
        session(has_ids_of("red", "blue")), {"red": {"red": True, "blue": False}, "blue": {"red": False, "blue": True}}),
    "STRATEGY_NAME": effect(session(strategies), {"turns": {"turns"}, "macd_crossover": {"macd_crossover"}}),
    "STRATEGY_PARAMS": effect(session(actions), {"minutes=1": "BUY SELL BUY SELL", "minutes=2": "BUY SELL SELL BUY"}),
    "RISK_STRATEGY_EXIT": effect(session(is_closed_by_the_strategy), {"true": True, "false": False}),
    "RISK_ATR_PERIOD": effect(session(atr_period_of(5, 50)), {"5": [5], "50": [50]}),
    "RISK_SUSPEND_AFTER_FAILURES": effect(session(failures_before_rest), {"2": 2, "3": 3}, **LONG),
    "RISK_SUSPEND_TICKS": effect(session(ticks_of_rest), {"1": 1, "4": 4}, **LONG),
    "LEDGER_PATH": effect(session(ledgers), {"here.db": ["here.db"], "deeper/there.db": ["deeper/there.db"]}),
    "LEDGER_MIN_FREE_MB": effect(session(is_refused_by("disk")), {"0": False, "1000000000": True}),
    "LEDGER_KEEP_DECISIONS_DAYS": effect(old_decisions_left, {"0": 60, "1": 2}, STRATEGY_NAME="rsi_momentum"),
}

# The other tables put settings to parts of the daemon. That the daemon itself is made of them, by the same functions:
# one limit, one exit, one pause.
JOINTS: dict[str, Effect] = {
    "RISK_MIN_CONFIDENCE": effect(session(is_refused_by("min_confidence")), {"0.9": False, "0.91": True}),
    "RISK_STOP_LOSS_PCT": effect(
        session(part_of_price_at_stop), {"3": [Decimal("0.97")], "7": [Decimal("0.93")]}),
    "RISK_MAX_CONSECUTIVE_LOSSES": effect(session(is_refused_by("consecutive_losses")), {"0": False, "1": True}),
}
# fmt: on
