"""Trades, an order with its fills each, in pages with the newest first; and all of them as CSV.

A page costs the same however old the ledger is: the fills are walked back by index, and what a sale realised is worked
out from the position's last mark before it (ledger/exits.py).
"""

import csv
import io
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from functools import partial

from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import Fill, Side
from binance_trade_agent.domain.values import Value
from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.exits import Replay
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports.order_strategies import UNKNOWN, decided_by, last_purchase
from binance_trade_agent.reports.trade_walk import Filters, Place, Step, walk
from binance_trade_agent.reports.trades import Assets, Trade, trade_of

__all__ = ["CSV_COLUMNS", "Filters", "Place", "TradePage", "TradeRow", "csv_chunks", "trade_page"]

PAGE_ROWS = 50
LOOK_FILLS = 4_000  # so many are looked at for a page at most, however few match

CSV_COLUMNS = (
    "time_utc",
    "symbol",
    "side",
    "role",
    "exit",
    "strategy",
    "type",
    "price",
    "quantity_base",
    "value_quote",
    "quote_asset",
    "fees",
    "realised_pnl_quote",
    "fills",
    "client_order_id",
    "exchange_order_id",
    "traded_ms",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would work out a text that begins so


class TradeRow(Value, frozen=True):
    """An order of ours as far as it filled.

    Attributes:
        fills: with what each of them realised in quote asset, None for a purchase; in the order of their trade ids.
        role, type, exit: see domain/orders.py; exit: what made a position be left, None for entries.
        strategy: see order_strategies.py; `by hand` for a person's, empty where nobody knows.
        place: of its last fill, where it stands in the list.
    """

    trade: Trade
    fills: tuple[tuple[Fill, Decimal | None], ...]
    role: str
    type: str
    exit: str | None
    strategy: str
    place: Place


class TradePage(Value, frozen=True):
    """Some trades, newest first.

    Attributes:
        older: from where the next page goes on, None when there is none.
        is_cut: whether the page ends, at `older`, because enough was looked at and not because it is full.
    """

    rows: tuple[TradeRow, ...]
    older: Place | None = None
    is_cut: bool = False


def trade_page(
    connection: sqlite3.Connection,
    epoch: int,
    filters: Filters,
    before: Place | None = None,
    *,
    limit: int = PAGE_ROWS,
    look_fills: int = LOOK_FILLS,
) -> TradePage:
    """The trades of an epoch that match, newest first, from before a place on.

    Args:
        connection: of a snapshot of the ledger.
        epoch: which.
        filters: which trades.
        before: `older` of the page before; None for the newest.
        limit: rows of a page.
        look_fills: how many fills are looked at at most.
    """
    book = _Book(connection, epoch)
    rows: list[TradeRow] = []
    looked = 0
    for looked, step in enumerate(walk(connection, epoch, filters, before)):
        if len(rows) == limit:
            return TradePage(tuple(rows), rows[-1].place)
        if looked == look_fills:
            break
        before = step.place
        row = book.row(step, filters.strategy) if step.is_meant else None
        if row is not None:
            rows.append(row)
    else:
        return TradePage(tuple(rows))
    return TradePage(tuple(rows), before, is_cut=True)


class _Book:
    """Looks up what a page says of its orders, each thing once."""

    def __init__(self, connection: sqlite3.Connection, epoch: int) -> None:
        self._connection = connection
        self._epoch = epoch
        self._assets: dict[str, Assets] = {}
        self._replays: dict[str, Replay] = {}
        self._fills: dict[str, list[Fill]] = {}
        self._decided: dict[str, str | None] = {}

    def row(self, step: Step, strategy: str | None) -> TradeRow | None:
        """The row of an order at its last fill; None at another fill, or when it is another strategy's."""
        order_id, symbol = step.client_order_id, step.place.symbol
        fills = self._fills_of(order_id)
        if max((fill.traded_ms, fill.symbol, fill.trade_id) for fill in fills) != step.place:
            return None
        owed_to = self._strategy_of(fills[0])
        if strategy is not None and strategy != owed_to:
            return None
        entry = queries.order_entry(self._connection, order_id)
        assert entry is not None, "a fill belongs to an order"
        order = entry.order
        parts = tuple((fill, self._realised(fill)) for fill in fills)
        return TradeRow(
            trade=trade_of([(fill, realised or ZERO) for fill, realised in parts], self._assets_of(symbol)[1]),
            fills=parts,
            role=order.role.value,
            type=order.type.value,
            exit=order.exit.value if order.exit else None,
            strategy=owed_to,
            place=step.place,
        )

    def _fills_of(self, order_id: str) -> list[Fill]:
        if order_id not in self._fills:
            found = queries.fills_of_order(self._connection, order_id)
            self._fills[order_id] = found
        return self._fills[order_id]

    def _realised(self, fill: Fill) -> Decimal | None:
        if fill.side is Side.BUY:
            return None
        if fill.symbol not in self._replays:
            base, quote = self._assets_of(fill.symbol)
            self._replays[fill.symbol] = Replay(self._connection, self._epoch, fill.symbol, base, quote)
        return self._replays[fill.symbol].of_fill(fill.trade_id)[0]

    def _assets_of(self, symbol: str) -> Assets:
        if not self._assets:
            rows = self._connection.execute(
                "SELECT symbol, base_asset, quote_asset FROM positions WHERE epoch = ?", (self._epoch,)
            )
            self._assets = {name: (base, quote) for name, base, quote in rows}
        return self._assets[symbol]

    def _strategy_of(self, first: Fill) -> str:
        """Whose an order is, by its first fill."""
        decided = self._decided_by(first.client_order_id)
        if decided is not None:
            return decided
        if first.side is Side.BUY:
            return UNKNOWN
        entry_id = last_purchase(self._connection, self._epoch, first.symbol, first.trade_id)
        return (self._decided_by(entry_id) if entry_id else None) or UNKNOWN

    def _decided_by(self, order_id: str) -> str | None:
        if order_id not in self._decided:
            self._decided[order_id] = decided_by(self._connection, order_id)
        return self._decided[order_id]


def csv_chunks(reader: LedgerReader, epoch: int, filters: Filters, *, chunk_rows: int = 500) -> Iterator[str]:
    """All trades that match as CSV, newest first, piece by piece; each piece is of one moment of the ledger.

    Amounts are exact, in plain notation. Sums of fees by asset are parted by `; `.

    Raises:
        LedgerError: the ledger could not be read.
    """
    yield _csv([CSV_COLUMNS])
    before: Place | None = None
    while True:
        page = reader.snapshot(partial(trade_page, epoch=epoch, filters=filters, before=before, limit=chunk_rows))
        if page.rows:
            yield _csv([_cells(row) for row in page.rows])
        if page.older is None:
            return
        before = page.older


def _csv(rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _cells(row: TradeRow) -> tuple[str, ...]:
    trade = row.trade
    return (
        iso_utc(trade.traded_ms),
        _harmless(trade.symbol),
        trade.side.value,
        row.role,
        row.exit or "",
        _harmless(row.strategy),
        row.type,
        plain(trade.price),
        plain(trade.quantity_base),
        plain(trade.value_quote),
        _harmless(trade.quote_asset),
        "; ".join(f"{plain(amount)} {asset}" for asset, amount in trade.fees.items()),
        "" if trade.realised_pnl_quote is None else plain(trade.realised_pnl_quote),
        str(trade.fills),
        _harmless(trade.client_order_id),
        str(row.fills[0][0].exchange_order_id),
        str(trade.traded_ms),
    )


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
