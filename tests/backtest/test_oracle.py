"""A backtest of workload W1 against an oracle: a plain loop with Decimals that shares no code with the project."""

from decimal import ROUND_DOWN, Decimal

import numpy as np
import pandas as pd
import pytest

from binance_trade_agent.backtest.fills import FillSettings
from binance_trade_agent.backtest.run import run_backtest
from binance_trade_agent.strategies.base import Strategy, Votes
from binance_trade_agent.strategies.params import StrategyParams
from tests.backtest.made import plan, table

STEP, TICK_UNIT, FEE, FRACTION = Decimal("0.00001"), Decimal("0.00000001"), Decimal("0.001"), Decimal("0.99")


def walk(count, seed):
    """(open, high, low, close, volume) of a geometric random walk with small gaps between candles, to two decimals."""
    random = np.random.default_rng(seed)
    close = np.round(60_000 * np.exp(np.cumsum(random.normal(0, 0.0005, count))), 2)
    open_ = np.round(np.concatenate([[60_000], close[:-1]]) * (1 + random.normal(0, 0.0001, count)), 2)
    high, low = np.maximum(open_, close) + 10, np.minimum(open_, close) - 10
    volume = np.round(random.uniform(20_000, 100_000, count), 5)
    return [tuple(map(float, row)) for row in np.array([open_, high, low, close, volume]).T]


def wilder_rsi(closes, period):
    """RSI of Wilder, New Concepts in Technical Trading Systems (1978): None before `period` changes are known."""
    rsi, gain, loss = [None] * len(closes), 0.0, 0.0
    for index in range(1, len(closes)):
        change = closes[index] - closes[index - 1]
        up, down = max(change, 0.0), max(-change, 0.0)
        if index <= period:
            gain, loss = gain + up / period, loss + down / period
        else:
            gain, loss = (gain * (period - 1) + up) / period, (loss * (period - 1) + down) / period
        if index >= period:
            rsi[index] = 100 * gain / (gain + loss)
    return rsi


def oracle(candles, first, cash):
    """Fills as (candle, side, price, quantity, fee), then cash and base at the end."""
    rsi = wilder_rsi([candle[3] for candle in candles], 14)
    base, fills = Decimal(0), []
    for row in range(first, len(candles)):
        before, now = rsi[row - 2], rsi[row - 1]
        price = Decimal(str(candles[row][0]))
        if base < STEP and before >= 30 > now:
            quantity = (cash + base * price) * FRACTION / price
            quantity = quantity.quantize(STEP, ROUND_DOWN)
            fee = (quantity * FEE).quantize(TICK_UNIT, ROUND_DOWN)
            cash, base = cash - quantity * price, base + quantity - fee
            fills.append((row, "BUY", price, quantity, fee))
        elif base >= STEP and before <= 70 < now:
            quantity = base.quantize(STEP, ROUND_DOWN)
            fee = (quantity * price * FEE).quantize(TICK_UNIT, ROUND_DOWN)
            cash, base = cash + quantity * price - fee, base - quantity
            fills.append((row, "SELL", price, quantity, fee))
    return fills, cash, base


class CrossingParams(StrategyParams):
    """None."""


class Crossing(Strategy[CrossingParams]):
    """Buys when the RSI falls below 30, sells when it rises above 70."""

    name = "crossing"
    summary = "W1"
    Params = CrossingParams
    warm_up = 300  # type: ignore[assignment]

    def vote(self, frame: pd.DataFrame) -> Votes:
        from binance_trade_agent.strategies import indicators

        rsi = indicators.rsi(frame["close"].to_numpy(), 14)
        before = np.concatenate([[np.nan], rsi[:-1]])
        falls, rises = (before >= 30) & (rsi < 30), (before <= 70) & (rsi > 70)
        return Votes(falls.astype(np.int8) - rises.astype(np.int8), np.ones(len(rsi)), {"rsi": rsi})

    def reason(self, row):
        return f"RSI {row['rsi']:.1f}"


@pytest.mark.parametrize(("count", "seed"), [(525_600, 29), (5_000, 3)])
def test_the_backtest_equals_the_oracle_to_the_last_digit(count, seed):
    candles = walk(count, seed)
    asked = plan(
        fills=FillSettings(Decimal("0.1"), Decimal(0), "none", volume_share_pct=Decimal(0)),
        opening="1000000",
        start_row=501,
        trading_sizing="fraction",
        trading_order_fraction=str(FRACTION),
        risk_max_open_positions=1,
    )
    result = run_backtest(asked, {"BTCUSDT": table(candles)}, create=lambda *_: Crossing(CrossingParams()))
    fills, cash, base = oracle(candles, 501, Decimal(1_000_000))
    opens_ms = table(candles).open_times_ms
    told = [
        (int(np.searchsorted(opens_ms, fill.traded_ms)), fill.side.value, fill.price, fill.quantity, fill.commission)
        for fill in result.fills
    ]
    assert told == fills
    assert len(fills) > count / 300
    last = Decimal(str(candles[-1][3]))
    assert result.final_quote == cash + base * last
    assert result.positions["BTCUSDT"].quantity == base
