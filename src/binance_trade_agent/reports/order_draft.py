"""An order as a person writes it, and the order that it comes to: in base, in quote or as a part of what is free.

Quantities are rounded down to the symbol's step, and what was rounded is told.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from binance_trade_agent.domain.manual_orders import ManualOrder, OrderKind, manual_order
from binance_trade_agent.domain.market import Level
from binance_trade_agent.domain.money import EXACT, ZERO, floor_to_step, plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value
from binance_trade_agent.risk.rules import shown

_NUMBER = re.compile(r"\d{1,18}(\.\d{0,18})?|\.\d{1,18}")
_HUNDRED = Decimal(100)
_PRICES = {
    OrderKind.MARKET: (),
    OrderKind.LIMIT: ("price",),
    OrderKind.STOP_LIMIT: ("stop_price", "price"),
    OrderKind.OCO: ("price", "stop_price", "stop_limit_price"),
}
NAMES = {
    "amount": "the amount",
    "price": "the limit price",
    "stop_price": "the stop price",
    "stop_limit_price": "the stop's limit price",
    "worst_price": "the worst price",
}


class Unit(StrEnum):
    """What an amount is counted in; PERCENT is of the free quote asset of a BUY, of the free base asset of a SELL."""

    BASE = "base"
    QUOTE = "quote"
    PERCENT = "percent"


class IncompleteError(ValueError):
    """Something is not written yet: no mistake so far."""


class Draft(Value, frozen=True):
    """What a person has written, as texts; `type` and the prices are those of a command (control/commands.py)."""

    symbol: str
    side: str = "BUY"
    type: str = "market"
    amount: str = ""
    unit: str = "quote"
    price: str = ""
    stop_price: str = ""
    stop_limit_price: str = ""
    worst_price: str = ""

    @property
    def prices(self) -> tuple[str, ...]:
        """Names of the prices that this type has."""
        return _PRICES[kind_of(self.type)]


class Free(Value, frozen=True):
    """What an order may take: quote asset, with the part of its value that a BUY has to leave, and base asset."""

    quote: Decimal
    reserve_fraction: Decimal
    base: Decimal


class Sized(Value, frozen=True):
    """The order, and what was rounded, in a sentence; empty when nothing was."""

    order: ManualOrder
    note: str


def kind_of(text: str) -> OrderKind:
    """The type by its name.

    Raises:
        ValueError: there is none; the sentence names the nearest.
    """
    return OrderKind(_chosen("type", text, [each.value for each in OrderKind]))


def side_of(text: str) -> Side:
    """The side by its name; raises ValueError as `kind_of`."""
    return Side(_chosen("side", text, [each.value for each in Side]))


def number(name: str, text: str) -> Decimal:
    """A number above 0 that a person has typed.

    Raises:
        IncompleteError: nothing is typed yet.
        ValueError: it is no such number.
    """
    typed, what = text.strip(), NAMES[name]
    if not typed:
        raise IncompleteError(f"{what} is missing")
    if not _NUMBER.fullmatch(typed):
        raise ValueError(f"{what} is {_short(typed)}: write digits with a dot, such as 0.015")
    value = Decimal(typed)
    if not value:
        raise ValueError(f"{what} is 0: it must be above 0")
    return value


def sized(draft: Draft, rules: SymbolRules, bids: Sequence[Level], asks: Sequence[Level], free: Free) -> Sized:
    """The order of a draft.

    Args:
        draft: what was written.
        rules: the symbol's filters.
        bids: the book, best first, one level at least.
        asks: the same.
        free: what it may take.

    Raises:
        IncompleteError: something is not written yet.
        ValueError: something is not sound; the sentence says what is allowed.
    """
    kind, side = kind_of(draft.type), side_of(draft.side)
    unit = Unit(_chosen("unit", draft.unit, [each.value for each in Unit]))
    payload = {"symbol": draft.symbol, "side": side.value, "type": kind.value}
    payload |= {name: plain(number(name, getattr(draft, name))) for name in _PRICES[kind]}
    if kind is OrderKind.MARKET and draft.worst_price.strip():
        payload["worst_price"] = plain(number("worst_price", draft.worst_price))
    amount = number("amount", draft.amount)
    if unit is Unit.PERCENT and amount > _HUNDRED:
        raise ValueError(f"the amount is {plain(amount)} %: at most 100 % of what is free can be taken")
    step_order = manual_order({**payload, "quantity": "1"})
    wanted = _base(step_order, amount, unit, asks if side is Side.BUY else bids, free)
    at_market = kind is OrderKind.MARKET
    step = max(rules.market_step if at_market else rules.step_size, rules.digits_step)
    quantity = floor_to_step(wanted, step)
    asset = rules.base_asset
    if not quantity:
        if not wanted:
            raise ValueError(f"there is no free {asset if side is Side.SELL else rules.quote_asset} to take a part of")
        raise ValueError(f"{shown(wanted, asset)} is less than the least step, {shown(step, asset)}")
    note = ""
    if quantity != wanted:
        note = f"{shown(wanted, asset)} is rounded down to {shown(quantity, asset)}, in steps of {plain(step)}"
    return Sized(manual_order({**payload, "quantity": plain(quantity)}), note)


def base_for_quote(levels: Sequence[Level], amount_quote: Decimal) -> Decimal:
    """Base asset that so much quote asset is worth by these levels; beyond them at the last one's price."""
    base, left, price = ZERO, amount_quote, ZERO
    for price, offered in levels:
        worth = price * offered
        if worth >= left:
            return base + EXACT.divide(left, price)
        base, left = base + offered, left - worth
    return base + EXACT.divide(left, price)


def _base(order: ManualOrder, amount: Decimal, unit: Unit, levels: Sequence[Level], free: Free) -> Decimal:
    """The quantity that is asked for, in base asset, not rounded yet."""
    if unit is Unit.BASE:
        return amount
    if unit is Unit.PERCENT:
        part = amount / _HUNDRED
        if order.side is Side.SELL:
            return free.base * part
        amount = max(ZERO, EXACT.divide(free.quote * part, 1 + free.reserve_fraction))
    if order.kind is OrderKind.MARKET:
        return base_for_quote(levels, amount)
    return EXACT.divide(amount, order.price_at(ZERO, ZERO))


def _chosen(name: str, text: str, allowed: list[str]) -> str:
    if text in allowed:
        return text
    hint = nearest(text, allowed)
    raise ValueError(
        f"{name} is {_short(text)}: it is one of {', '.join(allowed)}" + (f"; did you mean {hint}?" if hint else "")
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 24 else f"{text[:24]}…")
