"""What a person asks for: the order of a command, read from its payload of texts."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from binance_trade_agent.domain.money import parse_amount, plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.values import Value


class OrderKind(StrEnum):
    """MARKET trades at once, LIMIT at a price or better, STOP_LIMIT once the price has come to its stop.

    OCO is a list of two of which one cancels the other: a target, and a stop with a limit.
    """

    MARKET = "market"
    LIMIT = "limit"
    STOP_LIMIT = "stop_limit"
    OCO = "oco"


_PRICES = {
    OrderKind.MARKET: (),
    OrderKind.LIMIT: ("price",),
    OrderKind.STOP_LIMIT: ("price", "stop_price"),
    OrderKind.OCO: ("price", "stop_price", "stop_limit_price"),
}
# No amount of the exchange has more digits before or after the point, and no time so many.
_LEAST, _MOST = Decimal("1e-18"), Decimal("1e18")
_LONGEST_TIME = 20


class Leg(Value, frozen=True):
    """One order as it is sent. `price` is its limit, `stop_price` what awakes it; None for an order without."""

    type: OrderType
    price: Decimal | None = None
    stop_price: Decimal | None = None


class ManualOrder(Value, frozen=True):
    """An order of a person. Quantity in base asset, prices in quote per base.

    Attributes:
        price: the limit; of an OCO that of its target.
        stop_limit_price: the limit of an OCO's stop.
        worst_price: of a market order: it is refused when the book gives a worse average price; None for any.
        expires_wall_ms: it is not carried out later than that, wall time ms UTC; None: it does not expire.
    """

    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_limit_price: Decimal | None = None
    worst_price: Decimal | None = None
    expires_wall_ms: int | None = None

    @property
    def legs(self) -> tuple[Leg, ...]:
        """What is sent; of a list the order above the price first (binance-protocol.md 1.3)."""
        if self.kind is OrderKind.MARKET:
            return (Leg(OrderType.MARKET),)
        if self.kind is OrderKind.LIMIT:
            return (Leg(OrderType.LIMIT, self.price),)
        if self.kind is OrderKind.STOP_LIMIT:
            return (Leg(OrderType.STOP_LOSS_LIMIT, self.price, self.stop_price),)
        target = Leg(OrderType.LIMIT_MAKER, self.price)
        stop = Leg(OrderType.STOP_LOSS_LIMIT, self.stop_limit_price, self.stop_price)
        return (target, stop) if self.side is Side.SELL else (stop, target)

    def price_at(self, bid: Decimal, ask: Decimal) -> Decimal:
        """What a BUY pays at most and a SELL gets at least, as far as a price bounds it; else the best one now."""
        limits = [leg.price for leg in self.legs if leg.price is not None]
        if self.side is Side.BUY:
            return max(limits) if limits else ask
        return min(limits) if limits else bid

    def __str__(self) -> str:
        """`SELL 0.001 BTCUSDT at 70000 or, from 60000 on, at 59900`."""
        what = f"{self.side} {plain(self.quantity)} {self.symbol}"
        texts = {name: plain(price) for name in _PRICES[self.kind] if (price := getattr(self, name)) is not None}
        if self.kind is OrderKind.MARKET:
            return f"{what} at market"
        if self.kind is OrderKind.LIMIT:
            return f"{what} at {texts['price']}"
        if self.kind is OrderKind.STOP_LIMIT:
            return f"{what} at {texts['price']} once the price is at {texts['stop_price']}"
        stop = f"{texts['stop_limit_price']} once the price is at {texts['stop_price']}"
        return f"{what} at {texts['price']}, or at {stop}"


def manual_order(payload: Mapping[str, str]) -> ManualOrder:
    """The order of a command's payload (control/commands.py).

    Raises:
        ValueError: a field is missing, does not belong to this type of order, or is no sound value; the sentence is
            for a person.
    """
    kind = _chosen("type", payload, [each.value for each in OrderKind])
    side = _chosen("side", payload, [each.value for each in Side])
    order_kind = OrderKind(kind)
    allowed = {"symbol", "side", "type", "quantity", "expires_wall_ms", *_PRICES[order_kind]}
    allowed |= {"worst_price"} if order_kind is OrderKind.MARKET else set()
    for name, value in payload.items():
        if value and name not in allowed:
            raise ValueError(f"{name} does not belong to a {kind} order; it takes {', '.join(sorted(allowed))}")
    symbol = payload.get("symbol", "")
    if not symbol:
        raise ValueError("the symbol is missing, such as BTCUSDT")
    expires = payload.get("expires_wall_ms", "")
    if expires and not (expires.isascii() and expires.isdigit() and len(expires) < _LONGEST_TIME):
        raise ValueError(f"expires_wall_ms is {expires[:30]!r}: it is a time in whole milliseconds UTC")
    worst = payload.get("worst_price", "")
    return ManualOrder(
        symbol,
        Side(side),
        order_kind,
        _amount("quantity", payload),
        **{name: _amount(name, payload) for name in _PRICES[order_kind]},
        worst_price=_amount("worst_price", payload) if worst else None,
        expires_wall_ms=int(expires) if expires else None,
    )


def _chosen(name: str, payload: Mapping[str, str], allowed: list[str]) -> str:
    given = payload.get(name, "")
    if given in allowed:
        return given
    hint = nearest(given, allowed)
    said = f"{name} is {given!r}" if given else f"the {name} is missing"
    raise ValueError(f"{said}: it is one of {', '.join(allowed)}" + (f"; did you mean {hint}?" if hint else ""))


def _amount(name: str, payload: Mapping[str, str]) -> Decimal:
    text = payload.get(name, "")
    if not text:
        raise ValueError(f"the {name} is missing")
    try:
        value = parse_amount(text)
    except ValueError as failure:
        raise ValueError(f"{name}: {failure}") from None
    if value and not _LEAST <= abs(value) <= _MOST:  # its digits could fill the memory
        raise ValueError(f"{name} is {text[:30]!r}: it must be between {plain(_LEAST)} and {plain(_MOST)}")
    if value <= 0:
        raise ValueError(f"{name} is {plain(value)}: it must be above 0")
    return value
