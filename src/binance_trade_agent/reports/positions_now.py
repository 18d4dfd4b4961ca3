"""What is held now: what it cost and is worth, and what stands on the exchange to sell it. Prices in quote per base."""

import sqlite3
from collections.abc import Iterable, Mapping
from decimal import Decimal

from binance_trade_agent.cache.market_board import Quote
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Order, OrderState, OrderType, Role, Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value
from binance_trade_agent.ledger import alarms, queries
from binance_trade_agent.ledger.holding import holding
from binance_trade_agent.ledger.on_sale import is_persons_sale, on_sale_base
from binance_trade_agent.ledger.records import Alarm, OrderEntry
from binance_trade_agent.reports.order_strategies import UNKNOWN, decided_by, last_purchase


class SellOrder(Value, frozen=True):
    """An order that will sell, or whose end is not known.

    Attributes:
        left_base: what it may still sell.
        price: its limit, None for one that sells at the market's price; stop_price: that awakes it.
        stands: whether it rests on the exchange and nobody wants it away; else `state` says what is known.
        list_id: of the order list (OCO) that it is a leg of; of two legs one sells.
    """

    client_order_id: str
    role: Role
    type: OrderType
    state: OrderState
    left_base: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    stands: bool
    list_id: str | None
    created_ms: int


