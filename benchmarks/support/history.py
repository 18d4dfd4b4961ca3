"""Ledgers with a long past, written by SQL in one transaction: what a daemon leaves that has traded for years.

Order k is a MARKET order on BTCUSDT that fills in `FILLS_PER_ORDER` trades of 0.001 BTC at 60,000 with 0.06 USDT of fee
each; buys and sells take turns. The books are true: `trade-agent ledger verify` finds nothing wrong with them.
"""

import hashlib
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from binance_trade_agent.domain.money import plain
from binance_trade_agent.ledger import journal
from binance_trade_agent.ledger.connection import in_transaction, open_or_create
from binance_trade_agent.ledger.position_marks import MARK_EVERY
from binance_trade_agent.ledger.records import RunRecord

FILLS_PER_ORDER = 4
RUN_ID = "history"
SYMBOL = "BTCUSDT"
OPENING_QUOTE = Decimal(10_000_000)
TICK_MS = 120_000
_QUOTE_LOST_A_FILL = Decimal("0.06")

_NUMBERS = """
CREATE TEMP TABLE past (k INTEGER PRIMARY KEY, order_id TEXT NOT NULL, side TEXT NOT NULL, at_ms INTEGER NOT NULL)
"""

# Columns are named, so that those which a later migration adds take their defaults.
_STATEMENTS = (
    """
INSERT INTO orders (client_order_id, epoch, run_id, symbol, side, type, quantity, reference_price, tick_ms,
    candle_open_ms, state, detail, exchange_order_id, executed_base, executed_quote, filled_base, filled_quote, settled,
    created_ms, updated_ms, owner, decision_key)
SELECT order_id, 1, 'history', 'BTCUSDT', side, 'MARKET', '0.004', '60000', at_ms, at_ms - 60000, 'FILLED', '240 USDT',
    k, '0.004', '240', '0.004', '240', 1, at_ms, at_ms, 'history', substr(order_id, -14) FROM past
""",
    """
INSERT INTO order_events (client_order_id, sequence, state, at_ms, executed_base, detail)
SELECT order_id, steps.number, steps.state, at_ms, steps.executed, '' FROM past, (
    SELECT 1 AS number, 'INTENT' AS state, '0' AS executed UNION ALL SELECT 2, 'SENT', '0'
    UNION ALL SELECT 3, 'ACCEPTED', '0' UNION ALL SELECT 4, 'FILLED', '0.004') AS steps
""",
    """
INSERT INTO fills (epoch, symbol, trade_id, exchange_order_id, client_order_id, side, price, quantity, quote_quantity,
    commission, commission_asset, is_maker, traded_ms)
SELECT 1, 'BTCUSDT', k * 4 + part, k, order_id, side, '60000', '0.001', '60', '0.06', 'USDT', 0, at_ms + part
FROM past, (SELECT 0 AS part UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)
""",
    """
INSERT INTO postings (epoch, kind, reference, line, asset, account, amount, at_ms)
SELECT 1, 'fill', 'BTCUSDT:' || trade_id, lines.line, lines.asset, lines.account,
    CASE side WHEN 'BUY' THEN lines.buy ELSE lines.sell END, traded_ms FROM fills, (
    SELECT 1 AS line, 'BTC' AS asset, 'wallet' AS account, '0.001' AS buy, '-0.001' AS sell
    UNION ALL SELECT 2, 'BTC', 'market', '-0.001', '0.001'
    UNION ALL SELECT 3, 'USDT', 'wallet', '-60', '60'
    UNION ALL SELECT 4, 'USDT', 'market', '60', '-60'
    UNION ALL SELECT 5, 'USDT', 'wallet', '-0.06', '-0.06'
    UNION ALL SELECT 6, 'USDT', 'fees', '0.06', '0.06') AS lines
""",
    """
INSERT INTO decisions (run_id, tick_ms, symbol, cycle, outcome, detail, client_order_id, bid, ask, candle_age_ms,
    book_age_ms, strategy, action, confidence, reason, indicators_json, candle_open_ms)
SELECT 'history', at_ms, 'BTCUSDT', k, 'EXECUTED', '0.004 @ 60,000.00, fee 0.24 USDT', order_id, '60000', '60000.01',
    1000, 50, 'none', side, 0.5, 'RSI 27.4 < 30', '{"rsi": 27.4}', at_ms - 60000 FROM past
""",
    """
INSERT INTO equity (run_id, tick_ms, cycle, equity_quote, cash_quote, positions_quote, realised_pnl_quote,
    unrealised_pnl_quote)
SELECT 'history', at_ms, k, '10000000', '10000000', '0', '0', '0' FROM past
""",
)


