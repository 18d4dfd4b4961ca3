"""Writing what happened, other than to orders: epochs, runs, decisions, equity, money from outside.

The functions take the SQLite connection inside a transaction; `ledger.py` provides both.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from decimal import Decimal

from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.ledger import equity, external_sums, order_symbols, queries
from binance_trade_agent.ledger.accounting import Account, Posting, external_postings
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.records import Epoch, EquityPoint, RunRecord
from binance_trade_agent.ledger.repeats import Again
from binance_trade_agent.ledger.rows import columns, decision_row, run_columns

BEFORE_ALL_TRADES = -1  # trade ids count from 0


def open_epoch(
    connection: sqlite3.Connection,
    opened_ms: int,
    reason: str,
    balances: Mapping[str, Decimal],
    market: str | None = None,
    trade_cursors: Mapping[str, int | None] | None = None,
) -> Epoch:
    """Close the current epoch, if any, and begin the next from these balances (free and locked, by asset).

    Trades up to `trade_cursors`, by symbol, were made before it and are in the balances already; None: there are none.
    """
    previous = queries.current_epoch(connection)
    if previous:
        connection.execute("UPDATE epochs SET closed_ms = ? WHERE epoch = ?", (opened_ms, previous.epoch))
    epoch = Epoch(previous.epoch + 1 if previous else 1, opened_ms, None, reason, market)
    connection.execute("INSERT INTO epochs VALUES (:epoch, :opened_ms, :closed_ms, :reason, :market)", columns(epoch))
    post(
        connection,
        epoch.epoch,
        external_postings(balances),
        kind="opening",
        reference="opening",
        at_ms=opened_ms,
    )
    for symbol, trade_id in (trade_cursors or {}).items():
        # Without a row the latest fill would count as the last trade that was read, and hide a missed one before it.
        move_trade_cursor(connection, symbol, BEFORE_ALL_TRADES if trade_id is None else trade_id)
    return epoch


def name_market(connection: sqlite3.Connection, market: str) -> None:
    """Note which market the current epoch is of."""
    connection.execute("UPDATE epochs SET market = ? WHERE epoch = ?", (market, required_epoch(connection).epoch))


def move_trade_cursor(connection: sqlite3.Connection, symbol: str, trade_id: int) -> None:
    """Note that every trade of the account on `symbol` up to `trade_id` was read and, where it is ours, booked."""
    connection.execute(
        "INSERT INTO trade_cursors VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET trade_id = excluded.trade_id"
        " WHERE excluded.trade_id > trade_id",
        (required_epoch(connection).epoch, symbol, trade_id),
    )


def begin_trades(connection: sqlite3.Connection, symbol: str, trade_id: int) -> None:
    """Note that no trade of ours on `symbol` is one up to `trade_id`, unless it is known where they begin."""
    epoch = required_epoch(connection).epoch
    if not order_symbols.has_order(connection, epoch, symbol):
        connection.execute("INSERT OR IGNORE INTO trade_cursors VALUES (?, ?, ?)", (epoch, symbol, trade_id))


def begin_run(connection: sqlite3.Connection, run: RunRecord) -> None:
    """Keep a run that starts now, in the current epoch."""
    epoch = required_epoch(connection).epoch
    number = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM runs").fetchone()[0]
    connection.execute(
        "INSERT INTO runs VALUES (:run_id, :number, :epoch, :mode, :strategy, :symbols, :settings_json, :exchange,"
        " :started_ms, :ended_ms, :started_wall_ms, :ended_wall_ms, :pid, :end_reason, :fence, :thinned_ms)",
        {**run_columns(run), "number": number, "epoch": epoch},
    )


def end_run(connection: sqlite3.Connection, run_id: str, ended_ms: int, ended_wall_ms: int, reason: str) -> None:
    """Note when and why a run ended."""
    connection.execute(
        "UPDATE runs SET ended_ms = ?, ended_wall_ms = ?, end_reason = ? WHERE run_id = ?",
        (ended_ms, ended_wall_ms, reason, run_id),
    )


def record_decisions(connection: sqlite3.Connection, decisions: Iterable[Decision]) -> None:
    """Keep decisions; one on the same run, tick and symbol is replaced, as when ORDERED becomes EXECUTED."""
    connection.executemany(
        "INSERT OR REPLACE INTO decisions VALUES (:run_id, :tick_ms, :symbol, :cycle, :outcome, :detail, :rule,"
        " :client_order_id, :bid, :ask, :candle_age_ms, :book_age_ms, :strategy, :action, :confidence, :reason,"
        " :indicators_json, :candle_open_ms, :exit, :exit_reason, :findings_json, :candles_json, :candle_count,"
        " :packed)",
        [decision_row(decision) for decision in decisions],
    )


def record_repeats(connection: sqlite3.Connection, repeats: Iterable[Again]) -> None:
    """Note decisions that say what is written."""
    connection.executemany(
        "INSERT INTO decisions_again VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT DO UPDATE"
        " SET times = times + 1, last_tick_ms = excluded.last_tick_ms, last_cycle = excluded.last_cycle",
        [(each.run_id, each.tick_ms, each.symbol, each.last_tick_ms, each.last_cycle) for each in repeats],
    )


def record_equity(connection: sqlite3.Connection, point: EquityPoint) -> None:
    """Keep the worth at a tick in the current epoch; the last word on a tick counts."""
    equity.record(connection, required_epoch(connection).epoch, point)


def post_external(connection: sqlite3.Connection, asset: str, amount: Decimal, at_ms: int, reference: str) -> bool:
    """Book what came from outside, or went there when negative; False when the reference is known in this epoch."""
    epoch = required_epoch(connection).epoch
    known = connection.execute(
        "SELECT 1 FROM postings WHERE epoch = ? AND kind = 'external' AND reference = ?", (epoch, reference)
    ).fetchone()
    if known:
        return False
    post(connection, epoch, external_postings({asset: amount}), kind="external", reference=reference, at_ms=at_ms)
    return True


def post(
    connection: sqlite3.Connection, epoch: int, postings: Iterable[Posting], *, kind: str, reference: str, at_ms: int
) -> None:
    """Write one entry and move the wallet by it."""
    for line, posting in enumerate(postings, start=1):
        connection.execute(
            "INSERT INTO postings VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (epoch, kind, reference, line, posting.asset, posting.account, plain(posting.amount), at_ms),
        )
        if posting.account is Account.WALLET:
            _move_wallet(connection, epoch, posting)
            if kind == "external":
                external_sums.move(connection, epoch, posting.asset, posting.amount)


def required_epoch(connection: sqlite3.Connection) -> Epoch:
    """The current epoch.

    Raises:
        LedgerError: none was opened yet.
    """
    epoch = queries.current_epoch(connection)
    if epoch is None:
        raise LedgerError("the ledger has no epoch yet; open one from the exchange's balances first")
    return epoch


def _move_wallet(connection: sqlite3.Connection, epoch: int, posting: Posting) -> None:
    row = connection.execute(
        "SELECT amount FROM wallets WHERE epoch = ? AND asset = ?", (epoch, posting.asset)
    ).fetchone()
    amount = (Decimal(row["amount"]) if row else ZERO) + posting.amount
    connection.execute("INSERT OR REPLACE INTO wallets VALUES (?, ?, ?)", (epoch, posting.asset, plain(amount)))
