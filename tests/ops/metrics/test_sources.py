"""Where the numbers come from: names stay bounded whatever is counted, and reading never disturbs who counts."""

import asyncio
import contextlib
import dataclasses
import itertools
import threading
from collections import Counter, defaultdict
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Role, Side
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.ledger.counts import LedgerCounts
from binance_trade_agent.ops.loop_lag import LoopLag
from binance_trade_agent.ops.metrics.catalogue import METRICS
from binance_trade_agent.ops.metrics.samples import Samples
from binance_trade_agent.ops.metrics.sources import OTHER, Sources
from binance_trade_agent.ops.reactions import Reactions
from binance_trade_agent.ops.tick_times import TickTimes
from binance_trade_agent.ops.vitals import StreamVitals, Vitals
from binance_trade_agent.settings import Settings
from tests.agents.desk import desk
from tests.ops.metrics.reading import text_of
from tests.survival.trader import decided_now, trader

TRADED = ("BTCUSDT", "ETHUSDT")
symbols = st.text(min_size=1, max_size=12) | st.sampled_from(TRADED)
counts = st.integers(min_value=1, max_value=10**9)


def sources_of(ledger_counts: LedgerCounts, decided=(), looked_up=(), traded=TRADED) -> Sources:
    """Sources whose parts have counted this much."""
    requests = SimpleNamespace(unanswered=0, by_endpoint={})
    parts = SimpleNamespace(
        loop=SimpleNamespace(ticks=TickTimes(), missed_ticks=0, decided=Counter(dict(decided)), reactions=Reactions()),
        connection=SimpleNamespace(gateway=SimpleNamespace(requests=requests)),
        market_data=SimpleNamespace(looked_up=Counter(dict(looked_up))),
    )
    return Sources(
        Settings(trading_symbols=traded),
        parts,
        SimpleNamespace(latest=None, loop_lag=LoopLag()),
        ledger_counts,
        SimpleNamespace(found=None, done_ms=None),
        {},
        {},
    )


@given(
    st.dictionaries(st.tuples(symbols, st.sampled_from(["HELD", "REFUSED"]), st.just("")), counts, max_size=20),
    st.dictionaries(st.tuples(symbols, st.sampled_from(["BUY", "SELL"])), counts, max_size=20),
    st.dictionaries(st.tuples(symbols, st.just("USDT")), st.decimals(0, 10**6, places=4), max_size=20),
)
def test_a_symbol_is_named_only_where_it_is_traded_and_nothing_is_lost_by_that(decided, fills, volume):
    ledger_counts = LedgerCounts()
    ledger_counts.fills.update(fills)
    ledger_counts.volume_quote = defaultdict(Decimal, volume)
    samples = Samples()
    sources_of(ledger_counts, decided).put_counts(samples)
    told = text_of(samples)
    for name, values in told.items():
        metric = METRICS.get(name)
        if metric and "symbol" in metric.labels:
            place = metric.labels.index("symbol")
            assert {value[place] for value in values} <= {*TRADED, OTHER}
    assert sum(told.get("trade_agent_decisions_total", {}).values()) == sum(decided.values())
    assert sum(told.get("trade_agent_fills_total", {}).values()) == sum(fills.values())
    assert sum(told.get("trade_agent_traded_quote_total", {}).values()) == pytest.approx(float(sum(volume.values())))


def test_five_hundred_symbols_to_which_everything_has_happened_are_some_thousand_series():
    traded = tuple(f"S{number}USDT" for number in range(500))
    ledger_counts = LedgerCounts()
    ledger_counts.fills.update(itertools.product(traded, Side))
    ledger_counts.orders.update(itertools.product(traded, Side, Role, OrderState))
    decided = dict.fromkeys(itertools.product(traded, Outcome, ["cooldown", "drawdown"]), 1)
    samples = Samples()
    sources_of(ledger_counts, decided, traded=traded).put_counts(samples)
    told = text_of(samples)
    assert len(told["trade_agent_decisions_total"]) == 500 * len(Outcome)
    assert len(told["trade_agent_order_states_total"]) == len(Side) * len(Role) * len(OrderState)
    assert sum(map(len, told.values())) < 7_000


