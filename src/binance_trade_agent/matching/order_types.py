"""What each order type does with the book when it arrives (binance-protocol.md 4.2).

A plan only looks: which offers are taken, which matches self-trade prevention stops, how much must be locked, and what
becomes of the rest. execution.py carries it out. A stop order arrives twice: first it waits, then, triggered, it acts
as MARKET or LIMIT.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.matching.book import Offer
from binance_trade_agent.matching.demand import Demand, QuantityDemand, QuoteDemand
from binance_trade_agent.matching.errors import (
    LIQUIDITY_BELOW_LOT,
    NO_LIQUIDITY,
    WOULD_TAKE,
    WOULD_TRIGGER,
    OrderRefused,
)
from binance_trade_agent.matching.listing import Listing
from binance_trade_agent.matching.orders import ExchangeOrder, ExpiryReason, SelfTradePrevention, TimeInForce
from binance_trade_agent.matching.self_trade import ENDS_MAKER, ENDS_TAKER, Prevention, prevents
from binance_trade_agent.matching.stops import is_reached

MARKET_STOPS = frozenset({OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})

Match = Offer | Prevention


class Plan(msgspec.Struct, frozen=True):
    """What an arriving order will do.

    Attributes:
        quantity: the order's quantity, base asset.
        matches: in order, each with the quantity taken or prevented.
        requirement: what must be locked first, in quote asset for BUY and in base asset for SELL.
        expiry: why the rest expires; None when there is no rest or it waits.
        awaits_trigger: whether it waits outside the book, as a stop order.
    """

    quantity: Decimal
    matches: Sequence[Match]
    requirement: Decimal
    expiry: ExpiryReason | None = None
    awaits_trigger: bool = False


def plan_arrival(order: ExchangeOrder, listing: Listing) -> Plan:
    """What the order will do to the book as it stands.

    Raises:
        OrderRefused: it is not accepted.
    """
    if order.waits_for_trigger:
        return _plan_stop(order, listing)
    match order.type:
        case OrderType.MARKET | OrderType.STOP_LOSS | OrderType.TAKE_PROFIT:
            return _plan_market_by_quote(order, listing) if order.quote_quantity else _plan_market(order, listing)
        case OrderType.LIMIT_MAKER:
            return _plan_limit_maker(order, listing)
        case _:
            return _plan_limit(order, listing)


def plan_triggered(order: ExchangeOrder, listing: Listing, affordable: Decimal) -> Plan:
    """What a stop order does once it has triggered.

    A stop that buys at the market locked its stop price, and may meet dearer offers. Then it takes what its lock and
    the free balance together can pay for, in whole steps, best price first, and the rest expires as REJECTED.

    Args:
        order: the order, which works from now on.
        listing: its symbol.
        affordable: what it has locked and what its account has free, in the asset that it pays with.
    """
    plan = plan_arrival(order, listing)
    if order.type not in MARKET_STOPS or plan.requirement <= affordable:
        return plan
    demand = QuoteDemand(affordable, listing.rules.market_step)
    matches = _walk(order, listing.book.offers(order.side, None), demand)
    return Plan(order.quantity, matches, _cost(order.side, matches), ExpiryReason.REJECTED)


def _plan_stop(order: ExchangeOrder, listing: Listing) -> Plan:
    """Waits, unless the price is on the wrong side of its stop price already."""
    if order.stop_price and listing.last_price is not None and is_reached(order, listing.last_price):
        raise OrderRefused(WOULD_TRIGGER)
    return Plan(order.quantity, (), order.needed, awaits_trigger=True)


def _plan_limit(order: ExchangeOrder, listing: Listing) -> Plan:
    """Takes what crosses its price; the rest waits (GTC), expires (IOC), or nothing happens at all (FOK)."""
    demand = QuantityDemand(order.remaining)
    matches = _walk(order, listing.book.offers(order.side, order.price), demand)
    expiry = None
    if order.time_in_force is TimeInForce.IOC and not demand.is_met:
        expiry = ExpiryReason.UNFILLED_IOC
    if order.time_in_force is TimeInForce.FOK and not (demand.is_met and _all_trade(matches)):
        matches, expiry = [], ExpiryReason.UNFILLED_FOK
    return Plan(order.quantity, matches, order.needed, expiry)


def _plan_limit_maker(order: ExchangeOrder, listing: Listing) -> Plan:
    """Only ever waits in the book; refused when it would take."""
    if next(listing.book.offers(order.side, order.price), None) is not None:
        raise OrderRefused(WOULD_TAKE)
    return Plan(order.quantity, (), order.needed)


def _plan_market(order: ExchangeOrder, listing: Listing) -> Plan:
    """Walks the book; what the book does not hold expires."""
    demand = QuantityDemand(order.remaining)
    matches = _walk(order, listing.book.offers(order.side, None), demand)
    expiry = None if demand.is_met else ExpiryReason.INSUFFICIENT_LIQUIDITY
    return Plan(order.quantity, matches, _cost(order.side, matches), expiry)


def _plan_market_by_quote(order: ExchangeOrder, listing: Listing) -> Plan:
    """The largest multiple of the step whose value is at most the quote amount.

    What the book does not hold expires: as much as the rest of the amount would have bought at the last price.
    """
    if next(listing.book.offers(order.side, None), None) is None:
        raise OrderRefused(NO_LIQUIDITY)
    demand = QuoteDemand(order.quote_quantity, listing.rules.market_step)
    matches = _walk(order, listing.book.offers(order.side, None), demand)
    quantity = sum((_taker_quantity(match) for match in matches), ZERO)
    if not quantity:
        raise OrderRefused(LIQUIDITY_BELOW_LOT)
    missing = ZERO if demand.is_met or not isinstance(matches[-1], Offer) else demand.rest(matches[-1].price)
    expiry = ExpiryReason.INSUFFICIENT_LIQUIDITY if missing else None
    return Plan(quantity + missing, matches, _cost(order.side, matches), expiry)


def _walk(taker: ExchangeOrder, offers: Iterable[Offer], demand: Demand) -> list[Match]:
    """Take from the offers in their order until the demand is met, or self-trade prevention ends the taker."""
    matches: list[Match] = []
    ended_makers: set[int] = set()
    for offer in offers:
        maker = offer.maker
        if maker is not None and prevents(taker, maker):
            if maker.order_id not in ended_makers:
                matches += _prevented(taker, offer, maker, demand, ended_makers)
            if taker.self_trade_prevention in ENDS_TAKER:
                break
        elif taken := demand.take(offer.price, offer.quantity):
            matches.append(offer if taken is offer.quantity else Offer(offer.price, taken, maker))
        if demand.is_met:
            break
    return matches


def _prevented(
    taker: ExchangeOrder, offer: Offer, maker: ExchangeOrder, demand: Demand, ended_makers: set[int]
) -> list[Match]:
    """The match that does not happen; none when it would have been of less than a step."""
    mode = taker.self_trade_prevention
    taker_quantity, maker_quantity = None, None
    quantity = min(demand.rest(offer.price), offer.quantity)
    if mode in ENDS_TAKER:
        taker_quantity = demand.rest(offer.price)
    if mode in ENDS_MAKER:
        maker_quantity = maker.remaining
        ended_makers.add(maker.order_id)
    if mode in {SelfTradePrevention.DECREMENT, SelfTradePrevention.TRANSFER}:
        taker_quantity = maker_quantity = demand.take(offer.price, offer.quantity)
    if not (taker_quantity or maker_quantity):
        return []
    return [Prevention(offer.price, quantity, maker, taker_quantity, maker_quantity)]


def _all_trade(matches: Iterable[Match]) -> bool:
    return not any(isinstance(match, Prevention) and match.taker_quantity for match in matches)


def _taker_quantity(match: Match) -> Decimal:
    return (match.taker_quantity or ZERO) if isinstance(match, Prevention) else match.quantity


def _cost(side: Side, matches: Iterable[Match]) -> Decimal:
    """What the trades among `matches` take of the taker: quote asset for BUY, base asset for SELL."""
    cost = ZERO
    for match in matches:
        if isinstance(match, Offer):
            cost += match.price * match.quantity if side is Side.BUY else match.quantity
    return cost
