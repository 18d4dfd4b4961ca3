"""The hub by itself, on regions that a test makes: one that fails, and a tab that takes nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from binance_trade_agent.dashboard.access.passwords import Role
from binance_trade_agent.dashboard.access.sessions import Sessions
from binance_trade_agent.dashboard.live import hub as hub_module
from binance_trade_agent.dashboard.live.hub import Hub
from binance_trade_agent.dashboard.live.watch import LedgerWatch
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop


class Tab:
    """A browser's end of the WebSocket: says once what it shows, takes messages while `takes` is set."""

    def __init__(self, *urls: str) -> None:
        self.takes = asyncio.Event()
        self.got: asyncio.Queue[dict] = asyncio.Queue()
        self._says = [json.dumps({"watch": [{"url": url, "on": "trader"} for url in urls]})]

    async def accept(self) -> None:
        self.takes.set()

    async def receive_text(self) -> str:
        return self._says.pop() if self._says else await asyncio.Event().wait()

    async def send_text(self, text: str) -> None:
        await self.takes.wait()
        self.got.put_nowait(json.loads(text))

    async def region(self) -> dict:
        """The next message that is no sign of life."""
        while "now" in (message := await asyncio.wait_for(self.got.get(), 5)):
            pass
        return message


@asynccontextmanager
async def shown(folder, tab: Tab, made: Callable[[str], str]) -> AsyncIterator[None]:
    """`tab` at a hub whose regions at the paths /1 and /2 are what `made` says, over and over."""

    async def app(scope, receive, send) -> None:
        body = made(scope["path"]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": body})

    sessions = Sessions(1)
    hub = Hub(app, ["/1", "/2"], LedgerWatch(folder / "ledger.db"), sessions)
    working = spawn(hub.run(), name="hub")
    serving = spawn(hub.serve(tab, sessions.begin(Role.TRADER, "127.0.0.1")), name="tab")
    yield
    await stop(serving)
    await stop(working)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    """What happens each second happens at every look."""
    for name, seconds in (
        ("_SECOND", 0.0),
        ("_LOOK_SECONDS", 0.001),
        ("_LEAST_PAUSE_SECONDS", 0.0),
        ("_PART_OF_TIME", 0),
    ):
        monkeypatch.setattr(hub_module, name, seconds)


async def test_a_region_that_fails_takes_no_other_with_it(tmp_path, caplog):
    """A mistake in one page does not end the updates of all."""
    counted = iter(range(1_000_000))

    def made(path: str) -> str:
        return f"number {next(counted)}" if path == "/1" else str(1 / 0)

    tab = Tab("/1", "/2")
    async with shown(tmp_path, tab, made):
        messages = [await tab.region() for _ in range(6)]
    assert [message["html"] for message in messages if message["url"] == "/1"] == [f"number {n}" for n in range(5)]
    assert ["could not be made" in message["html"] for message in messages if message["url"] == "/2"] == [True]
    assert "ZeroDivisionError" in caplog.text


async def test_a_tab_that_is_slow_gets_the_newest_and_no_queue(tmp_path):
    counted = iter(range(1_000_000))
    is_far = asyncio.Event()

    def made(path: str) -> str:
        number = next(counted)
        if number == 1:
            tab.takes.clear()
        if number == 20:
            is_far.set()
        return str(number)

    tab = Tab("/1")
    async with shown(tmp_path, tab, made):
        await asyncio.wait_for(is_far.wait(), 5)
        tab.takes.set()
        numbers = [int((await tab.region())["html"]) for _ in range(3)]
    missed = [later - earlier for earlier, later in pairwise(numbers)]
    assert max(missed) > 10, numbers


async def test_a_region_that_stays_the_same_is_sent_once(tmp_path):
    looks = iter(range(1_000_000))
    are_many = asyncio.Event()

    def made(path: str) -> str:
        if next(looks) == 20:
            are_many.set()
        return '<time class="age" data-wall="1">1 s ago</time>'

    tab = Tab("/1")
    async with shown(tmp_path, tab, made):
        await tab.region()
        await asyncio.wait_for(are_many.wait(), 5)
        assert all("now" in tab.got.get_nowait() for _ in range(tab.got.qsize()))


async def pauses_ms(folder, monkeypatch, *, takes_ms: int, of_it_works_ms: int) -> list[int]:
    """Time between the makings of a region that changes each time, on a machine that looks every 50 ms."""
    passed_ms = worked_ms = 0

    async def sleep(seconds: float) -> None:
        nonlocal passed_ms
        passed_ms += 50
        await sleep_seconds(0)

    def made(path: str) -> str:
        nonlocal passed_ms, worked_ms
        passed_ms += takes_ms
        worked_ms += of_it_works_ms
        made_at_ms.append(passed_ms)
        return str(passed_ms)

    made_at_ms: list[int] = []
    for name, value in (
        ("_PART_OF_TIME", 20),
        ("_LENT_SECONDS", 2.0),
        ("sleep_seconds", sleep),
        ("monotonic_seconds", lambda: passed_ms / 1000),
        ("cpu_seconds", lambda: worked_ms / 1000),
    ):
        monkeypatch.setattr(hub_module, name, value)
    tab = Tab("/1")
    async with shown(folder, tab, made):
        while len(made_at_ms) < 8:
            await tab.region()
    return [later - earlier for earlier, later in pairwise(made_at_ms)]


async def test_what_takes_long_to_make_is_made_at_once_and_then_more_seldom(tmp_path, monkeypatch):
    """A decision and its fill come one after the other: the second is not to wait for what the first has cost."""
    pauses = await pauses_ms(tmp_path, monkeypatch, takes_ms=40, of_it_works_ms=40)
    assert pauses[:2] == [90, 90], "at each look"
    assert all(700 <= pause <= 900 for pause in pauses[4:7]), "a twentieth of the time"


async def test_a_machine_that_others_keep_busy_does_not_make_a_page_older(tmp_path, monkeypatch):
    pauses = await pauses_ms(tmp_path, monkeypatch, takes_ms=400, of_it_works_ms=10)
    assert set(pauses) == {450}, "as soon as the one before is made and looked at"
