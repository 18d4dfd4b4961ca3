"""What commission in a third asset (BNB) was worth: noted with the fill, converted once when a price can be had.

The functions take the SQLite connection inside a transaction; `ledger.py` provides both.
"""

import sqlite3
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Fill


@dataclass(frozen=True, slots=True)
class FeeToConvert:
    """Commission of one fill, in `asset`, that is to be stated in `quote_asset`."""

    epoch: int
    symbol: str
    trade_id: int
    asset: str
    amount: Decimal
    quote_asset: str


def note(connection: sqlite3.Connection, epoch: int, fill: Fill, *, base_asset: str, quote_asset: str) -> None:
    """Keep a fill's commission for conversion when it is in a third asset."""
    if not fill.commission or fill.commission_asset in {base_asset, quote_asset}:
        return
    connection.execute(
        "INSERT OR IGNORE INTO fee_values VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
        (epoch, fill.symbol, fill.trade_id, fill.commission_asset, plain(fill.commission), quote_asset),
    )


def to_convert(connection: sqlite3.Connection, limit: int = 100) -> list[FeeToConvert]:
    """Commissions that nobody has converted yet, of any epoch."""
    rows = connection.execute(
        "SELECT epoch, symbol, trade_id, asset, amount, quote_asset FROM fee_values WHERE priced_ms IS NULL"
        " ORDER BY epoch, symbol, trade_id LIMIT ?",
        (limit,),
    )
    return [FeeToConvert(**{**dict(row), "amount": Decimal(row["amount"])}) for row in rows]


def convert(connection: sqlite3.Connection, fee: FeeToConvert, price: Decimal | None, at_ms: int) -> None:
    """Keep the price of one unit of the asset in quote asset, and what the commission was worth; None: unknown."""
    connection.execute(
        "UPDATE fee_values SET price = ?, value_quote = ?, priced_ms = ?"
        " WHERE epoch = ? AND symbol = ? AND trade_id = ? AND priced_ms IS NULL",
        (
            None if price is None else plain(price),
            None if price is None else plain(fee.amount * price),
            at_ms,
            fee.epoch,
            fee.symbol,
            fee.trade_id,
        ),
    )


def total(connection: sqlite3.Connection, epoch: int) -> tuple[Decimal, int]:
    """Worth in quote asset of the epoch's converted commissions, and how many are unknown or not converted yet."""
    rows = connection.execute("SELECT value_quote FROM fee_values WHERE epoch = ?", (epoch,)).fetchall()
    known = [Decimal(row["value_quote"]) for row in rows if row["value_quote"] is not None]
    return sum(known, start=Decimal(0)), len(rows) - len(known)
