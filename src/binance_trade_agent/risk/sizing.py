"""How much: the size of an entry from the settings, of an exit from the ledger."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from binance_trade_agent.domain.money import floor_to_step
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.risk.context import ProposedOrder, RiskContext


class EntrySize(Protocol):
    """How much quote asset an entry spends."""

    def quote_amount(self, context: RiskContext) -> Decimal:
        """Quote asset to spend, before rounding to the symbol's step."""
        ...


@dataclass(frozen=True, slots=True)
class FixedQuoteSize:
    """The same amount of quote asset each time."""

    amount_quote: Decimal

    def quote_amount(self, context: RiskContext) -> Decimal:  # noqa: ARG002 - the form of a size
        """The fixed amount."""
        return self.amount_quote


@dataclass(frozen=True, slots=True)
class EquityFractionSize:
    """A fraction (0 to 1) of the account's equity."""

    fraction: Decimal

    def quote_amount(self, context: RiskContext) -> Decimal:
        """The fraction of the equity at this tick."""
        return context.equity_quote * self.fraction


def entry_order(context: RiskContext, size: EntrySize) -> ProposedOrder:
    """A market BUY of at most the size's quote amount at the best ask, rounded down to the symbol's step.

    The quantity is 0 when the amount does not reach the smallest lot.

    Raises:
        ValueError: the amount or the ask is not finite, or the ask is not above 0.
    """
    ask, amount = context.view.book.ask, size.quote_amount(context)
    if not (amount.is_finite() and ask.is_finite() and ask > 0):
        raise ValueError(f"an order of {amount} {context.view.rules.quote_asset} at {ask} has no size")
    return ProposedOrder(Side.BUY, _lots(context.view.rules, amount / ask), ask)


def exit_order(context: RiskContext) -> ProposedOrder:
    """A market SELL of all that the ledger holds, rounded down to the symbol's step and capped to its largest lot."""
    return ProposedOrder(Side.SELL, _lots(context.view.rules, context.held_base), context.view.book.bid)


def _lots(rules: SymbolRules, quantity: Decimal) -> Decimal:
    # A symbol without a step still takes no more digits than its base asset has (-1111, binance-protocol.md 2.5).
    return rules.round_market_quantity(floor_to_step(quantity, Decimal(1).scaleb(-rules.base_precision)))
