"""Who is logged in: tokens in this process's memory, so that a logout or a restart ends them for good."""

import hmac
import secrets
from dataclasses import dataclass, field

from binance_trade_agent.dashboard.access.passwords import Role
from binance_trade_agent.ops.clock import wall_ms

COOKIE = "trading_agent_session"
MOST_SESSIONS = 1_000
_NEVER_MS = 2**63


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in.

    Attributes:
        csrf: what each of its changes has to carry.
        client: address that it logged in from.
    """

    role: Role
    client: str
    expires_wall_ms: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def may_trade(self) -> bool:
        """Whether it may change anything."""
        return self.role is Role.TRADER

    @property
    def name(self) -> str:
        """Who, for the record: `dashboard (trader, 127.0.0.1)`."""
        return f"dashboard ({self.role}, {self.client})"

    def is_csrf(self, given: str) -> bool:
        """Whether `given` is its token, compared in constant time."""
        return hmac.compare_digest(given.encode(), self.csrf.encode())


class Sessions:
    """All of them. Each ends some hours after its login."""

    def __init__(self, hours: int) -> None:
        self._lasts_ms = hours * 3_600_000
        self._by_token: dict[str, Session] = {}

    @property
    def lasts_seconds(self) -> int:
        """How long one lasts."""
        return self._lasts_ms // 1000

    def begin(self, role: Role, client: str, *, for_ever: bool = False) -> Session:
        """Log a browser in. Of too many sessions the oldest ends."""
        session = Session(role, client, _NEVER_MS if for_ever else wall_ms() + self._lasts_ms)
        while len(self._by_token) >= MOST_SESSIONS:
            del self._by_token[next(iter(self._by_token))]
        self._by_token[session.token] = session
        return session

    def find(self, token: str | None) -> Session | None:
        """The session of a token, None when there is none or it is over."""
        session = self._by_token.get(token or "")
        if session is not None and session.expires_wall_ms <= wall_ms():
            self.end(session)
            return None
        return session

    def end(self, session: Session) -> None:
        """Log it out."""
        self._by_token.pop(session.token, None)
