"""The fills of an epoch with the newest first, by index only, narrowed down by what a person asks for."""

import heapq
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.order_ids import decision_digest
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.values import Value
from binance_trade_agent.ledger import queries

_ALL_MS = (-(2**62), 2**62)
_PLACE = re.compile(r"(-?[0-9]{1,18})\.(-?[0-9]{1,18})\.(.*)", re.DOTALL)  # numbers that SQLite can hold
_FEW_ORDERS = 500
_LAST_CHARACTER = "\U0010ffff"


class Place(NamedTuple):
    """Where a fill stands among all of its epoch."""

    traded_ms: int
    symbol: str
    trade_id: int

    def __str__(self) -> str:
        """For an address; `parse` reads it."""
        return f"{self.traded_ms}.{self.trade_id}.{self.symbol}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place of an address.

        Raises:
            ValueError: it is none.
        """
        found = _PLACE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a place in the list of trades")
        return cls(int(found[1]), found[3], int(found[2]))


class Filters(Value, frozen=True):
    """Which trades. What is None, or empty, leaves nothing out.

    Attributes:
        strategy: as in order_strategies.py; UNKNOWN ("") there is what no decision and no person asked for.
        from_ms, to_ms: of their last fill, market time; `to_ms` itself is out.
        text: the beginning of a client order id or of its last part, or the order's number on the exchange.
        days: UTC days since 1970 on which there are such trades, where somebody knows: no other is looked at.
    """

    symbol: str | None = None
    side: Side | None = None
    strategy: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    text: str = ""
    days: frozenset[int] | None = None


class Step(NamedTuple):
    """One fill on the way back; whether its order is one that the text stands for."""

    place: Place
    client_order_id: str
    is_meant: bool = True


def walk(connection: sqlite3.Connection, epoch: int, filters: Filters, before: Place | None) -> Iterator[Step]:
    """The fills of orders, newest first, from before a place on; `strategy` is not looked at."""
    if filters.text:
        ids = _ids_that_match(connection, epoch, filters.text)
        if len(ids) <= _FEW_ORDERS:
            yield from _of_orders(connection, epoch, filters, before, ids)
            return
    for from_ms, to_ms in _spans(filters):
        yield from _between(connection, epoch, filters, before, from_ms, to_ms)


def _spans(filters: Filters) -> Iterator[tuple[int, int]]:
    """Stretches of time to look into, the latest first."""
    begin = _ALL_MS[0] if filters.from_ms is None else filters.from_ms
    end = _ALL_MS[1] if filters.to_ms is None else filters.to_ms
    if filters.days is None:
        yield begin, end
        return
    days = sorted(filters.days, reverse=True)
    while days:
        last = first = days.pop(0)
        while days and days[0] == first - 1:
            first = days.pop(0)
        span = max(begin, first * DAY_MS), min(end, (last + 1) * DAY_MS)
        if span[0] < span[1]:
            yield span


def _between(
    connection: sqlite3.Connection, epoch: int, filters: Filters, before: Place | None, from_ms: int, to_ms: int
) -> Iterator[Step]:
    where = "traded_ms >= ? AND traded_ms < ?"
    values: list[int | str] = [from_ms, to_ms]
    if before is not None:
        where += " AND traded_ms <= ? AND (traded_ms, symbol, trade_id) < (?, ?, ?)"
        values += [before.traded_ms, *before]
    if filters.symbol is None and filters.side is None:
        return _steps(connection, filters.text, "fills_recent", f"epoch = ? AND {where}", (epoch, *values))
    symbols = [filters.symbol] if filters.symbol is not None else list(queries.positions(connection, epoch))
    sides = [filters.side] if filters.side is not None else list(Side)
    streams = [
        _steps(
            connection,
            filters.text,
            "fills_by_time",
            f"epoch = ? AND symbol = ? AND side = ? AND {where}",
            (epoch, symbol, side, *values),
        )
        for symbol in symbols
        for side in sides
    ]
    return heapq.merge(*streams, key=lambda step: step.place, reverse=True)


def _steps(
    connection: sqlite3.Connection, text: str, index: str, where: str, values: Sequence[object]
) -> Iterator[Step]:
    rows = connection.execute(
        "SELECT traded_ms, symbol, trade_id, client_order_id, exchange_order_id"  # noqa: S608 (ours)
        f" FROM fills INDEXED BY {index} WHERE {where} ORDER BY traded_ms DESC, symbol DESC, trade_id DESC",
        values,
    )
    for traded_ms, symbol, trade_id, order_id, number in rows:
        is_meant = not text or f"{number}" == text or _begins(order_id, text)
        yield Step(Place(traded_ms, symbol, trade_id), order_id, is_meant)


def _of_orders(
    connection: sqlite3.Connection, epoch: int, filters: Filters, before: Place | None, ids: Iterable[str]
) -> Iterator[Step]:
    found: list[Step] = []
    for order_id in ids:
        rows = connection.execute(
            "SELECT traded_ms, symbol, trade_id, side FROM fills WHERE client_order_id = ? AND epoch = ?",
            (order_id, epoch),
        )
        found += [
            Step(Place(traded_ms, symbol, trade_id), order_id)
            for traded_ms, symbol, trade_id, side in rows
            if filters.symbol in {None, symbol} and filters.side in {None, side}
        ]
    spans = list(_spans(filters))
    for step in sorted(found, reverse=True):
        is_asked_for = any(from_ms <= step.place.traded_ms < to_ms for from_ms, to_ms in spans)
        if is_asked_for and (before is None or step.place < before):
            yield step


def _ids_that_match(connection: sqlite3.Connection, epoch: int, text: str) -> set[str]:
    """Client ids of orders that a text stands for; more than _FEW_ORDERS are not all."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
    found: set[str] = set()
    for column in ("client_order_id", "decision_key"):
        found |= _ids(
            connection,
            f"{column} >= ? AND {column} < ? AND +epoch = ?",  # by the index of the id, not of the epoch
            (text, text + _LAST_CHARACTER, epoch),
        )
    if number is not None:
        for symbol in queries.positions(connection, epoch):
            found |= _ids(connection, "epoch = ? AND symbol = ? AND exchange_order_id = ?", (epoch, symbol, number))
    return found


def _ids(connection: sqlite3.Connection, where: str, values: Sequence[object]) -> set[str]:
    rows = connection.execute(
        f"SELECT client_order_id FROM orders WHERE {where} LIMIT {_FEW_ORDERS + 1}",  # noqa: S608 (ours)
        values,
    )
    return {row[0] for row in rows}


def _begins(order_id: str, text: str) -> bool:
    return order_id.startswith(text) or decision_digest(order_id).startswith(text)
