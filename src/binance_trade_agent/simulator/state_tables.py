"""The tables of a state file. Orders, lists, trades and prevented matches are rows with a JSON body each."""

import sqlite3
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from binance_trade_agent.matching.orders import ExchangeOrder, PreventedMatch, Trade
from binance_trade_agent.matching.snapshot import (
    AccountSnapshot,
    EngineSnapshot,
    ListSnapshot,
    SymbolSnapshot,
    take_list,
    take_symbols,
)
from binance_trade_agent.matching.state import ExchangeState
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.state_changes import StateChanges

FORMAT = 2  # 1 was JSON

_TABLES = {
    "meta": "name TEXT PRIMARY KEY, value TEXT NOT NULL",
    "balances": "account TEXT, asset TEXT, free TEXT NOT NULL, locked TEXT NOT NULL, PRIMARY KEY (account, asset)",
    "amounts": "kind TEXT, asset TEXT, amount TEXT NOT NULL, PRIMARY KEY (kind, asset)",
    "symbols": "symbol TEXT PRIMARY KEY, body BLOB NOT NULL",
    "orders": "symbol TEXT, order_id INTEGER, body BLOB NOT NULL, PRIMARY KEY (symbol, order_id)",
    "lists": "list_id INTEGER PRIMARY KEY, body BLOB NOT NULL",
    "trades": "symbol TEXT, trade_id INTEGER, order_id INTEGER, body BLOB NOT NULL, "
    "PRIMARY KEY (symbol, trade_id, order_id)",
    "prevented": "symbol TEXT, prevented_match_id INTEGER, body BLOB NOT NULL, "
    "PRIMARY KEY (symbol, prevented_match_id)",
}
_AMOUNTS = ("deposits", "fees", "outside")
_Body = TypeVar("_Body")


class NewerFormatError(Exception):
    """The file is of a format that this program does not know; the text is its number."""


def create_tables(database: sqlite3.Connection) -> None:
    """Make the tables, empty."""
    for name, columns in _TABLES.items():
        database.execute(f"DROP TABLE IF EXISTS {name}")
        database.execute(f"CREATE TABLE {name} ({columns}) WITHOUT ROWID")


def read_meta(database: sqlite3.Connection) -> Mapping[str, str]:
    """Names and values of what there is one of.

    Raises:
        NewerFormatError: see there.
    """
    meta = dict(database.execute("SELECT name, value FROM meta"))
    if meta["format"] != str(FORMAT):
        raise NewerFormatError(meta["format"])
    return meta


def write_meta(database: sqlite3.Connection, exchange: Exchange) -> None:
    """Write what there is one of."""
    meta = {
        "format": FORMAT,
        "session_id": exchange.session_id,
        "start_ms": exchange.feed.start_ms,
        "market_ms": exchange.now_ms,
        "last_execution_id": exchange.engine.last_execution_id,
        "last_list_id": exchange.engine.last_list_id,
    }
    _write(database, "meta", [(name, str(value)) for name, value in meta.items()])


def read_engine(database: sqlite3.Connection, meta: Mapping[str, str]) -> EngineSnapshot:
    """The engine's state."""
    accounts: dict[str, AccountSnapshot] = {}
    for account, asset, free, locked in database.execute("SELECT account, asset, free, locked FROM balances"):
        held = accounts.setdefault(account, AccountSnapshot({}, {}))
        held.free[asset], held.locked[asset] = Decimal(free), Decimal(locked)
    amounts: dict[str, dict[str, Decimal]] = {kind: {} for kind in _AMOUNTS}
    for kind, asset, amount in database.execute("SELECT kind, asset, amount FROM amounts"):
        amounts[kind][asset] = Decimal(amount)
    symbols = database.execute("SELECT symbol, body FROM symbols")
    return EngineSnapshot(
        accounts=accounts,
        **amounts,
        orders=_bodies(database, "orders", ExchangeOrder),
        lists=_bodies(database, "lists", ListSnapshot),
        trades=_bodies(database, "trades", Trade),
        prevented=_bodies(database, "prevented", PreventedMatch),
        symbols={symbol: msgspec.json.decode(body, type=SymbolSnapshot) for symbol, body in symbols},
        last_execution_id=int(meta["last_execution_id"]),
        last_list_id=int(meta["last_list_id"]),
    )