def test_it_is_read_while_others_count():
    ledger_counts, ended = LedgerCounts(), threading.Event()
    keys = [(f"S{number}", "BUY") for number in range(500)]

    def count() -> None:
        for key in itertools.cycle(keys):
            if ended.is_set():
                return
            ledger_counts.fills[key] += 1
            if ledger_counts.fills.total() % 1000 == 999:
                ledger_counts.fills.clear()  # so that it changes its size, too

    counting = threading.Thread(target=count)
    counting.start()
    try:
        for _ in range(100):
            samples = Samples()
            sources_of(ledger_counts).put_counts(samples)
            told = text_of(samples).get("trade_agent_fills_total", {})
            assert set(told) <= {(OTHER, "BUY")}
    finally:
        ended.set()
        counting.join()


async def test_what_is_written_after_its_caller_was_cancelled_is_counted_too(tmp_path):
    async with desk(tmp_path) as ready:
        before = ready.ledger.counts.commits.count
        write = asyncio.ensure_future(ready.ledger.raise_alarm("late_fill", "x", "a text", 1))
        await asyncio.wait({write}, timeout=0)
        write.cancel()
        await asyncio.gather(write, return_exceptions=True)
        assert [alarm.kind for alarm in await ready.ledger.alarms()] == ["late_fill"]
        assert ready.ledger.counts.commits.count == before + 1


async def test_what_was_not_committed_is_not_counted(tmp_path):
    async with desk(tmp_path) as ready:
        before = ready.ledger.counts.commits.count
        with pytest.raises(ZeroDivisionError):
            await ready.ledger.write(lambda _: 1 // 0)
        assert ready.ledger.counts.commits.count == before


async def test_an_order_whose_outcome_is_not_seen_came_to_unknown(tmp_path):
    async with trader(tmp_path, BTCUSDT=Action.BUY) as ready:
        await ready.desk.exchange.fault("unknown_not_executed", method="POST", path="order")
        await decided_now(ready)
        orders = ready.desk.ledger.counts.orders
        assert orders["BTCUSDT", "BUY", "ENTRY", OrderState.UNKNOWN.value] == 1
        assert orders["BTCUSDT", "BUY", "ENTRY", OrderState.FILLED.value] == 0
        assert ready.desk.gateway.requests.by_endpoint["POST order", "unknown"].count == 1


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({}, "ok"),
        ({"kind": "http", "status": 400, "body": '{"code": -1121, "msg": "Invalid symbol."}'}, "rejected"),
        ({"kind": "http", "status": 401, "body": '{"code": -2015, "msg": "Invalid API-key."}'}, "auth"),
        ({"kind": "http", "status": 429, "body": '{"code": -1003, "msg": "Too many requests."}'}, "rate_limited"),
        ({"kind": "http", "status": 418, "body": '{"code": -1003, "msg": "Banned."}'}, "banned"),
        ({"kind": "http", "status": 502, "body": "<html>"}, "unavailable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_request_is_counted_by_how_it_ended(tmp_path, fault, outcome):
    async with desk(tmp_path) as ready:
        if fault:
            await ready.exchange.fault(**fault, method="GET", path="ticker/price")
        with contextlib.suppress(ExchangeError):
            await ready.gateway.last_price("BTCUSDT")
        seen = {key: each.count for key, each in ready.gateway.requests.by_endpoint.items() if "ticker" in key[0]}
        assert seen == {("GET ticker/price", outcome): 1}


def test_each_connection_of_the_market_feed_is_a_stream():
    told = Vitals(market_streams={"candle stream 1": StreamVitals(is_live=True), "shared feed": StreamVitals()})
    samples = Samples()
    vitals = SimpleNamespace(latest=told, beat_wall_ms=None)
    dataclasses.replace(sources_of(LedgerCounts()), vitals=vitals).put_vitals(samples)
    assert text_of(samples)["trade_agent_stream_up"] == {("candle 1",): 1, ("shared feed",): 0}


async def test_a_question_to_the_cache_is_a_hit_where_what_it_held_was_used(tmp_path):
    async with desk(tmp_path) as ready:
        market_data = ready.market_data()
        await market_data.observe("BTCUSDT")
        await market_data.observe("BTCUSDT")
        await ready.wait(60_000)
        await market_data.observe("BTCUSDT")
    samples = Samples()
    sources_of(LedgerCounts(), looked_up=market_data.looked_up).put_counts(samples)
    assert text_of(samples)["trade_agent_cache_lookups_total"] == {
        ("rules", "miss"): 1,
        ("rules", "hit"): 2,
        ("candles", "miss"): 1,
        ("candles", "hit"): 2,
        ("book", "miss"): 2,
        ("book", "hit"): 1,
    }
