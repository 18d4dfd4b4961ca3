"""Why no position may be entered now: whoever is in trouble says so here, and says when it is over.

Exits and protection are never kept shut: what is meant to keep risk small must not keep a position open.
"""

EVERYTHING = ""


class EntryGate:
    """Open while nobody has a reason to keep it shut. A reason is told by its name and what it is about."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, str], str] = {}

    def block(self, name: str, text: str, subject: str = EVERYTHING) -> None:
        """Keep `subject` (a symbol; all of them without one) from entering, until `clear`."""
        self._reasons[name, subject] = text

    def clear(self, name: str, subject: str = EVERYTHING) -> None:
        """Take a reason back."""
        self._reasons.pop((name, subject), None)

    def refusal(self, symbol: str) -> tuple[str, str] | None:
        """Name and text of the first reason that keeps `symbol` from entering; None when there is none."""
        for (name, subject), text in self._reasons.items():
            if subject in {EVERYTHING, symbol}:
                return name, text
        return None

    def reasons(self) -> dict[tuple[str, str], str]:
        """Every reason by name and subject."""
        return dict(self._reasons)