def write_engine(database: sqlite3.Connection, engine: EngineSnapshot) -> None:
    """Write a whole state into empty tables."""
    for name, held in engine.accounts.items():
        _write_balances(database, [(name, asset, held.free[asset], held.locked[asset]) for asset in held.free])
    for kind in _AMOUNTS:
        _write_amounts(database, kind, getattr(engine, kind))
    _write_symbols(database, engine.symbols)
    _write_orders(database, engine.orders)
    _write_lists(database, engine.lists)
    _write_trades(database, engine.trades)
    _write_prevented(database, engine.prevented)


def write_changes(database: sqlite3.Connection, exchange: Exchange, changes: StateChanges) -> None:
    """Write what has changed."""
    engine = exchange.engine
    balances = [
        (account, asset, engine.accounts[account].free(asset), engine.accounts[account].locked(asset))
        for account, asset in changes.balances
    ]
    _write_balances(database, balances)
    assets = {asset for _, asset in changes.balances}
    for kind, amounts in _amounts_of(engine).items():
        _write_amounts(database, kind, {asset: amounts[asset] for asset in assets & amounts.keys()})
    everything = take_symbols(engine) if changes.symbols else {}
    _write_symbols(database, {symbol: everything[symbol] for symbol in changes.symbols})
    _write_orders(database, changes.orders.values())
    _write_lists(database, [take_list(order_list) for order_list in changes.lists.values()])
    _write_trades(database, changes.trades)
    _write_prevented(database, changes.prevented)


def _amounts_of(state: ExchangeState) -> dict[str, Mapping[str, Decimal]]:
    return {"deposits": state.deposits, "fees": state.settlement.fees, "outside": state.settlement.outside}


def _write_balances(database: sqlite3.Connection, rows: Iterable[tuple[str, str, Decimal, Decimal]]) -> None:
    _write(database, "balances", [(account, asset, str(free), str(locked)) for account, asset, free, locked in rows])


def _write_amounts(database: sqlite3.Connection, kind: str, amounts: Mapping[str, Decimal]) -> None:
    _write(database, "amounts", [(kind, asset, str(amount)) for asset, amount in amounts.items()])


def _write_symbols(database: sqlite3.Connection, symbols: Mapping[str, SymbolSnapshot]) -> None:
    _write(database, "symbols", [(symbol, msgspec.json.encode(body)) for symbol, body in symbols.items()])


def _write_orders(database: sqlite3.Connection, orders: Iterable[ExchangeOrder]) -> None:
    _write(database, "orders", [(order.symbol, order.order_id, msgspec.json.encode(order)) for order in orders])


def _write_lists(database: sqlite3.Connection, lists: Iterable[ListSnapshot]) -> None:
    _write(database, "lists", [(order_list.list_id, msgspec.json.encode(order_list)) for order_list in lists])


def _write_trades(database: sqlite3.Connection, trades: Iterable[Trade]) -> None:
    rows = [(trade.symbol, trade.trade_id, trade.order_id, msgspec.json.encode(trade)) for trade in trades]
    _write(database, "trades", rows)


def _write_prevented(database: sqlite3.Connection, matches: Iterable[PreventedMatch]) -> None:
    rows = [(match.symbol, match.prevented_match_id, msgspec.json.encode(match)) for match in matches]
    _write(database, "prevented", rows)


def _write(database: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    """Put rows in, in the place of those with the same key."""
    if rows:
        places = ", ".join("?" * len(rows[0]))
        database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({places})", rows)  # noqa: S608 (our own names)


def _bodies(database: sqlite3.Connection, table: str, kind: type[_Body]) -> list[_Body]:
    rows = database.execute(f"SELECT body FROM {table}")  # noqa: S608 (our own names)
    return [msgspec.json.decode(body, type=kind) for (body,) in rows]
