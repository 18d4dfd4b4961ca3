"""What came from outside and went there, in each asset since the epoch began: a running sum of its postings.

A ledger from before these sums has none; they are made with the next posting, and until then the postings are read.
The functions take the SQLite connection; `move`, inside a transaction.
"""

import sqlite3
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO, plain


def external_sum(connection: sqlite3.Connection, epoch: int, asset: str) -> Decimal:
    """What came from outside in `asset` since the epoch began, less what went there; what it opened with is not in."""
    noted = _noted(connection, epoch, asset)
    return posted(connection, epoch, asset) if noted is None else noted


def move(connection: sqlite3.Connection, epoch: int, asset: str, amount: Decimal) -> None:
    """Add `amount`, whose posting is in the ledger already."""
    noted = _noted(connection, epoch, asset)
    total = posted(connection, epoch, asset) if noted is None else noted + amount
    connection.execute("INSERT OR REPLACE INTO external_sums VALUES (?, ?, ?)", (epoch, asset, plain(total)))


def posted(connection: sqlite3.Connection, epoch: int, asset: str) -> Decimal:
    """The sum of the postings themselves."""
    rows = connection.execute(
        "SELECT amount FROM postings WHERE epoch = ? AND kind = 'external' AND asset = ? AND account = 'wallet'",
        (epoch, asset),
    )
    return sum((Decimal(amount) for (amount,) in rows), ZERO)


def _noted(connection: sqlite3.Connection, epoch: int, asset: str) -> Decimal | None:
    row = connection.execute(
        "SELECT amount FROM external_sums WHERE epoch = ? AND asset = ?", (epoch, asset)
    ).fetchone()
    return Decimal(row["amount"]) if row else None
