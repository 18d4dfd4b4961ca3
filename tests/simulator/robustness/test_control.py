"""The control port under nonsense: 400 with one sentence, never a traceback, and an exchange that still answers."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.simulator.faults.kinds import KINDS
from tests.exchange_process import API_KEY
from tests.simulator.robustness.nonsense import NONSENSE
from tests.simulator.robustness.running import FUZZ_FACTOR, Victim, victim
from tests.simulator.robustness.wire import Wire, WireReply
from tests.simulator.signing import sign

_NONSENSE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from((10**18, 10**400, -1, 0, 1e300, -0.0, 5e-324, [], {}, [[]], [{}], {"a": {"b": [1]}})),
    st.sampled_from(NONSENSE),
    st.sampled_from(("1e999999", "1e-999999", "-1", "sNaN", "1_000", "0x10", "\uff11")),
    st.text(max_size=5),
)
_NUMBERS = st.sampled_from(("100000", "99990", "1", 2, 0.5, "1e30", "123456789012345678901234567890.12345678", "1e-30"))
_SYMBOL = st.sampled_from(("BTCUSDT", "ETHUSDT"))
_ROWS = st.lists(st.tuples(_NUMBERS, _NUMBERS), max_size=3)
_FILTER_NUMBERS = st.one_of(_NUMBERS, _NUMBERS, _NONSENSE)
_FILTER = st.fixed_dictionaries(
    {"filterType": st.sampled_from(("PRICE_FILTER", "LOT_SIZE", "NOTIONAL", "MAX_POSITION", "ICEBERG_PARTS", "NEW"))},
    optional=dict.fromkeys(
        ("minPrice", "maxPrice", "tickSize", "minQty", "maxQty", "stepSize", "limit", "minNotional", "maxPosition"),
        _FILTER_NUMBERS,
    ),
)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "advance": st.integers(0, 100_000),
    "now": st.just(1_767_571_200_000),
    "mode": st.sampled_from(("manual", "real")),
    "bids": _ROWS, "asks": _ROWS, "price": _NUMBERS, "qty": _NUMBERS, "maker": _NUMBERS, "taker": _NUMBERS,
    "symbol": _SYMBOL, "asset": st.sampled_from(("BTC", "USDT", "NEW")), "amount": _NUMBERS, "rate": _NUMBERS,
    "account": st.sampled_from(("main", "second")), "name": st.text(max_size=3), "enabled": st.booleans(),
    "balances": st.dictionaries(st.sampled_from(("BTC", "A")), _NUMBERS, max_size=2),
    "key": st.just("A" * 64), "secret": st.just("x"), "public_key": st.just("AAAA"),
    "permissions": st.just(["TRADE"]), "status": st.sampled_from(("TRADING", "BREAK", 503)),
    "filters": st.lists(_FILTER, max_size=2), "remove_filters": st.lists(st.just("LOT_SIZE"), max_size=1),
    "fields": st.dictionaries(
        st.sampled_from(("baseAsset", "orderTypes", "filters", "status", "baseAssetPrecision", "permissionSets",
                         "defaultSelfTradePreventionMode", "allowedSelfTradePreventionModes", "icebergAllowed")),
        _NONSENSE, max_size=2),
    "fixture": st.sampled_from(("F0", "F1", "F2", "F9")), "target": st.sampled_from(("ws-api", "streams")),
    "code": st.sampled_from((1000, 1001, 4000)), "kind": st.sampled_from(sorted(KINDS)), "used": st.just(0),
    "seconds": st.just(1), "ms": st.integers(0, 5), "path": st.just("time"), "method": st.just("GET"),
    "count": st.just(1), "n": st.just(0), "ping_seconds": st.just(20), "probability": st.just(0.5),
}  # fmt: skip


def _objects(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields, mostly sound."""
    sound = {name: _FIELDS[name] for name in names}
    loose = {name: st.one_of(_FIELDS[name], _FIELDS[name], _NONSENSE) for name in names}
    strange = st.dictionaries(st.one_of(st.sampled_from(names), st.text(max_size=4)), _NONSENSE, max_size=3)
    return st.one_of(st.fixed_dictionaries(sound), st.fixed_dictionaries({}, optional=loose), strange)


