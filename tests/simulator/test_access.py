"""Signed requests and their timestamps: the edges of binance-protocol.md 2.2 to 2.4."""

import pytest

from binance_trade_agent.simulator.access import (
    Access,
    Credentials,
    TimestampPolicy,
    is_percent_encoded,
    without_signature,
)
from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.keys import ApiKey, HmacSecret, Permission
from binance_trade_agent.simulator.parameters import SIGNED_PARAMETERS, Form
from tests.simulator.signing import sign

NOW_MS = 1_700_000_000_000
KEY = ApiKey("K" * 64, HmacSecret("S" * 64), "main", frozenset({Permission.USER_DATA}))
STRICT = TimestampPolicy(session_start_ms=0, is_strict=True, wall_ms=lambda: NOW_MS)


@pytest.mark.parametrize(
    ("raw", "stripped"),
    [
        (b"a=1&signature=ff", b"a=1"),
        (b"signature=ff&a=1", b"a=1"),
        (b"a=1&signature=ff&b=2", b"a=1&b=2"),
        (b"a=1&signature=ff&signature=ee", b"a=1"),
        (b"signature=ff", b""),
        (b"signature=", b""),
        (b"", b""),
        (b"mysignature=ff", b"mysignature=ff"),
        (b"a=%3d%2f&signature=%2B%2f", b"a=%3d%2f"),
    ],
)
def test_signature_is_taken_out_with_its_separator(raw, stripped):
    assert without_signature(raw) == stripped


@pytest.mark.parametrize(
    ("payload", "is_encoded"),
    [
        (b"symbol=%EF%BC%91&timestamp=1", True),
        (b"a=1&b=-._~:@,/?+", True),
        ("symbol=\uff11".encode(), False),
        (b'symbols=["BTCUSDT"]', False),
        (b"a=b c", False),
        (b"a=b|c", False),
        (b"", True),
    ],
)
def test_payload_must_be_percent_encoded(payload, is_encoded):
    assert is_percent_encoded(payload) is is_encoded


def authorise(permission: Permission | None = Permission.USER_DATA, /, *, key: str = KEY.key, **sent: str) -> ApiKey:
    """Sign and authorise a request at NOW_MS; a `signature` of its own stays."""
    payload = "&".join(f"{name}={value}" for name, value in sent.items())
    signed = {"signature": sign(payload), **sent}
    arguments = Form(SIGNED_PARAMETERS).read(list(signed.items()))
    return Access([KEY], STRICT).authorise(Credentials(key, payload.encode()), arguments, permission, NOW_MS)


def refusal(*arguments: Permission, **sent: str) -> tuple[int, int]:
    with pytest.raises(ApiError) as refused:
        authorise(*arguments, **sent)
    return refused.value.status, refused.value.code


@pytest.mark.parametrize("recv_window", ["5000", "1", "0.5", "0.001", "60000", "60000.000", "0"])
@pytest.mark.parametrize("unit", ["ms", "us"])
def test_both_edges_of_the_window_are_exact(recv_window, unit):
    window_us = round(float(recv_window) * 1000)
    scale_us = 1 if unit == "us" else 1000

    def is_timely(timestamp_us: int) -> bool:
        try:
            authorise(timestamp=str(timestamp_us // scale_us), recvWindow=recv_window)
        except ApiError as refused:
            return refused.code != -1021
        return True

    now_us = NOW_MS * 1000
    oldest_us = now_us - window_us // scale_us * scale_us
    assert is_timely(oldest_us)
    assert not is_timely(oldest_us - scale_us)
    assert is_timely(now_us + 1_000_000 - scale_us)
    assert not is_timely(now_us + 1_000_000)


def test_window_is_five_seconds_unless_sent():
    authorise(timestamp=str(NOW_MS - 5000))
    assert refusal(timestamp=str(NOW_MS - 5001)) == (400, -1021)


@pytest.mark.parametrize("recv_window", ["60000.001", "60001", "99999999999999999999"])
def test_window_beyond_a_minute_is_refused(recv_window):
    with pytest.raises(ApiError, match="Cannot be greater than 60000"):
        authorise(timestamp=str(NOW_MS), recvWindow=recv_window)


@pytest.mark.parametrize("recv_window", ["-1", "1.0001", "abc", "1e3", "."])
def test_window_of_another_form_is_malformed(recv_window):
    assert refusal(timestamp=str(NOW_MS), recvWindow=recv_window) == (400, -1100)


def test_each_fault_has_its_own_code():
    timestamp = str(NOW_MS)
    assert authorise(timestamp=timestamp) is KEY
    assert refusal(timestamp=timestamp, key="X" * 64) == (401, -2015)
    assert refusal(timestamp=timestamp, signature="ff") == (400, -1022)
    assert refusal(Permission.TRADE, timestamp=timestamp) == (401, -2015)
    assert refusal(recvWindow="1") == (400, -1102)
    assert refusal(timestamp="") == (400, -1105)
    assert refusal(timestamp="9" * 20) == (400, -1108)


def test_payload_that_is_not_encoded_has_no_valid_signature():
    arguments = Form(SIGNED_PARAMETERS).read([("timestamp", str(NOW_MS)), ("signature", sign("a"))])
    credentials = Credentials(KEY.key, b"a", is_encoded=False)
    with pytest.raises(ApiError) as refused:
        Access([KEY], STRICT).authorise(credentials, arguments, None, NOW_MS)
    assert refused.value.code == -1022


def test_session_key_stands_for_the_signature_but_not_for_the_timestamp():
    access = Access([KEY], STRICT)
    credentials = Credentials(None, b"", session_key=KEY)
    timely = Form(SIGNED_PARAMETERS).read([("timestamp", str(NOW_MS))])
    late = Form(SIGNED_PARAMETERS).read([("timestamp", str(NOW_MS - 5001))])
    assert access.authorise(credentials, timely, Permission.USER_DATA, NOW_MS) is KEY
    for arguments, permission, code in ((late, None, -1021), (timely, Permission.TRADE, -2015)):
        with pytest.raises(ApiError) as refused:
            access.authorise(credentials, arguments, permission, NOW_MS)
        assert refused.value.code == code


def test_revoked_key_is_unknown_until_it_is_registered_again():
    access = Access([KEY], STRICT)
    assert access.revoke(KEY.key)
    assert not access.revoke(KEY.key)
    assert not access.knows(KEY)
    access.register(KEY)
    assert access.knows(KEY)
    assert access.keys == [KEY]


def is_timely(policy: TimestampPolicy, timestamp_ms: int) -> bool:
    try:
        policy.check(timestamp_ms * 1000, 5_000_000, NOW_MS)
    except ApiError as refused:
        return refused.code != -1021
    return True


def test_market_at_another_pace_also_takes_wall_time_and_the_session_so_far():
    wall_ms = NOW_MS + 10**9
    policy = TimestampPolicy(session_start_ms=NOW_MS - 3_600_000, is_strict=False, wall_ms=lambda: wall_ms)
    assert is_timely(policy, wall_ms - 5000)
    assert is_timely(policy, NOW_MS - 3_605_000)
    assert not is_timely(policy, NOW_MS - 3_605_001)
    assert not is_timely(policy, NOW_MS + 1000)
    assert not is_timely(policy, wall_ms + 1000)


def test_skewed_clock_moves_the_window():
    policy = TimestampPolicy(session_start_ms=0, is_strict=True, wall_ms=lambda: NOW_MS)
    policy.skew_ms = 6000
    assert not is_timely(policy, NOW_MS)
    assert is_timely(policy, NOW_MS + 1000)
    policy.skew_ms = -6000
    assert not is_timely(policy, NOW_MS)
