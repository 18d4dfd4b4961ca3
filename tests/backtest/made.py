"""Candles, plans and a strategy for backtests in tests."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from binance_trade_agent.backtest.fills import FillSettings
from binance_trade_agent.backtest.plan import BacktestPlan
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.settings import Settings
from binance_trade_agent.strategies.base import Strategy, Votes
from binance_trade_agent.strategies.params import StrategyParams

START_MS = 1_700_000_000_000 // 60_000 * 60_000
MINUTE_MS = 60_000
NO_COST = FillSettings(Decimal(0), Decimal(0), "none", Decimal(0), Decimal(0), Decimal(0))

# Nothing refuses an entry but what it costs, and nothing but the strategy leaves a position.
EAGER: Mapping[str, Any] = {
    "risk_max_order_quote": "100000000",
    "risk_max_position_quote": "100000000",
    "risk_max_exposure_pct": "100",
    "risk_max_open_positions": 100,
    "risk_max_trades_per_hour": 0,
    "risk_max_trades_per_day": 0,
    "risk_max_symbol_trades_per_hour": 0,
    "risk_max_symbol_trades_per_day": 0,
    "risk_cooldown_seconds": 0,
    "risk_max_drawdown_pct": "0",
    "risk_max_daily_loss_pct": "0",
    "risk_max_consecutive_losses": 0,
    "risk_max_volatility_pct": "0",
    "risk_max_spread_pct": "0",
    "risk_max_slippage_pct": "0",
    "risk_max_price_deviation_pct": "0",
    "risk_min_confidence": "0",
    "risk_stop_loss_pct": "0",
    "risk_take_profit_pct": "0",
}


class ScriptParams(StrategyParams):
    """How the script is read."""

    warm_up: int = Field(2, ge=1, le=100)


class Script(Strategy[ScriptParams]):
    """Says what the last digit of a candle's volume says: 1 buys, 2 sells. So a test writes the signals down."""

    name = "script"
    summary = "as the volumes say"
    Params = ScriptParams

    @property
    def warm_up(self) -> int:
        return self.params.warm_up

    def vote(self, frame: pd.DataFrame) -> Votes:
        digit = np.rint(frame["volume"].to_numpy() * 1000).astype(np.int64) % 10
        direction = np.select([digit == 1, digit == 2], [1, -1], 0).astype(np.int8)
        return Votes(direction, np.ones(len(frame)), {"digit": digit.astype(np.float64)})

    def reason(self, row: Mapping[str, float]) -> str:
        return f"the digit is {row['digit']:g}"


def script(name: str, params: Mapping[str, Any]) -> Script:
    """For StrategiesInUse."""
    assert name == "script"
    return Script(ScriptParams.model_validate(dict(params)))


def rules(symbol: str = "BTCUSDT", **changes: Any) -> SymbolRules:
    """Filters of a symbol with stop orders."""
    values: dict[str, Any] = {
        "order_types": ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"),
        "tick_size": Decimal("0.01"),
        "step_size": Decimal("0.00001"),
        "min_quantity": Decimal("0.00001"),
        "max_quantity": Decimal(9000),
        "min_notional": Decimal(5),
    }
    return SymbolRules(symbol, symbol.removesuffix("USDT"), "USDT", **(values | changes))


def table(
    rows: list[tuple[float, float, float, float, float]],
    symbol: str = "BTCUSDT",
    interval: str = "1m",
    times_ms: list[int] | None = None,
) -> CandleTable:
    """Candles of (open, high, low, close, volume), one after the other from START_MS on."""
    columns = np.array(rows, dtype=np.float64).T
    times = np.array(times_ms or [START_MS + MINUTE_MS * i for i in range(len(rows))], dtype=np.int64)
    names = ("open", "high", "low", "close", "volume")
    return CandleTable.with_digits(symbol, interval, times, **dict(zip(names, columns, strict=True)))


def walk(symbol: str = "BTCUSDT", interval_minutes: int = 1, count: int = 1500, hole: range = range(0)) -> CandleTable:
    """A random walk from START_MS on, of about 2 % an hour; without the candles of the rows in `hole`."""
    random = np.random.default_rng(len(symbol))
    close = np.round(30_000 * np.exp(np.cumsum(random.normal(0, 0.002, count))), 2)
    open_ = np.concatenate([[30_000.0], close[:-1]])
    high = np.maximum(open_, close) + np.round(random.uniform(0, 30, count), 2)
    low = np.minimum(open_, close) - np.round(random.uniform(0, 30, count), 2)
    columns = np.round(np.array([open_, high, low, close, random.uniform(20, 60, count)]).T, 2)
    length_ms = MINUTE_MS * interval_minutes
    begin_ms = START_MS // length_ms * length_ms
    rows = [row for row in range(count) if row not in hole]
    times_ms = [begin_ms + length_ms * row for row in rows]
    return table([tuple(map(float, columns[row])) for row in rows], symbol, f"{interval_minutes}m", times_ms)


def plan(
    *symbols: str, fills: FillSettings = NO_COST, opening: str = "10000", start_row: int | None = 2, **settings: Any
) -> BacktestPlan:
    """A plan for the script, with settings over EAGER."""
    known = {symbol: rules(symbol) for symbol in symbols or ("BTCUSDT",)}
    start_ms = None if start_row is None else START_MS + MINUTE_MS * start_row
    return BacktestPlan(
        Settings(**(EAGER | settings)),  # type: ignore[arg-type]
        StrategyChoice("script"),
        known,
        fills,
        Decimal(opening),
        start_ms,
    )
