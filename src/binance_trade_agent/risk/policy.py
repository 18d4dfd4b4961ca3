"""The verdict on a signal: a size that every rule accepts, or the first rule's refusal."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.risk.balance import Balance
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.cooldown import Cooldown
from binance_trade_agent.risk.filters import LotSize, MaxNotional, MaxPositionFilter, MinNotional
from binance_trade_agent.risk.max_open_positions import MaxOpenPositions
from binance_trade_agent.risk.max_position import MaxPosition
from binance_trade_agent.risk.nothing_to_sell import NothingToSell
from binance_trade_agent.risk.rules import RiskRule, shown
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.risk.sizing import EntrySize, EquityFractionSize, FixedQuoteSize, entry_order, exit_order
from binance_trade_agent.risk.symbol_status import SymbolStatus


@dataclass(frozen=True, slots=True)
class ApprovedSize:
    """A market order that every rule accepts.

    Attributes:
        quantity: base asset, within every filter of the symbol.
        reference_price: best ask (BUY) or bid (SELL) at which it was sized, quote per base.
        reason: why this size, for the log.
    """

    side: Side
    quantity: Decimal
    reference_price: Decimal
    reason: str


class RiskPolicy:
    """Sizes what a signal asks for and puts it to the rules.

    Entries (BUY) obey every rule. Exits (SELL of what the ledger holds) obey the exchange's own rules only: a limit
    that is meant to keep risk small must never keep a position open.
    """

    def __init__(self, settings: RiskSettings) -> None:
        self._size = _entry_size(settings)
        self._entry_rules: tuple[RiskRule, ...] = (
            SymbolStatus(),
            Cooldown(settings.cooldown_seconds),
            MaxOpenPositions(settings.max_open_positions),
            LotSize(),
            MinNotional(),
            MaxNotional(),
            MaxPositionFilter(),
            MaxPosition(settings.max_position_quote),
            Balance(settings.fee_reserve_fraction),
        )
        self._exit_rules: tuple[RiskRule, ...] = (
            NothingToSell(),
            SymbolStatus(),
            LotSize(),
            MinNotional(),
            MaxNotional(),
        )

    def review(self, context: RiskContext) -> ApprovedSize | Refusal:
        """The verdict on `context.signal`, which is BUY or SELL.

        A SELL without holdings is refused as `nothing_to_sell`. A rule that raises refuses.

        Raises:
            ValueError: the signal is HOLD, on which there is nothing to decide.
        """
        if context.signal.action is Action.HOLD:
            raise ValueError(f"{context.signal.symbol}: HOLD needs no risk decision")
        if context.signal.action is Action.BUY:
            return _judge(context, lambda: entry_order(context, self._size), self._entry_rules)
        return _judge(context, lambda: exit_order(context), self._exit_rules)


def _entry_size(settings: RiskSettings) -> EntrySize:
    if settings.order_quote is not None:
        return FixedQuoteSize(settings.order_quote)
    assert settings.order_fraction is not None
    return EquityFractionSize(settings.order_fraction)


def _judge(
    context: RiskContext, size: Callable[[], ProposedOrder], rules: tuple[RiskRule, ...]
) -> ApprovedSize | Refusal:
    asked = "sizing"
    try:
        order = size()
        for rule in rules:
            asked = rule.name
            if refusal := rule.review(context, order):
                return refusal
        return ApprovedSize(order.side, order.quantity, order.price, _explained(context, order))
    except Exception as failure:  # noqa: BLE001 - a rule that cannot be asked has not agreed
        return Refusal(asked, f"raised {type(failure).__name__}: {failure}")


def _explained(context: RiskContext, order: ProposedOrder) -> str:
    rules = context.view.rules
    worth = shown(order.notional, rules.quote_asset)
    quantity = f"{plain(order.quantity)} {rules.base_asset}"
    if order.side is Side.BUY:
        return f"{quantity} for {worth} at {plain(order.price)}"
    return f"{quantity} of {plain(context.held_base)} held for {worth} at {plain(order.price)}"
