"""Downloads: from a stand-in for the archive and from the real simulated exchange, through the faults of a network."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from binance_trade_agent.history import download as download_module
from binance_trade_agent.history.archive import ArchiveFile
from binance_trade_agent.history.download import Fetched, Wanted, download
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.klines import KlinesSource, market_of
from binance_trade_agent.history.store import CandleStore, Provenance
from binance_trade_agent.history.web import UnreachableError, open_web
from tests.exchange_process import RunningExchange, running_exchange
from tests.history.archive_server import Archive, running_archive
from tests.history.candles import DAY_MS, HOUR_MS, NEW_YEAR_MS, made_candles, same, without, write_csv

# January to 2024-03-03T12:00 by the hour; it is half past eleven on that day.
MARKET = without(made_candles(62 * 24 + 12), 100, 101, 1000)
FEBRUARY_MS, MARCH_MS = NEW_YEAR_MS + 31 * DAY_MS, NEW_YEAR_MS + 60 * DAY_MS
NOW = "2024-03-03T11:30:00Z"
CLOSED = MARKET.between(0, MARCH_MS + 2 * DAY_MS + 11 * HOUR_MS)
JANUARY, FEBRUARY = (ArchiveFile.of_month("BTCUSDT", "1h", at_ms) for at_ms in (NEW_YEAR_MS, FEBRUARY_MS))
FIRST_OF_MARCH, SECOND_OF_MARCH = (ArchiveFile.of_day("BTCUSDT", "1h", MARCH_MS + n * DAY_MS) for n in range(2))


@dataclass
class Told:
    """Progress that is remembered; after so many pieces it stops the download."""

    stop: Callable[[], object]
    stop_after: int | None = None
    expected: int = 0
    came: int = 0
    pieces: list[str] = field(default_factory=list)

    def expect(self, label, count) -> None:
        assert label == "BTCUSDT 1h"
        self.expected += count

    def advance(self, label, piece, count, found) -> None:
        assert label == "BTCUSDT 1h"
        self.came += count
        self.pieces.append(f"{piece}: {found}")
        if len(self.pieces) == self.stop_after:
            self.stop()


class Desk:
    """A data folder, the simulated exchange and the archive, and what a download of them did."""

    def __init__(self, tmp_path, exchange: RunningExchange, archive: Archive) -> None:
        self.folder = tmp_path
        self.exchange = exchange
        self.archive = archive
        self.pauses: list[float] = []

    async def fetch(
        self, folder: str = "store", *, archive: bool = True, stop_after: int | None = None, **wanted
    ) -> Fetched:
        self.told = Told(asyncio.current_task().cancel, stop_after)
        async with open_web(self.pause) as web:
            source = await KlinesSource.reach(web, self.exchange.url, ["BTCUSDT"], self.folder)
            archive_url = self.archive.url if archive else None
            return await download(self.store(folder), source, archive_url, Wanted("BTCUSDT", "1h", **wanted), self.told)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def store(self, folder: str = "store") -> CandleStore:
        return CandleStore(self.folder / folder)

    def held(self, folder: str = "store"):
        return self.store(folder).read("BTCUSDT", "1h")

    async def klines_asked(self) -> int:
        return sum("/klines" in request["target"] for request in await self.exchange.log())


@pytest.fixture
async def desk(tmp_path):
    path = write_csv(tmp_path / "BTCUSDT-1h.csv", MARKET)
    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(running_exchange(replay=(path,), start=NOW, speed=None))
        archive = await stack.enter_async_context(running_archive())
        archive.put(MARKET, JANUARY)
        archive.put(MARKET, FEBRUARY, unit=1000)  # spot files have microseconds from 2025 on
        archive.put(MARKET, FIRST_OF_MARCH)
        yield Desk(tmp_path, exchange, archive)


class TestWhole:
    async def test_months_days_and_today_to_the_last_closed_candle(self, desk):
        fetched = await desk.fetch()
        assert (fetched.new, fetched.failures) == (len(CLOSED), [])
        assert same(desk.held(), CLOSED)
        assert desk.archive.names_asked() == ["BTCUSDT-1h-2024-01", "BTCUSDT-1h-2024-02", "BTCUSDT-1h-2024-03-01"]
        assert desk.told.came == desk.told.expected == 62 * 24 + 11
        assert sorted(desk.told.pieces)[:2] == ["2024-01: 742", "2024-02: 695"]

    async def test_the_same_from_the_exchange_alone(self, desk):
        await desk.fetch(archive=False)
        assert same(desk.held(), CLOSED)
        assert not desk.archive.asked

    async def test_a_second_download_asks_for_nothing_although_there_are_gaps(self, desk):
        await desk.fetch()
        asked = desk.archive.asked.total(), await desk.klines_asked()
        fetched = await desk.fetch()
        assert fetched.new == 0
        assert (desk.archive.asked.total(), await desk.klines_asked()) == asked

    async def test_it_goes_on_when_the_market_does(self, desk):
        await desk.fetch()
        await desk.exchange.advance(HOUR_MS)
        fetched = await desk.fetch()
        assert (fetched.new, desk.told.pieces) == (1, ["from 2024-03-03T11:00:00Z: 1"])
        assert same(desk.held(), MARKET)

    async def test_a_period_and_then_what_lies_before_and_after_it(self, desk):
        from_ms, before_ms = FEBRUARY_MS + 5 * DAY_MS, FEBRUARY_MS + 6 * DAY_MS
        await desk.fetch(start_ms=from_ms, end_ms=before_ms)
        assert same(desk.held(), MARKET.between(from_ms, before_ms))
        await desk.fetch(start_ms=0)
        assert same(desk.held(), CLOSED)

    async def test_candles_that_were_imported_are_not_fetched_again(self, desk):
        desk.store().add(MARKET.between(*JANUARY.span))
        await desk.fetch()
        assert same(desk.held(), CLOSED)
        assert "BTCUSDT-1h-2024-01" not in desk.archive.names_asked()

    async def test_no_request_carries_a_key(self, desk):
        await desk.fetch()
        sent = [name.lower() for headers in desk.archive.headers for name in headers]
        assert not [name for name in sent if "mbx" in name or "auth" in name or "cookie" in name]
        assert not [request for request in await desk.exchange.log() if "signature" in request["target"]]


class TestFaults:
    async def test_a_broken_connection_429_and_503_are_tried_again(self, desk):
        desk.archive.faults[JANUARY.path] = ["reset", "429"]
        desk.archive.faults[f"{FEBRUARY.path}.CHECKSUM"] = ["503", "reset"]
        fetched = await desk.fetch()
        assert (fetched.failures, same(desk.held(), CLOSED)) == ([], True)
        assert 7 in desk.pauses  # the Retry-After of 429
        assert desk.archive.asked[JANUARY.path] == 3

    async def test_a_wrong_checksum_is_fetched_once_more(self, desk):
        desk.archive.faults[JANUARY.path] = ["wrong"]
        fetched = await desk.fetch()
        assert (fetched.failures, same(desk.held(), CLOSED)) == ([], True)
        assert desk.archive.asked[JANUARY.path] == 2

    async def test_then_it_is_refused_and_the_rest_is_kept_and_fetched_when_it_is_right(self, desk):
        desk.archive.faults[JANUARY.path] = ["wrong", "wrong"]
        (failure,) = (await desk.fetch(start_ms=NEW_YEAR_MS)).failures
        assert failure.startswith(f"{desk.archive.url}/{JANUARY.path} has the SHA-256 ")
        assert same(desk.held(), CLOSED.between(FEBRUARY_MS, 2**62))
        asked = desk.archive.asked[FEBRUARY.path]
        assert (await desk.fetch(start_ms=NEW_YEAR_MS)).failures == []
        assert same(desk.held(), CLOSED)
        assert desk.archive.asked[FEBRUARY.path] == asked

    async def test_a_month_that_the_archive_lacks_is_fetched_by_day_and_a_day_from_the_exchange(self, desk):
        del desk.archive.files[f"{FEBRUARY.path}.CHECKSUM"]
        for day in range(0, 29, 2):
            desk.archive.put(MARKET, ArchiveFile.of_day("BTCUSDT", "1h", FEBRUARY_MS + day * DAY_MS))
        fetched = await desk.fetch()
        assert (fetched.failures, same(desk.held(), CLOSED)) == ([], True)
        assert desk.told.came == desk.told.expected
        assert await desk.klines_asked() == 1 + 14 + 2  # the first candle, half the days, the second of March, today

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"no zip", "BTCUSDT-1h-2024-01.zip is not a whole zip file"),
            (f"{NEW_YEAR_MS},2,1,1,1,1\n", "BTCUSDT-1h-2024-01.csv:1: high 1 is below open 2"),
        ],
    )
    async def test_a_file_that_is_broken_within_is_refused_with_its_place(self, desk, content, said):
        put = desk.archive.put_bytes if isinstance(content, bytes) else desk.archive.put_text
        put(content, JANUARY)
        (failure,) = (await desk.fetch()).failures
        assert failure.startswith(said)

    async def test_a_host_that_is_gone_ends_it_and_what_came_before_is_kept(self, desk):
        desk.archive.faults[FEBRUARY.path] = ["reset"] * 5
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:\d+ did not answer in 5 tries: "):
            await desk.fetch(start_ms=NEW_YEAR_MS)
        assert desk.pauses[-4:] == [0.5, 1, 2, 4]
        assert 0 < len(desk.held()) < len(CLOSED)
        await desk.fetch(start_ms=NEW_YEAR_MS)
        assert same(desk.held(), CLOSED)

    async def test_a_ban_is_not_waited_for(self, desk):
        desk.archive.faults[f"{JANUARY.path}.CHECKSUM"] = ["ban"]
        with pytest.raises(UnreachableError, match="has banned this address for 7200 s; go on with the download after"):
            await desk.fetch()
        assert desk.pauses == []

    async def test_429_of_the_exchange_is_waited_for(self, desk):
        await desk.exchange.fault("http", status=429, path="klines", retry_after_seconds=0)
        await desk.fetch()
        assert same(desk.held(), CLOSED)

    async def test_the_exchanges_own_limit_is_obeyed_and_outlives_the_process(self, desk):
        await desk.exchange.fault("http", status=418, path="klines", retry_after_seconds=3600)
        with pytest.raises(UnreachableError, match="has banned this address for 3600 s"):
            await desk.fetch()
        with pytest.raises(UnreachableError, match="The exchange has asked us to wait"):
            await desk.fetch()


class TestKilled:
    @pytest.mark.parametrize("after", [1, 2, 4])
    async def test_a_download_that_was_killed_goes_on_and_equals_one_done_at_once(self, desk, after, monkeypatch):
        monkeypatch.setattr(download_module, "_KEPT_BACK_ROWS", 1)
        monkeypatch.setattr(download_module, "_KEPT_BACK_FRACTION", 0)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.ensure_future(desk.fetch(stop_after=after))
        before = len(desk.held())
        fetched = await desk.fetch()
        assert fetched.new == len(CLOSED) - before
        await desk.fetch("at once")
        assert same(desk.held(), desk.held("at once"))
        assert desk.store().provenance("BTCUSDT", "1h") == desk.store("at once").provenance("BTCUSDT", "1h")


class TestRefusals:
    async def test_an_unknown_symbol_is_told_with_the_nearest(self, desk):
        async with open_web() as web:
            with pytest.raises(HistoryError, match=r"has no symbol BTCUSD; did you mean BTCUSDT\?"):
                await KlinesSource.reach(web, desk.exchange.url, ["BTCUSDT", "BTCUSD"], desk.folder)

    async def test_what_is_no_exchange(self, desk):
        async with open_web() as web:
            with pytest.raises(HistoryError, match="answered HTTP 404 with what is not JSON"):
                await KlinesSource.reach(web, desk.archive.url, ["BTCUSDT"], desk.folder)

    async def test_candles_of_two_exchanges_are_not_mixed(self, desk):
        desk.store().add(MARKET, Provenance("binance"))
        with pytest.raises(
            HistoryError, match=r"holds candles of binance, which those of simulated .* do not continue"
        ):
            await desk.fetch()

    async def test_a_period_that_lies_ahead_or_before_any_candle(self, desk):
        with pytest.raises(HistoryError, match="no closed 1h candle opens in that period"):
            await desk.fetch(start_ms=MARCH_MS + 9 * DAY_MS)
        fetched = await desk.fetch(start_ms=NEW_YEAR_MS - 9 * DAY_MS, end_ms=NEW_YEAR_MS - DAY_MS)
        assert (fetched.new, desk.held()) == (0, None)


def test_all_addresses_of_production_are_one_market_and_no_other_is():
    production = ["https://api.binance.com", "https://api3.binance.com", "https://data-api.binance.vision"]
    others = ["https://testnet.binance.vision", "https://demo-api.binance.com", "http://127.0.0.1:8090"]
    assert [market_of(url) for url in production] == ["binance"] * 3
    assert [market_of(url) for url in others] == ["testnet.binance.vision", "demo-api.binance.com", "127.0.0.1:8090"]
