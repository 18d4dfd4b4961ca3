"""The last requests as they came, for assertions of tests and for the curious (GET /sim/log)."""

from collections import deque
from typing import Any

_KEPT = 10_000
_KEPT_CHARACTERS = 16 * 1024 * 1024  # of targets and bodies: large bodies must not add up


class RequestLog:
    """Requests in the order in which they came."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque()
        self._number = 0
        self._characters = 0

    def add(self, method: str, target: str, body: str) -> None:
        """Remember a request: HTTP method (`WS` for the WebSocket API), raw target or method name, raw body."""
        self._number += 1
        self._entries.append({"number": self._number, "method": method, "target": target, "body": body})
        self._characters += len(target) + len(body)
        while len(self._entries) > _KEPT or self._characters > _KEPT_CHARACTERS:
            oldest = self._entries.popleft()
            self._characters -= len(oldest["target"]) + len(oldest["body"])

    def entries(self) -> list[dict[str, Any]]:
        """The last requests, oldest first."""
        return list(self._entries)
