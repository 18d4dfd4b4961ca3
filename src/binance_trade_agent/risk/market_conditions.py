"""Markets that nothing is entered on: seen too long ago, too wide, off their last trade, too wild."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.money import plain
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.rules import percent, seconds, shown, unasked, unlimited, unmeasured


@dataclass(frozen=True, slots=True)
class DataAge:
    """Refuses an entry on a book that was read more than `limit_seconds` ago."""

    limit_seconds: int
    name: ClassVar[str] = "data_age"
    setting: ClassVar[str] = "RISK_MAX_DATA_AGE_SECONDS"

    def review(self, context: RiskContext) -> Finding:
        """Compare the age of the book."""
        if not self.limit_seconds:
            return unlimited(self.name, self.setting)
        age_ms, limit = context.view.book_age_ms, self.limit_seconds
        return Finding(self.name, age_ms <= limit * 1000, (self._words, age_ms), (seconds, age_ms), limit, "s")

    def _words(self, age_ms: int) -> str:
        age = plain(seconds(age_ms))
        return f"the book is {age} s old, at most {self.limit_seconds} s allowed ({self.setting})"


@dataclass(frozen=True, slots=True)
class Spread:
    """Refuses where ask and bid are further apart than `limit_pct` of their middle."""

    limit_pct: Decimal
    name: ClassVar[str] = "spread"
    setting: ClassVar[str] = "RISK_MAX_SPREAD_PCT"

    def review(self, context: RiskContext) -> Finding:
        """Compare the spread."""
        if not self.limit_pct:
            return unlimited(self.name, self.setting)
        bid, ask = context.view.book.bid, context.view.book.ask
        spread_pct = (ask - bid) * 200 / (ask + bid)
        allows = spread_pct <= self.limit_pct
        return Finding(self.name, allows, (self._words, spread_pct), spread_pct, self.limit_pct, "%")

    def _words(self, spread_pct: Decimal) -> str:
        return f"the spread is {percent(spread_pct)}, at most {percent(self.limit_pct)} allowed ({self.setting})"


@dataclass(frozen=True, slots=True)
class PriceDeviation:
    """Refuses where the best ask is further than `limit_pct` from the last trade, above or below it."""

    limit_pct: Decimal
    name: ClassVar[str] = "price_deviation"
    setting: ClassVar[str] = "RISK_MAX_PRICE_DEVIATION_PCT"

    def review(self, context: RiskContext) -> Finding:
        """Compare the best ask with the last price."""
        if not self.limit_pct:
            return unlimited(self.name, self.setting)
        if context.last_price is None:
            missing = unmeasured if context.is_price_asked else unasked
            return missing(self.name, "the last price", self.setting)
        ask, last = context.view.book.ask, context.last_price
        away_pct = abs(ask - last) * 100 / last
        allows = away_pct <= self.limit_pct
        return Finding(self.name, allows, (self._words, ask, away_pct, last), away_pct, self.limit_pct, "%")

    def _words(self, ask: Decimal, away_pct: Decimal, last: Decimal) -> str:
        return (
            f"the ask {plain(ask)} is {percent(away_pct)} from the last price {plain(last)}, "
            f"at most {percent(self.limit_pct)} allowed ({self.setting})"
        )


@dataclass(frozen=True, slots=True)
class Volatility:
    """Refuses where the average true range of a candle is more than `limit_pct` of the best ask."""

    limit_pct: Decimal
    name: ClassVar[str] = "volatility"
    setting: ClassVar[str] = "RISK_MAX_VOLATILITY_PCT"

    def review(self, context: RiskContext) -> Finding:
        """Compare the average true range."""
        if not self.limit_pct:
            return unlimited(self.name, self.setting)
        atr = context.atr_quote
        if atr is None:
            return unmeasured(self.name, "the average true range", self.setting)
        atr_pct = atr * 100 / context.view.book.ask
        words = (self._words, atr, context.view.rules.quote_asset, atr_pct)
        return Finding(self.name, atr_pct <= self.limit_pct, words, atr_pct, self.limit_pct, "%")

    def _words(self, atr: Decimal, quote: str, atr_pct: Decimal) -> str:
        return (
            f"the average true range is {shown(atr, quote)}, {percent(atr_pct)} "
            f"of the price, at most {percent(self.limit_pct)} allowed ({self.setting})"
        )
