"""Reading the ledger: plain functions over a connection, for the writer's thread and for readers alike."""

import sqlite3
from decimal import Decimal

from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.orders import Fill, Order, Role, Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.ledger.accounting import Posting
from binance_trade_agent.ledger.records import Epoch, EquityPoint, OrderEntry, OrderEvent, RunRecord
from binance_trade_agent.ledger.rows import (
    DECIDED,
    balance_from,
    decision_from,
    epoch_from,
    equity_point_from,
    fill_from,
    order_entry_from,
    order_event_from,
    position_from,
    posting_from,
    run_from,
)


def epochs(connection: sqlite3.Connection) -> list[Epoch]:
    """All epochs, the current one last."""
    return [epoch_from(row) for row in connection.execute("SELECT * FROM epochs ORDER BY epoch")]


def current_epoch(connection: sqlite3.Connection) -> Epoch | None:
    """The epoch that is open, None in a new ledger."""
    row = connection.execute("SELECT * FROM epochs ORDER BY epoch DESC LIMIT 1").fetchone()
    return epoch_from(row) if row else None


def epoch_number(connection: sqlite3.Connection) -> int:
    """Number of the epoch that is open; 0, in which there is nothing, in a new ledger: epochs count from 1."""
    epoch = current_epoch(connection)
    return epoch.epoch if epoch else 0


def runs(connection: sqlite3.Connection) -> list[RunRecord]:
    """All runs in the order of their starts."""
    return [run_from(row) for row in connection.execute("SELECT * FROM runs ORDER BY number")]


def next_fence(connection: sqlite3.Connection) -> int:
    """The generation after the latest that is in the ledger, and that may have traded on after a restored backup."""
    last, least = connection.execute(
        "SELECT (SELECT fence FROM runs ORDER BY number DESC LIMIT 1), (SELECT max(least_fence) FROM restorations)"
    ).fetchone()
    return max((last or 0) + 1, least or 1)


def order_entry(connection: sqlite3.Connection, client_order_id: str) -> OrderEntry | None:
    """The order with this id, None when there is none."""
    row = connection.execute("SELECT * FROM orders WHERE client_order_id = ?", (client_order_id,)).fetchone()
    return order_entry_from(row) if row else None


def has_decision(connection: sqlite3.Connection, decision_key: str) -> bool:
    """Whether a decision has its order in the ledger."""
    return connection.execute("SELECT 1 FROM orders WHERE decision_key = ?", (decision_key,)).fetchone() is not None


def order_by_exchange_id(
    connection: sqlite3.Connection, epoch: int, symbol: str, exchange_order_id: int
) -> OrderEntry | None:
    """The order that the exchange knows by this id, None when it is not ours."""
    row = connection.execute(
        "SELECT * FROM orders WHERE epoch = ? AND symbol = ? AND exchange_order_id = ?",
        (epoch, symbol, exchange_order_id),
    ).fetchone()
    return order_entry_from(row) if row else None


def latest_orders(connection: sqlite3.Connection, epoch: int, limit: int) -> list[OrderEntry]:
    """The latest orders of the epoch by their creation, newest first."""
    rows = connection.execute("SELECT * FROM orders WHERE epoch = ? ORDER BY created_ms DESC LIMIT ?", (epoch, limit))
    return [order_entry_from(row) for row in rows]


_FOR_EVER_MS = 2**63 - 1


def entry_before(connection: sqlite3.Connection, epoch: int, symbol: str, created_ms: int) -> OrderEntry | None:
    """The symbol's latest entry that has filled and was made by then; None when there is none."""
    row = connection.execute(
        "SELECT * FROM orders WHERE epoch = ? AND symbol = ? AND role = ? AND executed_base != '0' AND created_ms <= ?"
        " ORDER BY created_ms DESC LIMIT 1",
        (epoch, symbol, Role.ENTRY, created_ms),
    ).fetchone()
    return order_entry_from(row) if row else None


