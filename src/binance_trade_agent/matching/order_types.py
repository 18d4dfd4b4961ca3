"""What each order type does with the book when it arrives (binance-protocol.md 4.2).

A behaviour only plans: it looks at the book and says which offers are taken, how much must be locked, and what becomes
of the rest. The engine carries the plan out. A new order type is a new class here and a line in `behaviour_of`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from binance_trade_agent.domain.money import ZERO, floor_to_step
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.book import Offer, OrderBook
from binance_trade_agent.matching.errors import LIQUIDITY_BELOW_LOT, NO_LIQUIDITY, WOULD_TAKE, OrderRefused
from binance_trade_agent.matching.orders import ExpiryReason, OrderRequest, TimeInForce


@dataclass(frozen=True, slots=True)
class Plan:
    """What an arriving order will do.

    Attributes:
        quantity: the order's quantity, base asset.
        matches: offers taken, in order, each with the quantity taken of it.
        requirement: what must be locked first, in quote asset for BUY and in base asset for SELL.
        expiry: why the rest expires; None when there is no rest or it stays in the book.
    """

    quantity: Decimal
    matches: list[Offer]
    requirement: Decimal
    expiry: ExpiryReason | None = None


class Behaviour(Protocol):
    """One order type."""

    def plan(self, request: OrderRequest, book: OrderBook, rules: SymbolRules) -> Plan:
        """What the order will do to the book as it stands.

        Raises:
            OrderRefused: the order is not accepted.
        """
        ...


class Limit:
    """LIMIT: takes what crosses its price; the rest waits (GTC), expires (IOC), or nothing happens at all (FOK)."""

    def plan(self, request: OrderRequest, book: OrderBook, rules: SymbolRules) -> Plan:  # noqa: ARG002 (Behaviour)
        """See Behaviour."""
        quantity, price = _required(request.quantity), _required(request.price)
        matches = _take_quantity(book.offers(request.side, price), quantity)
        missing = quantity - _total(matches)
        expiry = None
        if missing and request.time_in_force is TimeInForce.IOC:
            expiry = ExpiryReason.UNFILLED_IOC
        if missing and request.time_in_force is TimeInForce.FOK:
            matches, expiry = [], ExpiryReason.UNFILLED_FOK
        return Plan(quantity, matches, limit_requirement(request.side, price, quantity), expiry)


class LimitMaker:
    """LIMIT_MAKER: only ever waits in the book; refused when it would take."""

    def plan(self, request: OrderRequest, book: OrderBook, rules: SymbolRules) -> Plan:  # noqa: ARG002 (Behaviour)
        """See Behaviour."""
        quantity, price = _required(request.quantity), _required(request.price)
        if next(book.offers(request.side, price), None) is not None:
            raise OrderRefused(WOULD_TAKE)
        return Plan(quantity, [], limit_requirement(request.side, price, quantity))


class MarketByQuantity:
    """MARKET with `quantity`: walks the book; what the book does not hold expires."""

    def plan(self, request: OrderRequest, book: OrderBook, rules: SymbolRules) -> Plan:  # noqa: ARG002 (Behaviour)
        """See Behaviour."""
        quantity = _required(request.quantity)
        matches = _take_quantity(book.offers(request.side, None), quantity)
        expiry = None if _total(matches) == quantity else ExpiryReason.INSUFFICIENT_LIQUIDITY
        return Plan(quantity, matches, _market_requirement(request.side, matches), expiry)


class MarketByQuote:
    """MARKET with `quoteOrderQty`: the largest multiple of the step whose value is at most that amount."""

    def plan(self, request: OrderRequest, book: OrderBook, rules: SymbolRules) -> Plan:
        """See Behaviour."""
        if next(book.offers(request.side, None), None) is None:
            raise OrderRefused(NO_LIQUIDITY)
        budget = _required(request.quote_quantity)
        matches, ran_out = _take_value(book.offers(request.side, None), budget, rules.market_step)
        quantity = _total(matches)
        if not quantity:
            raise OrderRefused(LIQUIDITY_BELOW_LOT)
        expiry = ExpiryReason.INSUFFICIENT_LIQUIDITY if ran_out else None
        return Plan(quantity, matches, _market_requirement(request.side, matches), expiry)


def behaviour_of(request: OrderRequest) -> Behaviour:
    """The behaviour of the order's type.

    Raises:
        OrderRefused: the type is not traded here.
    """
    match request.type:
        case OrderType.LIMIT:
            return Limit()
        case OrderType.LIMIT_MAKER:
            return LimitMaker()
        case OrderType.MARKET:
            return MarketByQuantity() if request.quantity is not None else MarketByQuote()
        case _:
            words = request.type.replace("_", " ").capitalize()
            raise OrderRefused(f"{words} orders are not supported for this symbol.")


def limit_requirement(side: Side, price: Decimal, quantity: Decimal) -> Decimal:
    """What `quantity` at `price` must hold: its value for BUY, itself for SELL."""
    return price * quantity if side is Side.BUY else quantity


def _market_requirement(side: Side, matches: Iterable[Offer]) -> Decimal:
    if side is Side.SELL:
        return _total(matches)
    return sum((match.price * match.quantity for match in matches), ZERO)


def _total(matches: Iterable[Offer]) -> Decimal:
    return sum((match.quantity for match in matches), ZERO)


def _take_quantity(offers: Iterable[Offer], quantity: Decimal) -> list[Offer]:
    matches: list[Offer] = []
    for offer in offers:
        if offer.quantity >= quantity:
            matches.append(Offer(offer.price, quantity, offer.maker))
            break
        matches.append(offer)
        quantity -= offer.quantity
    return matches


def _take_value(offers: Iterable[Offer], budget: Decimal, step: Decimal) -> tuple[list[Offer], bool]:
    """Matches worth at most `budget` whose quantities add up to a multiple of `step`, and whether the book ran out."""
    matches: list[Offer] = []
    taken = ZERO
    for offer in offers:
        value = offer.price * offer.quantity
        if value >= budget:
            last = floor_to_step(taken + budget / offer.price, step) - taken
            return ([*matches, Offer(offer.price, last, offer.maker)] if last > 0 else matches), False
        matches.append(offer)
        taken += offer.quantity
        budget -= value
    return matches, True


def _required(value: Decimal | None) -> Decimal:
    assert value is not None, "the request was not checked for its mandatory parameters"
    return value
