"""What can go wrong with a ledger. Each message is for a person: what is wrong, and what to do."""


class LedgerError(Exception):
    """The ledger cannot be used as it was asked to."""


class LedgerUnavailable(LedgerError):  # noqa: N818 - named for the situation, as the exchange's errors are
    """A read or a write failed (locked, disk full, read-only); nothing was changed, and it may be tried again."""


class DuplicateIntent(LedgerError):  # noqa: N818 - named for the situation
    """An order with this client order id is in the ledger already; nothing was changed and nothing may be sent."""


class UnknownOrder(LedgerError):  # noqa: N818 - named for the situation
    """No order in the ledger has this client order id."""


class ContradictoryFill(LedgerError):  # noqa: N818 - named for the situation
    """A trade id that the ledger knows came back with other numbers, as after a reset of the exchange."""
