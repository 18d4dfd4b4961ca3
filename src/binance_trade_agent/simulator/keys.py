"""API keys: of whom, for what, and how each kind verifies a signature (binance-protocol.md 2.1, 2.2).

What reads RSA and Ed25519 is imported with the first such key: those that an exchange has at its start are HMAC's, and
the import takes a tenth of the start.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from Crypto.PublicKey.ECC import EccKey
    from Crypto.PublicKey.RSA import RsaKey

_LEAST_RSA_BITS = 2048
_MOST_RSA_BITS = 4096
_Key = TypeVar("_Key")


class Permission(StrEnum):
    """What an endpoint needs; NONE is open to everybody."""

    NONE = "NONE"
    TRADE = "TRADE"
    USER_DATA = "USER_DATA"
    USER_STREAM = "USER_STREAM"


ALL_PERMISSIONS = frozenset({Permission.TRADE, Permission.USER_DATA, Permission.USER_STREAM})


class KeyKind(StrEnum):
    """How a key signs."""

    HMAC = "HMAC"
    RSA = "RSA"
    ED25519 = "ED25519"


class Verifier(Protocol):
    """What the exchange keeps of a key to verify its signatures."""

    @property
    def kind(self) -> KeyKind:
        """The kind of the key."""
        ...

    def verifies(self, payload: bytes, signature: str) -> bool:
        """Whether `signature` is this key's, of `payload`."""
        ...


class HmacSecret:
    """HMAC-SHA256 with a shared secret; signatures are hex, in either case."""

    kind = KeyKind.HMAC

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def verifies(self, payload: bytes, signature: str) -> bool:
        """See Verifier."""
        expected = hmac.digest(self._secret, payload, hashlib.sha256).hex()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())


class RsaPublicKey:
    """RSASSA-PKCS1-v1_5 with SHA-256; signatures are base64."""

    kind = KeyKind.RSA

    def __init__(self, key: "RsaKey") -> None:
        """Take over a public key.

        Raises:
            ValueError: it has fewer than 2048 or more than 4096 bits.
        """
        from Crypto.Signature import pkcs1_15

        if not _LEAST_RSA_BITS <= key.size_in_bits() <= _MOST_RSA_BITS:
            allowed = f"{_LEAST_RSA_BITS} to {_MOST_RSA_BITS}"
            raise ValueError(f"an RSA key must have {allowed} bits, this one has {key.size_in_bits()}")
        self._scheme = pkcs1_15.new(key.public_key())

    def verifies(self, payload: bytes, signature: str) -> bool:
        """See Verifier."""
        from Crypto.Hash import SHA256

        try:
            self._scheme.verify(SHA256.new(payload), _decoded(signature))
        except ValueError:
            return False
        return True


class Ed25519PublicKey:
    """Ed25519; signatures are base64."""

    kind = KeyKind.ED25519

    def __init__(self, key: "EccKey") -> None:
        """Take over a public key.

        Raises:
            ValueError: it is of another curve.
        """
        from Crypto.Signature import eddsa

        if key.curve != "Ed25519":
            raise ValueError(f"an elliptic curve key must be of Ed25519, not {key.curve}")
        self._scheme = eddsa.new(key.public_key(), "rfc8032")

    def verifies(self, payload: bytes, signature: str) -> bool:
        """See Verifier."""
        try:
            self._scheme.verify(payload, _decoded(signature))
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of an account, and what it may be used for."""

    key: str
    verifier: Verifier
    account: str
    permissions: frozenset[Permission] = ALL_PERMISSIONS

    def signs(self, payload: bytes, signature: str) -> bool:
        """Whether `signature` is this key's, of `payload`."""
        return self.verifier.verifies(payload, signature)


def public_key(pem: str) -> RsaPublicKey | Ed25519PublicKey:
    """An RSA or Ed25519 public key from its PEM text, parsed once for all verifications.

    Raises:
        ValueError: it is neither, or of a wrong size.
    """
    from Crypto.PublicKey import ECC, RSA

    curve = _parsed(ECC.import_key, pem)
    if curve is not None:
        return Ed25519PublicKey(curve)
    key = _parsed(RSA.import_key, pem)
    if key is None:
        raise ValueError("a public key must be the PEM text of an RSA or Ed25519 key")
    return RsaPublicKey(key)


def _parsed(parse: Callable[[str], _Key], pem: str) -> _Key | None:
    """The key in `pem`, None when it holds none of this kind."""
    try:
        return parse(pem)
    except (ValueError, IndexError, TypeError):  # what pycryptodome raises for text that it cannot read
        return None


def _decoded(signature: str) -> bytes:
    """The bytes of a base64 signature.

    Raises:
        ValueError: it is not base64.
    """
    try:
        return base64.b64decode(signature, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
