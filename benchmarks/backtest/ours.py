"""The workloads through this project's own backtest: the live agents, with every risk rule on and none in the way."""

import resource
import time
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from backtest.rsi_swing import RsiSwing
from backtest.workloads import CASH_QUOTE, FEE_FRACTION, MINUTE_MS, START_MS, Candles, Parameters, Workload
from binance_trade_agent.backtest.fills import FillSettings
from binance_trade_agent.backtest.plan import BacktestPlan
from binance_trade_agent.backtest.result import BacktestResult
from binance_trade_agent.backtest.run import run_backtest
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.history.rules import rules_of
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.settings import Settings

ROUNDS = 5
FIRST_FILL = 300  # the first tick: when the strategy has warmed up
FILLS = FillSettings(fee_pct=Decimal(str(FEE_FRACTION * 100)), spread_pct=Decimal(0), slippage="none")
# As much of the cash as a market order may take: the rule on balances keeps some back for slippage. Every limit is on,
# and so wide that the rule of the workloads meets none; only those on losses are off, as that rule loses nearly all.
SETTINGS: Mapping[str, Any] = {
    "risk_max_order_quote": "100000000",
    "risk_max_position_quote": "100000000",
    "risk_max_exposure_pct": "100",
    "risk_max_open_positions": 10,
    "risk_cooldown_seconds": 0,
    "risk_max_trades_per_hour": 100,
    "risk_max_trades_per_day": 1000,
    "risk_max_symbol_trades_per_hour": 100,
    "risk_max_symbol_trades_per_day": 1000,
    "risk_max_consecutive_losses": 0,
    "risk_max_daily_loss_pct": "0",
    "risk_max_drawdown_pct": "0",
    "risk_stop_loss_pct": "0",
    "risk_take_profit_pct": "0",
}


def run_w1(workload: Workload) -> dict:
    """Run it and say what came of it, in the words of `backtest/peers/measured.py`.

    And `first_fill`: the candle of the first tick, before which it only warms up.
    """
    return _measured(workload, ROUNDS)


def run_w2(workload: Workload) -> dict:
    """The same: each set of parameters is a whole backtest."""
    return _measured(workload, 2)


def run_w3(workload: Workload) -> dict:
    """The same with all symbols on one account; and the memory of the process at its highest."""
    found = _measured(workload, 1, with_trades=False)
    return {**found, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def _measured(workload: Workload, rounds: int, *, with_trades: bool = True) -> dict:
    tables = {symbol: _table(symbol, workload.candles(symbol)) for symbol in workload.symbols}
    plans = [_plan(tables, parameters) for parameters in workload.parameter_sets]
    seconds = []
    for _ in range(rounds):
        told, orders, spent = [], 0, 0.0
        for plan in plans:
            started = time.process_time()
            result = run_backtest(plan, tables, create=_created)
            spent += time.process_time() - started
            orders += len(result.orders)
            if with_trades:
                told.append(_told(result))  # and the result is let go of, as a search does
        seconds.append(spent)
    return {
        "version": version("binance-trading-agent"),
        "candles": sum(len(table) for table in tables.values()),
        "cpu_seconds": min(seconds),
        "first_cpu_seconds": seconds[0],
        "rounds": len(seconds),
        "counted": "RSI, crossings, decisions, risk rules, filters, orders, double entries, equity",
        "first_fill": FIRST_FILL,
        "orders": orders,
        **{name: [each[name] for each in told] for name in ("trades", "prices", "final_quote")},
    }


def _plan(tables: Mapping[str, CandleTable], parameters: Parameters) -> BacktestPlan:
    strategy = StrategyChoice(RsiSwing.name, {name: str(value) for name, value in asdict(parameters).items()})
    rules = {symbol: rules_of(None, symbol, table.price(table.open[0])) for symbol, table in tables.items()}
    share = {"trading_order_fraction": f"{0.99 / len(tables):.4f}"}
    start_ms = START_MS + FIRST_FILL * MINUTE_MS
    return BacktestPlan(Settings(**(SETTINGS | share)), strategy, rules, FILLS, Decimal(str(CASH_QUOTE)), start_ms)


def _created(_: str, texts: Mapping[str, str]) -> RsiSwing:
    return RsiSwing(RsiSwing.Params.model_validate(dict(texts)))


def _told(result: BacktestResult) -> dict:
    """The trades of a run, by candles, their prices, and what was left at the end."""
    # Each order was filled at once and whole, so fills buy and sell in turn.
    assert all((fill.side is Side.SELL) == bool(number % 2) for number, fill in enumerate(result.fills))
    fills = [((fill.traded_ms - START_MS) // MINUTE_MS, float(fill.price)) for fill in result.fills]
    pairs = list(zip(fills[::2], fills[1::2], strict=False))
    return {
        "trades": [(entry, out) for (entry, _), (out, _) in pairs],
        "prices": [(bought, sold) for (_, bought), (_, sold) in pairs],
        "final_quote": float(result.final_quote),
    }


def _table(symbol: str, candles: Candles) -> CandleTable:
    columns = {name: getattr(candles, name) for name in ("open", "high", "low", "close", "volume")}
    return CandleTable.with_digits(symbol, "1m", candles.open_ms, **columns)
