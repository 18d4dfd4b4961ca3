"""Whole numbers in numpy columns, exact at any size: columns that 64 bits do not hold have Python's integers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]  # of int64, or of objects that are Python's integers

_SAFE = 2.0**62  # half of what 64 bits hold, so that the error of a float does not matter


def column_of(values: Any) -> Column:
    """These whole numbers as a column that is as narrow as can be."""
    column = np.asarray(values, dtype=object)
    try:
        return column.astype(np.int64)
    except OverflowError:
        return column


def scaled(column: Column, factor: int) -> Column:
    """A column times a number."""
    largest = float(np.abs(column).max(initial=0))
    return (column if largest * factor < _SAFE else column.astype(object)) * factor


def sums(column: Column, starts: NDArray[np.int64]) -> Column:
    """Sums of the runs that begin at `starts`; the numbers are not below 0."""
    total = float(column.sum(dtype=np.float64))
    return np.add.reduceat(column if total < _SAFE else column.astype(object), starts)
