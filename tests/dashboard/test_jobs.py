"""Long work as processes: one at a time, behind the trader, with an end in every case."""

import asyncio
import errno
import os
import select
import signal
import sys
from contextlib import asynccontextmanager
from zipfile import ZipFile

import pytest

from binance_trade_agent.desk.jobs import runner
from binance_trade_agent.desk.jobs.candle_names import candle_names
from binance_trade_agent.desk.jobs.job import Job, JobState, Shelf, Work
from binance_trade_agent.desk.jobs.runner import BusyError, Jobs
from binance_trade_agent.desk.jobs.zipped import zipped
from binance_trade_agent.history.store import candle_files
from binance_trade_agent.ops.clock import sleep_seconds
from tests.sessions.daemon_process import CLEAN_ENVIRONMENT


def work(*arguments, kind="backtest", lane="lane", digest=lambda _: {}, **others):
    return Work(kind, lane, lambda _: arguments, {"strategy": "rsi_momentum"}, digest, **others)


CONFIG = work("config", digest=lambda folder: {"lines": len((folder / "out").read_text().splitlines())})


@pytest.fixture
def fifo(tmp_path):
    """Who reads this as a secret waits for ever, or until somebody writes."""
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


@asynccontextmanager
async def jobs_in(folder, **environment):
    jobs = Jobs(folder / "jobs", {**CLEAN_ENVIRONMENT, **environment})
    try:
        yield jobs
    finally:
        await jobs.close()


@asynccontextmanager
async def endless_job(folder, fifo, **others):
    """A job whose process has begun, and waits for what does not come."""
    async with jobs_in(folder, BINANCE_API_KEY_FILE=str(fifo)) as jobs:
        job = await jobs.start(work("config", **others), "trader")
        held = await once_read(fifo)
        try:
            yield jobs, job, held
        finally:
            os.close(held)


async def once_read(fifo):
    """The writing end, as soon as somebody reads. Never by a call that blocks: one that waits for ever ends no test."""
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as failure:
            if failure.errno != errno.ENXIO:
                raise
        await sleep_seconds(0.02)


def is_read(held):
    """Whether the other end of the FIFO is still open."""
    poll = select.poll()
    poll.register(held, select.POLLERR)
    return not poll.poll(0)


async def ended(jobs, job):
    await asyncio.gather(*[task for number, task in jobs._following.items() if number == job.number])
    assert not job.is_running


async def test_a_command_that_ends_well_is_done_with_what_its_results_say(tmp_path):
    async with jobs_in(tmp_path) as jobs:
        job = await jobs.start(CONFIG, "trader")
        assert job.is_running
        await ended(jobs, job)
        assert (job.state, job.exit_code, job.sentence) == (JobState.DONE, 0, "")
        assert job.result["lines"] > 50
        assert job.command == "trade-agent config"
        assert job.ended_wall_ms >= job.started_wall_ms
    assert (tmp_path / "jobs").stat().st_mode & 0o777 == 0o700
    (kept,) = Jobs(tmp_path / "jobs", {}).of("backtest")  # by the next dashboard
    assert kept == job


async def test_a_command_that_fails_is_told_with_its_sentence_and_exit_code(tmp_path):
    async with jobs_in(tmp_path) as jobs:
        job = await jobs.start(work("ledger", "verify", f"--ledger-path={tmp_path / 'nowhere.db'}"), "trader")
        await ended(jobs, job)
    assert (job.state, job.exit_code) == (JobState.FAILED, 2)
    assert job.sentence.startswith("there is no ledger at ")
    assert "Error" not in job.sentence


async def test_a_result_that_cannot_be_read_is_a_failure_and_no_error_of_the_page(tmp_path):
    async with jobs_in(tmp_path) as jobs:
        job = await jobs.start(work("--version", digest=lambda _: {"": int("x")}), "trader")
        await ended(jobs, job)
    assert job.state is JobState.FAILED
    assert job.sentence.startswith("Its result cannot be read: ")


async def test_one_runs_at_a_time_in_a_lane_behind_the_trader(tmp_path, fifo):
    async with endless_job(tmp_path, fifo) as (jobs, job, _):
        with pytest.raises(BusyError, match="A backtest runs already: wait for it, or cancel it first"):
            await jobs.start(CONFIG, "trader")
        assert jobs.of("backtest") == [job]
        pid = jobs._processes[job.number].pid
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
        other = await jobs.start(work("--version", kind="verify", lane="another"), "trader")
        await ended(jobs, other)
        assert other.state is JobState.DONE


async def test_a_cancelled_job_ends_its_process_and_the_lane_is_free(tmp_path, fifo):
    async with endless_job(tmp_path, fifo) as (jobs, job, held):
        await jobs.cancel(job)
        assert (job.state, job.sentence) == (JobState.CANCELLED, "It was cancelled.")
        assert not is_read(held)
        await jobs.cancel(job)  # once more changes nothing
        following = await jobs.start(work("--version"), "trader")
        await ended(jobs, following)
        assert following.state is JobState.DONE
        assert job.state is JobState.CANCELLED


