"""Which symbols the exchange is asked about by themselves: all of a few, of many those of which something is unsure.

Binance tells the balances and the open orders of all symbols in one answer each, trades and ended orders of one symbol
at a time. With hundreds of symbols those questions alone would be more than a minute's weight. A trade of ours that the
ledger lacks is one of an order that is not settled, or that was given up: such orders are asked about by themselves. Of
an order that is settled nothing is missing. What else has happened shows in a balance, and then the symbols that can
have moved it are asked about.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sized

from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger import order_symbols, queries

COMMISSION_ASSET = "BNB"
FEW_SYMBOLS = 20
FEW_ORDERS = 20  # as many questions, 4 each, weigh as much as one about all open orders (binance-protocol.md 1.0)


def are_few(symbols: Sized) -> bool:
    """Whether there are so few symbols that all of them are asked about each time."""
    return len(symbols) <= FEW_SYMBOLS


def may_explain(connection: sqlite3.Connection, rules: Mapping[str, SymbolRules], moved: Collection[str]) -> set[str]:
    """The symbols on which a trade that the ledger lacks may have moved these assets.

    Every trade of ours moves its base asset. Two that cancel out in it are of orders that were given up, or of others.
    """
    if not moved:
        return set()
    given_up = order_symbols.given_up(connection, queries.epoch_number(connection))
    return {symbol for symbol, entry in rules.items() if entry.base_asset in moved or symbol in given_up}


def without_coins(connection: sqlite3.Connection, rules: Mapping[str, SymbolRules], moved: Collection[str]) -> set[str]:
    """The symbols of which the ledger has trades, where an asset has moved that they are paid in.

    Orders with our mark that the ledger lacks may have traded there and left no coins behind. To find them is no hurry:
    they are nothing that can be booked.
    """
    traded = queries.positions(connection, queries.epoch_number(connection)).keys() & rules.keys()
    return {symbol for symbol in traded if rules[symbol].quote_asset in moved or COMMISSION_ASSET in moved}
