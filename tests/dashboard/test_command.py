"""`trade-agent dashboard` as a process: where it listens, what it says, how it ends."""

import asyncio
import signal
import socket

import pytest

from tests.dashboard.process import END_SECONDS, dashboard_process
from tests.dashboard.served import TRADER_PASSWORD, WITH_PASSWORDS
from tests.dashboard.visitor import Visitor
from tests.free_ports import free_port
from tests.sessions.command import trade_agent


async def test_it_serves_on_the_port_that_is_set(tmp_path):
    port = free_port()
    async with dashboard_process(tmp_path, DASHBOARD_PORT=str(port), **WITH_PASSWORDS) as (process, address):
        assert address == f"http://127.0.0.1:{port}"
        answer = await asyncio.to_thread(Visitor(address).log_in, TRADER_PASSWORD)
        assert answer.status == 303
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", port), 5)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), END_SECONDS) == 0


async def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = await trade_agent(tmp_path, "dashboard", DASHBOARD_PORT=str(port))
    assert said.code == 1
    assert (
        f"DASHBOARD_HOST=127.0.0.1, DASHBOARD_PORT={port}: it cannot listen there: Address already in use" in said.err
    )


async def test_it_does_not_start_open_to_others(tmp_path):
    said = await trade_agent(tmp_path, "dashboard", DASHBOARD_HOST="0.0.0.0", DASHBOARD_PORT="0")
    assert said.code == 2
    assert said.err.strip().endswith(
        "DASHBOARD_HOST=0.0.0.0 lets others reach the dashboard, which needs a password: set DASHBOARD_PASSWORD (or "
        "DASHBOARD_PASSWORD_FILE), or DASHBOARD_HOST=127.0.0.1."
    )


async def test_in_a_container_it_serves_a_notice_instead(tmp_path):
    settings = {"DASHBOARD_HOST": "0.0.0.0"}
    async with dashboard_process(tmp_path, "--locked-without-password", **settings) as (_, address):
        answer = await asyncio.to_thread(Visitor(address).get, "/portfolio")
        assert answer.status == 503
        assert "Set DASHBOARD_PASSWORD" in answer.text
