"""What systemd hears of the trader, by a real datagram socket in its place."""

import asyncio
import os
import signal
import socket
from contextlib import asynccontextmanager, contextmanager

import pytest

from binance_trade_agent import autonomous_trading_loop
from binance_trade_agent.configuration import load
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.systemd import Service
from binance_trade_agent.ops.tasks import spawn, stop
from tests.sessions.daemon_process import daemon
from tests.test_autonomous_trading_loop import rig


@contextmanager
def listening(address: str):
    """A socket that hears what is sent to `address`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inlet:
        inlet.bind(address)
        inlet.setblocking(False)
        yield inlet


def heard(inlet: socket.socket) -> list[list[str]]:
    """What has come so far, the lines of each message."""
    found = []
    while True:
        try:
            found.append(inlet.recv(4096).decode().splitlines())
        except BlockingIOError:
            return found


async def until_heard(inlet: socket.socket, line: str) -> list[str]:
    """The next message with this line."""
    loop = asyncio.get_running_loop()
    while True:
        lines = (await asyncio.wait_for(loop.sock_recv(inlet, 4096), 60)).decode().splitlines()
        if line in lines:
            return lines


@asynccontextmanager
async def beating(interval_seconds: float):
    """Something beside the trading loop that lives on."""

    async def live() -> None:
        while True:
            await sleep_seconds(interval_seconds)

    task = spawn(live(), name="side task")
    yield
    await stop(task)


def test_the_first_sign_of_life_says_that_it_is_ready_and_signs_are_not_sent_too_often(tmp_path):
    environment = {"NOTIFY_SOCKET": str(tmp_path / "s"), "WATCHDOG_USEC": "180000000", "WATCHDOG_PID": "1", "HOME": "/"}
    with listening(str(tmp_path / "s")) as inlet:
        service = Service(environment)
        assert environment == {"HOME": "/"}, "a child of this process is not the service"
        service.starting("the exchange\nis away", 150)
        assert service.is_due
        service.alive("trading, cycle 1")
        assert not service.is_due
        service.alive("x" * 1000)
        service.stopping("stopped: SIGTERM")
        assert heard(inlet) == [
            ["EXTEND_TIMEOUT_USEC=150000000", "STATUS=starting; the exchange is away"],
            ["READY=1", "WATCHDOG=1", "STATUS=trading, cycle 1"],
            ["WATCHDOG=1", f"STATUS={'x' * 200}"],
            ["STOPPING=1", "STATUS=stopped: SIGTERM"],
        ]


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="abstract sockets are Linux's")
def test_an_abstract_socket_is_spoken_to():
    name = f"trade-agent-test-{os.getpid()}"
    with listening(f"\0{name}") as inlet:
        Service({"NOTIFY_SOCKET": f"@{name}"}).alive("trading")
        assert heard(inlet) == [["READY=1", "WATCHDOG=1", "STATUS=trading"]]


@pytest.mark.parametrize("name", [None, "", "vsock:2:1234", "/nobody/is/there"])
def test_without_anybody_who_listens_nothing_happens(name):
    service = Service({} if name is None else {"NOTIFY_SOCKET": name})
    service.starting("", 1)
    service.alive("trading")
    service.stopping("stopped")


def test_a_status_that_is_no_text_is_told_as_far_as_it_is(tmp_path):
    with listening(str(tmp_path / "notify")) as inlet:
        Service({"NOTIFY_SOCKET": str(tmp_path / "notify")}).stopping("half a \ud83d")
        assert heard(inlet) == [["STOPPING=1", "STATUS=half a ?"]]


def test_a_socket_that_takes_nothing_more_holds_nobody_up(tmp_path):
    with listening(str(tmp_path / "s")) as inlet:
        service = Service({"NOTIFY_SOCKET": str(tmp_path / "s")})
        for _ in range(2_000):
            service.alive("trading")
        assert 0 < len(heard(inlet)) < 2_000


def test_systemds_variable_is_no_setting_that_is_not_known(tmp_path):
    load(environment={"NOTIFY_SOCKET": "/run/systemd/notify"}, folder=tmp_path)


async def test_a_real_run_is_ready_lives_and_stops(tmp_path):
    with listening(str(tmp_path / "socket")) as inlet:
        systemd = {"NOTIFY_SOCKET": str(tmp_path / "socket"), "WATCHDOG_USEC": "400000"}
        settings = {"TRADING_DURATION_MINUTES": "0", "SIMULATION_SPEED": "600", **systemd}
        async with daemon(tmp_path, is_cold=True, **settings) as running:
            starting = await until_heard(inlet, "STATUS=starting")
            assert starting[0] == "EXTEND_TIMEOUT_USEC=150000000"
            ready = await until_heard(inlet, "READY=1")
            assert ready[2].startswith("STATUS=trading, cycle ")
            for _ in range(3):
                assert "READY=1" not in await until_heard(inlet, "WATCHDOG=1")
            running.send(signal.SIGTERM)
            assert (await until_heard(inlet, "STOPPING=1"))[1] == "STATUS=stopped: SIGTERM"
            assert await running.ended() == 0
            assert "WATCHDOG=1" not in str(heard(inlet))


async def test_a_wedged_loop_gives_no_sign_of_life_whatever_else_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(autonomous_trading_loop, "_LOOK_AROUND_SECONDS", 0.005)
    with listening(str(tmp_path / "s")) as inlet:
        async with rig(tmp_path) as ready, beating(0.005):
            service = Service({"NOTIFY_SOCKET": str(tmp_path / "s"), "WATCHDOG_USEC": "4000"})
            ready.loop.on_beat.append(lambda: service.alive("trading"))
            running = spawn(ready.loop.run(), name="loop")
            await until_heard(inlet, "WATCHDOG=1")
            ready.orchestrator.hangs = True
            deadline = monotonic_seconds() + 60
            is_silent = False
            while not is_silent and monotonic_seconds() < deadline:
                heard(inlet)
                await sleep_seconds(0.5)
                is_silent = heard(inlet) == []
            assert is_silent
            assert not running.done()
            await stop(running)
