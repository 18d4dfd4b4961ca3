"""The order that is put to the rules: an entry of the size that the settings ask for, an exit of what is held."""

from decimal import Decimal

from binance_trade_agent.domain.money import ZERO, floor_to_step, plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value
from binance_trade_agent.domain.words import Words, said
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.entry_sizes import EntrySize
from binance_trade_agent.risk.rules import shown

_BUY, _SELL = Side.BUY, Side.SELL  # to look one up by its name takes as long as to make the order


class Sized(Value, frozen=True):
    """An order, or None where there is none; the numbers that led to it, and what it comes to, in words."""

    order: ProposedOrder | None
    detail: Words
    outcome: Words = ""


def entry_order(context: RiskContext, size: EntrySize) -> Sized:
    """A market BUY of at most the size's amount at the best ask, rounded down to the symbol's step.

    The quantity is 0 when the amount does not reach the smallest lot.

    Raises:
        ValueError: the amount or the ask is not finite, or the ask is not above 0.
    """
    rules, ask, amount = context.view.rules, context.view.book.ask, size.amount(context)
    if amount.quote is None:
        return Sized(None, amount.detail)
    if not (amount.quote.is_finite() and ask.is_finite() and ask > 0):
        raise ValueError(f"an order of {amount.quote} {rules.quote_asset} at {ask} has no size")
    quantity = _lots(rules, amount.quote / ask)
    order = ProposedOrder(_BUY, quantity, ask, quantity * ask)
    outcome = (_order_words, rules, order, ZERO)
    return Sized(order, (_entry_words, amount.detail, outcome), outcome)


def exit_order(context: RiskContext) -> Sized:
    """A market SELL of all that the ledger holds and no person has on sale, rounded down to the symbol's step.

    It is capped to the largest lot and the largest value that the symbol allows; a later exit sells the rest.
    """
    rules, bid, quantity = context.view.rules, context.view.book.bid, context.free_base
    if rules.max_notional_on_market and rules.max_notional and quantity * bid > rules.max_notional:
        quantity = rules.max_notional / bid
    quantity = _lots(rules, quantity)
    order = ProposedOrder(_SELL, quantity, bid, quantity * bid)
    outcome = (_order_words, rules, order, context.held_base)
    return Sized(order, outcome, outcome)


def _order_words(rules: SymbolRules, order: ProposedOrder, held: Decimal) -> str:
    """`0.00151 BTC for 99.841351 USDT at 66120.1`."""
    of_held = "" if order.side is _BUY else f" of {plain(held)} held"
    quantity, worth = f"{plain(order.quantity)} {rules.base_asset}", shown(order.notional, rules.quote_asset)
    return f"{quantity}{of_held} for {worth} at {plain(order.price)}"


def _entry_words(amount: Words, outcome: Words) -> str:
    return f"{said(amount)}: {said(outcome)}"


def _lots(rules: SymbolRules, quantity: Decimal) -> Decimal:
    # A symbol without a step still takes no more digits than its base asset has (-1111, binance-protocol.md 2.5).
    return rules.round_market_quantity(floor_to_step(quantity, rules.digits_step))
