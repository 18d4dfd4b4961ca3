"""The verdict on a signal: what every rule found, and a size when all of them allow it."""

from collections.abc import Callable, Sequence
from decimal import Decimal, getcontext, setcontext

from binance_trade_agent.domain.decisions import Finding, Refusal
from binance_trade_agent.domain.money import EXACT
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.domain.values import Value
from binance_trade_agent.domain.words import Text, Worded, words_of
from binance_trade_agent.risk.balance import Balance
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.cooldown import Cooldown
from binance_trade_agent.risk.entry_sizes import entry_size
from binance_trade_agent.risk.exposure import MaxExposure, MaxOrder, MaxPosition
from binance_trade_agent.risk.filters import LotSize, MaxNotional, MaxPositionFilter, MinNotional
from binance_trade_agent.risk.loss_limits import ConsecutiveLosses, DailyLoss, Drawdown
from binance_trade_agent.risk.market_conditions import DataAge, PriceDeviation, Spread, Volatility
from binance_trade_agent.risk.max_open_positions import MaxOpenPositions
from binance_trade_agent.risk.min_confidence import MinConfidence
from binance_trade_agent.risk.nothing_to_sell import NothingToSell
from binance_trade_agent.risk.persons_orders import (
    EnoughHeld,
    Lots,
    NothingRestsWhileKilled,
    Notionals,
    OrderTypes,
    PercentPrices,
    PricesApart,
    PriceTicks,
    WorstPrice,
)
from binance_trade_agent.risk.room_for_stop import RoomForStop
from binance_trade_agent.risk.rules import OrderRule, RiskRule
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.risk.sizing import Sized, entry_order, exit_order
from binance_trade_agent.risk.slippage import Slippage
from binance_trade_agent.risk.switches import Gate, KillSwitch, OpenOrder, Paused
from binance_trade_agent.risk.symbol_status import SymbolStatus
from binance_trade_agent.risk.trade_counts import trade_counts
from binance_trade_agent.risk.unknown_orders import UnknownOrders

SIZING = "sizing"
_BUY, _HOLD = Action.BUY, Action.HOLD
_FILTERS: tuple[OrderRule, ...] = (
    OrderTypes(),
    Lots(),
    PriceTicks(),
    PercentPrices(),
    Notionals(),
    PricesApart(),
    WorstPrice(),
)


class ApprovedSize(Worded, frozen=True):
    """A market order that every rule accepts.

    Attributes:
        quantity: base asset, within every filter of the symbol.
        reference_price: best ask (BUY) or bid (SELL) at which it was sized, quote per base.
        reason: why this size, for the log.
    """

    side: Side
    quantity: Decimal
    reference_price: Decimal
    reason: Text


class Judgement(Value, frozen=True):
    """What the rules found, in the order in which they were asked, and the size; None when one does not allow it."""

    findings: tuple[Finding, ...]
    size: ApprovedSize | None

    @property
    def refusal(self) -> Refusal | None:
        """The first finding that does not allow the order; None when all do."""
        against = _first_against(self.findings)
        return None if against is None else Refusal(against.rule, words_of(against, "detail"))

    @property
    def unasked(self) -> frozenset[str]:
        """The rules that say nothing as long as the exchange is not asked for what they need."""
        return frozenset(finding.rule for finding in self.findings if finding.allows is None)


