"""The count of one symbol's fills, in the order of their trade ids, from where it was."""

import sqlite3
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Side
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.reports.order_strategies import BY_HAND, DECIDED_BY, UNKNOWN
from binance_trade_agent.reports.tally_sums import Part, Running, Sums

_BUY = Side.BUY
_BEFORE_ALL = -(2**63)
_MOST_ORDERS = 100  # kept in mind before it is looked which are over
_FILLS = (
    "SELECT trade_id, exchange_order_id, client_order_id, side, price, quantity, quote_quantity, commission,"
    " commission_asset, is_maker, traded_ms FROM fills WHERE epoch = ? AND symbol = ? AND trade_id > ?"
    " ORDER BY trade_id LIMIT ?"
)
_ORDERS = (
    f"SELECT client_order_id, settled, filled_base, {DECIDED_BY} FROM orders WHERE client_order_id IN"  # noqa: S608 (ours)
    " (SELECT client_order_id FROM fills WHERE epoch = ? AND symbol = ? AND trade_id BETWEEN ? AND ?)"
)

Orders = dict[str, tuple[int, str, str | None]]  # by id: whether it is settled, what has filled, whose decision it was


class _Counted:
    """An order that may fill on: where it is counted, and what its fills so far add up to."""

    __slots__ = ("filled", "part", "profit", "quantity")

    def __init__(self, part: Part, quantity: Decimal | None) -> None:
        self.part = part
        self.quantity = quantity  # that it has when it is over; None: it is not
        self.filled = self.profit = ZERO


