"""S28: unclosed, repeated, missing, empty and broken candles in the exchange's answers: dropped, counted, not traded on."""

import json
from collections import Counter

import aiohttp
import pytest

from binance_trade_agent.agents.market_data import LEAST_HISTORY
from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.domain.candle_series import Flaw
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.strategies.registry import create_strategy
from tests.agents.desk import Desk, always
from tests.test_orchestrator import Pipeline, pipeline

SYMBOL = "BTCUSDT"
OPEN, HIGH, LOW, CLOSE, VOLUME = 1, 2, 3, 4, 5
NEWEST = -2  # of a whole answer: the last row is the running candle


async def klines(desk: Desk, limit: int = LEAST_HISTORY + 2) -> list[list]:
    """The exchange's own answer."""
    query = f"{desk.exchange.url}/api/v3/klines?symbol={SYMBOL}&interval=1m&limit={limit}"
    async with aiohttp.ClientSession() as session, session.get(query) as answer:
        return await answer.json()


async def answer_with(desk: Desk, rows: list[list], count: int | None = 1) -> int:
    """Let the exchange say `rows` when it is asked for candles; the number of the fault."""
    body = json.dumps(rows)
    return await desk.exchange.fault("http", method="GET", path="klines", status=200, body=body, count=count)


async def klines_asked(desk: Desk) -> int:
    return sum(entry["target"].startswith("/api/v3/klines?") for entry in await desk.exchange.log())


async def minute_later(ready: Pipeline):
    """The decision on the symbol at the next tick, of which the market time has come already."""
    ready.desk.clock.sleep_until, waits = _at_once, ready.desk.clock.sleep_until
    try:
        return (await ready.tick((SYMBOL,)))[SYMBOL]
    finally:
        ready.desk.clock.sleep_until = waits


async def _at_once(_: float) -> None:
    """The market stands where it is."""


def changed(rows: list[list], at: int, **fields: str) -> list[list]:
    columns = {"open": OPEN, "high": HIGH, "low": LOW, "close": CLOSE, "volume": VOLUME}
    spoilt = list(rows[at])
    for name, value in fields.items():
        spoilt[columns[name]] = value
    return [*rows[:at], spoilt, *rows[at:][1:]]


def times(rows: list[list], at: int, factor: int) -> list[list]:
    """The prices of one row, so many times as high."""
    prices = ("open", "high", "low", "close")
    return changed(rows, at, **{name: str(float(rows[at][index]) * factor) for index, name in enumerate(prices, 1)})


BROKEN_END = {
    "NaN": (lambda rows: changed(rows, NEWEST, close="NaN"), Flaw.NOT_A_NUMBER),
    "infinite": (lambda rows: changed(rows, NEWEST, high="Infinity"), Flaw.NOT_A_NUMBER),
    "high below low": (lambda rows: changed(rows, NEWEST, high="1"), Flaw.UNSOUND),
    "price 0": (lambda rows: changed(rows, NEWEST, open="0", high="0", low="0", close="0"), Flaw.UNSOUND),
    "100 times off": (lambda rows: times(rows, NEWEST, 100), Flaw.FAR_OFF),
}


@pytest.mark.parametrize("kind", BROKEN_END)
async def test_s28_broken_newest_candle_gives_no_order_and_the_next_sound_one_does(tmp_path, kind, caplog):
    spoil, flaw = BROKEN_END[kind]
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        await ready.desk.wait(MINUTE_MS)
        rows = await klines(ready.desk)
        fault = await answer_with(ready.desk, spoil(rows), count=None)
        for _ in range(3):  # the market stands still, and the answer stays broken
            decision = await minute_later(ready)
            assert (decision.outcome, decision.detail) == (
                Outcome.NO_DATA,
                f"the newest closed 1m candle is broken: {flaw}",
            )
        market_data = ready.orchestrator._market_data
        assert market_data.dropped == Counter({flaw: 1, Flaw.UNCLOSED: 1})
        assert sum(f"was dropped: {flaw}" in text for text in caplog.messages) == 1
        assert await ready.desk.times_sent() == 0
        await ready.desk.exchange._request("DELETE", f"fault/{fault}", None)
        assert (await minute_later(ready)).outcome is Outcome.EXECUTED
        await ready.desk.assert_reconciled()


