"""Every method of the WebSocket API under parameters of every JSON type: one answer to each frame, by its id."""

import json
from dataclasses import dataclass
from typing import Any

import aiohttp
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.simulator.endpoints.catalogue import BY_WEBSOCKET_METHOD
from binance_trade_agent.simulator.endpoints.endpoint import Endpoint
from binance_trade_agent.simulator.ws_api.session_methods import SESSION_METHODS
from tests.exchange_process import API_KEY
from tests.simulator.robustness.nonsense import NONSENSE, own_parameters
from tests.simulator.robustness.running import FUZZ_FACTOR, PATIENCE_SECONDS, Victim
from tests.simulator.ws_api.client import signed_params

_JSON_NONSENSE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(allow_nan=False, allow_infinity=False),
    st.just([]),
    st.just({"a": [{}]}),
    st.lists(st.integers(), max_size=3),
    st.just(json.loads("[" * 300 + "]" * 300)),
    st.sampled_from(NONSENSE),
)
_IDS = st.one_of(st.integers(0, 9), st.sampled_from(("a", "a-b_c", "", "x" * 36, None, -(2**63), 2**63 - 1)))
_STRANGE_IDS = st.one_of(st.just("x" * 37), st.floats(allow_nan=False), st.booleans(), st.just([1]), st.just({}))
_FRAMES = (
    "", " ", "null", "0", "[]", "{}", '""', "{", '{"id":1', "\x00", "NaN", '{"id":1,"method":null}', '{"method":"ping"}',
    '{"id":1,"method":"ping","params":[]}', '{"id":1,"method":"ping","params":"a"}', '{"id":1,"id":2,"method":"ping"}',
    '{"id":1,"method":"time","params":{"a":1,"a":2}}', '{"id":NaN,"method":"ping"}', '{"id":1e400,"method":"ping"}',
    '{"id":"\\ud800","method":"ping"}', '{"id":1,"method":"\\u0000"}', "[" * 5_000, '{"params":' * 2_000,
    '{"id":1,"method":"userDataStream.start"}', '{"id":1,"method":"v3/v3/ping"}', '{"id":1,"method":"order"}',
    '{"id":1,"method":"' + "m" * 60_000 + '"}', '{"id":1,"method":"ping","params":{"\\ud800":"\\udfff"}}',
)  # fmt: skip
_HOW_SIGNED = ("soundly",) * 8 + ("wrongly", "not at all", "with strange types")


@dataclass(frozen=True)
class Asked:
    """One frame; `request_id` is what its answer must show."""

    text: str
    request_id: Any


@st.composite
def requests(draw) -> Asked:
    method = draw(st.sampled_from([*BY_WEBSOCKET_METHOD, *SESSION_METHODS]))
    endpoint = BY_WEBSOCKET_METHOD.get(method)
    params: dict[str, Any] = draw(own_parameters(endpoint) if endpoint else st.just({}))
    for name in draw(st.lists(st.sampled_from(sorted(params)), max_size=2)) if params else ():
        params[name] = draw(_JSON_NONSENSE)
    how = draw(st.sampled_from(_HOW_SIGNED))
    if _is_signed(method, endpoint) and how != "not at all":
        strange = {"timestamp": draw(_JSON_NONSENSE)} if how == "with strange types" else {"timestamp": wall_ms()}
        params = signed_params(API_KEY, **{**params, **strange})
        if how == "wrongly":
            params["signature"] = draw(_JSON_NONSENSE)
    if draw(st.integers(0, 15)) == 0:
        params["returnRateLimits"] = draw(_JSON_NONSENSE)
    request_id = draw(_IDS)
    return Asked(json.dumps({"id": request_id, "method": method, "params": params}), request_id)


@st.composite
def strange_frames(draw) -> Asked:
    if draw(st.booleans()):
        return Asked(draw(st.sampled_from(_FRAMES)), ...)
    frame = {"id": draw(_STRANGE_IDS), "method": draw(st.one_of(st.just("ping"), _JSON_NONSENSE))}
    return Asked(json.dumps(frame), ...)


@settings(max_examples=60 * FUZZ_FACTOR)
@given(st.lists(st.one_of(requests(), requests(), requests(), strange_frames()), min_size=1, max_size=20))
def test_each_frame_has_one_answer(exchange_under_fire, batch):
    exchange_under_fire.run(fire(exchange_under_fire, batch))


async def fire(victim: Victim, batch: list[Asked]) -> None:
    victim.refresh()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{victim.exchange.url}/ws-api/v3", max_msg_size=0) as socket,
    ):
        for asked in batch:
            await socket.send_str(asked.text)
            answer = await next_answer(socket)
            victim.answers[answer["status"]] += 1
            check(asked, answer)
    await victim.examine()


async def next_answer(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """The next frame that is no event."""
    while True:
        frame = await socket.receive_json(timeout=PATIENCE_SECONDS)
        if "event" not in frame:
            return frame


def check(asked: Asked, answer: dict[str, Any]) -> None:
    """The laws of binance-protocol.md 5.2."""
    assert asked.request_id is ... or answer["id"] == asked.request_id, (asked, answer)
    assert 200 <= answer["status"] < 500, (asked, answer)
    if answer["status"] == 200:
        assert "result" in answer, (asked, answer)
        return
    assert set(answer["error"]) <= {"code", "msg", "data"}, (asked, answer)
    assert isinstance(answer["error"]["code"], int), (asked, answer)
    assert answer["error"]["msg"], (asked, answer)


def _is_signed(method: str, endpoint: Endpoint | None) -> bool:
    return endpoint.is_signed if endpoint else method in {"session.logon", "userDataStream.subscribe.signature"}
