"""Which occasion meets which fault, and what happens by itself at which time."""

from binance_trade_agent.simulator.faults.kinds import (
    Ban,
    ClockSkew,
    EventBeforeResponse,
    Http,
    Latency,
    WsClose,
)
from binance_trade_agent.simulator.faults.register import Faults


class Recorder:
    """Effects that are only written down."""

    def __init__(self):
        self.happened = []

    def begin(self, fault, occasion):
        self.happened.append(("begin", fault.kind, occasion.path if occasion else None))

    def end(self, fault):
        self.happened.append(("end", fault.kind, None))


def faults_at(now_ms=0):
    recorder = Recorder()
    return Faults(recorder, now_ms), recorder.happened


def outcomes(faults, number, path="/api/v3/order"):
    return [faults.meeting("POST", path).outcome is not None for _ in range(number)]


def test_nth_and_count_choose_the_occasions():
    faults, _ = faults_at()
    faults.add(Http(nth=3, count=2))
    assert outcomes(faults, 6) == [False, False, True, True, False, False]
    assert faults.listed() == []


def test_latencies_add_up_and_the_first_other_fault_wins():
    faults, _ = faults_at()
    faults.add(Latency(ms=10))
    faults.add(Latency(ms=20))
    faults.add(EventBeforeResponse(ms=5))
    faults.add(Http(status=500))
    faults.add(Http(status=502))
    first, second = faults.meeting("GET", "/api/v3/ping"), faults.meeting("GET", "/api/v3/ping")
    assert (first.delay_ms, first.hold_ms, first.outcome.status) == (30, 5, 500)
    assert (second.delay_ms, second.hold_ms, second.outcome.status) == (0, None, 502)


def test_time_window_bounds_a_fault():
    faults, _ = faults_at(1000)
    faults.add(Http(at_seconds=10, for_seconds=5))
    met = []
    for now_ms in (1000, 10_999, 11_000, 15_999, 16_000):
        faults.advance(now_ms)
        met += outcomes(faults, 1)
    assert met == [False, False, True, True, False]
    assert faults.listed() == []


def test_fault_without_occasion_happens_at_once_and_once():
    faults, happened = faults_at()
    faults.add(Ban(seconds=5))
    faults.advance(100_000)
    assert happened == [("begin", "ban", None)]


def test_fault_with_occasion_waits_for_it():
    faults, happened = faults_at()
    faults.add(Ban(path="order", nth=2))
    assert outcomes(faults, 3) == [False] * 3
    assert happened == [("begin", "ban", "/api/v3/order")]


def test_repeated_fault_happens_each_time_even_when_time_jumps():
    faults, happened = faults_at()
    faults.add(WsClose(at_seconds=1, every_seconds=2, for_seconds=6))
    assert faults.next_ms() == 1000
    faults.advance(100_000)
    assert len(happened) == 3
    assert faults.listed() == []


def test_lasting_fault_ends_by_time_or_by_hand():
    faults, happened = faults_at()
    faults.add(ClockSkew(ms=5, for_seconds=1))
    assert faults.next_ms() == 1000
    faults.advance(1000)
    number = faults.add(ClockSkew(ms=7))
    assert faults.remove(number)
    assert [what for what, *_ in happened] == ["begin", "end"] * 2


def test_session_that_goes_on_does_not_repeat_moments_but_takes_up_what_lasts():
    faults, happened = faults_at(50_000)
    faults.add(Ban(at_seconds=10), origin_ms=0)
    faults.add(ClockSkew(at_seconds=10, for_seconds=60), origin_ms=0)
    faults.add(ClockSkew(at_seconds=10, for_seconds=20), origin_ms=0)
    faults.add(WsClose(at_seconds=10, every_seconds=15), origin_ms=0)
    assert happened == [("begin", "clock_skew", None), ("begin", "clock_skew", None), ("end", "clock_skew", None)]
    assert faults.next_ms() == 55_000


def test_numbers_are_never_used_again():
    faults, _ = faults_at()
    assert [faults.add(Http()), faults.add(Http())] == [1, 2]
    assert faults.remove(1)
    assert faults.remove(1)
    assert not faults.remove(3)
    assert faults.add(Http()) == 3