def entry_after(connection: sqlite3.Connection, entry: OrderEntry) -> OrderEntry | None:
    """The symbol's next entry that has filled; None when there is none."""
    row = connection.execute(
        "SELECT * FROM orders WHERE epoch = ? AND symbol = ? AND role = ? AND executed_base != '0' AND created_ms > ?"
        " ORDER BY created_ms LIMIT 1",
        (entry.epoch, entry.order.symbol, Role.ENTRY, entry.order.created_ms),
    ).fetchone()
    return order_entry_from(row) if row else None


def sales_after(connection: sqlite3.Connection, entry: OrderEntry) -> list[OrderEntry]:
    """The orders that protected or left what an entry has bought, oldest first: those up to the next filled entry."""
    order = entry.order
    rows = connection.execute(
        "SELECT * FROM orders WHERE epoch = :epoch AND symbol = :symbol AND side = :sell AND created_ms >= :since"
        " AND created_ms < coalesce((SELECT min(created_ms) FROM orders WHERE epoch = :epoch AND symbol = :symbol"
        " AND role = :entry AND executed_base != '0' AND created_ms > :since), :for_ever)"
        " ORDER BY created_ms, client_order_id",
        {
            "epoch": entry.epoch,
            "symbol": order.symbol,
            "sell": Side.SELL,
            "entry": Role.ENTRY,
            "since": order.created_ms,
            "for_ever": _FOR_EVER_MS,
        },
    )
    return [order_entry_from(row) for row in rows]


def sales_without_decision(
    connection: sqlite3.Connection, epoch: int, symbol: str, from_ms: int, before_ms: int = _FOR_EVER_MS
) -> list[OrderEntry]:
    """The orders that no decision led to and that sold in a stretch of time, in the order of their sales."""
    rows = connection.execute(
        "SELECT orders.* FROM orders JOIN fills USING (client_order_id)"
        " WHERE fills.epoch = ? AND fills.symbol = ? AND fills.side = ? AND traded_ms >= ? AND traded_ms < ?"
        " AND NOT EXISTS (SELECT 1 FROM decisions WHERE decisions.run_id = orders.run_id"
        " AND decisions.tick_ms = orders.tick_ms AND decisions.symbol = orders.symbol"
        " AND decisions.client_order_id = orders.client_order_id)"
        " GROUP BY client_order_id ORDER BY max(traded_ms), client_order_id",
        (epoch, symbol, Side.SELL, from_ms, before_ms),
    )
    return [order_entry_from(row) for row in rows]


def orders_named(connection: sqlite3.Connection, symbol: str, name: str) -> list[OrderEntry]:
    """The symbol's orders whose client order id begins with `name`, or that have this number on the exchange.

    A number may have been given in several epochs; the latest is first.
    """
    number = int(name) if name.isascii() and name.isdecimal() and len(name) < 19 else -1
    rows = connection.execute(
        "SELECT * FROM orders WHERE symbol = ? AND (substr(client_order_id, 1, ?) = ? OR exchange_order_id = ?)"
        " ORDER BY epoch DESC, created_ms DESC, client_order_id",
        (symbol, len(name), name, number),
    )
    return [order_entry_from(row) for row in rows]


def last_order_on_exchange(connection: sqlite3.Connection, epoch: int, symbol: str) -> OrderEntry | None:
    """The symbol's order with the highest id of the exchange, None when it has none."""
    row = connection.execute(
        "SELECT * FROM orders WHERE epoch = ? AND symbol = ? AND exchange_order_id IS NOT NULL"
        " ORDER BY exchange_order_id DESC LIMIT 1",
        (epoch, symbol),
    ).fetchone()
    return order_entry_from(row) if row else None


def is_number_out_of_order(connection: sqlite3.Connection, order: Order) -> bool:
    """Whether its epoch has an earlier order on the symbol whose id of the exchange is not lower: they only rise."""
    if order.exchange_order_id is None:
        return False
    row = connection.execute(
        "SELECT 1 FROM orders WHERE epoch = (SELECT epoch FROM orders WHERE client_order_id = :id) AND symbol = :symbol"
        " AND exchange_order_id >= :number AND created_ms < :created_ms AND client_order_id != :id LIMIT 1",
        {
            "id": order.client_order_id,
            "symbol": order.symbol,
            "number": order.exchange_order_id,
            "created_ms": order.created_ms,
        },
    )
    return row.fetchone() is not None


