"""The market data agent: candles read once and extended, and nothing decided on what is stale, broken or rubbish."""

from decimal import Decimal

import msgspec
import pytest

from binance_trade_agent.agents.market_data import LEAST_HISTORY, MarketDataAgent, MarketDataError
from binance_trade_agent.cache.cache import InProcessCache
from binance_trade_agent.domain.candle_series import CandleSeries, Dropped, Flaw, Hole
from binance_trade_agent.domain.candles import MINUTE_MS, Candle
from tests.agents.desk import Desk, always, desk
from tests.said import warnings_in

CANDLES = f"test:candles:BTCUSDT:1m:{LEAST_HISTORY}"


class Shelf(InProcessCache):
    """A cache into which a test can put anything."""

    async def fill_all(self, value: bytes) -> None:
        for key in list(self._entries):
            await self.put(key, value, 60)


class EditedGateway:
    """The real gateway, with candles as a test wants them."""

    def __init__(self, gateway, edit) -> None:
        self._gateway = gateway
        self._edit = edit

    def __getattr__(self, name):
        return getattr(self._gateway, name)

    async def candles(self, symbol: str, interval: str, limit: int) -> list[Candle]:
        return self._edit(await self._gateway.candles(symbol, interval, limit))


def agent_seeing(ready: Desk, edit, larger_interval=None) -> MarketDataAgent:
    return MarketDataAgent(
        EditedGateway(ready.gateway, edit),
        InProcessCache(),
        ready.clock,
        namespace="test",
        interval="1m",
        warm_up=always(300),
        larger_interval=larger_interval,
    )


async def requests(ready: Desk, path: str) -> list[str]:
    return [entry["target"] for entry in await ready.exchange.log() if entry["target"].startswith(f"/api/v3/{path}?")]


