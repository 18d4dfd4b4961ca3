"""Why a position is left."""

from enum import StrEnum


class ExitKind(StrEnum):
    """What closed a position, or part of it.

    STRATEGY: a SELL of the strategy. STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, TARGET_TABLE: the price came to that level,
    on the exchange or seen by the bot itself. TIME_STOP: it was held too long. UNPROTECTED: what was to protect it was
    refused or cancelled, and RISK_UNPROTECTED says close. MANUAL: a person sold or closed it. EMERGENCY: the kill
    switch was thrown and asks for all positions to be closed.
    """

    STRATEGY = "strategy"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    TRAILING_STOP = "trailing_stop"
    TARGET_TABLE = "target_table"
    TIME_STOP = "time_stop"
    UNPROTECTED = "unprotected"
    MANUAL = "manual"
    EMERGENCY = "emergency"


LEAVES_ALL = frozenset({ExitKind.TIME_STOP, ExitKind.MANUAL, ExitKind.EMERGENCY})
"""Exits that take back what persons have on sale: all of the position is to go. The others sell what is left of it."""
