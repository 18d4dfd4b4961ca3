"""What a person can be notified of."""

from enum import StrEnum


class NotifyEvent(StrEnum):
    """The names of NOTIFY_EVENTS."""

    START = "start"
    STOP = "stop"
    FILLS = "fills"
    BREAKERS = "breakers"
    ALARMS = "alarms"
    UNPROTECTED = "unprotected"
    KILL = "kill"
    DAILY = "daily"