class PositionNow(Value, frozen=True):
    """A position as it is now. What is not known is None.

    Attributes:
        average_price: what one unit cost, after fees.
        opened_ms: since when it is more than dust, where the symbol's rules are known; else since it is not 0.
        strategy: whose entry it was; `by hand` for a person's, empty where nobody knows.
        mark_price: the last bid seen; mark_ms: when, market time; mark_wall_ms: when by the machine's clock, None for
            a bid that a decision saw.
        worth_quote, pnl_quote: at the mark, before the fees of a sale; pnl_pct: of the cost.
        is_dust: whether it is too little to be sold; None where the symbol's rules are not known.
        stops, targets: what protects it. persons: sales of persons, which wait for their price or are under way.
            leaving: other sales that are under way.
        protected_base: what the stops that stand will sell; on_sale_base: what persons have on sale, which nothing
            else may sell; unprotected_base: the rest, 0 where that is dust.
        alarms: what stands about the symbol.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    quantity_base: Decimal
    cost_quote: Decimal
    average_price: Decimal | None
    realised_pnl_quote: Decimal
    opened_ms: int | None
    strategy: str
    mark_price: Decimal | None
    mark_ms: int | None
    mark_wall_ms: int | None
    worth_quote: Decimal | None
    pnl_quote: Decimal | None
    pnl_pct: float | None
    is_dust: bool | None
    stops: tuple[SellOrder, ...]
    targets: tuple[SellOrder, ...]
    persons: tuple[SellOrder, ...]
    leaving: tuple[SellOrder, ...]
    protected_base: Decimal
    on_sale_base: Decimal
    unprotected_base: Decimal
    alarms: tuple[Alarm, ...]

    @property
    def stop_price(self) -> Decimal | None:
        """The first stop that the price comes to, None without one that stands."""
        return max((order.stop_price for order in self.stops if order.stands and order.stop_price), default=None)

    @property
    def target_price(self) -> Decimal | None:
        """The first target that the price comes to, None without one that stands."""
        prices = [order.price or order.stop_price for order in self.targets if order.stands]
        return min((price for price in prices if price is not None), default=None)


def positions_now(
    connection: sqlite3.Connection,
    epoch: int,
    *,
    quotes: Mapping[str, Quote] | None = None,
    rules: Mapping[str, SymbolRules] | None = None,
) -> list[PositionNow]:
    """All positions of an epoch that are not 0, by symbol.

    Args:
        connection: of a snapshot of the ledger.
        epoch: which.
        quotes: what the market board says, by symbol: counts where it is newer than the last decision.
        rules: the symbols' rules as far as they are known.
    """
    entries = queries.unsettled_orders(connection, epoch)
    standing = alarms.standing(connection)
    rows = connection.execute("SELECT * FROM positions WHERE epoch = ? AND quantity != '0' ORDER BY symbol", (epoch,))
    return [
        _position_now(
            connection,
            epoch,
            row,
            [entry for entry in entries if entry.order.symbol == row["symbol"] and entry.order.side is Side.SELL],
            tuple(alarm for alarm in standing if alarm.subject == row["symbol"]),
            (quotes or {}).get(row["symbol"]),
            (rules or {}).get(row["symbol"]),
        )
        for row in rows.fetchall()
    ]


def _position_now(
    connection: sqlite3.Connection,
    epoch: int,
    row: sqlite3.Row,
    entries: list[OrderEntry],
    standing: tuple[Alarm, ...],
    quote: Quote | None,
    rules: SymbolRules | None,
) -> PositionNow:
    symbol = row["symbol"]
    position = queries.position(connection, epoch, symbol)
    mark, mark_ms, mark_wall_ms = _mark(connection, epoch, symbol, quote)
    persons = [entry.order for entry in entries if is_persons_sale(entry.order)]
    others = [entry.order for entry in entries if not is_persons_sale(entry.order)]
    stops = _sells(order for order in others if order.role is Role.STOP_LOSS)
    protected = sum((order.left_base for order in stops if order.stands), ZERO)
    on_sale = on_sale_base(entries)
    left = max(ZERO, position.quantity - protected - on_sale)
    price = mark or position.average_price or ZERO
    opened_ms, entry_id = _opened(connection, epoch, position, price, rules)
    pnl = None if mark is None else position.unrealised_pnl_quote(mark)
    return PositionNow(
        symbol=symbol,
        base_asset=row["base_asset"],
        quote_asset=row["quote_asset"],
        quantity_base=position.quantity,
        cost_quote=position.cost_quote,
        average_price=position.average_price,
        realised_pnl_quote=position.realised_pnl_quote,
        opened_ms=opened_ms,
        strategy=_whose(connection, entry_id),
        mark_price=mark,
        mark_ms=mark_ms,
        mark_wall_ms=mark_wall_ms,
        worth_quote=None if mark is None else position.quantity * mark,
        pnl_quote=pnl,
        pnl_pct=None if pnl is None or position.cost_quote <= 0 else float(100 * pnl / position.cost_quote),
        is_dust=rules.is_dust(position.quantity, price) if rules else None,
        stops=stops,
        targets=_sells(order for order in others if order.role is Role.TAKE_PROFIT),
        persons=_sells(persons),
        leaving=_sells(order for order in others if not order.role.is_protective),
        protected_base=protected,
        on_sale_base=on_sale,
        unprotected_base=ZERO if rules and rules.is_dust(left, price) else left,
        alarms=standing,
    )


def _mark(
    connection: sqlite3.Connection, epoch: int, symbol: str, quote: Quote | None
) -> tuple[Decimal | None, int | None, int | None]:
    """The last bid, when it was seen in market time, and when by the machine's clock where it comes from a quote."""
    row = connection.execute(
        "SELECT bid, tick_ms FROM decisions INDEXED BY decisions_by_symbol WHERE symbol = ? AND bid IS NOT NULL"
        " AND run_id IN (SELECT run_id FROM runs WHERE epoch = ?) ORDER BY tick_ms DESC LIMIT 1",
        (symbol, epoch),
    ).fetchone()
    if quote is not None and (row is None or quote.read_ms > row["tick_ms"]):
        return quote.bid, quote.read_ms, quote.read_wall_ms
    return (Decimal(row["bid"]), row["tick_ms"], None) if row else (None, None, None)


def _opened(
    connection: sqlite3.Connection, epoch: int, position: Position, price: Decimal, rules: SymbolRules | None
) -> tuple[int | None, str | None]:
    """Since when it is held, and the client id of the order that bought it."""
    held = (
        holding(connection, epoch, position.symbol, lambda quantity: rules.is_dust(quantity, price)) if rules else None
    )
    if held:
        return held.opened_ms, held.entry_order_id
    return position.opened_ms, last_purchase(connection, epoch, position.symbol)


def _whose(connection: sqlite3.Connection, order_id: str | None) -> str:
    if order_id is None:
        return UNKNOWN
    return decided_by(connection, order_id) or UNKNOWN


def _sells(orders: Iterable[Order]) -> tuple[SellOrder, ...]:
    return tuple(
        SellOrder(
            client_order_id=order.client_order_id,
            role=order.role,
            type=order.type,
            state=order.state,
            left_base=order.left_base,
            price=order.price,
            stop_price=order.stop_price,
            stands=order.rests,
            list_id=order.list_id,
            created_ms=order.created_ms,
        )
        for order in orders
    )