async def test_a_job_whose_end_is_noted_before_the_one_who_cancels_wakes_is_cancelled(tmp_path, fifo, monkeypatch):
    end = runner._end

    async def end_and_sleep_on(process):
        await end(process)
        await asyncio.gather(*jobs._following.values())

    monkeypatch.setattr(runner, "_end", end_and_sleep_on)
    async with endless_job(tmp_path, fifo) as (jobs, job, held):
        await jobs.cancel(job)
        assert job.state is JobState.CANCELLED
        assert not is_read(held)


async def test_a_job_that_takes_too_long_is_ended(tmp_path, fifo):
    async with jobs_in(tmp_path, BINANCE_API_KEY_FILE=str(fifo)) as jobs:
        job = await jobs.start(work("config", limit_seconds=1.0), "trader")
        process = jobs._processes[job.number]
        await ended(jobs, job)
        assert job.state is JobState.OVERDUE
        assert job.sentence.startswith("It took longer than ")
        assert process.returncode is not None


async def test_a_dashboard_that_ends_takes_its_jobs_along_and_says_so_later(tmp_path, fifo):
    async with endless_job(tmp_path, fifo) as (jobs, _, held):
        await jobs.close()
        assert not is_read(held)
    (kept,) = Shelf(tmp_path / "jobs").stored()
    assert (kept.state, kept.sentence) == (JobState.LOST, "The dashboard ended before this was over.")


async def test_a_job_ends_even_when_its_dashboard_is_killed(tmp_path, fifo):
    program = (
        "import asyncio, pathlib, sys\n"
        "from tests.dashboard.test_jobs import jobs_in, work\n"
        "async def main():\n"
        f"    async with jobs_in(pathlib.Path({str(tmp_path)!r}), BINANCE_API_KEY_FILE={str(fifo)!r}) as jobs:\n"
        "        await jobs.start(work('config'), 'trader')\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    dashboard = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    held = await once_read(fifo)
    try:
        dashboard.send_signal(signal.SIGKILL)
        await dashboard.wait()
        poll = select.poll()
        poll.register(held, select.POLLERR)
        assert await asyncio.to_thread(poll.poll, 20_000), "the process of the job goes on"
    finally:
        os.close(held)
    (kept,) = Shelf(tmp_path / "jobs").stored()
    assert kept.state is JobState.LOST


async def test_only_the_last_jobs_of_a_kind_are_kept(tmp_path):
    async with jobs_in(tmp_path) as jobs:
        for _ in range(3):
            last = await jobs.start(work("--version", keep=2), "trader")
            await ended(jobs, last)
        assert [job.number for job in jobs.of("backtest")] == [3, 2]
    assert sorted(path.name for path in (tmp_path / "jobs").iterdir()) == ["000002-backtest", "000003-backtest"]


def test_what_is_no_job_in_the_folder_is_passed_over(tmp_path):
    for name, text in (("000001-backtest", "{"), ("000002-verify", '{"number": "x"}'), ("other-thing", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "job.json").write_text(text)
    assert Shelf(tmp_path).stored() == []


def test_progress_is_what_was_said_last_and_no_part_of_the_log(tmp_path):
    jobs = Jobs(tmp_path, {})
    job = Job(number=1, kind="backtest", arguments=[], about={}, asked_by="", started_wall_ms=0, limit_seconds=1)
    folder = jobs._shelf.make(job)
    assert jobs.progress_pct(job) is None
    (folder / "log").write_bytes(b"x" * 50_000 + b"\nTesting 3 %\nsomething \xff\nTesting 41 %\n")
    assert jobs.progress_pct(job) == 41
    assert jobs.log(job)[1:] == ["something �"]


def test_an_archive_in_pieces_holds_the_files(tmp_path):
    (tmp_path / "tables").mkdir()
    files = {"a.csv": b"id\n1\n", "b.csv": os.urandom(600_000), "empty.csv": b""}
    for name, data in files.items():
        (tmp_path / "tables" / name).write_bytes(data)
    pieces = list(zipped(tmp_path / "tables"))
    assert max(map(len, pieces)) < 400_000
    (tmp_path / "a.zip").write_bytes(b"".join(pieces))
    with ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files


def test_candles_are_known_by_the_names_that_a_backtest_knows(tmp_path):
    for name in (
        "BTCUSDT-1m.csv",
        "BTCUSDT-1h.parquet",
        "ETHUSDT-1m-2024-01.csv.gz",
        "BTC_USDC-5m.feather",
        "btcusdt-1m.csv",
        "BTCUSDT-7m.csv",
        "BTCUSDT.csv",
        "exchangeInfo.json",
        ".BTCUSDT-1m.parquet.12",
        "<script>-1m.csv",
    ):
        (tmp_path / name).touch()
    found = candle_names(tmp_path)
    assert found.held == set(candle_files(tmp_path))
    assert found.symbols == ["BTCUSDC", "BTCUSDT", "ETHUSDT"]
    assert found.intervals == ["1m", "5m", "1h"]
    assert found.intervals_of("BTCUSDT") == ["1m", "1h"]
    assert found.trouble == ""


def test_without_candles_a_sentence_says_so(tmp_path):
    assert candle_names(tmp_path).trouble == f"The data folder {tmp_path} holds no candles (HISTORY_PATH)."
    assert "There is no data folder" in candle_names(tmp_path / "none").trouble
    (tmp_path / "BTCUSDT-1m.csv").touch()
    assert candle_names(tmp_path / "BTCUSDT-1m.csv").held == {("BTCUSDT", "1m")}
