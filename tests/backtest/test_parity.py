"""The daemon on the simulated exchange that replays a market, and the backtest of that market, place the same orders."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.orders import OrderState, Role
from tests.backtest.parity import Traded, by_backtest, by_daemon, differences
from tests.simulator.market.candles import MINUTE_MS, START_MS, write_candles

TICKS = 60
HISTORY = 500  # candles that the daemon asks for (agents/market_data.py)
EAGER = {
    "STRATEGY_NAME": "rsi_momentum",
    "STRATEGY_PARAMS": "rsi_period=2,rsi_oversold=45,rsi_overbought=55",
    "RISK_COOLDOWN_SECONDS": "0",
    "RISK_MAX_TRADES_PER_HOUR": "0",
    "RISK_MAX_SYMBOL_TRADES_PER_HOUR": "12",
    "RISK_MAX_CONSECUTIVE_LOSSES": "4",
    "RISK_LOSS_PAUSE_MINUTES": "5",
    "RISK_MAX_ORDER_QUOTE": "90000",
    "RISK_MAX_POSITION_QUOTE": "90000",
    "TRADING_ORDER_QUOTE": "3000",
}

pytestmark = pytest.mark.slow


def candles(random: np.random.Generator, price: float) -> list[Candle]:
    """A random walk of about a thousandth a minute; now and then nobody trades."""
    made = []
    for number in range(HISTORY + TICKS):
        open_, close = price * (1 + random.normal(0, 1e-4)), price * (1 + random.normal(0, 1e-3))
        wicks = np.abs(random.normal(0, 5e-4, 2))
        high, low = max(open_, close) * (1 + wicks[0]), min(open_, close) * (1 - wicks[1])
        is_quiet = random.random() < 0.03
        prices = [open_] * 4 if is_quiet else [open_, high, low, close]
        open_ms = START_MS + number * MINUTE_MS
        numbers = [Decimal(f"{value:.2f}") for value in prices]
        volume = Decimal(0) if is_quiet else Decimal(f"{random.uniform(1, 60):.4f}")
        made.append(Candle(open_ms, open_ms + MINUTE_MS - 1, *numbers, volume))
        price = prices[-1]
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, random = tmp_path_factory.mktemp("market"), np.random.default_rng(11)
    prices = {"BTCUSDT": 30_000.0, "ETHUSDT": 2_000.0}
    return [write_candles(folder / f"{name}-1m.csv", candles(random, price)) for name, price in prices.items()]


def compared(tmp_path: Path, files: list[Path], **settings: str) -> Traded:
    start_ms = START_MS + HISTORY * MINUTE_MS
    traded = by_daemon(tmp_path, files, start_ms, TICKS, **EAGER, **settings)
    for every_candle in (False, True):
        tested = by_backtest(tmp_path, files, start_ms, TICKS, every_candle=every_candle, **EAGER, **settings)
        assert differences(traded, tested) == []
    return traded


def test_without_exits(tmp_path, files):
    traded = compared(tmp_path, files, RISK_STOP_LOSS_PCT="0", RISK_TAKE_PROFIT_PCT="0")
    assert len(traded.orders) > 20
    assert any(len(fills) > 1 for _, fills in traded.orders)  # orders that took several levels of the book
    assert traded.outcomes["REFUSED"]


def test_with_a_stop_a_falling_target_and_a_time_stop(tmp_path, files):
    exits = {"RISK_STOP_LOSS_PCT": "0.2", "RISK_TARGET_TABLE": "0=0.15,3=0.05", "RISK_TIME_STOP_MINUTES": "6"}
    traded = compared(tmp_path, files, **exits)
    filled = {order.role for order, _ in traded.orders if order.state is OrderState.FILLED}
    assert filled == set(Role)
