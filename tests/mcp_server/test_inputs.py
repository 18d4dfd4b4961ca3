"""Whatever a client sends, it gets what the tool promises or a sentence; never a traceback, never a crash."""

import asyncio
import itertools
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.mcp_server import awaiting
from binance_trade_agent.mcp_server.server import MODULES
from tests.mcp_server.explained_desk import ExplainedDesk, explained_desk
from tests.mcp_server.served import served_mcp

ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
PLAUSIBLE = ["BTCUSDT", "ethusdt", "btcusd", "14:38", "2026-01-05", "2026-01-05T00:10:00Z", "0001-01-01", "9999-12-31T23:59:59-23:59", "rsi_momentum", "0.015", "1e9", "100", "1767571800000.754688.ETHUSDT", "1:16848", "by hand", ""]  # fmt: skip
HOSTILE = ["\x00", "\x1b[31m", "A" * 500, "ÄÖß", "\u202egnp", "../../etc/passwd", "'; DROP TABLE orders; --", "NaN", "-1", "1e999", "Infinity", "=1+1", "{{7*7}}", "<script>", "a,b=c"]  # fmt: skip
TOOLS = [tool for module in MODULES for tool in module.TOOLS]
READING, CHANGING = ([tool.name for tool in TOOLS if tool.changes is changes] for changes in (False, True))

texts = (
    st.sampled_from(PLAUSIBLE) | st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=()), max_size=20)
)
numbers = st.integers() | st.integers(-1, 101) | st.just(10**400) | st.floats()
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)


class Session:
    """A client that sends what no official one would. Attributes: tools: by name, the schema of its input."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(timeout=30, headers=ACCEPT)
        self._url = url
        self._ids = itertools.count(1)
        about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}}
        begun = self._post({"method": "initialize", "params": about, "id": next(self._ids)})
        self._http.headers["mcp-session-id"] = begun.headers["mcp-session-id"]
        self._post({"method": "notifications/initialized"})
        self.tools = {tool["name"]: tool["inputSchema"] for tool in self.ask("tools/list", {})["result"]["tools"]}

    def ask(self, method: str, params: object) -> dict:
        """The answer to a request."""
        answer = self._post({"method": method, "params": params, "id": next(self._ids)})
        assert answer.status_code in {200, 400}, answer.text
        if answer.headers["content-type"].startswith("application/json"):
            return answer.json()
        (data,) = [line.removeprefix("data:") for line in answer.text.split("\r\n") if line.startswith("data: {")]
        return json.loads(data)

    def close(self) -> None:
        self._http.close()

    def _post(self, message: dict) -> httpx2.Response:
        return self._http.post(self._url, content=json.dumps({"jsonrpc": "2.0", **message}))


@pytest.fixture(scope="module")
def session(played_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzzed") / "copy"
    shutil.copytree(played_folder, folder)
    with served_mcp(folder) as running:
        session = Session(f"{running.base}/mcp")
        yield session
        session.close()


@pytest.fixture(scope="module")
def trading_session(tmp_path_factory):
    """With a trader that says yes to everything, and a market board on which nothing more will come."""
    with (
        pytest.MonkeyPatch.context() as patch,
        explained_desk(tmp_path_factory.mktemp("fuzzed") / "desk") as desk,
        answering(desk),
    ):
        patch.setattr(awaiting, "WAIT_SECONDS", -1)
        session = Session(desk.url)
        yield session
        session.close()


@contextmanager
def answering(desk: ExplainedDesk) -> Iterator[None]:
    """Commands are answered in a thread of its own."""
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    async def answer() -> None:
        async with desk.answering():
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(answer(),), daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        loop.close()


def likely(schema: dict) -> st.SearchStrategy:
    """Values that the schema allows."""
    if "anyOf" in schema:
        return st.one_of([likely(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        return st.sampled_from(["BTCUSDT", "ethusdt", "btcusd", "XÄÖ", "0" * 30])
    return KINDS.get(schema.get("type", ""), lambda _: texts)(schema)


KINDS = {
    "integer": lambda schema: st.integers(schema.get("minimum", 0), schema.get("maximum", 1_000)),
    "number": lambda schema: st.integers(int(schema.get("minimum", 0)), int(schema.get("maximum", 1_000))),
    "array": lambda schema: st.lists(likely(schema["items"]), min_size=schema.get("minItems", 0), max_size=3),
    "null": lambda _: st.none(),
    "object": lambda _: st.dictionaries(texts, texts, max_size=2),
}


def check(answer: dict) -> None:
    if "error" in answer:  # of the protocol: what was sent is no call of a tool
        assert answer["error"]["code"] in {-32600, -32602, -32700}, answer
        return
    result = answer["result"]
    text = result["content"][0]["text"]
    assert not re.search(r'Traceback|site-packages|File "|\.py\b', text), text
    if result["isError"]:
        assert "failed for a reason of its own" not in text
        assert text.endswith((".", "?")), text
        assert len(result["content"]) == 1
    else:
        assert result["structuredContent"] == json.loads(text)


@pytest.mark.parametrize("name", READING)
@settings(max_examples=6)
@given(st.data())
def test_no_input_of_a_tool_brings_it_down(session, name, data):
    check_tool(session, name, data)


@pytest.mark.parametrize("name", CHANGING)
@settings(max_examples=8)
@given(st.data())
def test_no_input_of_a_tool_that_trades_brings_it_down(trading_session, name, data):
    check_tool(trading_session, name, data)


def check_tool(session: Session, name: str, data: st.DataObject) -> None:
    """Call it with what its schema allows, or nearly."""
    schema = session.tools[name]
    arguments = {}
    for field, its in schema.get("properties", {}).items():
        if field in schema.get("required", []) or data.draw(st.booleans()):
            arguments[field] = data.draw(likely(its) if data.draw(st.integers(0, 9)) else anything)
    check(session.ask("tools/call", {"name": name, "arguments": arguments}))


@settings(max_examples=40)
@given(anything, anything)
def test_what_is_no_call_is_refused(session, name, arguments):
    check(session.ask("tools/call", {"name": name, "arguments": arguments}))


@settings(max_examples=20)
@given(texts)
def test_no_address_of_a_document_brings_it_down(session, name):
    answer = session.ask("resources/read", {"uri": f"trade-agent://strategies/{name}"})
    assert "error" in answer or answer["result"]["contents"][0]["text"].startswith("# ")
    assert "Traceback" not in json.dumps(answer)
