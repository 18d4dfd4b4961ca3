"""Why no position may be entered now: whoever is in trouble says so here, and says when it is over.

Exits and protection are never kept shut: what is meant to keep risk small must not keep a position open.
"""

from collections.abc import Callable

from binance_trade_agent.risk.exits import ExitSettings

EVERYTHING = ""


class EntryGate:
    """Open while nobody has a reason to keep it shut. A reason is told by its name and what it is about.

    Attributes:
        asked: tell name and text of what keeps everything away, or None, each time that somebody wants to enter: for
            reasons that are over by themselves, such as a limit on orders.
    """

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, str], str] = {}
        self.asked: list[Callable[[], tuple[str, str] | None]] = []

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
        return next((reason for ask in self.asked if (reason := ask()) is not None), None)

    def reasons(self) -> dict[tuple[str, str], str]:
        """Every reason by name and subject, but for those of `asked`."""
        return dict(self._reasons)


def orders_of_entry(exits: ExitSettings) -> int:
    """How many orders an entry comes to: its own, and those that are to protect it on the exchange."""
    return 1 + exits.has_stop + exits.has_target
