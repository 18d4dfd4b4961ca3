"""Faults as people write them."""

import pytest

from binance_trade_agent.simulator.faults.kinds import KINDS, Http, Latency, Occasion, Weight
from binance_trade_agent.simulator.faults.notation import read_fault

APPENDIX_A = {
    "http", "latency", "drop_before", "drop_after", "timeout_after", "unknown_executed", "unknown_not_executed", "html",
    "truncate_json", "ban", "weight", "orders_used", "clock_skew", "event_delay", "event_before_response", "event_drop",
    "event_duplicate", "event_reorder", "ws_close", "ws_abort", "ws_freeze_data", "ws_freeze_all", "ws_no_upgrade",
    "server_shutdown", "revoke_key", "monthly_reset",
}  # fmt: skip


def test_every_fault_of_the_appendix_is_there():
    assert set(KINDS) == APPENDIX_A
    for kind in KINDS:
        assert read_fault({"kind": kind}).kind == kind


@pytest.mark.parametrize(
    "written",
    [
        {"kind": "weight", "used": 5990, "method": "GET"},
        {"type": "weight", "used": 5990, "method": "get"},
        {"fault": "weight", "used": 5990, "match": {"method": "GET"}},
        {"weight": {"used": 5990}, "match": {"method": "GET"}},
        {"weight": {"used": 5990}, "method": "GET"},
        {"name": "weight", "used": 5990, "matcher": {"method": "GET"}},
    ],
)
def test_notations_mean_the_same(written):
    assert read_fault(written) == Weight(used=5990, method="GET")


@pytest.mark.parametrize(
    ("written", "method", "path"),
    [
        ({"path": "/api/v3/order"}, "POST", "/api/v3/order"),
        ({"path": "order"}, "DELETE", "/api/v3/order"),
        ({"path": "order.place"}, "WS", "order.place"),
        ({"path": "/order"}, "POST", "/api/v3/order"),
        ({"path": "api/v3/order"}, "POST", "/api/v3/order"),
        ({"path": "post /api/v3/order"}, "POST", "/api/v3/order"),
        ({"path": "ord*"}, "POST", "/api/v3/order/test"),
        ({"path": "/api/v3/*Orders"}, "GET", "/api/v3/openOrders"),
        ({"path": "order.*"}, "WS", "order.cancel"),
        ({"path": "session.logon"}, "WS", "session.logon"),
        ({"method": "order.place"}, "WS", "order.place"),
        ({"ws_method": "order.place"}, "WS", "order.place"),
        ({"method": "POST"}, "POST", "/api/v3/order"),
    ],
)
def test_requests_can_be_named_in_several_ways(written, method, path):
    assert read_fault({"kind": "latency", **written}).matches(Occasion(method=method, path=path))
    assert not read_fault({"kind": "latency", **written}).matches(Occasion(method="GET", path="/api/v3/time"))


def test_skipping_is_another_word_for_the_first_that_is_met():
    assert read_fault({"kind": "latency", "skip": 2}) == Latency(nth=3)


def test_probability_that_is_given_makes_a_series():
    assert read_fault({"kind": "latency", "probability": 1}).most is None
    assert read_fault({"kind": "latency"}).most == 1


def test_body_may_be_json_itself():
    assert read_fault({"kind": "http", "body": {"code": -1}}) == Http(body={"code": -1})


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({"kind": "drop_aftr"}, "fault kind 'drop_aftr' is unknown, known are .*; did you mean drop_after"),
        ({}, "fault kind None is unknown"),
        ([], "a fault must be an object"),
        ({"kind": "http", "statsu": 1}, "fault http field 'statsu' is unknown.*did you mean status"),
        ({"kind": "http", "status": "x"}, "fault http field 'status' must be int, not 'x'"),
        ({"kind": "http", "status": 99}, "'status' must be int >= 200, not 99"),
        ({"kind": "ws_close", "target": "stream"}, "one of ws-api, streams, not 'stream'; did you mean streams"),
        ({"kind": "ban", "probability": 2}, "'probability' must be float <= 1.0, not 2"),
        ({"kind": "ban", "at_ms": 1, "at_seconds": 1}, "at_ms and at_seconds exclude each other"),
        ({"kind": "latency", "count": 0}, "'count'"),
        ({"kind": "latency", "path": "/api/v3/odrer"}, "fault path 'odrer' matches no path .*; did you mean order"),
    ],
)
def test_mistake_is_one_sentence(written, complaint):
    with pytest.raises(ValueError, match=complaint) as mistake:
        read_fault(written)
    assert "\n" not in str(mistake.value)
