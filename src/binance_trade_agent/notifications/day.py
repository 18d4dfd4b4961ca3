"""What a UTC day of market time came to, in one sentence."""

import sqlite3
from collections import Counter
from decimal import Decimal

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.ledger import queries
from binance_trade_agent.reports.wording import exact, money, signed_money, utc_text


def day_of_last_tick(connection: sqlite3.Connection) -> int | None:
    """The UTC day since 1970 of the newest run's last point of equity; None before the first."""
    row = connection.execute(
        "SELECT tick_ms FROM equity WHERE run_id = (SELECT run_id FROM runs ORDER BY number DESC LIMIT 1)"
        " ORDER BY tick_ms DESC, cycle DESC LIMIT 1"
    ).fetchone()
    return None if row is None else int(row["tick_ms"]) // DAY_MS


def day_summary(connection: sqlite3.Connection, day: int) -> str:
    """Trades, equity and positions of a day in the current epoch; empty where it has no point of equity."""
    epoch, from_ms, to_ms = queries.epoch_number(connection), day * DAY_MS, (day + 1) * DAY_MS
    last = _point(connection, epoch, from_ms, to_ms, "DESC")
    if last is None:
        return ""
    first = _point(connection, epoch, from_ms - DAY_MS, from_ms, "DESC") or _point(
        connection, epoch, from_ms, to_ms, "ASC"
    )
    assert first is not None, "the last point is one of the day"
    sides: Counter[str] = Counter()
    worth = ZERO
    for side, quote_quantity in connection.execute(
        "SELECT side, quote_quantity FROM fills INDEXED BY fills_recent"
        " WHERE epoch = ? AND traded_ms >= ? AND traded_ms < ?",
        (epoch, from_ms, to_ms),
    ):
        sides[side] += 1
        worth += Decimal(quote_quantity)
    quote = last["quote_asset"]
    traded = f"{sides.total()} fills ({sides['BUY']} BUY, {sides['SELL']} SELL) worth {money(worth)} {quote}"
    gain = _adjusted(last) - _adjusted(first)
    realised = Decimal(last["realised_pnl_quote"]) - Decimal(first["realised_pnl_quote"])
    held = ", ".join(
        f"{exact(position.quantity)} {symbol}"
        for symbol, position in queries.positions(connection, epoch).items()
        if position.quantity
    )
    return (
        f"{utc_text(from_ms)[:10]} (UTC): {traded if sides else 'no fills'}; equity "
        f"{money(Decimal(last['equity_quote']))} {quote}, {signed_money(gain)} in the day; realised "
        f"{signed_money(realised)} {quote}; open now: {held or 'nothing'}."
    )


def _point(connection: sqlite3.Connection, epoch: int, from_ms: int, to_ms: int, order: str) -> sqlite3.Row | None:
    """The last (DESC) or the first (ASC) point of equity of a span, in the quote asset of the newest one."""
    found: sqlite3.Row | None = connection.execute(
        f"SELECT * FROM equity WHERE epoch = :epoch AND tick_ms >= :from AND tick_ms < :to AND quote_asset ="  # noqa: S608 (two words of this module)
        " (SELECT quote_asset FROM equity WHERE run_id = (SELECT run_id FROM runs ORDER BY number DESC LIMIT 1)"
        f" ORDER BY tick_ms DESC, cycle DESC LIMIT 1) ORDER BY tick_ms {order}, cycle {order} LIMIT 1",
        {"epoch": epoch, "from": from_ms, "to": to_ms},
    ).fetchone()
    return found


def _adjusted(point: sqlite3.Row) -> Decimal:
    """Equity without what came from outside."""
    return Decimal(point["equity_quote"]) - Decimal(point["external_quote"])
