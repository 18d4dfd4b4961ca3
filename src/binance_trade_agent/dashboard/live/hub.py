"""The hub: one WebSocket a tab. A tab says which regions it shows; the hub makes each anew when what it shows changes.

A region is made once for all tabs of a role that show it, and sent only where it differs from what they have. A tab
that is slow gets the newest of each region, never a queue of old ones.
"""

import asyncio
import contextlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from binance_trade_agent.dashboard.access.passwords import Role
from binance_trade_agent.dashboard.access.sessions import Session, Sessions
from binance_trade_agent.dashboard.inside import Answer, ask
from binance_trade_agent.dashboard.live.watch import LedgerWatch
from binance_trade_agent.ops.clock import cpu_seconds, monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.ops.tasks import spawn, stop

# What a region may depend on. The ledger is looked at often; the others change about each second while a trader runs.
# `slowly` is for sums over much, which need not be of this second.
SOURCES = frozenset({"ledger", "trader", "market", "log", "slowly"})
_EACH_SECOND = SOURCES - {"ledger", "slowly"}
_LOOK_SECONDS = 0.05
_SECOND = 1.0
_SLOWLY_SECONDS = 10.0
_HEARTBEAT_SECONDS = 5.0
# A region that takes long to make is made more seldom: in the long run at most a twentieth of a processor goes into it,
# and half of the time. While others keep the machine busy a page is not to be so much older: their time is not counted.
# But a decision, its order and its fills come together, and each is to be seen at once: some of that time is lent.
_PART_OF_TIME = 20
_LEAST_PAUSE_SECONDS = 0.1
_LENT_SECONDS = 2.0
_MOST_REGIONS, _MOST_TABS, _LONGEST_URL = 40, 200, 2_000
_POLICY_VIOLATION, _TRY_AGAIN_LATER = 1008, 1013  # RFC 6455, 7.4.1; IANA's registry of close codes

# An age changes by itself, and the browser counts it: a region in which nothing else has changed has not changed.
_AGE = re.compile(rb'(<time class="age"[^>]*>)[^<]*')
_CSRF_PLACE = "csrf-of-the-session-that-reads-this"


class Watched(msgspec.Struct, frozen=True):
    """A region that a tab shows, and what it depends on."""

    url: str
    on: str = "ledger"


class _Request(msgspec.Struct):
    watch: list[Watched]


class _Topic:
    """A region as one role sees it."""

    def __init__(self, url: str, role: Role) -> None:
        self.url = url
        self.role = role
        self.on: frozenset[str] = frozenset()
        self.tabs: set[_Tab] = set()
        self.is_dirty = True
        self.paid_until = 0.0
        self.body: bytes | None = None
        self.message = ""


