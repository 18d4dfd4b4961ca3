"""SymbolBook: what the books of a backtest keep of one symbol: its position, its trades, and its orders' numbers."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Order, Role
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger.holding import since_dust
from binance_trade_agent.ledger.records import OrderEntry

_STOP_LOSS = Role.STOP_LOSS
Realised = tuple[Decimal, Decimal]
"""What a fill realised, and what it sold had cost; both in quote asset."""


class SymbolBook:
    """One symbol.

    Attributes:
        position: after all its trades.
        trades: by trade id, in their order.
        last_entry_ms: time of the last fill of a BUY.
        top: the order with the highest number on the exchange.
        numbers_rise: whether the exchange has numbered the orders in the order of their creation so far.
    """

    __slots__ = (
        "_holding",
        "_known_for",
        "_last_trade_id",
        "_stop",
        "_stop_number",
        "_top_number",
        "base_asset",
        "last_entry_ms",
        "numbers_rise",
        "position",
        "quote_asset",
        "top",
        "trades",
    )

    def __init__(self, symbol: str) -> None:
        self.base_asset = self.quote_asset = ""
        self.position = Position(symbol)
        self.trades: dict[int, Fill] = {}
        self.last_entry_ms: int | None = None
        self.top: Order | None = None
        self.numbers_rise = True
        self._last_trade_id: int | None = None
        self._stop: Order | None = None  # the stop with the highest number
        self._top_number = self._stop_number = -1
        self._holding: Holding | None = None
        self._known_for: SymbolRules | None = None  # the rules by which the holding was worked out; None: it was not

    @property
    def last_trade_id(self) -> int | None:
        """The highest trade id, None without trades."""
        return self._last_trade_id

    def trade(self, fill: Fill) -> Realised | None:
        """Take a fill that is not known yet into the position.

        None when it is older than the latest trade: `trade_late` has to take it.
        """
        if self._last_trade_id is not None and fill.trade_id < self._last_trade_id:
            return None
        self._known_for = None
        self._last_trade_id = fill.trade_id
        self.trades[fill.trade_id] = fill
        return self._take(fill)

    def trade_late(self, late: Fill) -> list[tuple[Fill, Realised]]:
        """Take all trades anew, an older one among them; what each realised, in their order."""
        self._known_for = None
        self.trades = dict(sorted({**self.trades, late.trade_id: late}.items()))
        self.position = Position(late.symbol)
        return [(fill, self._take(fill)) for fill in self.trades.values()]

    def _take(self, fill: Fill) -> Realised:
        before = self.position
        after = self.position = apply_fill(before, fill, base_asset=self.base_asset, quote_asset=self.quote_asset)
        return after.realised_pnl_quote - before.realised_pnl_quote, before.cost_quote - after.cost_quote

    def note_number(self, order: Order) -> None:
        """The exchange has given `order` its number."""
        top, number = self.top, order.exchange_order_id
        assert number is not None, "it was given one"
        if number > self._top_number:
            if top is not None and order.created_ms < top.created_ms:
                self.numbers_rise = False
            self.top, self._top_number = order, number
        else:
            self.numbers_rise = False
        if order.role is _STOP_LOSS and number > self._stop_number:
            self._stop, self._stop_number = order, number
            self._known_for = None

    def renumber(self, orders: Iterable[Order]) -> None:
        """An order has another number than before; `orders` are all of the symbol that have one."""
        self.top = self._stop = self._known_for = None
        self._top_number = self._stop_number = -1
        for order in orders:
            self.note_number(order)
        self.numbers_rise = False

    def holding(self, rules: SymbolRules, orders: Mapping[str, OrderEntry]) -> Holding | None:
        """See BooksView; worked out once between two changes."""
        if self._known_for is not rules:
            self._holding = self._worked_out(rules, orders)
            self._known_for = rules
        return self._holding

    def _worked_out(self, rules: SymbolRules, orders: Mapping[str, OrderEntry]) -> Holding | None:
        position = self.position
        if position.quantity <= 0:
            return None
        price = position.average_price or ZERO
        if rules.is_dust(position.quantity, price):
            return None
        first, highest_paid = since_dust(
            position.quantity,
            reversed(self.trades.values()),
            self.base_asset,
            lambda quantity: rules.is_dust(quantity, price),
        )
        stop = self._stop
        if self._stop_number <= first.exchange_order_id:
            stop = None
        return Holding(
            position,
            first.traded_ms,
            first.client_order_id,
            highest_paid,
            orders[first.client_order_id].order.atr_quote,
            stop.stop_price if stop else None,
            (stop.exit or ExitKind.STOP_LOSS) if stop else None,
        )
