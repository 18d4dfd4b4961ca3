"""SqlView: a `BooksView` of the ledger's SQLite file, of one epoch."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal

from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Order, Side
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger import equity, exits, pauses, queries, switches
from binance_trade_agent.ledger.equity import Mark, Series
from binance_trade_agent.ledger.external_sums import external_sum
from binance_trade_agent.ledger.holding import holding
from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.risk.state import ExitResult, Pause


class SqlView:
    """Asks the file each time: it is of one moment while the caller's transaction, or turn on the connection, lasts.

    Args:
        connection: is only read.
        epoch: the current one without it.
    """

    def __init__(self, connection: sqlite3.Connection, epoch: int | None = None) -> None:
        self._connection = connection
        self._epoch = queries.epoch_number(connection) if epoch is None else epoch

    def positions(self, quote_asset: str | None = None) -> dict[str, Position]:
        """Positions by symbol, flat ones included; with `quote_asset` those that are counted in it."""
        return queries.positions(self._connection, self._epoch, quote_asset)

    def position(self, symbol: str) -> Position:
        """The symbol's position, flat when it never traded."""
        return queries.position(self._connection, self._epoch, symbol)

    def holding(self, symbol: str, rules: SymbolRules) -> Holding | None:
        """What is held of the symbol since it was flat or dust at its average price; None: no more than dust."""
        position = self.position(symbol)
        if position.quantity <= 0:
            return None
        price = position.average_price or ZERO
        return holding(self._connection, self._epoch, symbol, lambda quantity: rules.is_dust(quantity, price))

    def wallet(self) -> dict[str, Decimal]:
        """What the exchange should hold for us, free and locked, by asset."""
        return queries.wallet(self._connection, self._epoch)

    def unsettled_orders(self, symbol: str | None = None) -> list[OrderEntry]:
        """Orders, of all symbols or one, that are not terminal or whose fills do not add up yet; oldest first."""
        entries = queries.unsettled_orders(self._connection, self._epoch)
        return [entry for entry in entries if symbol is None or entry.order.symbol == symbol]

    def last_order_on_exchange(self, symbol: str) -> Order | None:
        """The symbol's order with the highest id of the exchange, None when it has none."""
        entry = queries.last_order_on_exchange(self._connection, self._epoch, symbol)
        return entry.order if entry else None

    def is_known(self, symbol: str, exchange_order_id: int) -> bool:
        """Whether the exchange's order with this id is in the ledger."""
        return queries.order_by_exchange_id(self._connection, self._epoch, symbol, exchange_order_id) is not None

    def trade_cursor(self, symbol: str) -> int | None:
        """Up to which trade of the account the symbol was read, None when nothing was."""
        return queries.trade_cursor(self._connection, self._epoch, symbol)

    def last_entry_fill_ms(self, symbol: str) -> int | None:
        """Time of the symbol's last fill of a BUY, None when there was none."""
        return queries.last_entry_fill_ms(self._connection, self._epoch, symbol)

    def entries_since(self, since_ms: int) -> list[tuple[str, int]]:
        """Symbol and last fill of each BUY order that has filled after `since_ms`."""
        rows = self._connection.execute(
            "SELECT fills.symbol, max(traded_ms) FROM positions CROSS JOIN fills INDEXED BY fills_by_time"
            " USING (epoch, symbol) WHERE epoch = ? AND side = ? AND traded_ms > ? GROUP BY client_order_id",
            (self._epoch, Side.BUY, since_ms),
        )
        return [(symbol, filled_ms) for symbol, filled_ms in rows]

    def exits_backwards(self) -> Iterator[ExitResult]:
        """Every sale of all symbols, newest first, each worked out when it is asked for."""
        return exits.exits_backwards(self._connection, self._epoch)

    def external_sum(self, asset: str) -> Decimal:
        """What came from outside in `asset` since the epoch began, less what went there."""
        return external_sum(self._connection, self._epoch, asset)

    def latest_mark(self, quote_asset: str) -> Mark | None:
        """The last point of the equity curve in `quote_asset`, None without one."""
        return equity.latest(self._connection, Series(self._epoch, quote_asset))

    def peak_now(self, quote_asset: str, now_ms: int, adjusted_quote: Decimal) -> Decimal | None:
        """The highest adjusted equity, `adjusted_quote` being it now; None without points."""
        return equity.peak_now(self._connection, Series(self._epoch, quote_asset), now_ms, adjusted_quote)

    def day_start(self, quote_asset: str, now_ms: int) -> Decimal | None:
        """Adjusted equity when the UTC day of `now_ms` began; None where no point says it."""
        return equity.day_start(self._connection, Series(self._epoch, quote_asset), now_ms)

    def active_pauses(self, now_ms: int) -> dict[str, Pause]:
        """The pauses that are not over, by rule; of one rule the one that lasts longest, and began last."""
        return pauses.active_pauses(self._connection, self._epoch, now_ms)

    def is_paused_at(self, rule: str, at_ms: int) -> bool:
        """Whether a pause of this rule lasts, or lasted, at that time."""
        return pauses.is_paused_at(self._connection, self._epoch, rule, at_ms)

    def last_pause_end_ms(self, rule: str, now_ms: int) -> int | None:
        """When the last pause of this rule ended that is over; None when none is."""
        return pauses.last_end_ms(self._connection, self._epoch, rule, now_ms)

    def is_paused(self) -> bool:
        """Whether the last carried-out `pause` or `resume` was a pause."""
        return switches.paused(self._connection)

    def pause_scope(self) -> PauseScope | None:
        """What that pause keeps back; None without one."""
        return switches.pause_scope(self._connection)

    def is_killed(self) -> bool:
        """Whether the kill switch is on."""
        return switches.killed(self._connection)
