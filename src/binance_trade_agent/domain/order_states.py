"""The life of an order: its states, what moves it from one to the next, and what the exchange's words mean for it."""

from enum import StrEnum


class OrderState(StrEnum):
    """Where an order of ours stands, as far as we know.

    INTENT: committed to the ledger, not to be sent. SENT: committed to the ledger, handed to the network next. UNKNOWN:
    the outcome was not seen. ACCEPTED: on the exchange, nothing filled. DENIED: never left us. NOT_PLACED: proved
    absent from the exchange. The others are Binance's (binance-protocol.md 4.1; EXPIRED_IN_MATCH counts as EXPIRED).
    """

    INTENT = "INTENT"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"
    NOT_PLACED = "NOT_PLACED"

    # Enum's own, the hash of the name, is a Python function; the name is the value.
    __hash__ = str.__hash__


class Trigger(StrEnum):
    """What moves an order.

    SEND: the request is about to be written. DENY: it surely never left, or the exchange surely did not listen.
    LOSE_OUTCOME: it was sent and its answer was not seen. PROVE_ABSENT: the quiet time is over, the exchange does not
    know it and has no trade of it. The others are what the exchange says.
    """

    SEND = "SEND"
    DENY = "DENY"
    LOSE_OUTCOME = "LOSE_OUTCOME"
    PROVE_ABSENT = "PROVE_ABSENT"
    ACCEPT = "ACCEPT"
    FILL_PARTLY = "FILL_PARTLY"
    FILL = "FILL"
    CANCEL = "CANCEL"
    EXPIRE = "EXPIRE"
    REJECT = "REJECT"


_S, _T = OrderState, Trigger

# From each state, what may move it and where to. Anything else is late or repeated news and changes nothing. The
# exchange's word always counts against our own guess: an order that we gave up and that turns up after all lives again,
# with an alarm. What the exchange has ended stays ended; a fill that comes later is booked and moves no state.
TABLE: dict[OrderState, dict[Trigger, OrderState]] = {
    _S.INTENT: {
        _T.SEND: _S.SENT,
        _T.DENY: _S.DENIED,
    },
    _S.SENT: {
        _T.ACCEPT: _S.ACCEPTED,
        _T.FILL_PARTLY: _S.PARTIALLY_FILLED,
        _T.FILL: _S.FILLED,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
        _T.REJECT: _S.REJECTED,
        _T.LOSE_OUTCOME: _S.UNKNOWN,
        _T.DENY: _S.DENIED,
    },
    _S.UNKNOWN: {
        _T.ACCEPT: _S.ACCEPTED,
        _T.FILL_PARTLY: _S.PARTIALLY_FILLED,
        _T.FILL: _S.FILLED,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
        _T.REJECT: _S.REJECTED,
        _T.PROVE_ABSENT: _S.NOT_PLACED,
    },
    _S.ACCEPTED: {
        _T.FILL_PARTLY: _S.PARTIALLY_FILLED,
        _T.FILL: _S.FILLED,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
        _T.REJECT: _S.REJECTED,
    },
    _S.PARTIALLY_FILLED: {
        _T.FILL: _S.FILLED,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
    },
    _S.FILLED: {},
    _S.CANCELED: {},
    _S.EXPIRED: {},
    _S.REJECTED: {
        _T.ACCEPT: _S.ACCEPTED,
        _T.FILL_PARTLY: _S.PARTIALLY_FILLED,
        _T.FILL: _S.FILLED,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
    },
    _S.DENIED: {
        _T.ACCEPT: _S.ACCEPTED,
        _T.FILL_PARTLY: _S.PARTIALLY_FILLED,
        _T.FILL: _S.FILLED,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
    },
    _S.NOT_PLACED: {
        _T.ACCEPT: _S.ACCEPTED,
        _T.FILL_PARTLY: _S.PARTIALLY_FILLED,
        _T.FILL: _S.FILLED,
        _T.CANCEL: _S.CANCELED,
        _T.EXPIRE: _S.EXPIRED,
        _T.REJECT: _S.REJECTED,
    },
}

# Ended by the exchange, for good.
ENDED_STATES = frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED})
# Ended as far as we know: nothing rests on the exchange and nothing is reserved.
TERMINAL_STATES = ENDED_STATES | {_S.REJECTED, _S.DENIED, _S.NOT_PLACED}
# Given up by us; the exchange may still prove us wrong.
GIVEN_UP_STATES = TERMINAL_STATES - ENDED_STATES

# From each state, the states that may follow.
TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    state: frozenset(moves.values()) for state, moves in TABLE.items()
}

# Statuses of the exchange (binance-protocol.md 4.1) and what they do to an order.
TRIGGER_OF_STATUS: dict[str, Trigger] = {
    "NEW": Trigger.ACCEPT,
    "PENDING_NEW": Trigger.ACCEPT,
    "PENDING_CANCEL": Trigger.ACCEPT,
    "PARTIALLY_FILLED": Trigger.FILL_PARTLY,
    "FILLED": Trigger.FILL,
    "CANCELED": Trigger.CANCEL,
    "EXPIRED": Trigger.EXPIRE,
    "EXPIRED_IN_MATCH": Trigger.EXPIRE,
    "REJECTED": Trigger.REJECT,
}
STATE_OF_STATUS: dict[str, OrderState] = {
    status: TABLE[OrderState.SENT][trigger] for status, trigger in TRIGGER_OF_STATUS.items()
}
