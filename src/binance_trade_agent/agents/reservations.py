"""Reservations: whether an account may hold one more purchase, and that nobody else takes its place meanwhile."""

import contextlib
from collections.abc import Sequence
from typing import Protocol

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.orders import OrderIntent

_NOTHING = contextlib.nullcontext()


class Reservations(Protocol):
    """Asked before each order is committed."""

    def reserved(self, intents: Sequence[OrderIntent]) -> contextlib.AbstractAsyncContextManager[Refusal | None]:
        """Count a purchase among what is held while the context lasts, unless that would be too much: why, then."""
        ...


class NoReservations:
    """Of an account that a daemon has to itself: its risk rules know of all that there is."""

    def reserved(self, _intents: Sequence[OrderIntent]) -> contextlib.AbstractAsyncContextManager[None]:
        """See Reservations."""
        return _NOTHING
