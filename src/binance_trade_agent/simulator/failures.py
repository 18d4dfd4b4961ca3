"""Our own mistakes while answering: the client gets an error, the log a traceback, the control port the count."""

import logging
from collections import Counter

log = logging.getLogger(__name__)


class Failures:
    """Exceptions that no rule of the protocol explains.

    Attributes:
        count: how many there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._seen: Counter[str] = Counter()

    def note(self, request: str, failure: Exception) -> None:
        """Count a failure while `request` was answered; each kind is logged with its traceback once."""
        self.count += 1
        kind = f"{type(failure).__name__} in {request}"
        self._seen[kind] += 1
        if self._seen[kind] == 1:
            log.error("%s failed: %r", request, failure, exc_info=failure)
