"""The order that is put to the rules: an entry of the size that the settings ask for, an exit of what is held."""

from collections.abc import Callable
from decimal import Decimal

from binance_trade_agent.domain.money import floor_to_step, plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value
from binance_trade_agent.domain.words import Words, said
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.entry_sizes import EntrySize
from binance_trade_agent.risk.rules import shown


class Sized(Value, frozen=True):
    """An order, or None where there is none, and the numbers that led to it."""

    order: ProposedOrder | None
    detail: Words


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
    order = ProposedOrder(Side.BUY, _lots(rules, amount.quote / ask), ask)
    words, order_words = amount.detail, explained(context, order)
    return Sized(order, lambda: f"{said(words)}: {order_words()}")


def exit_order(context: RiskContext) -> Sized:
    """A market SELL of all that the ledger holds, rounded down to the symbol's step.

    It is capped to the largest lot and the largest value that the symbol allows; a later exit sells the rest.
    """
    rules, bid, quantity = context.view.rules, context.view.book.bid, context.held_base
    if rules.max_notional_on_market and rules.max_notional and quantity * bid > rules.max_notional:
        quantity = rules.max_notional / bid
    order = ProposedOrder(Side.SELL, _lots(rules, quantity), bid)
    return Sized(order, explained(context, order))


def explained(context: RiskContext, order: ProposedOrder) -> Callable[[], str]:
    """The order in words: `0.00151 BTC for 99.841351 USDT at 66120.1`."""
    rules, held, worth = context.view.rules, context.held_base, order.notional

    def words() -> str:
        of_held = "" if order.side is Side.BUY else f" of {plain(held)} held"
        quantity = f"{plain(order.quantity)} {rules.base_asset}"
        return f"{quantity}{of_held} for {shown(worth, rules.quote_asset)} at {plain(order.price)}"

    return words


def _lots(rules: SymbolRules, quantity: Decimal) -> Decimal:
    # A symbol without a step still takes no more digits than its base asset has (-1111, binance-protocol.md 2.5).
    return rules.round_market_quantity(floor_to_step(quantity, rules.base_unit))
