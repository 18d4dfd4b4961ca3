"""Whom a connection to the WebSocket API has logged on as (binance-protocol.md 5.2)."""

from binance_trade_agent.simulator.access import Access, Credentials
from binance_trade_agent.simulator.keys import ApiKey
from binance_trade_agent.simulator.ws_api.requests import Request


class Session:
    """The key that a connection has logged on with, if it has.

    Attributes:
        key: None before session.logon and after session.logout.
        authorised_ms: market time of the logon.
        connected_ms: market time of the connection.
        shows_limits: whether answers have `rateLimits` unless a request says otherwise.
    """

    def __init__(self, connected_ms: int, *, shows_limits: bool) -> None:
        self.key: ApiKey | None = None
        self.authorised_ms: int | None = None
        self.connected_ms = connected_ms
        self.shows_limits = shows_limits

    def log_on(self, key: ApiKey, now_ms: int) -> None:
        """Go on as the owner of `key`."""
        self.key, self.authorised_ms = key, now_ms

    def log_out(self) -> None:
        """Go on as nobody."""
        self.key = self.authorised_ms = None

    def is_revoked(self, access: Access) -> bool:
        """Whether the key that the session has logged on with is good no more."""
        return self.key is not None and not access.knows(self.key)

    def credentials(self, request: Request) -> Credentials:
        """What a request shows of its sender: a key and a signature of its own, or else the session's logon."""
        named = request.params.get("apiKey")
        if self.key is None or "signature" in request.params or named is not None:
            return Credentials(named or (self.key.key if self.key else None), request.signed_payload)
        return Credentials(None, b"", session_key=self.key)