_SETTINGS = st.one_of(
    st.tuples(st.just("api_key"), _objects("key", "secret", "public_key", "account", "permissions")),
    st.tuples(st.just("account"), _objects("name", "balances")),
    st.tuples(st.just("deposit"), _objects("asset", "amount", "account")),
    st.tuples(st.just("commission"), _objects("maker", "taker")),
    st.tuples(st.just("bnb_discount"), _objects("enabled", "account", "rate")),
    st.tuples(st.just("symbol"), _objects("symbol", "status", "filters", "remove_filters", "fields")),
    st.tuples(st.just("account_permissions"), _objects("permissions", "account")),
    st.tuples(st.just("websocket"), _objects("ping_seconds")),
    st.tuples(st.sampled_from(("rejected_reports", "revoke_api_key", "liquidity_is_consumed", "x")), _NONSENSE),
).map(lambda item: dict([item]))
_BODIES: dict[str, st.SearchStrategy[Any]] = {
    "clock": st.one_of(_objects("advance"), _objects("mode"), _objects("mode", "advance"), _objects("now")),
    "book": _objects("symbol", "bids", "asks"),
    "trade": st.one_of(
        st.fixed_dictionaries(
            {"symbol": _SYMBOL, "price": _NUMBERS, "qty": _NUMBERS, "taker": st.sampled_from(("BUY", "SELL"))}
        ),
        _objects("symbol", "price", "qty", "taker"),
    ),
    "config": _SETTINGS,
    "fault": _objects("kind", "path", "method", "count", "n", "used", "ms", "seconds", "status", "probability"),
    "kick": _objects("target", "code"),
}


_ORDERS = (
    {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.5", "price": "99995"},
    {"type": "MARKET", "quoteOrderQty": "1000"},
)


@dataclass(frozen=True)
class Command:
    """A request to the control port."""

    method: str
    path: str
    body: bytes


@st.composite
def commands(draw) -> Command:
    name = draw(st.sampled_from(sorted(_BODIES)))
    body = draw(_BODIES[name])
    if isinstance(body, dict) and draw(st.integers(0, 9)) == 0:
        body = draw(_NONSENSE)
    raw = draw(st.sampled_from((b"", b"{", b"\xff", b"[" * 2_000, b'{"a":1e999}', b'"\\ud800"')))
    return Command("POST", name, raw if draw(st.integers(0, 15)) == 0 else json.dumps(body).encode())


_OTHERS = st.sampled_from(
    (
        Command("DELETE", "fault/1", b""), Command("DELETE", "fault/%ff", b""), Command("DELETE", "fault/" + "9" * 400, b""),
        Command("DELETE", "fault/%C2%B2", b""), Command("GET", "nope", b""), Command("PUT", "clock", b"{}"),
        Command("GET", "log", b""), Command("GET", "faults", b""),
        Command("POST", "reset", b'{"fixture":"F9"}'), Command("POST", "reset", b'{"fixture":5}'),
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def ordered_about():
    with victim(fixture="F0") as running:
        yield running


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [({}, b"{}" + b" " * 2_000_000, 413), ({"Content-Encoding": "gzip"}, b"no gzip", 400)],
)
def test_body_that_cannot_be_read_is_answered_with_one_sentence(ordered_about, headers, body, status):
    async def post() -> WireReply:
        wire = Wire(ordered_about.exchange.control_url)
        reply = await wire.ask("POST", b"/sim/config", headers, body)
        await wire.close()
        return reply

    ordered_about.refresh()
    reply = ordered_about.run(post())
    assert reply.status == status
    assert reply.json["error"].startswith("the body of /sim/config is")
    ordered_about.run(ordered_about.examine())


@settings(max_examples=30 * FUZZ_FACTOR)
@given(st.lists(st.one_of(commands(), commands(), commands(), _OTHERS), min_size=1, max_size=8))
def test_nonsense_is_answered_with_one_sentence(ordered_about, batch):
    ordered_about.run(order(ordered_about, batch))


async def order(victim: Victim, batch: list[Command]) -> None:
    victim.refresh()
    await victim.exchange.control("reset", fixture="F0")
    wire, asking = Wire(victim.exchange.control_url), Wire(victim.exchange.url)
    try:
        for command in batch:
            headers = {"Content-Type": "application/json"}
            reply = await wire.ask(command.method, f"/sim/{command.path}".encode(), headers, command.body)
            victim.answers[reply.status] += 1
            assert reply.status in {200, 400, 404, 405, 413}, (command, reply)
            if reply.status != 200:
                sentence = reply.json["error"]
                assert sentence, command
                assert "\n" not in sentence, (command, sentence)
                assert "Error(" not in sentence, (command, sentence)
        for fault in (await wire.ask("GET", b"/sim/faults", {})).json["faults"]:
            await wire.ask("DELETE", f"/sim/fault/{fault['id']}".encode(), {})
        for path in (b"exchangeInfo", b"depth?symbol=BTCUSDT", b"ticker/24hr", b"klines?symbol=BTCUSDT&interval=1m"):
            reply = await asking.ask("GET", b"/api/v3/" + path, {})
            assert reply.status in {200, 418, 429}, (batch, path, reply)
        for order in _ORDERS:
            query = urlencode({**order, "symbol": "BTCUSDT", "side": "BUY", "timestamp": wall_ms()})
            target = f"/api/v3/order?{query}&signature={sign(query)}".encode()
            reply = await asking.ask("POST", target, {"X-MBX-APIKEY": API_KEY})
            assert reply.status < 500, (batch, order, reply)
    finally:
        await wire.close()
        await asking.close()
    await victim.examine()
