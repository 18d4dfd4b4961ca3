"""What a check of a strategy on recorded candles found, with the numbers of each column that differs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from binance_trade_agent.domain.checks import Checked
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.strategies.check.trial import WORDS


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    """A column of the signals that is not the same in the whole recording and in a part of it.

    Attributes:
        rows: how many differ, of those that were looked at.
        open_time_ms: of the first one; whole, part: its two values, NaN where it is undefined.
        largest_fraction: the greatest difference of two defined values, as a share of the column's largest value.
    """

    column: str
    rows: int
    open_time_ms: int
    whole: float
    part: float
    largest_fraction: float

    def line(self, part: str) -> str:
        """As a line for a person; `part` says what the second value comes from."""
        values = f"{self._shown(self.whole)}, and {self._shown(self.part)} {part}"
        largest = f"; at most {self.largest_fraction:.2g} of its largest value" if self.has_size else ""
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return f"{self.column} differs in {rows}, first at {iso_second(self.open_time_ms)}: {values}{largest}"

    @property
    def has_size(self) -> bool:
        """Whether it says something by how much it differs; actions and leans are equal or not."""
        return self.largest_fraction > 0 and self.column not in {"action", "lean"}

    def document(self) -> dict[str, object]:
        """For JSON; a value that is undefined is null."""
        whole, part = (None if math.isnan(value) else value for value in (self.whole, self.part))
        return {
            "column": self.column,
            "rows": self.rows,
            "first": {"open_time_ms": self.open_time_ms, "whole": whole, "part": part},
            "largest_fraction": self.largest_fraction,
        }

    def _shown(self, value: float) -> str:
        if math.isnan(value):
            return "undefined"
        return WORDS[int(value)] if self.column == "action" else f"{value:.8g}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: how it ended, the columns that differ in the order of the signals, and what was counted, by name."""

    checked: Checked
    columns: Sequence[ColumnDifference] = ()
    numbers: Mapping[str, int | None] = field(default_factory=lambda: MappingProxyType({}))
    part: str = ""

    def lines(self) -> Iterator[str]:
        """For a person: the check, then each column that differs."""
        yield str(self.checked)
        for column in self.columns:
            if column.rows:
                yield f"{'':20}{column.line(self.part)}"

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "subject": self.checked.subject,
            "verdict": str(self.checked.verdict),
            "text": self.checked.text,
            **self.numbers,
            "columns": [column.document() for column in self.columns],
        }
