"""Verifying what limits look at: the peak of each point of the equity curve, and the sums of what came from outside."""

import sqlite3
from collections.abc import Callable
from decimal import Decimal

from binance_trade_agent.domain.money import plain
from binance_trade_agent.ledger import equity, external_sums
from binance_trade_agent.ledger.equity import Mark, Series
from binance_trade_agent.ledger.integrity import UNREADABLE

Say = Callable[[str], None]


def verify_equity(connection: sqlite3.Connection, say: Say) -> None:
    """Verify each peak from the points before it and the pauses. Points from before peaks were noted have none."""
    rows = connection.execute("SELECT DISTINCT epoch, quote_asset FROM equity WHERE epoch IS NOT NULL ORDER BY 1, 2")
    for epoch, quote_asset in rows.fetchall():
        before: Mark | None = None
        what = f"equity of epoch {epoch}"
        try:
            for mark in equity.marks(connection, Series(epoch, quote_asset)):
                what = f"equity of epoch {epoch} at {mark.tick_ms}"
                peak = equity.peak_after(connection, epoch, before, mark.tick_ms, mark.adjusted_quote)
                if peak != mark.peak_quote:
                    say(f"{what}: the peak is {plain(mark.peak_quote)}, and the points give {plain(peak)}")
                before = mark
        except UNREADABLE as error:
            say(f"{what}: a point after it cannot be read: {error!r}")


def verify_external_sums(connection: sqlite3.Connection, say: Say) -> None:
    """Verify each sum of what came from outside. A ledger from before these sums may lack some."""
    for epoch, asset, amount in connection.execute("SELECT epoch, asset, amount FROM external_sums").fetchall():
        total = external_sums.posted(connection, epoch, asset)
        if Decimal(amount) != total:
            say(f"what came from outside in epoch {epoch}: {amount} {asset}, and its postings sum to {plain(total)}")
