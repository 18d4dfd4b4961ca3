"""Which trades a reader asks for, as the address says it."""

from datetime import UTC, date, datetime
from typing import Literal
from urllib.parse import urlencode

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.reports.order_strategies import UNKNOWN
from binance_trade_agent.reports.trade_pages import Filters, Place

UNKNOWN_STRATEGY = "unknown"
Span = Literal["day", "week", "month", "all"]


class TradesAsked(BaseModel):
    """The trades' part of an address. What is empty leaves nothing out: a form sends all of its fields."""

    model_config = ConfigDict(populate_by_name=True, extra="ignore")

    epoch: int | None = Field(None, ge=1, le=2**31, description="the latest one where it is left out")
    symbol: str = Field("", max_length=60)
    side: Literal["", "BUY", "SELL"] = ""
    strategy: str = Field("", max_length=200)
    since: str = Field("", max_length=10, alias="from", description="first day, UTC: 2026-01-31")
    until: str = Field("", max_length=10, alias="to", description="last day, UTC")
    q: str = Field("", max_length=60, description="the beginning of an order's id, or its number on the exchange")
    before: str = Field("", max_length=120, description="place from which on older trades are shown")

    @property
    def is_narrowed(self) -> bool:
        """Whether some trades are left out."""
        return any((self.symbol, self.side, self.strategy, self.since, self.until, self.q))

    def strategy_name(self) -> str | None:
        """The strategy as the ledger has it, None for all."""
        return (UNKNOWN if self.strategy == UNKNOWN_STRATEGY else self.strategy) if self.strategy else None

    def filters(self, days: frozenset[int] | None = None) -> Filters:
        """The filters; `days`: see there.

        Raises:
            HTTPException: a date is none (422).
        """
        since, until = _day_ms("from", self.since), _day_ms("to", self.until)
        return Filters(
            symbol=self.symbol.strip().upper() or None,
            side=Side(self.side) if self.side else None,
            strategy=self.strategy_name(),
            from_ms=since,
            to_ms=None if until is None else until + DAY_MS,
            text=self.q.strip(),
            days=days,
        )

    def place(self) -> Place | None:
        """From where on; None for the newest.

        Raises:
            HTTPException: it is no place (422).
        """
        try:
            return Place.parse(self.before) if self.before else None
        except ValueError as failure:
            raise HTTPException(422, f"before: {failure}.") from None

    def query(self, **changes: str) -> dict[str, str]:
        """The fields of an address that are not empty, with some changed."""
        said = {**self.model_dump(by_alias=True, include=set(TradesAsked.model_fields)), **changes}
        return {name: str(value) for name, value in said.items() if value not in ("", None)}

    def address(self, path: str = "/portfolio", **changes: str) -> str:
        """The same trades at another address, with some fields changed."""
        query = urlencode(self.query(**changes))
        return f"{path}?{query}" if query else path


class PageAsked(TradesAsked):
    """The whole address of the page."""

    span: Span = "all"
    every_epoch: bool = False
    days_before: int | None = Field(None, ge=0, le=10**6, description="UTC days since 1970: older ones are listed")

    def page(self, *, span: str, every_epoch: bool) -> str:
        """The same page with another stretch of the curve."""
        curve = {"span": "" if span == "all" else span, "every_epoch": "true" if every_epoch else ""}
        return self.address(**curve)


def _day_ms(name: str, text: str) -> int | None:
    """The beginning of a UTC day, ms."""
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise HTTPException(422, f"{name}: {text!r} is not a day; write it as 2026-01-31.") from None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
