"""The places in the order path at which a crash hurts most, by name, so that a test can let the daemon die there.

In production nothing listens and `passed` costs a comparison. The deterministic simulation (tests/torture) listens, and
ends the daemon at a point that its seed chooses. What is between two points is one step: it happens or it does not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

# In the order of an order's life.
POINTS = (
    "decision.approved",  # nothing is written yet
    "trades.noted",  # where the symbol's trades begin that may be ours; its first order is not in the ledger
    "intent.committed",  # in the ledger as SENT, or as INTENT when it may not be sent; nothing is on the wire
    "order.sending",  # the same of any order
    "order.answered",  # the answer has come, nothing of it is in the ledger
    "order.booked",  # the answer is in the ledger
    "event.received",  # an execution report has come by the stream, nothing of it is in the ledger
    "event.booked",
    "cancel.committed",  # the wish to cancel is in the ledger, not sent
    "cancel.answered",
    "replace.committed",  # the wish to cancel and the order that is to take the place are in the ledger, as above
    "replace.answered",  # what became of the new order is in the ledger, what became of the old one is not
    "protection.committed",  # both legs are in the ledger, as above
    "protection.answered",
    "recovery.asked",  # the exchange has said what became of an order, nothing of it is in the ledger
    "recovery.booked",
    "epoch.opened",
)

_listener: Callable[[str], None] | None = None


def passed(point: str) -> None:
    """Say that execution has come to `point`, one of POINTS."""
    if _listener is not None:
        _listener(point)


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Let `listener` hear of each point; what it raises comes out of `passed`."""
    global _listener  # noqa: PLW0603 (one process, one listener: production code must not carry it around)
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before
