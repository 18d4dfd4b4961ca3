"""A recorded session of two runs for the tests: with fills, stops, pauses, another strategy, another limit, and a kill -9 in between."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

from binance_trade_agent.agents import market_data
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.settings import Settings, setting_names, shown
from tests.torture.loop import run_virtual
from tests.torture.people import People
from tests.torture.world import World

KILLED, LAST = "run-001", "run-002"
SETTINGS = {
    "STRATEGY_NAME": "mean_reversion_zscore",
    "STRATEGY_PARAMS": "zscore_period=5,zscore_entry=-0.1,zscore_exit=1",
    "TRADING_INTERVAL_SECONDS": "10",
    "TRADING_CONFIRM_INTERVAL": "3m",
    "RISK_STOP_LOSS_PCT": "0.3",
    "RISK_TRAILING_STOP_PCT": "0.15",
    "RISK_TRAILING_STEP_PCT": "0.01",
    "RISK_TRAILING_SECONDS": "1",
    "RISK_TIME_STOP_MINUTES": "1",
    "RISK_COOLDOWN_SECONDS": "0",
    "RISK_MAX_CONSECUTIVE_LOSSES": "2",
    "RISK_LOSS_PAUSE_MINUTES": "1",
}


def play(folder: Path) -> None:
    """Leave a ledger and its recordings in `folder`."""
    _keep(folder, _play, seed=5)


def play_with_people(folder: Path) -> None:
    """The same of one run in which persons order, cancel, close, pause, stop and release."""
    _keep(folder, _play_with_people, seed=4)


def _keep(folder: Path, session: Callable[[Path], Coroutine[Any, Any, Settings]], seed: int) -> None:
    with patch.object(market_data, "LEAST_HISTORY", 60):  # the exchange of the world has two hours
        settings = run_virtual(session, folder, seed=seed)
    written = json.dumps({name: shown(getattr(settings, name.lower())) for name in setting_names()})
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.execute("UPDATE runs SET settings_json = ?", (written,))  # the world leaves that to its daemons
        connection.commit()


async def _play(folder: Path) -> Settings:
    async with World(5, **SETTINGS) as world:
        first = world.start(strategy=None)  # that of the settings
        await world.sleep(100)
        commands.place(
            world.settings.ledger_path,
            CommandKind.SET_STRATEGY,
            requested_by="a test",
            requested_wall_ms=wall_ms(),
            payload={"name": "bollinger_bands", "params": "bollinger_period=5,bollinger_width=0.5"},
        )
        commands.place(
            world.settings.ledger_path,
            CommandKind.SET_RISK,
            requested_by="a test",
            requested_wall_ms=wall_ms(),
            payload={"RISK_COOLDOWN_SECONDS": "3"},  # shorter than a tick: it shows in what the rule finds only
        )
        await world.sleep(60)
        world.crash_when = lambda point: point == "order.answered"  # an order is on its way
        await first.ended()
        world.crash_when = lambda _: False
        second = world.start(strategy=None)
        await world.sleep(100)
        await second.stop()
        shutil.copytree(world.folder, folder, dirs_exist_ok=True)
        return world.settings


async def _play_with_people(folder: Path) -> Settings:
    async with World(4, **SETTINGS) as world:
        people, trader = People(world), world.start(strategy=None)
        await world.sleep(30)
        for _ in range(60):
            people.ask_something()
            await world.sleep(5)
        await trader.stop()
        shutil.copytree(world.folder, folder, dirs_exist_ok=True)
        return world.settings
