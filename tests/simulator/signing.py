"""Key pairs of every kind, and signatures made with them: what a client does to sign for itself."""

import base64
import functools
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote

from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC, RSA
from Crypto.Signature import eddsa, pkcs1_15

F0_SECRET = "S" * 64


def sign(payload: str, secret: str = F0_SECRET) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class KeyPair:
    """A private key; its signatures are base64."""

    private: RSA.RsaKey | ECC.EccKey

    @property
    def private_pem(self) -> str:
        if isinstance(self.private, RSA.RsaKey):
            return self.private.export_key("PEM", pkcs=8).decode()
        return self.private.export_key(format="PEM")

    @property
    def public_pem(self) -> str:
        public = self.private.public_key()
        if isinstance(public, RSA.RsaKey):
            return public.export_key("PEM").decode()
        return public.export_key(format="PEM")

    def sign(self, payload: str) -> str:
        if isinstance(self.private, RSA.RsaKey):
            signature = pkcs1_15.new(self.private).sign(SHA256.new(payload.encode()))
        else:
            signature = eddsa.new(self.private, "rfc8032").sign(payload.encode())
        return base64.b64encode(signature).decode()

    def sign_for_url(self, payload: str) -> str:
        return quote(self.sign(payload), safe="")


@functools.cache
def rsa_pair(bits: int = 2048) -> KeyPair:
    return KeyPair(RSA.generate(bits))


@functools.cache
def ed25519_pair() -> KeyPair:
    return KeyPair(ECC.generate(curve="ed25519"))
