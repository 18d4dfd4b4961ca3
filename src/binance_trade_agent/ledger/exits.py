"""The latest sales with what each realised, worked out from the fills.

What a sale realised depends on the average cost before it, so its fills are replayed from the position's last mark
before them (position_marks.py): at most a hundred fills for each stretch that a sale lies in, however old the ledger.
The functions take the SQLite connection and only read.
"""

import heapq
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.positions import apply_fill
from binance_trade_agent.ledger import position_marks
from binance_trade_agent.risk.state import ExitResult

Sale = tuple[int, str, int, str]  # close (market ms, negative), symbol, last trade id (negative), client order id


def latest_exits(connection: sqlite3.Connection, epoch: int, limit: int) -> list[ExitResult]:
    """The latest sales of all symbols, newest first."""
    return list(islice(exits_backwards(connection, epoch), limit))


def exits_backwards(connection: sqlite3.Connection, epoch: int) -> Iterator[ExitResult]:
    """Every sale of all symbols, newest first, each worked out when it is asked for."""
    rows = connection.execute("SELECT symbol, base_asset, quote_asset FROM positions WHERE epoch = ?", (epoch,))
    replays = {symbol: Replay(connection, epoch, symbol, base, quote) for symbol, base, quote in rows.fetchall()}
    for closed, symbol, _, order_id in heapq.merge(*(_sales(connection, epoch, symbol) for symbol in replays)):
        pnl, cost = replays[symbol].of_order(order_id)
        yield ExitResult(order_id, symbol, pnl, cost, -closed)


def _sales(connection: sqlite3.Connection, epoch: int, symbol: str) -> Iterator[Sale]:
    """The orders that sold, newest first: each where its last fill is."""
    rows = connection.execute(
        "SELECT traded_ms, trade_id, client_order_id FROM fills INDEXED BY fills_by_time"
        " WHERE epoch = ? AND symbol = ? AND side = ? ORDER BY traded_ms DESC, trade_id DESC",
        (epoch, symbol, Side.SELL),
    )
    seen: set[str] = set()
    for traded_ms, trade_id, order_id in rows:
        if order_id not in seen:
            seen.add(order_id)
            yield -traded_ms, symbol, -trade_id, order_id


class Replay:
    """What each fill on one symbol realised. A stretch of fills from one mark to the next is replayed once."""

    def __init__(
        self, connection: sqlite3.Connection, epoch: int, symbol: str, base_asset: str, quote_asset: str
    ) -> None:
        self._connection = connection
        self._epoch = epoch
        self._symbol = symbol
        self._assets = {"base_asset": base_asset, "quote_asset": quote_asset}
        self._replayed: dict[int, tuple[Decimal, Decimal]] = {}  # profit and cost by trade id, in quote asset

    def of_order(self, client_order_id: str) -> tuple[Decimal, Decimal]:
        """What an order that sold has realised, and what it sold had cost; both in quote asset."""
        profit = cost = ZERO
        rows = self._connection.execute(
            "SELECT trade_id FROM fills WHERE client_order_id = ? AND epoch = ?", (client_order_id, self._epoch)
        )
        for (trade_id,) in rows.fetchall():
            added, had_cost = self.of_fill(trade_id)
            profit, cost = profit + added, cost + had_cost
        return profit, cost

    def of_fill(self, trade_id: int) -> tuple[Decimal, Decimal]:
        """What one fill has realised, and what it sold had cost; both in quote asset."""
        if trade_id not in self._replayed:
            self._replay_stretch_of(trade_id)
        return self._replayed[trade_id]

    def _replay_stretch_of(self, trade_id: int) -> None:
        before, fills = position_marks.since_mark(self._connection, self._epoch, self._symbol, trade_id)
        for number, fill in enumerate(fills, start=1):
            after = apply_fill(before, fill, **self._assets)
            profit = after.realised_pnl_quote - before.realised_pnl_quote
            self._replayed[fill.trade_id] = profit, before.cost_quote - after.cost_quote
            before = after
            if number >= position_marks.MARK_EVERY and fill.trade_id >= trade_id:
                return
