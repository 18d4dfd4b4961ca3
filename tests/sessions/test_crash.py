"""A market that falls by an eighth within twenty minutes, as on 2024-08-05: the breaker holds, and so does every limit."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from benchmarks.support.limits_kept import broken_limits

from tests.sessions.daemon_process import assert_books_balance, session

HISTORY, QUIET, CRASH, AFTER = 1500, 60, 20, 80  # minutes; the session begins after the history
FALL = 0.125
START_MS = 1_722_729_600_000
SETTINGS = {
    "STRATEGY_NAME": "rsi_momentum",
    "STRATEGY_PARAMS": "rsi_period=5",
    "TRADING_DURATION_MINUTES": str(QUIET + CRASH + AFTER),
    "TRADING_ORDER_QUOTE": "1000",
    "RISK_MAX_ORDER_QUOTE": "1000",
    "RISK_MAX_POSITION_QUOTE": "3000",
    "RISK_MAX_EXPOSURE_PCT": "60",
    "RISK_MAX_DRAWDOWN_PCT": "2",
    "RISK_DRAWDOWN_PAUSE_MINUTES": "60",
    "RISK_MAX_DAILY_LOSS_PCT": "0",
    "RISK_MAX_CONSECUTIVE_LOSSES": "0",
    "RISK_STOP_LOSS_PCT": "4",
    "RISK_TAKE_PROFIT_PCT": "0",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def candles(path: Path, price: float, seed: int) -> Path:
    """One-minute candles of a random walk that falls by FALL within CRASH minutes, as CSV."""
    chance = np.random.default_rng(seed)
    steps = chance.normal(0, 0.0006, HISTORY + QUIET + CRASH + AFTER + 5)
    steps[HISTORY + QUIET : HISTORY + QUIET + CRASH] += np.log1p(-FALL) / CRASH
    closes = price * np.exp(np.cumsum(steps))
    opens = np.concatenate(([price], closes[:-1]))
    rows = ["open_time_ms,open,high,low,close,volume"]
    for minute, (opened, closed) in enumerate(zip(opens, closes, strict=True)):
        high, low = max(opened, closed) * 1.0002, min(opened, closed) * 0.9998
        rows.append(f"{START_MS + minute * 60_000},{opened:.2f},{high:.2f},{low:.2f},{closed:.2f},50")
    path.write_text("\n".join(rows) + "\n")
    return path


async def test_breaker_and_stops_hold_in_a_crash_and_no_limit_is_passed(tmp_path):
    files = [candles(tmp_path / "BTCUSDT-1m.csv", 60_000, 1), candles(tmp_path / "ETHUSDT-1m.csv", 3_000, 2)]
    await session(tmp_path, **SETTINGS, SIMULATION_REPLAY=",".join(map(str, files)))

    assert assert_books_balance(tmp_path / "ledger.db") > 0
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert broken_limits(connection) == []
        pauses = connection.execute("SELECT since_ms, until_ms FROM pauses WHERE rule = 'drawdown'").fetchall()
        exits = dict(
            connection.execute("SELECT exit, count(*) FROM orders WHERE executed_base != '0' GROUP BY exit").fetchall()
        )
        refused = connection.execute("SELECT count(*) FROM decisions WHERE rule = 'drawdown'").fetchone()[0]
        equity = [
            Decimal(row[0]) + Decimal(row[1])
            for row in connection.execute("SELECT cash_quote, positions_quote FROM equity ORDER BY tick_ms, cycle")
        ]
    crash_ms = START_MS + (HISTORY + QUIET) * 60_000
    assert crash_ms < pauses[0]["since_ms"] < crash_ms + CRASH * 60_000
    assert all(row["until_ms"] - row["since_ms"] == 60 * 60_000 for row in pauses)
    assert refused > 0
    assert exits["stop_loss"] == 2  # one for each symbol, whatever was added to the position
    # At most 60 % of the account was in the market, and it left 4 % under what was paid.
    assert min(equity) > equity[0] * Decimal("0.96")
