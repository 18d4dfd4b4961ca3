"""What a person's `pause` keeps back."""

from enum import StrEnum


class PauseScope(StrEnum):
    """ENTRIES: no position is entered. EVERYTHING: nor is one left because the strategy says so.

    What protects positions goes on in both: stops, targets, and the time stop.
    """

    ENTRIES = "entries"
    EVERYTHING = "everything"

    @property
    def held_back(self) -> str:
        """The beginning of a sentence that ends with `paused`."""
        return "entries are" if self is PauseScope.ENTRIES else "everything but what protects positions is"
