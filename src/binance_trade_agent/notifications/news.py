"""What is new in the ledger since a cursor: the ledger itself is the queue, so nothing is lost or kept twice.

A cursor names what was told, not when: what is booked late, after an outage or a crash, is new all the same.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from decimal import Decimal

from binance_trade_agent.domain.money import EXACT, ZERO
from binance_trade_agent.domain.notify_events import NotifyEvent
from binance_trade_agent.domain.orders import Fill, Side
from binance_trade_agent.domain.values import Value, replace
from binance_trade_agent.ledger import alarms, queries, switches
from binance_trade_agent.ledger.rows import fill_from
from binance_trade_agent.notifications.day import day_of_last_tick, day_summary
from binance_trade_agent.reports.order_strategies import is_by_hand
from binance_trade_agent.reports.wording import amounts, exact, money, utc_text

FILLS_AT_ONCE = 5_000  # what is beyond is in the next look
_FILLS_KNOWN = 200  # of each symbol: one that is booked late lies among these
_PAUSES_LOOKED_AT = 200
_ALARMS_LOOKED_AT = 2_000  # those that stand first, then those that changed last
_ORDERS_SHOWN = 10  # of more, the sums are told instead
_RUNS_SHOWN = 3


class Notice(Value, frozen=True):
    """One sentence for a person. is_bad: whether something is wrong."""

    event: NotifyEvent
    text: str
    is_bad: bool = False


class Cursor(Value, frozen=True):
    """What was told.

    Attributes:
        epoch: of the fills and pauses; fills: by symbol the newest trade ids; None before the first look.
        started, ended: numbers of the newest runs whose start and whose end are told.
        kill: number of the newest kill; is_killed: whether the switch was on.
        raised, over: alarms that are told to stand, and to be over; pauses: those that are told.
        day: the UTC day since 1970 of the last tick; None before the first.
        restored_wall_ms: when the ledger was put back from a backup the last time, 0 where it never was.
    """

    epoch: int = 0
    fills: dict[str, tuple[int, ...]] | None = None
    started: int = 0
    ended: int = 0
    kill: int = 0
    is_killed: bool = False
    raised: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    pauses: tuple[str, ...] = ()
    day: int | None = None
    restored_wall_ms: int = 0


def news(connection: sqlite3.Connection, cursor: Cursor) -> tuple[list[Notice], Cursor]:
    """What is new, and the cursor after it; ask again with that one until it stays: a look reads FILLS_AT_ONCE at most.

    To an empty cursor runs, alarms and pauses are new, fills are not: the ledger may hold a million.

    Args:
        connection: of a snapshot of the ledger.
        cursor: what was told before.
    """
    notices: list[Notice] = []
    for look in (_runs, _kill_switch, _breakers, _alarms, _fills, _days):
        found, cursor = look(connection, cursor)
        notices += found
    # The end of the run that was the last comes last.
    notices.sort(key=lambda notice: notice.event is NotifyEvent.STOP and not notice.is_bad)
    return notices, cursor


Found = tuple[list[Notice], Cursor]


def in_this_ledger(connection: sqlite3.Connection, cursor: Cursor) -> Cursor:
    """The cursor of a ledger that may have been put back since: runs and commands count on from the backup's last.

    What was told of those that are lost says nothing of the next with their numbers. A kill that was told, and that the
    restoration has thrown again, is not told again.
    """
    row = connection.execute("SELECT restored_wall_ms FROM restorations ORDER BY number DESC LIMIT 1").fetchone()
    if row is None or row["restored_wall_ms"] <= cursor.restored_wall_ms:
        return cursor
    known = {"at": row["restored_wall_ms"], "is_told": cursor.is_killed}
    run, command = connection.execute(
        "SELECT (SELECT coalesce(max(number), 0) FROM runs WHERE started_wall_ms < :at),"
        " (SELECT coalesce(max(command_id), 0) FROM commands"
        " WHERE requested_wall_ms < :at OR (requested_by = 'restore' AND :is_told))",
        known,
    ).fetchone()
    return replace(
        cursor,
        restored_wall_ms=known["at"],
        started=min(cursor.started, run),
        ended=min(cursor.ended, run),
        kill=min(cursor.kill, command),
    )


def _runs(connection: sqlite3.Connection, cursor: Cursor) -> Found:
    runs = connection.execute(
        "SELECT number, mode, strategy, symbols, started_wall_ms, ended_ms, end_reason FROM runs WHERE number > ?"
        " ORDER BY number",
        (min(cursor.started, cursor.ended),),
    ).fetchall()
    found: list[Notice] = []
    started, ended = cursor.started, cursor.ended
    if len(runs) > _RUNS_SHOWN:
        found.append(Notice(NotifyEvent.START, f"{len(runs)} runs since the last message; the newest {_RUNS_SHOWN}:"))
    for run in runs:
        number, is_shown = int(run["number"]), run in runs[-_RUNS_SHOWN:]
        if number > cursor.started:
            found += [Notice(NotifyEvent.START, _started(run))] * is_shown
            started = number
        if number > cursor.ended and (run["ended_ms"] is not None or run is not runs[-1]):
            found += [_ended(run)] * is_shown
            ended = number
    return found, replace(cursor, started=started, ended=ended)


def was_cut_off(connection: sqlite3.Connection, cursor: Cursor) -> bool:
    """Whether the newest run ended without a word, which is not told yet; asked before another one has begun."""
    run = connection.execute("SELECT number, ended_ms FROM runs ORDER BY number DESC LIMIT 1").fetchone()
    return run is not None and run["ended_ms"] is None and run["number"] > cursor.ended


def _started(run: sqlite3.Row) -> str:
    symbols = ", ".join(run["symbols"].split())
    return f"Trading has started: {symbols} with {run['strategy']} on {run['mode']}."


def _ended(run: sqlite3.Row) -> Notice:
    if run["ended_ms"] is None:
        text = f"The run of {utc_text(run['started_wall_ms'])} UTC ended without a word: it was killed, or cut off."
        return Notice(NotifyEvent.STOP, text, is_bad=True)
    return Notice(NotifyEvent.STOP, f"Trading has stopped: {run['end_reason']}.")


def _kill_switch(connection: sqlite3.Connection, cursor: Cursor) -> Found:
    row = connection.execute(
        "SELECT command_id, requested_by, json_extract(payload, '$.reason') AS reason,"
        " json_extract(payload, '$.close_positions') AS closes FROM (SELECT *,"
        " CASE WHEN json_valid(payload_json) THEN payload_json ELSE '{}' END AS payload FROM commands)"
        " WHERE kind = 'kill' AND state != 'REFUSED' ORDER BY command_id DESC LIMIT 1"
    ).fetchone()
    is_killed = switches.killed(connection)
    found = []
    if row is not None and row["command_id"] > cursor.kill:
        closes = " and all positions are closed" if row["closes"] == "true" else ""
        reason = f": {row['reason']}" if row["reason"] else ""
        text = f"Emergency stop by {row['requested_by']}: nothing is entered{closes}, until it is released{reason}."
        found.append(Notice(NotifyEvent.KILL, text, is_bad=True))
        cursor = replace(cursor, kill=row["command_id"], is_killed=True)
    if cursor.is_killed and not is_killed:
        scope = switches.pause_scope(connection)
        then = ": entries are allowed again" if scope is None else f", but {scope.held_back} paused"
        found.append(Notice(NotifyEvent.KILL, f"The emergency stop was released{then}."))
    return found, replace(cursor, is_killed=is_killed)


def _breakers(connection: sqlite3.Connection, cursor: Cursor) -> Found:
    epoch = queries.epoch_number(connection)
    rows = connection.execute(
        "SELECT rule, since_ms, until_ms, detail FROM pauses WHERE epoch = ? ORDER BY since_ms DESC LIMIT ?",
        (epoch, _PAUSES_LOOKED_AT),
    ).fetchall()
    told = cursor.pauses if cursor.epoch == epoch else ()
    names = {f"{row['rule']} {row['since_ms']}": row for row in reversed(rows)}
    found = [
        Notice(
            NotifyEvent.BREAKERS,
            f"No entries until {utc_text(row['until_ms'])} UTC, by {row['rule'].replace('_', ' ')}: {row['detail']}.",
            is_bad=True,
        )
        for name, row in names.items()
        if name not in told
    ]
    return found, replace(cursor, pauses=tuple(names))


def _alarms(connection: sqlite3.Connection, cursor: Cursor) -> Found:
    raised, over, found = [], [], []
    for alarm in reversed(alarms.changed(connection, _ALARMS_LOOKED_AT)):
        name = f"{alarm.kind} {alarm.subject} {alarm.raised_ms}"
        raised.append(name)
        event = NotifyEvent.UNPROTECTED if alarm.kind == "unprotected" else NotifyEvent.ALARMS
        what = alarm.kind.replace("_", " ") + (f" ({alarm.subject})" if alarm.subject else "")
        if name not in cursor.raised:
            blocks = "; it keeps entries away" if alarm.blocks else ""
            found.append(Notice(event, f"Alarm, {what}: {alarm.text}{blocks}.", is_bad=True))
        if alarm.cleared_ms is not None:
            over.append(name)
            if name not in cursor.over:
                found.append(Notice(event, f"The alarm {what} is over."))
    return found, replace(cursor, raised=tuple(raised), over=tuple(over))


def _fills(connection: sqlite3.Connection, cursor: Cursor) -> Found:
    epoch = queries.epoch_number(connection)
    symbols = [symbol for (symbol,) in connection.execute("SELECT symbol FROM positions WHERE epoch = ?", (epoch,))]
    if cursor.fills is None:
        return [], replace(
            cursor, epoch=epoch, fills={symbol: _newest(connection, epoch, symbol) for symbol in symbols}
        )
    told = cursor.fills if cursor.epoch == epoch else {}
    fresh: list[Fill] = []
    seen: dict[str, tuple[int, ...]] = {}
    for symbol in symbols:
        before = told.get(symbol, ())
        found = _unknown(connection, epoch, symbol, before, FILLS_AT_ONCE - len(fresh))
        newest = sorted({*before, *(fill.trade_id for fill in found)}, reverse=True)
        seen[symbol] = tuple(newest[:_FILLS_KNOWN])
        fresh += found
    fresh.sort(key=lambda fill: (fill.traded_ms, fill.symbol, fill.trade_id))
    assets = queries.symbol_assets(connection) if fresh else {}
    texts = list(_orders(connection, fresh, {symbol: quote for symbol, (_, quote) in assets.items()}))
    return [Notice(NotifyEvent.FILLS, text) for text in texts], replace(cursor, epoch=epoch, fills=seen)


def _newest(connection: sqlite3.Connection, epoch: int, symbol: str) -> tuple[int, ...]:
    rows = connection.execute(
        "SELECT trade_id FROM fills WHERE epoch = ? AND symbol = ? ORDER BY trade_id DESC LIMIT ?",
        (epoch, symbol, _FILLS_KNOWN),
    )
    return tuple(trade_id for (trade_id,) in rows)


def _unknown(connection: sqlite3.Connection, epoch: int, symbol: str, known: tuple[int, ...], most: int) -> list[Fill]:
    """The oldest fills, so many at most, that are not among the known ones nor before all of them."""
    if most <= 0:
        return []
    from_id = known[-1] if len(known) >= _FILLS_KNOWN else -1
    rows = connection.execute(
        "SELECT * FROM fills WHERE epoch = ? AND symbol = ? AND trade_id > ? ORDER BY trade_id LIMIT ?",
        (epoch, symbol, from_id, most + len(known)),
    )
    told = frozenset(known)
    return [fill_from(row) for row in rows if row["trade_id"] not in told][:most]


def _orders(connection: sqlite3.Connection, fresh: Iterable[Fill], quotes: dict[str, str]) -> Iterator[str]:
    """A sentence for each order that has traded; of many the sums, and the newest of them."""
    by_order: dict[str, list[Fill]] = {}
    for fill in fresh:
        by_order.setdefault(fill.client_order_id, []).append(fill)
    orders = list(by_order.items())
    if len(orders) > _ORDERS_SHOWN:
        buys = sum(fills[0].side is Side.BUY for _, fills in orders)
        worth = _sums((quotes.get(fill.symbol, ""), fill.quote_quantity) for _, fills in orders for fill in fills)
        yield (
            f"{len(orders)} orders have traded, {buys} BUY and {len(orders) - buys} SELL, worth {worth}; "
            f"the newest {_ORDERS_SHOWN} of them:"
        )
    for name, fills in orders[-_ORDERS_SHOWN:]:
        yield _order(connection, name, fills, quotes.get(fills[0].symbol, ""))


def _order(connection: sqlite3.Connection, name: str, fills: list[Fill], quote: str) -> str:
    """`Stop loss: SELL 0.00154 BTCUSDT at 63,608.75, 97.96 USDT, fee 0.098 USDT`, as a sentence."""
    entry = queries.order_entry(connection, name)
    first = fills[0]
    base = sum((fill.quantity for fill in fills), start=ZERO)
    worth = sum((fill.quote_quantity for fill in fills), start=ZERO)
    price = fills[0].price if len({fill.price for fill in fills}) == 1 else round(EXACT.divide(worth, base), 8)
    fees = _sums((fill.commission_asset, fill.commission) for fill in fills)
    role, part = "Traded", ""
    if entry is not None:
        exit_kind = entry.order.exit
        role = (exit_kind.value if exit_kind is not None else entry.order.role.value).replace("_", " ").capitalize()
        role = "By hand" if is_by_hand(connection, name) else role
        if entry.order.executed_base < entry.order.quantity:
            part = f" of {exact(entry.order.quantity)}"
    traded = f"{first.side} {exact(base)}{part} {first.symbol} at {exact(price)}"
    return f"{role}: {traded}, {money(worth)} {quote}, fee {fees}."


def _sums(values: Iterable[tuple[str, Decimal]]) -> str:
    sums: dict[str, Decimal] = {}
    for asset, amount in values:
        sums[asset] = sums.get(asset, ZERO) + amount
    return amounts(sums)


def _days(connection: sqlite3.Connection, cursor: Cursor) -> Found:
    """At the first tick of a UTC day (market time), what the day of the tick before came to."""
    day = day_of_last_tick(connection)
    found = []
    if (
        day is not None
        and cursor.day is not None
        and day > cursor.day
        and (said := day_summary(connection, cursor.day))
    ):
        found.append(Notice(NotifyEvent.DAILY, said))
    return found, replace(cursor, day=cursor.day if day is None else day)