async def test_s28_missing_minute_leaves_what_is_after_it_and_too_little_of_that_warms_up(tmp_path, caplog):
    async with pipeline(tmp_path) as ready:
        strategy = create_strategy("rsi_momentum")
        ready.orchestrator._signals = SignalAgent(always(strategy))
        await ready.desk.wait(MINUTE_MS)
        rows = await klines(ready.desk)
        await answer_with(ready.desk, [*rows[:-200], *rows[-199:]], count=1)
        decision = await minute_later(ready)
        assert decision.outcome is Outcome.HELD
        assert decision.detail == f"warming up: 198 of {strategy.warm_up} candles"
        assert sum("candles are missing from" in text for text in caplog.messages) == 1
        # The exchange knows the minute again: with the next candle the whole window is read anew.
        healed = (await ready.tick((SYMBOL,)))[SYMBOL]
        assert "warming up" not in healed.detail
        assert len(ready.orchestrator.views[SYMBOL].candles) == LEAST_HISTORY


async def test_s28_hole_that_one_answer_tears_is_not_believed_before_the_whole_window_is_read(tmp_path):
    async with pipeline(tmp_path) as ready:
        await ready.tick((SYMBOL,))
        before = await klines_asked(ready.desk)
        await ready.desk.wait(MINUTE_MS)
        rows = await klines(ready.desk, limit=2)
        await ready.desk.wait(MINUTE_MS)
        newest = await klines(ready.desk, limit=2)
        assert rows[-1][0] == newest[0][0]
        await answer_with(ready.desk, newest)  # the minute before it is left out
        await minute_later(ready)
        assert (
            await klines_asked(ready.desk) - before == 2 + 2
        )  # of the test, and an answer with a hole and a whole one
        view = ready.orchestrator.views[SYMBOL]
        assert view.candles == (await ready.desk.market_data().observe(SYMBOL)).candles
        assert len(view.candles) == LEAST_HISTORY


async def test_s28_repeated_and_shuffled_candles_change_no_decision(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        await ready.desk.wait(MINUTE_MS)
        rows = await klines(ready.desk)
        await answer_with(ready.desk, [*reversed(rows[:-1]), *rows[-5:-1], rows[-1]])
        decision = await minute_later(ready)
        assert decision.outcome is Outcome.EXECUTED
        assert ready.orchestrator.views[SYMBOL].candles == (await ready.desk.market_data().observe(SYMBOL)).candles
        assert ready.orchestrator._market_data.dropped == Counter({Flaw.REPEATED: 4, Flaw.UNCLOSED: 1})


async def test_s28_running_candle_is_never_decided_on(tmp_path):
    async with pipeline(tmp_path) as ready:
        await ready.desk.wait(MINUTE_MS + 59_998)
        await minute_later(ready)
        last = ready.orchestrator.views[SYMBOL].candles[-1]
        assert last.close_time_ms < ready.desk.clock.now_ms() <= last.close_time_ms + MINUTE_MS


@pytest.mark.parametrize(("quiet", "outcome"), [(10, Outcome.EXECUTED), (11, Outcome.NO_DATA), (300, Outcome.NO_DATA)])
async def test_s28_series_in_which_hardly_anybody_traded_is_stale(tmp_path, quiet, outcome):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        await ready.desk.wait(MINUTE_MS)
        rows = await klines(ready.desk)
        for at in range(len(rows) - 1 - quiet, len(rows) - 1):
            rows = changed(rows, at, volume="0.00000000")
        await answer_with(ready.desk, rows)
        decision = await minute_later(ready)
        assert decision.outcome is outcome
        if outcome is Outcome.NO_DATA:
            assert decision.detail == f"nobody traded in {min(quiet, 20)} of the last 20 1m candles"
            assert await ready.desk.times_sent() == 0
        else:
            assert len(ready.orchestrator.views[SYMBOL].candles) == LEAST_HISTORY


async def test_s28_series_that_ends_too_early_is_stale(tmp_path):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY) as ready:
        await ready.desk.wait(MINUTE_MS)
        await answer_with(ready.desk, (await klines(ready.desk))[:-4])
        decision = await minute_later(ready)
        assert (decision.outcome, decision.detail) == (Outcome.NO_DATA, "the last closed 1m candle is 180 s old")
        await answer_with(ready.desk, [])
        assert (await minute_later(ready)).detail == "no closed 1m candle"
        assert await ready.desk.times_sent() == 0