class Lane:
    """Counts one symbol. Orders that are not over are kept in mind, nothing else of the past.

    Attributes:
        assets: base and quote.
        counted, total: fills that are in the sums, and that there were when it was last looked.
        sums: what each part adds up to.
        is_again: whether it was counted before.
        has_missed: whether something has turned up that only a new count can put in its place.
    """

    def __init__(self, connection: sqlite3.Connection, epoch: int, symbol: str, assets: tuple[str, str]) -> None:
        self.symbol = symbol
        self.assets = assets
        self.counted = 0
        self.sums: dict[Part, Sums] = {}
        self.is_again = self.has_missed = False
        self._epoch = epoch
        self._position = Position(symbol)
        self._last_trade_id = _BEFORE_ALL
        self._orders: dict[str, _Counted] = {}
        self._entry_strategy = UNKNOWN
        self._row: tuple[object, ...] | None = None
        self.total = self._fills_in_ledger(connection)

    def is_at(self, position: sqlite3.Row) -> bool:
        """Whether this is the position up to which all is counted: each fill moves it."""
        return self._row == tuple(position)

    def seen(self, position: sqlite3.Row) -> None:
        """All is counted up to this position."""
        self._row = tuple(position)

    def is_complete(self, connection: sqlite3.Connection) -> bool:
        """Whether as many fills are counted as there are: none was put in between."""
        self.total = self._fills_in_ledger(connection)
        return self.counted == self.total

    def count(
        self, connection: sqlite3.Connection, most_fills: int, by_hand: frozenset[str]
    ) -> tuple[int, dict[Part, Sums]]:
        """Count up to so many fills on; how many it were, and the parts that have changed by them."""
        cursor = connection.cursor()
        cursor.row_factory = None
        rows = cursor.execute(_FILLS, (self._epoch, self.symbol, self._last_trade_id, most_fills)).fetchall()
        if not rows:
            return 0, {}
        first, self._last_trade_id = rows[0][0], rows[-1][0]
        cursor.execute(_ORDERS, (self._epoch, self.symbol, first, self._last_trade_id))
        orders = {order_id: (is_settled, filled, decided) for order_id, is_settled, filled, decided in cursor}
        touched: dict[Part, Running] = {}
        for row in rows:
            fill = _fill(self.symbol, row)
            order = self._orders.get(fill.client_order_id)
            self._add(fill, order or self._first_of(cursor, fill, orders, by_hand), touched)
        self.counted += len(rows)
        self.total = max(self.total, self.counted)
        changed = {part: running.sums() for part, running in touched.items()}
        self.sums.update(changed)
        if len(self._orders) > _MOST_ORDERS:
            self._forget_settled(cursor)
        return len(rows), changed

    def _add(self, fill: Fill, order: _Counted, touched: dict[Part, Running]) -> None:
        before, day = self._position, fill.traded_ms // DAY_MS
        self._position = apply_fill(before, fill, base_asset=self.assets[0], quote_asset=self.assets[1])
        if day > order.part.day:
            self._move_order(order, fill.side, day, touched)
        counts = running = self._running(order.part, touched)  # where the order is counted, and where the fill is
        if day < order.part.day:
            running = self._running(Part(day, order.part.strategy), touched)
        running.fills += 1
        if fill.side is _BUY:
            self._entry_strategy = order.part.strategy
            counts.buys += not order.filled
            running.bought += fill.quote_quantity
        else:
            profit = self._position.realised_pnl_quote - before.realised_pnl_quote
            counts.sells += not order.filled
            running.sold += fill.quote_quantity
            running.realised += profit
            had, now = order.profit, order.profit + profit
            counts.won += (now > 0) - (had > 0)
            counts.lost += (now < 0) - (had < 0)
            order.profit = now
        if fill.commission:
            fees, asset = running.fees, fill.commission_asset
            fees[asset] = fees.get(asset, ZERO) + fill.commission
        order.filled += fill.quantity
        if order.filled == order.quantity:
            self._orders.pop(fill.client_order_id, None)

    def _first_of(self, cursor: sqlite3.Cursor, fill: Fill, orders: Orders, by_hand: frozenset[str]) -> _Counted:
        """Begin to count an order with the first of its fills."""
        is_settled, filled, decided = orders[fill.client_order_id]
        strategy = decided or (BY_HAND if fill.client_order_id in by_hand else None)
        if fill.side is _BUY:
            strategy = strategy or UNKNOWN
        whole = Decimal(filled)
        if whole > fill.quantity and self._has_earlier(cursor, fill):
            self.has_missed = True  # the order was over, and has filled on
        part = Part(fill.traded_ms // DAY_MS, self._entry_strategy if strategy is None else strategy)
        order = _Counted(part, whole if is_settled else None)
        self._orders[fill.client_order_id] = order
        return order

    def _has_earlier(self, cursor: sqlite3.Cursor, fill: Fill) -> bool:
        row = cursor.execute(
            "SELECT 1 FROM fills WHERE client_order_id = ? AND epoch = ? AND symbol = ? AND trade_id < ? LIMIT 1",
            (fill.client_order_id, self._epoch, self.symbol, fill.trade_id),
        )
        return row.fetchone() is not None

    def _forget_settled(self, cursor: sqlite3.Cursor) -> None:
        """Orders that were not over at their first fill may be by now."""
        for order_id, order in list(self._orders.items()):
            cursor.execute("SELECT settled, filled_base FROM orders WHERE client_order_id = ?", (order_id,))
            is_settled, filled = cursor.fetchone()
            if is_settled and Decimal(filled) == order.filled:
                del self._orders[order_id]

    def _move_order(self, order: _Counted, side: Side, day: int, touched: dict[Part, Running]) -> None:
        """Count an order on the day of its latest fill."""
        before = self._running(order.part, touched)
        order.part = Part(day, order.part.strategy)
        after = self._running(order.part, touched)
        if order.filled:
            won, lost = order.profit > 0, order.profit < 0
            for running, one in ((before, -1), (after, 1)):
                if side is _BUY:
                    running.buys += one
                else:
                    running.sells += one
                    running.won += one * won
                    running.lost += one * lost

    def _running(self, part: Part, touched: dict[Part, Running]) -> Running:
        running = touched.get(part)
        if running is None:
            running = touched[part] = Running(self.sums.get(part))
        return running

    def _fills_in_ledger(self, connection: sqlite3.Connection) -> int:
        row = connection.execute(
            "SELECT count(*) FROM fills WHERE epoch = ? AND symbol = ?", (self._epoch, self.symbol)
        ).fetchone()
        return int(row[0])


def _fill(symbol: str, row: tuple[Any, ...]) -> Fill:
    trade_id, exchange_order_id, order_id, side, price, quantity, value, fee, asset, is_maker, traded_ms = row
    return Fill(
        symbol,
        trade_id,
        exchange_order_id,
        order_id,
        _BUY if side == "BUY" else Side.SELL,
        Decimal(price),
        Decimal(quantity),
        Decimal(value),
        Decimal(fee),
        asset,
        bool(is_maker),
        traded_ms,
    )