async def test_view_holds_closed_candles_prices_rules_and_their_ages(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        await ready.wait(90_000)
        view = await ready.market_data().observe("BTCUSDT")
        assert len(view.candles) == LEAST_HISTORY
        steps = {
            later.open_time_ms - earlier.open_time_ms
            for earlier, later in zip(view.candles, view.candles[1:], strict=False)
        }
        assert steps == {MINUTE_MS}
        assert (view.candle_age_ms, view.book_age_ms) == (30_001, 0)
        assert view.book.bid < view.book.ask
        assert view.rules == ready.rules["BTCUSDT"]


async def test_candle_that_closes_now_is_seen_and_the_open_one_is_not(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        await ready.wait(60_000)
        now_ms = ready.clock.now_ms()
        view = await ready.market_data().observe("BTCUSDT")
        assert view.candles[-1].close_time_ms == now_ms - 1
        await ready.wait(59_999)
        view = await ready.market_data().observe("BTCUSDT")
        assert view.candles[-1].close_time_ms == now_ms - 1


async def test_only_missing_candles_are_fetched_and_the_series_is_the_same(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        market_data = ready.market_data()
        for minutes in (1, 0, 1, 7, 3):
            await ready.wait(minutes * MINUTE_MS)
            extended = await market_data.observe("BTCUSDT")
            assert extended.candles == (await ready.market_data().observe("BTCUSDT")).candles
        limits = [target.rpartition("limit=")[2].partition("&")[0] for target in await requests(ready, "klines")]
        assert limits == ["502", "502", "502", "3", "502", "9", "502", "5", "502"]


async def test_rules_and_book_come_from_the_cache_while_they_are_fresh(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        market_data = ready.market_data()
        before = len(await requests(ready, "exchangeInfo"))
        first = await market_data.book("BTCUSDT")
        await ready.wait(500)
        assert await market_data.book("BTCUSDT") == first
        await ready.wait(1)
        assert (await market_data.book("BTCUSDT")).read_ms == first.read_ms + 501
        for _ in range(3):
            await market_data.rules("BTCUSDT")
        assert len(await requests(ready, "exchangeInfo")) == before + 1


@pytest.mark.parametrize(
    "rubbish", [b"", b"\xff\xfe", b'[{"open_time_ms": "\xff"}]', b"null", b"[]", b"{}", b'"text"', b"[1, 2]"]
)
async def test_rubbish_in_the_cache_changes_nothing(tmp_path, rubbish):
    async with desk(tmp_path, opened=False) as ready:
        shelf = Shelf()
        clean = await ready.market_data(shelf).observe("BTCUSDT")
        await shelf.fill_all(rubbish)
        assert await ready.market_data(shelf).observe("BTCUSDT") == clean


async def test_candles_from_the_future_in_the_cache_are_not_believed(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        shelf = Shelf()
        clean = await ready.market_data(shelf).observe("BTCUSDT")
        ahead = [_moved(candle, 30 * MINUTE_MS) for candle in clean.candles]
        await shelf.put(CANDLES, msgspec.json.encode(ahead), 60)
        assert (await ready.market_data(shelf).observe("BTCUSDT")).candles == clean.candles


async def test_stale_series_gives_nothing_to_decide_on(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        stale = agent_seeing(ready, lambda candles: candles[:-3])
        with pytest.raises(MarketDataError, match="the last closed 1m candle is 120 s old"):
            await stale.observe("BTCUSDT")
        with pytest.raises(MarketDataError, match="no closed 1m candle"):
            await agent_seeing(ready, lambda _: []).observe("BTCUSDT")


async def test_larger_candles_are_looked_at_only_when_they_are_to_confirm(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        assert (await ready.market_data().observe("BTCUSDT")).larger_candles is None
        market_data = ready.market_data(larger_interval="1h")
        await ready.wait(61 * MINUTE_MS)
        view = await market_data.observe("BTCUSDT")
        assert (view.larger_interval, len(view.larger_candles)) == ("1h", LEAST_HISTORY)
        steps = {
            later.open_time_ms - earlier.open_time_ms
            for earlier, later in zip(view.larger_candles, view.larger_candles[1:], strict=False)
        }
        assert steps == {60 * MINUTE_MS}
        assert view.larger_candles[-1].close_time_ms < ready.clock.now_ms()
        assert view.candles == (await ready.market_data().observe("BTCUSDT")).candles
        await ready.wait(MINUTE_MS)
        before = len(await requests(ready, "klines"))
        assert (await market_data.observe("BTCUSDT")).larger_candles == view.larger_candles
        (asked,) = (await requests(ready, "klines"))[before:]
        assert "interval=1m" in asked, "no larger candle has closed since"


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda candles: candles[:-3], "the last closed 1h candle is "),
        (lambda _: [], "no closed 1h candle"),
        (
            lambda candles: [*candles[:-2], _changed(candles[-2], close=Decimal("NaN")), candles[-1]],
            "the newest closed 1h candle is broken",
        ),
        (lambda candles: [_changed(candle, volume=Decimal(0)) for candle in candles], "of the last 20 1h candles"),
    ],
    ids=["stale", "missing", "broken", "quiet"],
)
async def test_larger_candles_that_are_not_sound_confirm_nothing_and_keep_nobody_from_an_exit(
    tmp_path, edit, sentence, caplog
):
    async with desk(tmp_path, opened=False) as ready:
        market_data = agent_seeing(
            ready,
            lambda candles: (
                edit(candles) if candles[-1].close_time_ms - candles[-1].open_time_ms > MINUTE_MS else candles
            ),
            larger_interval="1h",
        )
        view = await market_data.observe("BTCUSDT")
        assert len(view.candles) == LEAST_HISTORY
        assert view.larger_candles == ()
        assert "no entry is confirmed while" in caplog.text
        assert sentence in caplog.text


async def test_larger_candles_that_stay_unsound_are_said_once_until_they_are_sound_again(tmp_path, caplog):
    async with desk(tmp_path, opened=False) as ready:
        late = [0]  # so many larger candles

        def edit(candles: list[Candle]) -> list[Candle]:
            is_larger = candles[-1].close_time_ms - candles[-1].open_time_ms > MINUTE_MS
            return candles[: len(candles) - late[0]] if is_larger else candles

        market_data = agent_seeing(ready, edit, larger_interval="1h")
        said = []
        for late[0], wait_minutes in ((9, 1), (9, 1), (9, 1), (0, 1), (9, 180)):
            await ready.wait(wait_minutes * MINUTE_MS)
            await market_data.observe("BTCUSDT")
            said.append(caplog.text.count("no entry is confirmed while"))
        assert said == [1, 1, 1, 1, 2], caplog.text


async def test_larger_candles_are_stale_by_their_own_interval(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        market_data = ready.market_data(larger_interval="1h")
        await ready.wait(119 * MINUTE_MS)
        view = await market_data.observe("BTCUSDT")
        assert ready.clock.now_ms() - view.larger_candles[-1].close_time_ms == 59 * MINUTE_MS + 1


@pytest.mark.parametrize("wanted", [999, 1000, 1001, 1300])
async def test_candles_that_no_single_answer_holds_come_page_by_page(tmp_path, wanted):
    async with desk(tmp_path, opened=False) as ready:
        candles = await ready.gateway.candles("BTCUSDT", "1m", wanted)
        opened = [candle.open_time_ms for candle in candles]
        assert len(opened) == wanted
        assert opened == list(range(opened[0], opened[0] + wanted * MINUTE_MS, MINUTE_MS))
        assert candles[-1].close_time_ms >= ready.clock.now_ms()


async def test_more_candles_than_there_are_come_as_far_as_they_go(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        some = await ready.gateway.candles("BTCUSDT", "1w", 1000)
        assert len(some) < 1000
        assert await ready.gateway.candles("BTCUSDT", "1w", 5000) == some


async def test_strategy_with_a_longer_warm_up_has_its_candles_at_the_next_look(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        needed = {"BTCUSDT": 300, "ETHUSDT": 300}
        market_data = MarketDataAgent(
            ready.gateway, InProcessCache(), ready.clock, namespace="test", interval="1m", warm_up=needed.__getitem__
        )
        assert len((await market_data.observe("BTCUSDT")).candles) == LEAST_HISTORY
        needed["BTCUSDT"] = 700
        assert len((await market_data.observe("BTCUSDT")).candles) == 700
        assert len((await market_data.observe("ETHUSDT")).candles) == LEAST_HISTORY
        needed["BTCUSDT"] = 300
        assert len((await market_data.observe("BTCUSDT")).candles) == LEAST_HISTORY


async def test_empty_book_gives_nothing_to_decide_on(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        await ready.exchange.control("book", symbol="BTCUSDT", bids=[["63999", "1"]], asks=[])
        with pytest.raises(MarketDataError, match="empty on one side"):
            await ready.market_data().observe("BTCUSDT")


@pytest.mark.parametrize(
    "broken",
    [{"low": "999999"}, {"close": "NaN"}, {"high": "Infinity"}, {"open": "0"}, {"volume": "-1"}],
    ids=lambda broken: next(iter(broken)),
)
async def test_unsound_candle_is_dropped_said_and_asked_for_again(tmp_path, caplog, broken):
    async with desk(tmp_path, opened=False) as ready:
        spoilt = [True]

        def edit(candles: list[Candle]) -> list[Candle]:
            if not spoilt.pop():
                return candles
            spoilt.append(False)
            last_closed = candles[-2]
            changes = {name: Decimal(value) for name, value in broken.items()}
            return [*candles[:-2], _changed(last_closed, **changes), candles[-1]]

        market_data = agent_seeing(ready, edit)
        with pytest.raises(MarketDataError, match="the newest closed 1m candle is broken: "):
            await market_data.observe("BTCUSDT")
        assert sum(market_data.dropped.values()) == 2  # it, and the running one
        assert len([text for text in caplog.messages if text.startswith("BTCUSDT: the 1m candle of ")]) == 1
        spoilt.append(False)
        assert (await market_data.observe("BTCUSDT")).candles == (await ready.market_data().observe("BTCUSDT")).candles


class FlawedFeed:
    """A feed of one series."""

    def __init__(self, series: CandleSeries) -> None:
        self._series = series

    async def series(self, *_: object) -> CandleSeries:
        return self._series


async def test_what_a_feed_left_out_of_its_series_is_counted_and_said_once(tmp_path, caplog):
    async with desk(tmp_path, opened=False) as ready:
        plain = ready.market_data()
        candles = (await plain.observe("BTCUSDT")).candles
        hole = Hole(candles[0].open_time_ms - 120_000, candles[0].open_time_ms)
        dropped = (Dropped(candles[0].open_time_ms - 60_000, Flaw.UNSOUND),)
        agent = agent_seeing(ready, lambda found: found)
        agent._feed = FlawedFeed(CandleSeries(candles, dropped, hole))
        for _ in range(3):
            assert await agent._closed_candles("BTCUSDT", "1m") == candles
    assert agent.dropped == {Flaw.UNSOUND: 1}
    assert [text.partition(" from ")[0].partition(" of ")[0] for text in warnings_in(caplog)] == [
        "BTCUSDT: the 1m candle",
        "BTCUSDT: 1m candles are missing",
    ]


def _changed(candle: Candle, **changes) -> Candle:
    values = {name: getattr(candle, name) for name in Candle.__slots__}
    return Candle(**{**values, **changes})


def _moved(candle: Candle, by_ms: int) -> Candle:
    return _changed(candle, open_time_ms=candle.open_time_ms + by_ms, close_time_ms=candle.close_time_ms + by_ms)