def write_history(path: Path, fills: int) -> None:
    """Make a ledger at `path` with so many fills, in one epoch and one run that has ended.

    Raises:
        ValueError: `fills` is not a multiple of 8: what is bought has to be sold again.
    """
    if fills % (2 * FILLS_PER_ORDER):
        raise ValueError(f"{fills} fills are not pairs of orders: take a multiple of {2 * FILLS_PER_ORDER}")
    with closing(open_or_create(path)) as connection:
        connection.execute("PRAGMA cache_size = -1000000")  # a GB: order ids are in no order, and so are their indexes
        in_transaction(lambda inside: _write(inside, fills))(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def order_id(order: int) -> str:
    """Client order id of the k-th order, in no order, as digests are."""
    return f"bta000-BTCUSDT-1-{hashlib.blake2b(order.to_bytes(8), digest_size=7).hexdigest()}"


def _write(connection: sqlite3.Connection, fills: int) -> None:
    orders = fills // FILLS_PER_ORDER
    end_ms = orders * TICK_MS
    journal.open_epoch(connection, 0, "benchmark", {"USDT": OPENING_QUOTE})
    journal.begin_run(connection, RunRecord(RUN_ID, "simulated", "none", (SYMBOL,), "{}", "none", 0, 0, 1))
    journal.end_run(connection, RUN_ID, end_ms, end_ms, "the duration is over")
    connection.execute(_NUMBERS)
    connection.executemany(
        "INSERT INTO past VALUES (?, ?, ?, ?)",
        ((k, order_id(k), "BUY" if k % 2 else "SELL", k * TICK_MS) for k in range(1, orders + 1)),
    )
    for statement in _STATEMENTS:
        connection.execute(statement)
    _write_marks(connection, fills)
    connection.execute("DROP TABLE past")
    lost = fills * _QUOTE_LOST_A_FILL
    connection.execute("UPDATE wallets SET amount = ? WHERE asset = 'USDT'", (plain(OPENING_QUOTE - lost),))
    connection.execute("INSERT INTO wallets VALUES (1, 'BTC', '0')")
    connection.execute(
        "INSERT INTO positions (epoch, symbol, base_asset, quote_asset, quantity, cost_quote, realised_pnl_quote,"
        " opened_ms, updated_ms) VALUES (1, 'BTCUSDT', 'BTC', 'USDT', '0', '0', ?, NULL, ?)",
        (plain(-lost), end_ms + FILLS_PER_ORDER - 1),
    )


def _write_marks(connection: sqlite3.Connection, fills: int) -> None:
    """The position after every MARK_EVERY-th fill: that many fills are whole pairs of orders, or half of one."""
    connection.executemany(
        "INSERT INTO position_marks VALUES (1, 'BTCUSDT', ?, ?, ?, ?, ?, ?)",
        (_mark(number) for number in range(MARK_EVERY, fills + 1, MARK_EVERY)),
    )


def _mark(fill: int) -> tuple[int, str, str, str, int | None, int]:
    pairs, left = divmod(fill, 2 * FILLS_PER_ORDER)
    assert left in {0, FILLS_PER_ORDER}, "a mark in the middle of an order"
    held = FILLS_PER_ORDER if left else 0
    realised = -2 * FILLS_PER_ORDER * _QUOTE_LOST_A_FILL * pairs
    trade_id = fill + FILLS_PER_ORDER - 1  # the first one is FILLS_PER_ORDER
    order = trade_id // FILLS_PER_ORDER
    at_ms = order * TICK_MS + FILLS_PER_ORDER - 1
    cost = held * (Decimal(60) + _QUOTE_LOST_A_FILL)
    opened_ms = order * TICK_MS if held else None
    return trade_id, plain(held * Decimal("0.001")), plain(cost), plain(realised), opened_ms, at_ms
