"""What the ledger knows of one symbol: who trades it, what is held, what rests, what was filled lately."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from binance_trade_agent.domain.orders import Fill, Order
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.ledger import queries
from binance_trade_agent.settings import Settings

MOST_FILLS = 500


@dataclass(frozen=True, slots=True)
class Traded:
    """What the newest run trades; of the settings where there was none yet.

    Attributes:
        symbols: those, and at the end the others that the books know.
        interval: of the candles that its strategy looks at.
        mode, exchange: empty before the first run.
    """

    symbols: tuple[str, ...]
    interval: str
    mode: str = ""
    exchange: str = ""


@dataclass(frozen=True, slots=True)
class SymbolBooks:
    """A symbol in the current epoch.

    Attributes:
        open_orders: those that are not over, oldest first.
        fills: the latest ones, oldest first, at most MOST_FILLS.
        base_asset, quote_asset: empty where the bot never traded it.
    """

    position: Position
    open_orders: Sequence[Order] = ()
    fills: Sequence[Fill] = ()
    base_asset: str = ""
    quote_asset: str = ""


def traded(connection: sqlite3.Connection, settings: Settings) -> Traded:
    """What is traded."""
    row = connection.execute(
        "SELECT symbols, mode, exchange, settings_json FROM runs ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return by_settings(settings)
    known = queries.positions(connection, queries.epoch_number(connection))
    symbols = tuple(dict.fromkeys([*row["symbols"].split(), *known]))
    interval = json.loads(row["settings_json"]).get("TRADING_CANDLE_INTERVAL", settings.trading_candle_interval)
    return Traded(symbols, interval, row["mode"], row["exchange"])


def by_settings(settings: Settings) -> Traded:
    """What would be traded."""
    return Traded(settings.trading_symbols, settings.trading_candle_interval)


def symbol_books(connection: sqlite3.Connection, symbol: str) -> SymbolBooks:
    """The books of a symbol."""
    epoch = queries.epoch_number(connection)
    entries = queries.unsettled_orders(connection, epoch)
    base_asset, quote_asset = queries.symbol_assets(connection).get(symbol, ("", ""))
    return SymbolBooks(
        queries.position(connection, epoch, symbol),
        [entry.order for entry in entries if entry.order.symbol == symbol and not entry.order.is_terminal],
        queries.latest_fills(connection, epoch, symbol, MOST_FILLS),
        base_asset,
        quote_asset,
    )