class _Tab:
    """One open page."""

    def __init__(self, websocket: WebSocket, session: Session) -> None:
        self.websocket = websocket
        self.session = session
        self.topics: set[_Topic] = set()
        self._outgoing: dict[str, str] = {}
        self._has_news = asyncio.Event()

    def put(self, key: str, message: str) -> None:
        """Let it be sent soon; a newer message of the same key takes its place until then."""
        self._outgoing[key] = message
        self._has_news.set()

    async def send(self) -> None:
        """Send what there is, for ever."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            while self._outgoing:
                key = next(iter(self._outgoing))
                await self.websocket.send_text(self._outgoing.pop(key))


class Hub:
    """All tabs.

    Args:
        app: makes the regions.
        regions: paths that are regions; nothing else is watched.
        watch: notices commits.
        sessions: a tab whose session is over is closed.
    """

    def __init__(self, app: ASGIApp, regions: Iterable[str], watch: LedgerWatch, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions
        self._regions = frozenset(regions)
        self._watch = watch
        self._tabs: set[_Tab] = set()
        self._topics: dict[tuple[str, Role], _Topic] = {}
        self._somebody = asyncio.Event()

    async def serve(self, websocket: WebSocket, session: Session) -> None:
        """Keep one tab up to date until it is closed."""
        if len(self._tabs) >= _MOST_TABS:
            await websocket.close(_TRY_AGAIN_LATER, "too many tabs are open")
            return
        await websocket.accept()
        tab = _Tab(websocket, session)
        self._tabs.add(tab)
        self._somebody.set()
        sending = spawn(_until_closed(tab.send()), name="tab")
        try:
            while True:
                self._show(tab, await websocket.receive_text())
        except WebSocketDisconnect:
            pass
        except (msgspec.DecodeError, KeyError):  # starlette raises KeyError for bytes where text is asked for
            with contextlib.suppress(RuntimeError):
                await websocket.close(_POLICY_VIOLATION, "not what a page says")
        finally:
            self._hide(tab, tab.topics)
            self._tabs.discard(tab)
            await stop(sending)

    async def run(self) -> None:
        """Look for what has changed, for ever; while no tab is open, nothing is looked at."""
        next_second = next_heartbeat = next_slowly = 0.0
        while True:
            if not self._tabs:
                self._somebody.clear()
                await self._somebody.wait()
            now = monotonic_seconds()
            changed = {"ledger"} if self._watch.has_changed() else set()
            if now >= next_second:
                changed |= _EACH_SECOND
                await self._end_sessions()
                next_second = now + _SECOND
            if now >= next_slowly:
                changed.add("slowly")
                next_slowly = now + _SLOWLY_SECONDS
            if now >= next_heartbeat:
                self._beat()
                next_heartbeat = now + _HEARTBEAT_SECONDS
            for topic in self._topics.values():
                topic.is_dirty = topic.is_dirty or bool(topic.on & changed)
            due = [
                topic for topic in self._topics.values() if topic.is_dirty and topic.paid_until <= now + _LENT_SECONDS
            ]
            for topic in due:
                await self._make(topic)
            await sleep_seconds(_LOOK_SECONDS)

    async def close(self) -> None:
        """Tell every tab that the server goes."""
        for tab in list(self._tabs):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await tab.websocket.close(1001)

    def _show(self, tab: _Tab, text: str) -> None:
        """Note what a tab shows now. What is no region of ours is passed over."""
        shown: set[_Topic] = set()
        for watched in msgspec.json.decode(text, type=_Request).watch[:_MOST_REGIONS]:
            if len(watched.url) > _LONGEST_URL or watched.url.partition("?")[0] not in self._regions:
                continue
            key = (watched.url, tab.session.role)
            topic = self._topics.setdefault(key, _Topic(*key))
            topic.on |= frozenset(watched.on.split()) & SOURCES
            shown.add(topic)
        for topic in shown - tab.topics:
            topic.tabs.add(tab)
            if topic.message:
                tab.put(topic.url, topic.message.replace(_CSRF_PLACE, tab.session.csrf))
        self._hide(tab, tab.topics - shown)
        tab.topics = shown

    def _hide(self, tab: _Tab, topics: Iterable[_Topic]) -> None:
        for topic in topics:
            topic.tabs.discard(tab)
            if not topic.tabs:
                self._topics.pop((topic.url, topic.role), None)

    async def _make(self, topic: _Topic) -> None:
        """Make a region anew and send it where it has changed."""
        topic.is_dirty = False
        begun, before = monotonic_seconds(), cpu_seconds()
        answer = await ask(self._app, topic.url, _reader(topic.role))
        took, worked = monotonic_seconds() - begun, cpu_seconds() - before
        topic.paid_until = max(topic.paid_until, begun) + max(_LEAST_PAUSE_SECONDS, took, _PART_OF_TIME * worked)
        body = _AGE.sub(rb"\1", answer.body)
        if body == topic.body:
            return
        topic.body, topic.message = body, _message(topic.url, answer)
        for tab in topic.tabs:
            tab.put(topic.url, topic.message.replace(_CSRF_PLACE, tab.session.csrf))

    def _beat(self) -> None:
        """A sign of life, by which a tab tells a silent server from a gone one."""
        message = _json({"now": wall_ms()})
        for tab in self._tabs:
            tab.put("", message)

    async def _end_sessions(self) -> None:
        for tab in list(self._tabs):
            if self._sessions.find(tab.session.token) is not tab.session:
                with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                    await tab.websocket.close(_POLICY_VIOLATION, "the session is over")


def _reader(role: Role) -> Session:
    """Who makes a region for all tabs of a role; the token in its forms is put in for each tab."""
    return Session(role, "inside", 0, token="", csrf=_CSRF_PLACE)


def _message(url: str, answer: Answer) -> str:
    if answer.is_json:
        return _json({"url": url, "data": msgspec.Raw(answer.body)})
    return _json({"url": url, "html": answer.body.decode()})


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def _until_closed(sending: Any) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # starlette raises either when the peer has gone
        await sending
