"""The breaker and the halt after refused keys, on virtual time and in a stepped market."""

import random

import pytest

from binance_trade_agent.exchange.auth_halt import AuthHalt
from binance_trade_agent.exchange.breaker import Breaker
from binance_trade_agent.exchange.errors import AuthError, RateLimitedError, UnavailableError, UnknownOutcomeError
from binance_trade_agent.ops.clock import ScaledClock, SteppedClock, monotonic_seconds, sleep_seconds
from tests.torture.loop import run_virtual

GONE = UnavailableError("the exchange did not answer properly: HTTP 503")
SILENCE = RateLimitedError(60, "The exchange has asked us to wait.")
REFUSED = AuthError("Invalid API-key, IP, or permissions for action. (-2015)")


class Patient:
    """A breaker, and an exchange that answers its probes as the test wants."""

    def __init__(self, clock=None) -> None:
        self.answer: Exception | None = GONE
        self.probed_at: list[float] = []
        self.heard: list[str] = []
        self.breaker = Breaker(clock or ScaledClock(), self._probe, random.Random(1))
        self.breaker.on_opened.append(lambda: self.heard.append("opened"))
        self.breaker.on_closed.append(lambda: self.heard.append("closed"))

    async def _probe(self) -> None:
        self.probed_at.append(monotonic_seconds())
        if self.answer is SILENCE:  # was not sent, so that it says nothing of the exchange
            raise SILENCE
        if self.answer is not None:
            self.breaker.failed(self.answer)
            raise self.answer
        self.breaker.succeeded()

    def open(self) -> None:
        for _ in range(3):
            self.breaker.failed(GONE)
        assert self.breaker.state == "open"


class TestBreaker:
    def test_three_failures_in_a_row_open_it(self):
        async def test():
            patient = Patient()
            breaker = patient.breaker
            for error in (GONE, GONE, None, GONE, UnknownOutcomeError("no answer in time"), None, GONE, GONE):
                breaker.succeeded() if error is None else breaker.failed(error)
                await breaker.check()
            assert (breaker.state, breaker.open_since_ms, breaker.reason, patient.heard) == ("closed", None, "", [])
            breaker.failed(GONE)
            assert (breaker.state, breaker.reason, patient.heard) == ("open", str(GONE), ["opened"])
            with pytest.raises(
                UnavailableError,
                match=r"not answered since 00:00:00 UTC \(.*HTTP 503\); it is asked again at 00:00:01 UTC",
            ):
                await breaker.check()
            await breaker.close()

        run_virtual(test)

    def test_probes_come_later_and_later_up_to_half_a_minute(self):
        async def test():
            patient = Patient()
            patient.open()
            await sleep_seconds(300)
            gaps = [b - a for a, b in zip([1000.0, *patient.probed_at], patient.probed_at, strict=False)]
            for gap, least in zip(gaps, [1, 2, 4, 8, 16, *[30] * 20], strict=False):
                assert least - 0.001 <= gap <= min(least * 1.5, 30) + 0.001
            assert patient.breaker.state == "open"
            await patient.breaker.close()
            await sleep_seconds(100)
            assert len(patient.probed_at) == len(gaps)

        run_virtual(test)

    def test_two_good_probes_close_it(self):
        async def test():
            patient = Patient()
            breaker = patient.breaker
            patient.open()
            patient.answer = None
            await sleep_seconds(1.6)
            assert breaker.state == "probing"
            with pytest.raises(UnavailableError):
                await breaker.check()
            await sleep_seconds(1.1)
            await breaker.check()
            assert (breaker.state, breaker.open_since_ms, patient.heard) == ("closed", None, ["opened", "closed"])
            await sleep_seconds(100)
            assert len(patient.probed_at) == 2
            patient.open()
            assert patient.heard == ["opened", "closed", "opened"]
            await breaker.close()

        run_virtual(test)

    @pytest.mark.parametrize("between", [GONE, SILENCE])
    def test_good_probes_must_follow_one_another(self, between):
        async def test():
            patient = Patient()
            patient.open()
            for answer, state in ((None, "probing"), (between, None), (None, "probing"), (None, "closed")):
                patient.answer = answer
                probes = len(patient.probed_at)
                while len(patient.probed_at) == probes:
                    await sleep_seconds(0.1)
                assert state in {None, patient.breaker.state}
            await patient.breaker.close()

        run_virtual(test)

    def test_answers_to_other_requests_close_it_and_end_the_probes(self):
        async def test():
            patient = Patient()
            patient.open()
            patient.breaker.succeeded()
            patient.breaker.succeeded()
            assert patient.breaker.state == "closed"
            await sleep_seconds(100)
            assert patient.probed_at == []
            await patient.breaker.close()

        run_virtual(test)

    def test_probes_follow_the_speed_of_the_market(self):
        async def test():
            patient = Patient(ScaledClock(speed=100))
            patient.open()
            patient.answer = None
            await sleep_seconds(0.03)
            assert patient.breaker.state == "closed"
            await patient.breaker.close()

        run_virtual(test)

    def test_in_a_stepped_market_the_next_request_probes_when_it_is_late_enough(self):
        async def test():
            clock = SteppedClock("http://nowhere", speed=1, now_ms=0)
            patient = Patient(clock)
            patient.open()
            patient.answer = None
            await sleep_seconds(100)
            with pytest.raises(UnavailableError):
                await patient.breaker.check()
            assert patient.probed_at == []
            clock.synchronise(2_000, age_seconds=0)
            patient.answer = GONE
            with pytest.raises(UnavailableError):
                await patient.breaker.check()
            assert len(patient.probed_at) == 1
            patient.answer = None
            clock.synchronise(10_000, age_seconds=0)
            await patient.breaker.check()
            assert (len(patient.probed_at), patient.breaker.state) == (3, "closed")
            await patient.breaker.close()

        run_virtual(test)


