"""Rows of the page's tables of performance, with bars that say the same as their numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.reports.tally_sums import Group, Sums
from binance_trade_agent.reports.wording import utc_text

N = TypeVar("N", int, str)
_HALF = 50.0  # a bar goes from the middle to an edge, in units of the picture


@dataclass(frozen=True, slots=True)
class Row(Generic[N]):
    """One line: `x` and `width` of its bar, which goes right for a profit and left for a loss, of 100 in all."""

    name: N
    label: str
    quote_asset: str
    sums: Sums
    x: float
    width: float


def utc_day(day: int) -> str:
    """A UTC day, given as days since 1970: `2026-01-31`."""
    return utc_text(day * DAY_MS)[:10]


def rows(groups: Sequence[Group[N]], label: Callable[[N], str] = str) -> list[Row[N]]:
    """The groups as lines; in each quote asset the largest profit or loss has the longest bar."""
    largest: dict[str, Decimal] = {}
    for group in groups:
        size = abs(group.sums.realised_quote)
        largest[group.quote_asset] = max(size, largest.get(group.quote_asset, size))
    return [_row(group, label(group.name), largest[group.quote_asset]) for group in groups]


def _row(group: Group[N], label: str, largest: Decimal) -> Row[N]:
    profit = group.sums.realised_quote
    width = round(_HALF * float(abs(profit) / largest), 1) if largest else 0.0
    return Row(group.name, label, group.quote_asset, group.sums, _HALF if profit >= 0 else _HALF - width, width)
