"""MemoryView: a `BooksView` of what is kept in memory."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal

from binance_trade_agent.backtest.limit_books import Entries, Exits, Marks, Pauses
from binance_trade_agent.backtest.symbol_book import SymbolBook
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Order
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger.equity import Mark
from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.risk.state import ExitResult, Pause


class MemoryView:
    """The books at this moment: what it gives is its own, and changes with it.

    Attributes:
        fills: all of them, in the order in which they were booked.
    """

    def __init__(self) -> None:
        self.fills: list[Fill] = []
        self._wallet: dict[str, Decimal] = {}
        self._orders: dict[str, OrderEntry] = {}  # in the order in which they were placed
        self._unsettled: dict[str, OrderEntry] = {}  # oldest first
        self._books: dict[str, SymbolBook] = {}
        self._positions: dict[str, Position] = {}
        self._positions_in: dict[str, dict[str, Position]] = {}
        self._entries = Entries()
        self._exits = Exits()
        self._pauses = Pauses()
        self._marks: dict[str, Marks] = {}

    @property
    def orders(self) -> list[Order]:
        """All orders, in the order in which they were placed."""
        return [entry.order for entry in self._orders.values()]

    @property
    def pauses(self) -> Sequence[Pause]:
        """Those that were begun, in that order."""
        return self._pauses.begun

    def positions(self, quote_asset: str | None = None) -> Mapping[str, Position]:
        """Positions by symbol, flat ones included; with `quote_asset` those that are counted in it."""
        return self._positions if quote_asset is None else self._positions_in.get(quote_asset, {})

    def position(self, symbol: str) -> Position:
        """The symbol's position, flat when it never traded."""
        return self._positions.get(symbol) or Position(symbol)

    def holding(self, symbol: str, rules: SymbolRules) -> Holding | None:
        """What is held of the symbol, more than dust."""
        book = self._books.get(symbol)
        return book.holding(rules, self._orders) if book else None

    def wallet(self) -> Mapping[str, Decimal]:
        """What the exchange should hold for us, by asset."""
        return self._wallet

    def unsettled_orders(self, symbol: str | None = None) -> Collection[OrderEntry]:
        """Orders, of all symbols or one, that are not settled; oldest first."""
        if symbol is None:
            return self._unsettled.values()
        return [entry for entry in self._unsettled.values() if entry.order.symbol == symbol]

    def last_order_on_exchange(self, symbol: str) -> Order | None:
        """The symbol's order with the highest number."""
        book = self._books.get(symbol)
        return self._orders[book.top.client_order_id].order if book and book.top else None

    def _is_number_out_of_order(self, order: Order) -> bool:
        """Whether an earlier order on the symbol has a number that is not lower."""
        number = order.exchange_order_id
        if number is None or self._books[order.symbol].numbers_rise:
            return False
        return any(
            other.symbol == order.symbol
            and other.created_ms < order.created_ms
            and other.exchange_order_id is not None
            and other.exchange_order_id >= number
            for other in self.orders
        )

    def is_known(self, symbol: str, exchange_order_id: int) -> bool:
        """Whether the exchange's order with this number is in the books."""
        return any((order.symbol, order.exchange_order_id) == (symbol, exchange_order_id) for order in self.orders)

    def trade_cursor(self, symbol: str) -> int | None:
        """The symbol's highest trade id."""
        book = self._books.get(symbol)
        return book.last_trade_id if book else None

    def last_entry_fill_ms(self, symbol: str) -> int | None:
        """Time of the symbol's last fill of a BUY."""
        book = self._books.get(symbol)
        return book.last_entry_ms if book else None

    def entries_since(self, since_ms: int) -> Sequence[tuple[str, int]]:
        """Symbol and last fill of each BUY order that has filled after `since_ms`."""
        return self._entries.since(since_ms)

    def exits_backwards(self) -> Iterator[ExitResult]:
        """Every sale, newest first."""
        return self._exits.backwards()

    def external_sum(self, asset: str) -> Decimal:  # noqa: ARG002
        """Nothing comes from outside after the opening."""
        return ZERO

    def latest_mark(self, quote_asset: str) -> Mark | None:
        """The last point of the equity curve."""
        return self._marks_in(quote_asset).latest

    def peak_now(self, quote_asset: str, now_ms: int, adjusted_quote: Decimal) -> Decimal | None:
        """The highest equity, `adjusted_quote` being it now."""
        return self._marks_in(quote_asset).peak_now(now_ms, adjusted_quote)

    def day_start(self, quote_asset: str, now_ms: int) -> Decimal | None:
        """Equity when the UTC day began."""
        return self._marks_in(quote_asset).day_start(now_ms)

    def active_pauses(self, now_ms: int) -> Mapping[str, Pause]:
        """The pauses that are not over, by rule."""
        return self._pauses.active(now_ms)

    def is_paused_at(self, rule: str, at_ms: int) -> bool:
        """Whether a pause of this rule lasts, or lasted, at that time."""
        return self._pauses.lasts_at(rule, at_ms)

    def last_pause_end_ms(self, rule: str, now_ms: int) -> int | None:
        """When the last pause of this rule ended that is over."""
        return self._pauses.last_end_ms(rule, now_ms)

    def is_paused(self) -> bool:
        """Nobody is there to say it."""
        return False

    def pause_scope(self) -> PauseScope | None:
        """Nor how much."""
        return None

    def is_killed(self) -> bool:
        """The same."""
        return False

    def _marks_in(self, quote_asset: str) -> Marks:
        marks = self._marks.get(quote_asset)
        if marks is None:
            marks = self._marks[quote_asset] = Marks(self._pauses)
        return marks
