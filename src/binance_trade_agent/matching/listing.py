"""A symbol on the exchange: its rules, its liquidity, and the last ids given out."""

from dataclasses import dataclass, field
from decimal import Decimal

from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.book import OrderBook
from binance_trade_agent.matching.stops import StopBook


@dataclass(slots=True)
class Listing:
    """One symbol.

    Attributes:
        last_price: of the last public trade, quote per base; None before the first.
        last_order_id, last_trade_id, last_prevented_match_id: those of the symbol are counted by themselves.
    """

    rules: SymbolRules
    book: OrderBook = field(default_factory=OrderBook)
    stops: StopBook = field(default_factory=StopBook)
    last_price: Decimal | None = None
    last_order_id: int = 0
    last_trade_id: int = 0
    last_prevented_match_id: int = 0

    def next_order_id(self) -> int:
        """A new order id, larger than all before it on this symbol."""
        self.last_order_id += 1
        return self.last_order_id

    def next_trade_id(self) -> int:
        """A new trade id, larger than all before it on this symbol."""
        self.last_trade_id += 1
        return self.last_trade_id

    def next_prevented_match_id(self) -> int:
        """A new id for a prevented match, larger than all before it on this symbol."""
        self.last_prevented_match_id += 1
        return self.last_prevented_match_id
