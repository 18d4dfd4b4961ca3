"""What is held of a quote asset's worth, or is being bought: what limits on exposure count."""

from collections.abc import Mapping
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value
from binance_trade_agent.ledger.books import BooksView
from binance_trade_agent.ledger.on_sale import to_come


class Exposure(Value, frozen=True):
    """Worth in quote asset of positions and of what unsettled purchases may add, the latter alone, and the symbols."""

    quote: Decimal
    buying_quote: Decimal
    symbols: frozenset[str]


def exposure(
    books: BooksView, quote_asset: str, rules: Mapping[str, SymbolRules], bids: Mapping[str, Decimal]
) -> Exposure:
    """All that is held, valued at these bids; a position without one counts at what it cost, and dust is no symbol."""
    quote, symbols = ZERO, set()
    for symbol, position in books.positions(quote_asset).items():
        if position.quantity <= 0:
            continue
        bid = bids.get(symbol)
        quote += position.worth_quote(bid)
        entry = rules.get(symbol)
        if bid is None or entry is None or not entry.is_dust(position.quantity, bid):
            symbols.add(symbol)
    purchases = [entry for entry in books.unsettled_orders() if entry.order.side is Side.BUY]
    symbols.update(entry.order.symbol for entry in purchases)
    buying_quote = to_come(purchases)[1]
    return Exposure(quote + buying_quote, buying_quote, frozenset(symbols))