def left_behind(connection: sqlite3.Connection, epoch: Epoch, within_ms: int) -> frozenset[str]:
    """Client ids of the orders that the epoch before was given in its last `within_ms`.

    Its exchange may have been reset by then: the new one knows them, and this epoch does not.
    """
    rows = connection.execute(
        "SELECT client_order_id FROM orders WHERE epoch = ? AND created_ms >= ?",
        (epoch.epoch - 1, epoch.opened_ms - within_ms),
    )
    return frozenset(row["client_order_id"] for row in rows)


def orders(
    connection: sqlite3.Connection,
    *,
    epoch: int | None = None,
    run_id: str | None = None,
    symbol: str | None = None,
) -> list[OrderEntry]:
    """Orders by their creation, oldest first; None leaves a filter out."""
    rows = connection.execute(
        "SELECT * FROM orders WHERE (:epoch IS NULL OR epoch = :epoch) AND (:run_id IS NULL OR run_id = :run_id)"
        " AND (:symbol IS NULL OR symbol = :symbol)"
        " ORDER BY created_ms, symbol, client_order_id",
        {"epoch": epoch, "run_id": run_id, "symbol": symbol},
    )
    return [order_entry_from(row) for row in rows]


def orders_of_run(connection: sqlite3.Connection, epoch: int, run_id: str) -> list[OrderEntry]:
    """The orders that one run made in the epoch, oldest first."""
    rows = connection.execute(
        "SELECT * FROM orders INDEXED BY orders_by_run WHERE run_id = ? AND epoch = ?"
        " ORDER BY created_ms, symbol, client_order_id",
        (run_id, epoch),
    )
    return [order_entry_from(row) for row in rows]


def first_trades_of_run(connection: sqlite3.Connection, epoch: int, run_id: str) -> dict[str, int]:
    """By symbol, the lowest trade id among the fills of the orders that one run made in the epoch."""
    rows = connection.execute(
        "SELECT fills.symbol, min(trade_id) FROM orders INDEXED BY orders_by_run"
        " CROSS JOIN fills INDEXED BY fills_by_order USING (client_order_id)"
        " WHERE orders.run_id = ? AND fills.epoch = ? GROUP BY fills.symbol",
        (run_id, epoch),
    )
    return {row[0]: row[1] for row in rows}


def unsettled_orders(connection: sqlite3.Connection, epoch: int) -> list[OrderEntry]:
    """Orders of the epoch that are not terminal, or whose fills do not add up yet; oldest first."""
    return [order_entry_from(row) for row in unsettled_rows(connection, epoch)]


def unsettled_rows(connection: sqlite3.Connection, epoch: int) -> sqlite3.Cursor:
    """The rows of `orders` that these are."""
    # Named, because SQLite takes the index by creation for the sake of the order, and reads every order there ever was.
    return connection.execute(
        "SELECT * FROM orders INDEXED BY orders_unsettled WHERE epoch = ? AND settled = 0"
        " ORDER BY created_ms, symbol, client_order_id",
        (epoch,),
    )


def order_events(connection: sqlite3.Connection, client_order_id: str) -> list[OrderEvent]:
    """The steps of an order's life, in order."""
    rows = connection.execute(
        "SELECT * FROM order_events WHERE client_order_id = ? ORDER BY sequence", (client_order_id,)
    )
    return [order_event_from(row) for row in rows]


def fill(connection: sqlite3.Connection, epoch: int, symbol: str, trade_id: int) -> Fill | None:
    """One fill, None when the ledger does not know it."""
    row = connection.execute(
        "SELECT * FROM fills WHERE epoch = ? AND symbol = ? AND trade_id = ?", (epoch, symbol, trade_id)
    ).fetchone()
    return fill_from(row) if row else None


