"""How much quote asset an entry spends: an amount, a fraction of equity, by the volatility, by the Kelly criterion."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.values import Value
from binance_trade_agent.domain.words import Words, said
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.exposure import MaxExposure, MaxOrder, MaxPosition
from binance_trade_agent.risk.kelly import Record
from binance_trade_agent.risk.rules import is_off, percent, shown
from binance_trade_agent.risk.settings import RiskSettings


class Amount(Value, frozen=True):
    """What an entry is to spend in quote asset, or None where nothing may be spent, and the numbers that say so."""

    quote: Decimal | None
    detail: Words


class EntrySize(Protocol):
    """A way to size entries."""

    def amount(self, context: RiskContext) -> Amount:
        """What to spend, before rounding to the symbol's step."""
        ...


@dataclass(frozen=True, slots=True)
class FixedQuoteSize:
    """The same amount of quote asset each time."""

    amount_quote: Decimal

    def amount(self, context: RiskContext) -> Amount:
        """The fixed amount."""
        return Amount(self.amount_quote, (_an_entry, self.amount_quote, context.view.rules.quote_asset))


@dataclass(frozen=True, slots=True)
class EquityFractionSize:
    """A fraction (0 to 1) of the equity."""

    fraction: Decimal

    def amount(self, context: RiskContext) -> Amount:
        """The fraction of the equity at this tick."""
        equity, asset = context.equity_quote, context.view.rules.quote_asset
        return Amount(equity * self.fraction, (_fraction_words, self.fraction, equity, asset))


@dataclass(frozen=True, slots=True)
class VolatilitySize:
    """So much that a move of one average true range costs `target_pct` of the equity.

    The amount is equity * target_pct / 100 / (average true range / price): half as much where the market moves twice as
    far. Without a known range above 0 there is no size.
    """

    target_pct: Decimal

    def amount(self, context: RiskContext) -> Amount:
        """The amount at the best ask."""
        atr, ask = context.atr_quote, context.view.book.ask
        if atr is None or atr <= 0:
            found = "not known" if atr is None else plain(atr)
            return Amount(None, f"the average true range is {found}: TRADING_SIZING=volatility has nothing to size by")
        equity, asset = context.equity_quote, context.view.rules.quote_asset
        quote = equity * self.target_pct / 100 * ask / atr
        return Amount(quote, (self._words, quote, atr * 100 / ask, equity, asset))

    def _words(self, quote: Decimal, atr_pct: Decimal, equity: Decimal, asset: str) -> str:
        return (
            f"{shown(quote, asset)}, of which an average true range, {percent(atr_pct)} of the price, is "
            f"{percent(self.target_pct)} of {_equity(equity, asset)}"
        )


@dataclass(frozen=True, slots=True)
class KellySize:
    """A part of the Kelly fraction of the equity, learnt from the latest exits (`kelly.py`).

    With fewer than `exits` known it spends `order_quote`, and also while none of them made a loss: what a loss costs is
    not known then, and the criterion would stake everything. Without an edge it refuses.

    Attributes:
        multiplier: part of the Kelly fraction that is used, above 0, at most 1.
        cap_pct: most that is spent, in percent of the equity.
    """

    order_quote: Decimal
    multiplier: Decimal
    cap_pct: Decimal
    exits: int

    def amount(self, context: RiskContext) -> Amount:
        """The amount at this tick."""
        record = Record.of(context.state.exits, self.exits)
        fixed = f"{shown(self.order_quote, context.view.rules.quote_asset)} an entry (TRADING_ORDER_QUOTE)"
        if record.count < self.exits:
            return Amount(self.order_quote, f"{fixed}, as Kelly learns from {self.exits} exits and has {record.count}")
        if not record.average_loss:
            return Amount(self.order_quote, f"{fixed}, as none of the latest {self.exits} exits made a loss")
        fraction = record.fraction
        if fraction is None or fraction <= 0:
            return Amount(None, f"no edge in {record}: TRADING_SIZING=kelly stakes nothing")
        used_pct = min(fraction * self.multiplier * 100, self.cap_pct)
        quote = context.equity_quote * used_pct / 100
        return Amount(quote, (self._words, used_pct, context.equity_quote, context.view.rules.quote_asset, record))

    def _words(self, used_pct: Decimal, equity: Decimal, asset: str, record: Record) -> str:
        return (
            f"{percent(used_pct)} of {_equity(equity, asset)}, {plain(self.multiplier)} of the Kelly fraction in "
            f"{record}, at most {percent(self.cap_pct)}"
        )


@dataclass(frozen=True, slots=True)
class Capped:
    """A computed size, cut down to what the limits leave: it would be refused again and again where it asks for more.

    A rest too small for an order cuts nothing: that limit then refuses, with its own numbers.
    """

    size: EntrySize
    limits: RiskSettings

    def amount(self, context: RiskContext) -> Amount:
        """The amount, or the least that one of the limits leaves."""
        wanted = self.size.amount(context)
        if wanted.quote is None:
            return wanted
        rules, ask = context.view.rules, context.view.book.ask
        limits = self.limits
        rooms = (
            (limits.max_order_quote, limits.max_order_quote, MaxOrder.setting),
            (
                limits.max_position_quote,
                limits.max_position_quote - context.held_base * ask,
                MaxPosition.setting,
            ),
            (
                limits.max_exposure_pct,
                context.equity_quote * limits.max_exposure_pct / 100 - context.exposure_quote,
                MaxExposure.setting,
            ),
        )
        cuts = [
            (room, setting)
            for limit, room, setting in rooms
            if room < wanted.quote and not is_off(limit) and not rules.is_dust(room / ask, ask)
        ]
        if not cuts:
            return wanted
        left, setting = min(cuts)
        return Amount(left, (_cut_words, wanted.detail, left, rules.quote_asset, setting))


def entry_size(limits: RiskSettings) -> EntrySize:
    """The size that the settings ask for. A fixed amount is refused by a limit, a computed one is cut down to it."""
    sizing = limits.sizing
    if sizing.sizing == "quote":
        return FixedQuoteSize(sizing.order_quote)
    if sizing.sizing == "volatility":
        return Capped(VolatilitySize(sizing.volatility_target_pct), limits)
    if sizing.sizing == "kelly":
        kelly = KellySize(sizing.order_quote, sizing.kelly_multiplier, sizing.kelly_cap_pct, sizing.kelly_exits)
        return Capped(kelly, limits)
    assert sizing.order_fraction is not None
    return Capped(EquityFractionSize(sizing.order_fraction), limits)


def _an_entry(amount: Decimal, asset: str) -> str:
    return f"{shown(amount, asset)} an entry"


def _fraction_words(fraction: Decimal, equity: Decimal, asset: str) -> str:
    return f"{plain(fraction)} of {_equity(equity, asset)}"


def _equity(equity: Decimal, asset: str) -> str:
    return f"an equity of {shown(equity, asset)}"


def _cut_words(wanted: Words, left: Decimal, asset: str, setting: str) -> str:
    return f"{said(wanted)}; cut to the {shown(left, asset)} that {setting} leaves"
