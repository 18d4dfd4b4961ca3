"""The log of requests is bounded, whatever is sent."""

import pytest

from binance_trade_agent.simulator.request_log import RequestLog


@pytest.mark.parametrize(("body", "kept"), [("a=b", 10_000), ("a" * 65_536, 255)])
def test_only_the_last_requests_are_kept_and_not_too_much_of_them(body, kept):
    log = RequestLog()
    for _ in range(12_000):
        log.add("POST", "/api/v3/order", body)
    entries = log.entries()
    assert [entries[0]["number"], entries[-1]["number"]] == [12_001 - kept, 12_000]
    assert len(entries) == kept