def fills(
    connection: sqlite3.Connection, *, epoch: int | None = None, run_id: str | None = None, symbol: str | None = None
) -> list[Fill]:
    """Fills by epoch, symbol and trade id; None leaves a filter out."""
    rows = connection.execute(
        "SELECT fills.* FROM fills JOIN orders USING (client_order_id)"
        " WHERE (:epoch IS NULL OR fills.epoch = :epoch) AND (:run_id IS NULL OR orders.run_id = :run_id)"
        " AND (:symbol IS NULL OR fills.symbol = :symbol) ORDER BY fills.epoch, fills.symbol, fills.trade_id",
        {"epoch": epoch, "run_id": run_id, "symbol": symbol},
    )
    return [fill_from(row) for row in rows]


def first_fill(connection: sqlite3.Connection, epoch: int, symbol: str) -> Fill | None:
    """The symbol's first fill in the epoch, None when there is none."""
    row = connection.execute(
        "SELECT * FROM fills WHERE epoch = ? AND symbol = ? ORDER BY trade_id LIMIT 1", (epoch, symbol)
    ).fetchone()
    return fill_from(row) if row else None


def latest_fills(connection: sqlite3.Connection, epoch: int, symbol: str, limit: int) -> list[Fill]:
    """The symbol's latest fills in the order of their trade ids."""
    rows = connection.execute(
        "SELECT * FROM fills WHERE epoch = ? AND symbol = ? ORDER BY trade_id DESC LIMIT ?", (epoch, symbol, limit)
    ).fetchall()
    return [fill_from(row) for row in reversed(rows)]


def fills_of_order(connection: sqlite3.Connection, client_order_id: str) -> list[Fill]:
    """The fills of one order in the order of their trade ids."""
    rows = connection.execute("SELECT * FROM fills WHERE client_order_id = ? ORDER BY trade_id", (client_order_id,))
    return [fill_from(row) for row in rows]


def trade_cursor(connection: sqlite3.Connection, epoch: int, symbol: str) -> int | None:
    """Up to which trade of the account the symbol was read; where nothing was noted, its latest fill in the ledger."""
    row = connection.execute(
        "SELECT trade_id FROM trade_cursors WHERE epoch = ? AND symbol = ?", (epoch, symbol)
    ).fetchone()
    return int(row["trade_id"]) if row else last_trade_id(connection, epoch, symbol)


def last_trade_id(connection: sqlite3.Connection, epoch: int, symbol: str) -> int | None:
    """The highest trade id of the symbol in the epoch."""
    row = connection.execute(
        "SELECT max(trade_id) FROM fills WHERE epoch = ? AND symbol = ?", (epoch, symbol)
    ).fetchone()
    return None if row[0] is None else int(row[0])


def last_entry_fill_ms(connection: sqlite3.Connection, epoch: int, symbol: str) -> int | None:
    """Time of the symbol's last fill of a BUY in the epoch."""
    row = connection.execute(
        "SELECT max(traded_ms) FROM fills WHERE epoch = ? AND symbol = ? AND side = ?", (epoch, symbol, Side.BUY)
    ).fetchone()
    return None if row[0] is None else int(row[0])


def position(connection: sqlite3.Connection, epoch: int, symbol: str) -> Position:
    """The symbol's position, flat when it never traded."""
    row = connection.execute("SELECT * FROM positions WHERE epoch = ? AND symbol = ?", (epoch, symbol)).fetchone()
    return position_from(row) if row else Position(symbol)


def positions(connection: sqlite3.Connection, epoch: int, quote_asset: str | None = None) -> dict[str, Position]:
    """Positions of the epoch by symbol, flat ones included; with `quote_asset` those that are counted in it."""
    return {row["symbol"]: position_from(row) for row in position_rows(connection, epoch, quote_asset)}


def position_rows(connection: sqlite3.Connection, epoch: int, quote_asset: str | None = None) -> sqlite3.Cursor:
    """The rows of `positions` that these are."""
    return connection.execute(
        "SELECT * FROM positions WHERE epoch = :epoch AND (:quote IS NULL OR quote_asset = :quote) ORDER BY symbol",
        {"epoch": epoch, "quote": quote_asset},
    )


