"""The two passwords, trader's and viewer's: kept as argon2id hashes; the time a comparison takes tells nothing."""

from dataclasses import dataclass
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from binance_trade_agent.settings import Settings


class Role(StrEnum):
    """What somebody may do: a viewer looks, a trader acts too."""

    VIEWER = "viewer"
    TRADER = "trader"


# OWASP Password Storage Cheat Sheet, argon2id: 19 MiB of memory, two passes, one thread.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@dataclass(frozen=True, slots=True)
class Passwords:
    """The hash by role; empty where no password is set."""

    hashes: dict[Role, str]

    @classmethod
    def of(cls, settings: Settings) -> "Passwords":
        """Those of the settings.

        Raises:
            ValueError: what begins like an argon2 hash is none; the message names the setting.
        """
        given = {
            Role.TRADER: ("DASHBOARD_PASSWORD", settings.dashboard_password),
            Role.VIEWER: ("DASHBOARD_VIEWER_PASSWORD", settings.dashboard_viewer_password),
        }
        return cls({role: _hashed(name, secret.get_secret_value()) for role, (name, secret) in given.items() if secret})

    def role_of(self, password: str) -> Role | None:
        """Whose password it is, None for nobody's. Takes some 20 ms for each that is set, whatever the answer."""
        found = [role for role, kept in self.hashes.items() if _is(kept, password)]
        return found[0] if found else None


def _hashed(name: str, secret: str) -> str:
    if not secret.startswith("$argon2"):
        return _HASHER.hash(secret)
    try:
        _HASHER.check_needs_rehash(secret)
    except InvalidHashError:
        raise ValueError(f"{name} begins like an argon2 hash and is none.") from None
    return secret


def _is(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False