class RiskPolicy:
    """Sizes what a signal asks for and puts it to the rules.

    Entries (BUY) obey every rule. Exits (SELL of what the ledger holds) obey the exchange's own rules only, and wait
    for an order under way: a limit that is meant to keep risk small must never keep a position open.
    """

    def __init__(self, settings: RiskSettings) -> None:
        self._size = entry_size(settings)
        self._entry_rules: tuple[RiskRule, ...] = (
            OpenOrder(),
            KillSwitch(),
            Paused(),
            Gate(),
            SymbolStatus(),
            DataAge(settings.max_data_age_seconds),
            UnknownOrders(settings.max_unknown_orders),
            Spread(settings.max_spread_pct),
            PriceDeviation(settings.max_price_deviation_pct),
            Volatility(settings.max_volatility_pct),
            Drawdown(settings.max_drawdown_pct),
            DailyLoss(settings.max_daily_loss_pct),
            ConsecutiveLosses(settings.max_consecutive_losses),
            MinConfidence(settings.min_confidence),
            Cooldown(settings.cooldown_seconds),
            *trade_counts(settings),
            MaxOpenPositions(settings.max_open_positions),
        )
        self._entry_order_rules: tuple[OrderRule, ...] = (
            LotSize(),
            MinNotional(),
            MaxNotional(),
            MaxPositionFilter(),
            MaxOrder(settings.max_order_quote),
            MaxPosition(settings.max_position_quote),
            MaxExposure(settings.max_exposure_pct),
            Balance(settings.fee_reserve_fraction),
            Slippage(settings.max_slippage_pct),
            RoomForStop(),
        )
        self._exit_rules: tuple[RiskRule, ...] = (OpenOrder(), NothingToSell(), SymbolStatus())
        self._exit_order_rules: tuple[OrderRule, ...] = (LotSize(), MinNotional(), MaxNotional())
        # What the exchange's filters say of market orders, and the signal's confidence, is no matter for a person.
        signals_only = (LotSize, MinNotional, MaxNotional)
        self._persons_entry_rules = tuple(rule for rule in self._entry_rules if not isinstance(rule, MinConfidence))
        self._persons_entry_order_rules: tuple[OrderRule, ...] = (
            *_FILTERS,
            *(rule for rule in self._entry_order_rules if not isinstance(rule, signals_only)),
        )
        self._persons_exit_order_rules: tuple[OrderRule, ...] = (NothingRestsWhileKilled(), EnoughHeld(), *_FILTERS)

    def judge(self, context: RiskContext) -> Judgement:
        """What every rule finds about `context.signal`, which is BUY or SELL, and the size if all allow it.

        Rules about the situation come first, then the sizing, then rules about the order, as far as there is one. A
        rule that raises does not allow the order. While the exchange was not asked (`is_depth_asked`,
        `is_price_asked`) the rules that need it do not refuse: with a size then nothing that is known is against it,
        and what the rules in `unasked` need has to be asked for.

        Raises:
            ValueError: the signal is HOLD, on which there is nothing to decide.
        """
        action = context.signal.action
        if action is _HOLD:
            raise ValueError(f"{context.signal.symbol}: HOLD needs no risk decision")
        rounding = getcontext()
        setcontext(EXACT)  # half the time of a localcontext
        try:
            if action is _BUY:
                return _judged(context, self._entry_rules, self._entry_order, self._entry_order_rules)
            return _judged(context, self._exit_rules, exit_order, self._exit_order_rules)
        finally:
            setcontext(rounding)

    def judge_order(self, context: RiskContext, order: ProposedOrder) -> Judgement:
        """What every rule finds about an order of a person, which has its size; the size again if all allow it.

        A BUY obeys every rule on entries but that on the strategy's confidence, a SELL those on exits and no other
        limit. It is not more than the ledger holds and nobody has on sale. `context.signal` is not looked at.
        """
        rounding = getcontext()
        setcontext(EXACT)
        try:
            if order.side is Side.BUY:
                rules, order_rules = self._persons_entry_rules, self._persons_entry_order_rules
            else:
                rules, order_rules = self._exit_rules, self._persons_exit_order_rules
            findings = [*_asked(context, rules), *_asked_about(context, order, order_rules)]
        finally:
            setcontext(rounding)
        if _first_against(findings) is not None:
            return Judgement(tuple(findings), None)
        return Judgement(tuple(findings), ApprovedSize(order.side, order.quantity, order.price, "ordered by a person"))

    def _entry_order(self, context: RiskContext) -> Sized:
        return entry_order(context, self._size)


def _judged(
    context: RiskContext,
    rules: Sequence[RiskRule],
    size: Callable[[RiskContext], Sized],
    order_rules: Sequence[OrderRule],
) -> Judgement:
    findings = _asked(context, rules)
    try:
        sized = size(context)
    except Exception as failure:  # noqa: BLE001 - without a size there is no order
        findings.append(_raised(SIZING, failure))
        return Judgement(tuple(findings), None)
    order = sized.order
    findings.append(Finding(SIZING, order is not None, sized.detail))
    if order is None:
        return Judgement(tuple(findings), None)
    # What rounds to nothing has neither a value nor a price to compare.
    findings += _asked_about(context, order, order_rules if order.quantity > 0 else (LotSize(),))
    if _first_against(findings) is not None:
        return Judgement(tuple(findings), None)
    approved = ApprovedSize(order.side, order.quantity, order.price, sized.outcome)
    return Judgement(tuple(findings), approved)


def _asked(context: RiskContext, rules: Sequence[RiskRule]) -> list[Finding]:
    findings = []
    for rule in rules:
        try:
            findings.append(rule.review(context))
        except Exception as failure:  # noqa: BLE001 - a rule that cannot be asked has not agreed
            findings.append(_raised(rule.name, failure))
    return findings


def _asked_about(context: RiskContext, order: ProposedOrder, rules: Sequence[OrderRule]) -> list[Finding]:
    findings = []
    for rule in rules:
        try:
            findings.append(rule.review(context, order))
        except Exception as failure:  # noqa: BLE001 - see above
            findings.append(_raised(rule.name, failure))
    return findings


def _first_against(findings: Sequence[Finding]) -> Finding | None:
    for finding in findings:
        if finding.allows is False:
            return finding
    return None


def _raised(rule: str, failure: Exception) -> Finding:
    return Finding(rule, allows=False, detail=f"raised {type(failure).__name__}: {failure}")