def symbol_assets(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """Base and quote asset of each symbol that ever traded."""
    rows = connection.execute("SELECT DISTINCT symbol, base_asset, quote_asset FROM positions ORDER BY symbol")
    return {row["symbol"]: (row["base_asset"], row["quote_asset"]) for row in rows}


def wallet(connection: sqlite3.Connection, epoch: int) -> dict[str, Decimal]:
    """What the exchange should hold for us, by asset: the sum of the epoch's wallet postings."""
    return dict(map(balance_from, wallet_rows(connection, epoch)))


def wallet_rows(connection: sqlite3.Connection, epoch: int) -> sqlite3.Cursor:
    """The rows of `wallets` that this is."""
    return connection.execute("SELECT * FROM wallets WHERE epoch = ? ORDER BY asset", (epoch,))


def postings(connection: sqlite3.Connection, epoch: int) -> list[Posting]:
    """All postings of the epoch."""
    rows = connection.execute(
        "SELECT asset, account, amount FROM postings WHERE epoch = ? ORDER BY kind, reference, line", (epoch,)
    )
    return [posting_from(row) for row in rows]


def entry_of_fill(connection: sqlite3.Connection, epoch: int, fill: Fill) -> list[Posting]:
    """The postings of one fill."""
    rows = connection.execute(
        "SELECT asset, account, amount FROM postings WHERE epoch = ? AND kind = 'fill' AND reference = ? ORDER BY line",
        (epoch, f"{fill.symbol}:{fill.trade_id}"),
    )
    return [posting_from(row) for row in rows]


def decisions(
    connection: sqlite3.Connection, run_id: str, *, symbol: str | None = None, limit: int = -1
) -> list[Decision]:
    """The run's decisions, newest first; a negative limit means all."""
    rows = connection.execute(
        f"SELECT * FROM {DECIDED} WHERE run_id = :run_id AND (:symbol IS NULL OR symbol = :symbol)"  # noqa: S608
        " ORDER BY tick_ms DESC, symbol LIMIT :limit",
        {"run_id": run_id, "symbol": symbol, "limit": limit},
    )
    return [decision_from(row) for row in rows]


def decision_at(connection: sqlite3.Connection, run_id: str, symbol: str, tick_ms: int) -> Decision | None:
    """The run's decision on the symbol at the latest tick up to `tick_ms`; None when there is none."""
    row = connection.execute(
        f"SELECT * FROM {DECIDED} WHERE run_id = ? AND symbol = ? AND tick_ms <= ? ORDER BY tick_ms DESC LIMIT 1",  # noqa: S608
        (run_id, symbol, tick_ms),
    ).fetchone()
    return decision_from(row) if row else None


def decided_ticks(connection: sqlite3.Connection, run_id: str, symbol: str) -> tuple[int, int] | None:
    """The first and the last tick of the run that left a decision on the symbol; None when none did."""
    # `+symbol`: SQLite would take the index by symbol, and read all ticks of the runs before or after this one.
    first, last = (
        connection.execute(
            f"SELECT * FROM {DECIDED} WHERE run_id = ? AND +symbol = ? ORDER BY tick_ms {way} LIMIT 1",  # noqa: S608
            (run_id, symbol),
        ).fetchone()
        for way in ("ASC", "DESC")
    )
    return (first["tick_ms"], last["last_tick_ms"] or last["tick_ms"]) if first else None


def next_tick_ms(connection: sqlite3.Connection, run_id: str, symbol: str, tick_ms: int) -> int | None:
    """The first tick of the run after `tick_ms` that left a decision on the symbol; None when there is none."""
    row = connection.execute(
        "SELECT tick_ms FROM decisions WHERE run_id = ? AND symbol = ? AND tick_ms > ? ORDER BY tick_ms LIMIT 1",
        (run_id, symbol, tick_ms),
    ).fetchone()
    return None if row is None else int(row["tick_ms"])


def last_look(connection: sqlite3.Connection, run_id: str, symbol: str) -> Decision | None:
    """The last decision of the run that saw the symbol's bid and ask; None when none did."""
    row = connection.execute(
        f"SELECT * FROM {DECIDED} WHERE run_id = ? AND symbol = ? AND bid IS NOT NULL AND ask IS NOT NULL"  # noqa: S608
        " ORDER BY tick_ms DESC LIMIT 1",
        (run_id, symbol),
    ).fetchone()
    return decision_from(row) if row else None


def last_entry_review(connection: sqlite3.Connection, run_id: str, symbol: str) -> Decision | None:
    """The last decision of the run in which the risk rules were asked about an entry; None when none were."""
    rows = connection.execute(
        "SELECT * FROM decisions INDEXED BY decisions_of_entries"
        " LEFT JOIN decisions_again USING (run_id, tick_ms, symbol)"
        " WHERE run_id = ? AND symbol = ? AND action = 'BUY' AND exit IS NULL ORDER BY tick_ms DESC",
        (run_id, symbol),
    )
    return next((found for found in map(decision_from, rows) if found.findings), None)


def last_filled_order(connection: sqlite3.Connection, epoch: int, symbol: str) -> OrderEntry | None:
    """The order of the symbol's latest fill; None when nothing has filled."""
    row = connection.execute(
        "SELECT orders.* FROM fills JOIN orders USING (client_order_id) WHERE fills.epoch = ? AND fills.symbol = ?"
        " ORDER BY trade_id DESC LIMIT 1",
        (epoch, symbol),
    ).fetchone()
    return order_entry_from(row) if row else None


def last_bid(connection: sqlite3.Connection, run_id: str, symbol: str) -> tuple[Decimal, int] | None:
    """The last bid that a decision of the run saw, and its tick (market ms); None when no decision saw one."""
    row = connection.execute(
        "SELECT bid, tick_ms FROM decisions WHERE run_id = ? AND symbol = ? AND bid IS NOT NULL"
        " ORDER BY tick_ms DESC LIMIT 1",
        (run_id, symbol),
    ).fetchone()
    return (Decimal(row["bid"]), row["tick_ms"]) if row else None


def failures_in_row(connection: sqlite3.Connection, run_id: str, symbol: str) -> int:
    """How many of the run's latest decisions on the symbol failed, one after the other."""
    row = connection.execute(
        "SELECT count(*) FROM decisions WHERE run_id = :run_id AND symbol = :symbol AND tick_ms > coalesce("
        "(SELECT tick_ms FROM decisions WHERE run_id = :run_id AND symbol = :symbol AND outcome != :failed"
        " ORDER BY tick_ms DESC LIMIT 1), -1)",
        {"run_id": run_id, "symbol": symbol, "failed": Outcome.FAILED},
    ).fetchone()
    return int(row[0])


def last_command_ms(connection: sqlite3.Connection, kind: str) -> int | None:
    """When the last command of a kind was carried out, market time; None while it waits, or when there is none."""
    row = connection.execute(
        "SELECT done_ms FROM commands WHERE kind = ? AND state != 'REFUSED' ORDER BY command_id DESC LIMIT 1", (kind,)
    ).fetchone()
    return None if row is None else row["done_ms"]


def equity(connection: sqlite3.Connection, run_id: str) -> list[EquityPoint]:
    """Worth at each tick of the run, in time order."""
    rows = connection.execute("SELECT * FROM equity WHERE run_id = ? ORDER BY tick_ms, cycle", (run_id,))
    return [equity_point_from(row) for row in rows]


def equity_ends(connection: sqlite3.Connection, run_id: str) -> list[EquityPoint]:
    """The first and the last point of the run, one when they are the same, none when nothing was noted."""
    ends = [
        connection.execute(
            f"SELECT * FROM equity WHERE run_id = ? ORDER BY tick_ms {way}, cycle {way} LIMIT 1",  # noqa: S608
            (run_id,),
        ).fetchone()
        for way in ("ASC", "DESC")
    ]
    points = [equity_point_from(row) for row in ends if row]
    return points[:1] if points[:1] == points[1:] else points
