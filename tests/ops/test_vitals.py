"""What the trader tells of itself: the file, its ticks, the event loop's lag, the process."""

import asyncio
import json
import os

import pytest

from binance_trade_agent.exchange.request_times import RequestTimes
from binance_trade_agent.ops import vitals
from binance_trade_agent.ops.clock import machine_time, sleep_seconds
from binance_trade_agent.ops.logging import Trouble
from binance_trade_agent.ops.loop_lag import LoopLag
from binance_trade_agent.ops.tick_times import TickTimes
from binance_trade_agent.ops.versions import versions
from binance_trade_agent.ops.vitals import EntryBlock, StreamVitals, SymbolVitals, Vitals
from tests.torture.loop import run_virtual


class Machine:
    """A machine whose time passes when the test says so."""

    def __init__(self):
        self.now_ms = 1_767_571_200_000

    def wall_ms(self):
        return self.now_ms

    def monotonic_seconds(self):
        return self.now_ms / 1000


@pytest.fixture
def machine():
    made = Machine()
    with machine_time(made):
        yield made


class TestFile:
    def test_what_is_written_is_read_back_and_nothing_else_is_left(self, tmp_path):
        path = vitals.vitals_path(tmp_path / "ledger.db")
        told = Vitals(
            written_wall_ms=5,
            run_id="run-a",
            entry_blocks=(EntryBlock(name="disk", text="the disk is full"),),
            symbols={"BTCUSDT": SymbolVitals(rests_until_cycle=7)},
            user_stream=StreamVitals(is_live=True, heard_wall_ms=4),
            troubles=(Trouble(3, "error", "<b>no</b>"),),
        )
        vitals.write(path, Vitals(written_wall_ms=1))
        vitals.write(path, told)
        assert vitals.read(path) == told
        assert [entry.name for entry in tmp_path.iterdir()] == ["ledger.db.vitals"]

    def test_another_version_wrote_fields_that_are_not_known_and_left_out_others(self, tmp_path):
        (tmp_path / "v").write_text(
            json.dumps({"run_id": "run-a", "moon": "full", "ticks": {"cycle": 3, "x": []}, "exchange": {"budget": {}}})
        )
        told = vitals.read(tmp_path / "v")
        assert (told.run_id, told.ticks.cycle, told.ticks.last_ms, told.user_stream) == ("run-a", 3, None, None)
        assert told.exchange.budget.weight_used is None

    @pytest.mark.parametrize("said", [b"", b"{", b"[]", b'{"ticks": 7}', b"\xff\xfe", b'{"run_id": null}'])
    def test_what_cannot_be_read_is_nothing(self, tmp_path, said):
        (tmp_path / "v").write_bytes(said)
        assert vitals.read(tmp_path / "v") is None
        assert vitals.read(tmp_path / "none") is None

    def test_a_place_that_cannot_be_written_is_left_alone(self, tmp_path):
        vitals.write(tmp_path / "no folder" / "v", Vitals())
        assert list(tmp_path.iterdir()) == []


class TestMarketTime:
    @pytest.mark.parametrize(
        ("told", "after_a_second_ms"),
        [
            ({"market_ms": 1000, "speed": 1.0}, 2000),
            ({"market_ms": 1000, "speed": 60.0}, 61_000),
            ({"market_ms": 1000, "speed": 60.0, "is_stepped": True}, 1000),  # it moves when the trader waits
            ({"market_ms": 1000}, 1000),
            ({}, None),
        ],
    )
    def test_it_goes_on_as_far_as_the_clock_does(self, machine, told, after_a_second_ms):
        seen = Vitals(written_wall_ms=machine.now_ms, **told)
        machine.now_ms += 1000
        assert seen.age_seconds == 1
        assert seen.market_now_ms() == after_a_second_ms


class TestTicks:
    def test_before_the_first_nothing_is_known(self):
        told = TickTimes().vitals(interval_seconds=10, missed=0, speed=1)
        assert (told.cycle, told.begun_wall_ms, told.last_ms, told.last_lag_ms) == (0, None, None, None)

    def test_a_tick_is_measured_from_when_it_was_due_until_it_ended(self, machine):
        ticks = TickTimes()
        began_ms = machine.now_ms
        for cycle, (lag_ms, takes_ms) in enumerate([(0, 50), (120, 250), (60, 30)], start=1):
            ticks.begin(cycle, lag_ms)
            machine.now_ms += takes_ms
            ticks.end()
        told = ticks.vitals(interval_seconds=10, missed=2, speed=60)
        assert (told.cycle, told.missed, told.measured) == (3, 2, 3)
        assert (told.last_ms, told.mean_ms, told.longest_ms) == (30, 110, 250)
        assert (told.last_lag_ms, told.mean_lag_ms, told.longest_lag_ms) == (1, 1, 2)
        assert (told.due_wall_ms, told.begun_wall_ms) == (began_ms + 299, began_ms + 300)
        assert told.ended_wall_ms == began_ms + 330

    def test_while_one_runs_its_end_is_open(self, machine):
        ticks = TickTimes()
        ticks.begin(1, 0)
        ticks.end()
        ticks.begin(2, 0)
        told = ticks.vitals(interval_seconds=10, missed=0, speed=1)
        assert (told.cycle, told.begun_wall_ms, told.ended_wall_ms) == (2, machine.now_ms, None)

    def test_the_latest_hundred_count(self, machine):
        ticks = TickTimes()
        for cycle in range(1, 202):
            ticks.begin(cycle, 0)
            machine.now_ms += 1000 if cycle <= 101 else 10
            ticks.end()
        told = ticks.vitals(interval_seconds=10, missed=0, speed=1)
        assert (told.cycle, told.measured, told.mean_ms, told.longest_ms) == (201, 100, 10, 10)


def test_requests_are_summed_up_by_mean_95th_percentile_and_longest():
    times = RequestTimes()
    assert times.vitals().mean_ms is None
    for milliseconds in range(1, 101):
        times.note(milliseconds / 1000)
    told = times.vitals()
    assert (told.sent, told.measured, told.mean_ms, told.p95_ms, told.longest_ms) == (100, 100, 50.5, 95.0, 100.0)


def test_what_blocks_the_event_loop_shows_in_its_lag_for_a_minute():  # more of it: test_loop_lag.py
    async def measured():
        lag, loop = LoopLag(), asyncio.get_running_loop()
        with lag.measured():
            await sleep_seconds(3.5)
            assert (lag.last_ms, lag.longest_ms) == (0, 0)
            loop.now += 0.75  # somebody works; the next timer was due half a second in
            await sleep_seconds(1)
            assert lag.longest_ms == pytest.approx(250)
            await sleep_seconds(57)
            assert lag.longest_ms == pytest.approx(250)
            await sleep_seconds(5)
            assert (lag.last_ms, lag.longest_ms) == (0, 0)

    run_virtual(measured)


def test_a_process_says_what_it_uses():
    told = vitals.process_vitals(7)
    assert (told.pid, told.started_wall_ms) == (os.getpid(), 7)
    assert told.cpu_seconds > 0
    assert told.threads >= 1
    with open(os.devnull):  # noqa: PTH123
        more = vitals.process_vitals(7)
    if told.open_files is not None:  # Linux
        assert more.open_files == told.open_files + 1
        assert told.rss_bytes > 1_000_000


def test_versions_name_the_program_and_what_it_stands_on():
    found = versions(["aiohttp", "no-such-library"])
    assert set(found) == {"binance-trading-agent", "python", "sqlite", "aiohttp"}
