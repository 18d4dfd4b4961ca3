"""Signatures and timestamps: the test vectors and the edges of binance-protocol.md 2.2 and 2.3."""

from decimal import Decimal

import pytest

from binance_trade_agent.simulator.access import ApiKey, TimestampPolicy, without_signature
from binance_trade_agent.simulator.errors import ApiError

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
NOW_MS = 1_700_000_000_000
WINDOW_MS = Decimal(5000)


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
def test_documented_signatures_verify(payload, signature):
    key = ApiKey("k", SECRET, "main", frozenset())
    assert key.signs(payload.encode(), signature)
    assert key.signs(payload.encode(), signature.upper())
    assert not key.signs(payload.encode() + b"0", signature)


@pytest.mark.parametrize(
    ("raw", "stripped"),
    [
        (b"a=1&signature=ff", b"a=1"),
        (b"signature=ff&a=1", b"a=1"),
        (b"a=1&signature=ff&b=2", b"a=1&b=2"),
        (b"signature=ff", b""),
        (b"", b""),
        (b"mysignature=ff", b"mysignature=ff"),
    ],
)
def test_signature_is_taken_out_with_its_separator(raw, stripped):
    assert without_signature(raw) == stripped


def is_timely(policy: TimestampPolicy, timestamp_ms: int) -> bool:
    try:
        policy.check(timestamp_ms, WINDOW_MS, NOW_MS)
    except ApiError as refusal:
        return refusal.code != -1021
    return True


@pytest.mark.parametrize(("age_ms", "is_good"), [(5000, True), (5001, False), (0, True), (-999, True), (-1000, False)])
def test_wall_time_market_is_strict_on_both_edges(age_ms, is_good):
    policy = TimestampPolicy(session_start_ms=0, is_wall_time=True, wall_ms=lambda: NOW_MS)
    assert is_timely(policy, NOW_MS - age_ms) is is_good


def test_market_at_another_pace_also_takes_wall_time_and_the_session_so_far():
    wall_ms = NOW_MS + 10**9
    policy = TimestampPolicy(session_start_ms=NOW_MS - 3_600_000, is_wall_time=False, wall_ms=lambda: wall_ms)
    assert is_timely(policy, wall_ms - 5000)
    assert is_timely(policy, NOW_MS - 3_605_000)
    assert not is_timely(policy, NOW_MS - 3_605_001)
    assert not is_timely(policy, NOW_MS + 1000)
    assert not is_timely(policy, wall_ms + 1000)
