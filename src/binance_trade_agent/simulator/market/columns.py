"""Rows of whole numbers, kept as columns of eight bytes a number: how the market remembers much in little memory."""

from array import array
from collections.abc import Iterator, MutableSequence, Sequence
from decimal import Decimal

import numpy as np

from binance_trade_agent.simulator.market.whole_numbers import Column

_UNITS = Decimal(10**8)
_UNIT = Decimal("1E-8")


def to_units(amount: Decimal) -> int:
    """A price or quantity in units of its eighth decimal, which is the last that Binance shows."""
    return round(amount * _UNITS)


def from_units(units: int) -> Decimal:
    """The price or quantity of `to_units`."""
    return Decimal(units) * _UNIT


class Columns:
    """A table of which the newest rows are kept.

    A table with a number beyond 64 bits (volumes of coins without value) goes on with Python's integers, which take
    more memory.

    Attributes:
        has_forgotten: whether there were older rows.
    """

    def __init__(self, width: int, most: int) -> None:
        """Make an empty table of `width` columns that keeps at least the newest `most` rows."""
        self._columns: list[MutableSequence[int]] = [array("q") for _ in range(width)]
        self._most = most
        self._slack = most // 8 + 1
        self.has_forgotten = False

    def __len__(self) -> int:
        """How many rows are kept."""
        return len(self._columns[-1])

    def __getitem__(self, column: int) -> Sequence[int]:
        """A column, oldest row first; it changes with the table."""
        return self._columns[column]

    def __iter__(self) -> Iterator[Sequence[int]]:
        """The columns."""
        return iter(self._columns)

    def row(self, index: int) -> list[int]:
        """One row."""
        return [column[index] for column in self._columns]

    def append(self, row: Sequence[int]) -> None:
        """Add the newest row."""
        try:
            for column, value in zip(self._columns, row, strict=True):
                column.append(value)
        except OverflowError:
            self._widen()
            self.append(row)
        self._forget()

    def extend(self, columns: Sequence[Column]) -> None:
        """Add newest rows, given as columns: the same as appending them one by one."""
        added: Sequence[Sequence[int]]
        try:
            added = [array("q", values.astype(np.int64).tobytes()) for values in columns]
        except OverflowError:
            self._widen()
            added = [values.tolist() for values in columns]
        for column, values in zip(self._columns, added, strict=True):
            column.extend(values)
        self._forget()

    def replace_last(self, row: Sequence[int]) -> None:
        """Put another row in the place of the newest."""
        try:
            for column, value in zip(self._columns, row, strict=True):
                column[-1] = value
        except OverflowError:
            self._widen()
            self.replace_last(row)

    def _forget(self) -> None:
        """Drop the oldest rows, so many at a time that it is seldom done."""
        beyond = len(self) - self._most - self._slack
        if beyond > 0:
            drops = -(-beyond // self._slack) * self._slack
            for column in self._columns:
                del column[:drops]
            self.has_forgotten = True

    def _widen(self) -> None:
        """Change over to Python's integers; the last column is the shortest when a row was added in part."""
        rows = len(self)
        self._columns = [list(column[:rows]) for column in self._columns]
