"""From fills to round trips: from flat to flat again, with what each of them earned. Pure functions.

Profit is what the position realised at average cost (`domain/positions.py`), less fees in a third asset as far as their
worth is known. So the profits of all round trips, and what open ones have realised, add up to what positions realised.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Order, OrderState, Side
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.domain.values import Value, replace
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.reports.trades import Assets

FeeWorth = Callable[[str, int], Decimal | None]
"""What one unit of an asset was worth in quote asset at a time in ms; None where that is unknown."""

_PRICE_UNIT = Decimal("0.00000001")
_PCT_UNIT = Decimal("0.0001")
_HUNDRED = Decimal(100)


class RoundTrip(Value, frozen=True):
    """A position from its first purchase to the sale that left nothing, or only dust.

    Attributes:
        opened_ms, closed_ms: times of the first and of the last fill, market time.
        quantity_base: bought in all, before fees.
        entry_price, exit_price: averages, quote per base, before fees, to eight decimals; None without such fills.
        cost_quote: what was sold had cost, with fees in base and quote; proceeds_quote: what it brought, after them.
        profit_quote: proceeds less cost, and less fees in a third asset as far as their worth is known.
        profit_pct: of the cost, to four decimals; None where nothing was paid.
        fees: by asset; fees_quote: their worth, those in base at the price of their fill; None: one's is unknown.
        exit: what made the last sale; None when its order does not say.
        entries, exits: orders that bought and sold.
        best_pct, worst_pct: the highest and the lowest price while it was open against the entry price, in percent of
            that (maximum favourable and adverse excursion); None without candles.
    """

    symbol: str
    quote_asset: str
    opened_ms: int
    closed_ms: int
    quantity_base: Decimal
    entry_price: Decimal | None
    exit_price: Decimal | None
    cost_quote: Decimal
    proceeds_quote: Decimal
    profit_quote: Decimal
    profit_pct: Decimal | None
    fees: dict[str, Decimal]
    fees_quote: Decimal | None
    exit: ExitKind | None
    entries: int
    exits: int
    best_pct: float | None = None
    worst_pct: float | None = None

    @property
    def duration_ms(self) -> int:
        """From the first fill to the last."""
        return self.closed_ms - self.opened_ms


class OpenTrip(Value, frozen=True):
    """A position that was still open at the end.

    Attributes:
        quantity_base, cost_quote: what is held, and what it cost.
        entry_price: average of its purchases, before fees; None without one.
        realised_quote: profit of what of it was sold already, as in RoundTrip.
        price: at which it is valued; unrealised_quote: what selling it at that would add, before fees; unrealised_pct:
            of its cost. None where no price is known.
    """

    symbol: str
    quote_asset: str
    opened_ms: int
    quantity_base: Decimal
    entry_price: Decimal | None
    cost_quote: Decimal
    realised_quote: Decimal
    fees: dict[str, Decimal]
    fees_quote: Decimal | None
    entries: int
    exits: int
    price: Decimal | None
    unrealised_quote: Decimal | None
    unrealised_pct: Decimal | None


def round_trips(
    fills: Iterable[Fill],
    orders: Iterable[Order],
    assets: Mapping[str, Assets],
    *,
    prices: Mapping[str, Decimal] | None = None,
    candles: Mapping[str, CandleTable] | None = None,
    fee_worth: FeeWorth | None = None,
) -> tuple[list[RoundTrip], list[OpenTrip]]:
    """The round trips that fills make up, in the order in which they ended, and what is open after the last fill.

    A sale sells all that the exchange lets be sold. So what an order that filled whole has left, less than it sold
    itself, is dust, and the trip is over.

    Args:
        fills: for each symbol in the order of their trade ids.
        orders: those that the fills belong to; others do no harm.
        assets: base and quote asset of each symbol.
        prices: at which open positions are valued, by symbol.
        candles: for the excursions, by symbol.
        fee_worth: for fees in a third asset.
    """
    known = {order.client_order_id: order for order in orders}
    positions: dict[str, Position] = {}
    under_way: dict[str, _Trip] = {}
    closed: list[RoundTrip] = []
    for fill in fills:
        base, quote = assets[fill.symbol]
        before = positions.get(fill.symbol) or Position(fill.symbol)
        after = positions[fill.symbol] = apply_fill(before, fill, base_asset=base, quote_asset=quote)
        trip = under_way.get(fill.symbol) or under_way.setdefault(fill.symbol, _Trip(fill.symbol, base, quote, fill))
        realised = after.realised_pnl_quote - before.realised_pnl_quote
        trip.add(fill, known.get(fill.client_order_id), realised, fee_worth)
        if fill.side is Side.SELL and (after.quantity <= 0 or trip.is_sold(after.quantity)):
            closed.append(under_way.pop(fill.symbol).closed(fill.traded_ms))
    marks = prices or {}
    still_open = [trip.still_open(positions[symbol], marks.get(symbol)) for symbol, trip in sorted(under_way.items())]
    closed.sort(key=lambda trip: (trip.closed_ms, trip.symbol))
    return with_excursions(closed, candles) if candles else closed, still_open


def with_excursions(trips: Sequence[RoundTrip], candles: Mapping[str, CandleTable]) -> list[RoundTrip]:
    """The same round trips with the highest and lowest prices of their time.

    The candle of the sale counts by the sale's price only: what it did after the sale is nobody's excursion.
    """
    found = list(trips)
    for symbol, table in candles.items():
        rows = [row for row, trip in enumerate(trips) if trip.symbol == symbol and trip.entry_price and trip.exit_price]
        if not rows or not len(table):
            continue
        entry = np.array([float(trips[row].entry_price or 0) for row in rows])
        exit_ = np.array([float(trips[row].exit_price or 0) for row in rows])
        first = np.searchsorted(table.open_times_ms, [trips[row].opened_ms for row in rows], side="right") - 1
        last = np.searchsorted(table.open_times_ms, [trips[row].closed_ms for row in rows], side="right") - 1
        first = np.maximum(first, 0)
        spans = np.column_stack((first, np.maximum(last, first))).ravel()
        has_candles = last > first
        highest = np.where(has_candles, np.maximum.reduceat(table.high, spans)[::2], entry)
        lowest = np.where(has_candles, np.minimum.reduceat(table.low, spans)[::2], entry)
        best = 100 * (np.maximum(highest, np.maximum(entry, exit_)) / entry - 1)
        worst = 100 * (np.minimum(lowest, np.minimum(entry, exit_)) / entry - 1)
        for row, high, low in zip(rows, best.tolist(), worst.tolist(), strict=True):
            found[row] = replace(found[row], best_pct=high, worst_pct=low)
    return found


@dataclass(slots=True)
class _Trip:
    """A round trip that grows fill by fill."""

    symbol: str
    base_asset: str
    quote_asset: str
    first: Fill
    bought_base: Decimal = ZERO
    bought_quote: Decimal = ZERO
    sold_base: Decimal = ZERO
    sold_quote: Decimal = ZERO
    realised_quote: Decimal = ZERO
    fee_on_sales_quote: Decimal = ZERO
    fees: dict[str, Decimal] = field(default_factory=dict)
    fees_quote: Decimal = ZERO
    third_quote: Decimal = ZERO
    is_worth_known: bool = True
    entries: set[str] = field(default_factory=set)
    sold_by: dict[str, Decimal] = field(default_factory=dict)
    last_order: Order | None = None

    def add(self, fill: Fill, order: Order | None, realised_quote: Decimal, fee_worth: FeeWorth | None) -> None:
        """Take in a fill and what it realised."""
        self.realised_quote += realised_quote
        self._take_fee(fill, fee_worth)
        if fill.side is Side.BUY:
            self.bought_base += fill.quantity
            self.bought_quote += fill.quote_quantity
            self.entries.add(fill.client_order_id)
            return
        self.sold_base += fill.quantity
        self.sold_quote += fill.quote_quantity
        self.sold_by[fill.client_order_id] = self.sold_by.get(fill.client_order_id, ZERO) + fill.quantity
        self.last_order = order
        if fill.commission_asset == self.quote_asset:
            self.fee_on_sales_quote += fill.commission

    def is_sold(self, left_base: Decimal) -> bool:
        """Whether the order that sold last has filled whole, all of its fills are in, and what is left is dust."""
        order = self.last_order
        if order is None or order.state is not OrderState.FILLED:
            return False
        return left_base < order.quantity <= self.sold_by[order.client_order_id]

    def closed(self, closed_ms: int) -> RoundTrip:
        """It ends here."""
        proceeds = self.sold_quote - self.fee_on_sales_quote
        cost = proceeds - self.realised_quote
        profit = self.realised_quote - self.third_quote
        return RoundTrip(
            symbol=self.symbol,
            quote_asset=self.quote_asset,
            opened_ms=self.first.traded_ms,
            closed_ms=closed_ms,
            quantity_base=self.bought_base,
            entry_price=_price(self.bought_quote, self.bought_base),
            exit_price=_price(self.sold_quote, self.sold_base),
            cost_quote=cost,
            proceeds_quote=proceeds,
            profit_quote=profit,
            profit_pct=_pct(profit, cost),
            fees=dict(sorted(self.fees.items())),
            fees_quote=self.fees_quote if self.is_worth_known else None,
            exit=self.last_order.exit if self.last_order else None,
            entries=len(self.entries),
            exits=len(self.sold_by),
        )

    def still_open(self, position: Position, price: Decimal | None) -> OpenTrip:
        """It has not ended."""
        unrealised = None if price is None else position.unrealised_pnl_quote(price)
        return OpenTrip(
            symbol=self.symbol,
            quote_asset=self.quote_asset,
            opened_ms=self.first.traded_ms,
            quantity_base=position.quantity,
            entry_price=_price(self.bought_quote, self.bought_base),
            cost_quote=position.cost_quote,
            realised_quote=self.realised_quote - self.third_quote,
            fees=dict(sorted(self.fees.items())),
            fees_quote=self.fees_quote if self.is_worth_known else None,
            entries=len(self.entries),
            exits=len(self.sold_by),
            price=price,
            unrealised_quote=unrealised,
            unrealised_pct=None if unrealised is None else _pct(unrealised, position.cost_quote),
        )

    def _take_fee(self, fill: Fill, fee_worth: FeeWorth | None) -> None:
        amount, asset = fill.commission, fill.commission_asset
        if not amount:
            return
        self.fees[asset] = self.fees.get(asset, ZERO) + amount
        if asset == self.quote_asset:
            self.fees_quote += amount
        elif asset == self.base_asset:
            self.fees_quote += amount * fill.price
        elif (price := fee_worth(asset, fill.traded_ms) if fee_worth else None) is not None:
            self.fees_quote += amount * price
            self.third_quote += amount * price
        else:
            self.is_worth_known = False


def _price(quote: Decimal, base: Decimal) -> Decimal | None:
    return (quote / base).quantize(_PRICE_UNIT, ROUND_HALF_EVEN) if base else None


def _pct(part: Decimal, whole: Decimal) -> Decimal | None:
    return (_HUNDRED * part / whole).quantize(_PCT_UNIT, ROUND_HALF_EVEN) if whole > 0 else None
