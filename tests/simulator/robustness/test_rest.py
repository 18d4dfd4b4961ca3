"""Every REST endpoint under parameters from sound to senseless: the laws that every answer keeps."""

from dataclasses import dataclass
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.simulator.endpoints.catalogue import ENDPOINTS
from tests.exchange_process import API_KEY
from tests.simulator.robustness.nonsense import NONSENSE, own_parameters
from tests.simulator.robustness.running import FUZZ_FACTOR, Victim
from tests.simulator.robustness.wire import Wire, WireReply
from tests.simulator.signing import sign

_WITHOUT_JSON = {404, 405, 410}
_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "LINK")
_STRANGE_PATHS = (
    b"/", b"//", b"/api", b"/api/v3", b"/api/v3/", b"/api/v3/order/", b"/api/v3//order", b"/api/v3/%6frder", b"/api/v1/ping",
    b"/api/v3/userDataStream", b"/sapi/v1/capital/config/getall", b"/api/v3/order%00", b"/api/v3/order;a=b",
    b"/api/v3/" + b"a" * 4_000, b"/api/v3/../v3/order", b"/%ff%fe",
)  # fmt: skip
_HOW_SIGNED = ("soundly",) * 8 + ("wrongly", "by nobody", "by a stranger", "not at all", "at a strange time")
_PLACES = ("query", "query", "body", "both", "json")


@dataclass(frozen=True)
class Sent:
    """One request before it is signed."""

    method: str
    path: bytes
    is_signed: bool
    pairs: tuple[tuple[str, str], ...]
    how_signed: str
    place: str
    timestamp: str


@st.composite
def known_requests(draw) -> Sent:
    endpoint = draw(st.sampled_from(ENDPOINTS))
    pairs = list(draw(own_parameters(endpoint)).items())
    twist = draw(st.sampled_from(("none",) * 8 + ("duplicate", "unknown")))
    if twist == "duplicate" and pairs:
        pairs.append(pairs[0])
    elif twist == "unknown":
        pairs.append(("nobodyKnows", "1"))
    return Sent(
        endpoint.method,
        endpoint.path.encode(),
        endpoint.is_signed,
        tuple(pairs),
        draw(st.sampled_from(_HOW_SIGNED)),
        draw(st.sampled_from(_PLACES)) if endpoint.method != "GET" else "query",
        draw(st.sampled_from(NONSENSE)),
    )


@st.composite
def strange_requests(draw) -> Sent:
    paths = st.one_of(st.sampled_from(_STRANGE_PATHS), st.sampled_from([each.path.encode() for each in ENDPOINTS]))
    return Sent(
        draw(st.sampled_from(_METHODS)), draw(paths), draw(st.booleans()), (("symbol", "BTCUSDT"),),
        "soundly", draw(st.sampled_from(_PLACES)), "0",
    )  # fmt: skip


@settings(max_examples=100 * FUZZ_FACTOR)
@given(st.lists(known_requests(), min_size=1, max_size=20))
def test_every_answer_keeps_the_laws(exchange_under_fire, batch):
    exchange_under_fire.run(fire(exchange_under_fire, batch))


@settings(max_examples=30 * FUZZ_FACTOR)
@given(st.lists(strange_requests(), min_size=1, max_size=20))
def test_paths_and_methods_that_nobody_knows_keep_the_laws(exchange_under_fire, batch):
    exchange_under_fire.run(fire(exchange_under_fire, batch))


async def fire(victim: Victim, batch: list[Sent]) -> None:
    victim.refresh()
    wire = Wire(victim.exchange.url)
    try:
        for sent in batch:
            reply = await send(wire, sent)
            victim.answers[reply.status] += 1
            check(sent, reply)
    finally:
        await wire.close()
    await victim.examine()


async def send(wire: Wire, sent: Sent) -> WireReply:
    """Sign a request in its way, and send it."""
    pairs = list(sent.pairs)
    if sent.is_signed and sent.how_signed != "not at all":
        pairs.append(("timestamp", sent.timestamp if sent.how_signed == "at a strange time" else str(wall_ms())))
    half = {"query": len(pairs), "body": 0, "both": len(pairs) // 2, "json": 0}[sent.place]
    query, body = urlencode(pairs[:half]), urlencode(pairs[half:])
    if sent.is_signed and sent.how_signed != "not at all":
        signature = sent.timestamp if sent.how_signed == "wrongly" else sign(query + body)
        query += "&" * bool(query) + urlencode({"signature": signature})
    headers = {"Content-Type": "application/json" if sent.place == "json" else "application/x-www-form-urlencoded"}
    if sent.how_signed != "by nobody":
        headers["X-MBX-APIKEY"] = "X" * 64 if sent.how_signed == "by a stranger" else API_KEY
    target = sent.path + (b"?" + query.encode() if query else b"")
    return await wire.ask(sent.method, target, headers, body.encode())


def check(sent: Sent, reply: WireReply) -> None:
    """The laws of binance-protocol.md 1.0, 2.5, 2.7 and 2.8."""
    assert reply.status < 500, (sent, reply)
    if sent.path.startswith(b"/api/"):
        assert reply.headers["x-mbx-used-weight"].isdecimal(), (sent, reply)
        assert reply.headers["x-mbx-used-weight-1m"].isdecimal(), (sent, reply)
        assert reply.headers["x-mbx-uuid"], (sent, reply)
    if sent.method == "HEAD" or reply.status in _WITHOUT_JSON:
        return
    assert reply.headers["content-type"] == "application/json;charset=UTF-8", (sent, reply)
    if reply.status != 200:
        error = reply.json
        assert set(error) <= {"code", "msg", "data"}, (sent, reply)
        assert isinstance(error["code"], int), (sent, reply)
        assert error["code"] < 0, (sent, reply)
        assert isinstance(error["msg"], str), (sent, reply)
        assert error["msg"], (sent, reply)
    else:
        assert reply.json is not None
