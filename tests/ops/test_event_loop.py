"""The garbage collector and the event loop: what has settled is out of its way; and what the loop reports."""

import asyncio
import gc
import socket

import pytest

from binance_trade_agent.ops import event_loop
from binance_trade_agent.ops.clock import sleep_seconds
from tests.torture.loop import run_virtual


async def test_what_has_settled_is_frozen_once_and_not_when_it_ended_before(monkeypatch):
    frozen = asyncio.Event()
    monkeypatch.setattr(gc, "freeze", frozen.set)
    monkeypatch.setattr(event_loop, "_SETTLED_SECONDS", 0)
    with event_loop.settling():
        pass
    await sleep_seconds(0)
    await sleep_seconds(0)
    assert not frozen.is_set()
    with event_loop.settling():
        await frozen.wait()


def test_in_virtual_time_nothing_is_frozen(monkeypatch):
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))

    async def an_hour():
        with event_loop.settling():
            await sleep_seconds(3600)

    run_virtual(an_hour)
    assert frozen == []


@pytest.mark.parametrize(
    ("failure", "is_reported"),
    [(socket.gaierror(-3, "Temporary failure in name resolution"), False), (OSError("lost"), True)],
)
def test_a_look_up_that_nobody_waits_for_any_more_is_not_reported(caplog, failure, is_reported):
    pytest.importorskip("uvloop")

    async def failed_unheard():
        asyncio.get_running_loop().create_future().set_exception(failure)
        gc.collect()

    with asyncio.Runner(loop_factory=event_loop.fast_loop()) as runner:
        runner.run(failed_unheard())
    assert ("never retrieved" in caplog.text) is is_reported
