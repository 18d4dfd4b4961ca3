"""Signatures of the three kinds of keys, with the test vectors of binance-protocol.md 2.2."""

import pytest
from Crypto.PublicKey import ECC, RSA

from binance_trade_agent.simulator.keys import ApiKey, HmacSecret, KeyKind, public_key
from tests.simulator.signing import ed25519_pair, rsa_pair

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"


@pytest.mark.parametrize(
    ("payload", "signature"),
    [
        (
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        ),
        (
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
        ),
        (
            "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        ),
        (
            "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        ),
    ],
)
def test_documented_hmac_signatures_verify_in_either_case(payload, signature):
    key = ApiKey("k", HmacSecret(SECRET), "main", frozenset())
    assert key.signs(payload.encode(), signature)
    assert key.signs(payload.encode(), signature.upper())
    assert not key.signs(payload.encode() + b"0", signature)


@pytest.mark.parametrize(("pair", "kind"), [(rsa_pair, KeyKind.RSA), (ed25519_pair, KeyKind.ED25519)])
def test_public_key_verifies_its_own_signatures_only(pair, kind):
    key = public_key(pair().public_pem)
    signature = pair().sign("symbol=BTCUSDT&timestamp=1")
    assert key.kind is kind
    assert key.verifies(b"symbol=BTCUSDT&timestamp=1", signature)
    assert not key.verifies(b"symbol=BTCUSDT&timestamp=2", signature)
    assert not key.verifies(b"symbol=BTCUSDT&timestamp=1", signature.swapcase())


@pytest.mark.parametrize("pair", [rsa_pair, ed25519_pair])
@pytest.mark.parametrize("signature", ["", "ff", "AAAA", "not base64!", "é", "A" * 5000])
def test_nonsense_is_no_signature(pair, signature):
    assert not public_key(pair().public_pem).verifies(b"timestamp=1", signature)
    assert not HmacSecret(SECRET).verifies(b"timestamp=1", signature)


def curve_pem() -> str:
    return ECC.generate(curve="P-256").public_key().export_key(format="PEM")


def short_rsa_pem() -> str:
    return RSA.generate(1024).public_key().export_key().decode()


@pytest.mark.parametrize(
    ("make_pem", "complaint"),
    [
        (str, "must be the PEM text of an RSA or Ed25519 key"),
        (lambda: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "must be the PEM text"),
        (curve_pem, "must be of Ed25519, not NIST P-256"),
        (short_rsa_pem, "must have 2048 to 4096 bits, this one has 1024"),
    ],
)
def test_key_of_another_kind_is_refused_in_a_sentence(make_pem, complaint):
    with pytest.raises(ValueError, match=complaint):
        public_key(make_pem())