class Keys:
    """A halt, and an exchange that takes the keys when the test wants."""

    def __init__(self) -> None:
        self.answer: Exception | None = REFUSED
        self.probes = 0
        self.heard: list[str | None] = []
        self.halt = AuthHalt(ScaledClock(), self._probe)
        self.halt.on_change.append(self.heard.append)

    async def _probe(self) -> None:
        await self.halt.check()  # passes, as a request of the gateway's does
        self.probes += 1
        if self.answer is not None:
            raise self.answer


class TestAuthHalt:
    def test_nothing_is_signed_until_a_probe_is_answered(self):
        async def test():
            keys = Keys()
            await keys.halt.check()
            keys.halt.begin(REFUSED)
            keys.halt.begin(AuthError("another"))
            with pytest.raises(AuthError, match=r"refused these API keys since 00:00:00 UTC: .*\(-2015\); check at"):
                await keys.halt.check()
            await sleep_seconds(150)
            assert keys.probes == 2
            keys.answer = None
            await sleep_seconds(60)
            await keys.halt.check()
            assert (keys.halt.reason, keys.heard) == (None, [str(REFUSED), None])
            await sleep_seconds(300)
            assert keys.probes == 3
            await keys.halt.close()

        run_virtual(test)

    def test_exchange_that_is_away_says_nothing_about_the_keys(self):
        async def test():
            keys = Keys()
            keys.halt.begin(REFUSED)
            keys.answer = GONE
            await sleep_seconds(70)
            with pytest.raises(AuthError):
                await keys.halt.check()
            await keys.halt.close()

        run_virtual(test)

    def test_halt_that_comes_back_lasts_twice_as_long(self):
        async def test():
            keys = Keys()
            keys.answer = None
            lengths = []
            for _ in range(8):
                keys.halt.begin(REFUSED)
                began = monotonic_seconds()
                while keys.halt.reason is not None:
                    await sleep_seconds(1)
                lengths.append(round(monotonic_seconds() - began, -1))
            assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600]
            await sleep_seconds(3600)
            keys.halt.begin(REFUSED)
            await sleep_seconds(61)
            assert keys.halt.reason is None
            await keys.halt.close()

        run_virtual(test)
