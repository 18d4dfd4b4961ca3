"""The market board is kept from the real exchange, for who looks, and nothing is asked while nobody does."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

from binance_trade_agent import daemon
from binance_trade_agent.agents import market_publisher
from binance_trade_agent.agents.indicator_reader import CANDLES_SHOWN, IndicatorReader
from binance_trade_agent.agents.market_publisher import CANDLES_KEPT, MOST_SYMBOLS, MarketPublisher
from binance_trade_agent.cache.cache import InProcessCache
from binance_trade_agent.cache.market_board import MarketBoard, Wish
from binance_trade_agent.cache.shared import board_namespace, shared_cache
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.many import FEW_SYMBOLS
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.exchange.weights import cost
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import give_way, machine_time, sleep_seconds, wall_ms
from binance_trade_agent.ops.tasks import spawn, stop
from binance_trade_agent.strategies.frame import candle_frame
from binance_trade_agent.strategies.in_use import StrategiesInUse
from binance_trade_agent.strategies.registry import create_strategy
from binance_trade_agent.strategies.rsi_momentum import RsiMomentum
from tests.agents.desk import Desk, desk
from tests.exchange_process import running_exchange
from tests.said import warnings_in
from tests.test_daemon import EAGER, configured


class Machine:
    """A machine whose time passes when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def wall_ms(self) -> int:
        return 1_760_000_000_000 + round(self.seconds * 1000)

    def monotonic_seconds(self) -> float:
        return self.seconds


@dataclass
class Studio:
    """A publisher on a desk, whose seconds the test beats."""

    desk: Desk
    board: MarketBoard
    machine: Machine
    publisher: MarketPublisher
    held: set[str]
    views: dict[str, MarketView] = field(default_factory=dict)

    async def look(self, *wanted: tuple[str, str]) -> None:
        """Somebody looks at these symbols, in candles of these intervals."""
        await self.board.want("dashboard", [Wish(symbol, interval, wall_ms()) for symbol, interval in wanted])

    async def beat(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.machine.seconds += 1
            await self.publisher.beat()

    async def asked(self) -> list[tuple[str, dict[str, str]]]:
        """What the exchange was asked since the beginning: path and parameters."""
        targets = [urlsplit(request["target"]) for request in await self.desk.exchange.log()]
        return [(target.path.removeprefix("/api/v3/"), dict(parse_qsl(target.query))) for target in targets]

    async def asked_during(self, seconds: int) -> list[tuple[str, dict[str, str]]]:
        """What it was asked in the next seconds."""
        before = len(await self.asked())
        await self.beat(seconds)
        return (await self.asked())[before:]

    async def tick(self, symbol: str) -> MarketView:
        """What a tick sees of a symbol."""
        self.views[symbol] = view = await self.desk.market_data().observe(symbol)
        return view


@asynccontextmanager
async def studio(
    tmp_path,
    *,
    listed=("BTCUSDT", "ETHUSDT"),
    traded=("BTCUSDT",),
    params=None,
    create=create_strategy,
) -> AsyncIterator[Studio]:
    machine, views = Machine(), {}
    with machine_time(machine):
        async with desk(tmp_path, opened=False, symbols=listed) as ready:
            board = MarketBoard(InProcessCache(), "test")
            strategies = StrategiesInUse(StrategyChoice("rsi_momentum", params or {}), traded, create)
            reader = IndicatorReader(strategies.of)
            held: set[str] = set()
            publisher = MarketPublisher(board, ready.gateway, ready.clock, traded, "1m", views, reader, lambda: held)
            yield Studio(ready, board, machine, publisher, held, views)


async def test_while_nobody_looks_ticks_are_put_up_and_the_exchange_is_asked_nothing(tmp_path):
    async with studio(tmp_path) as ours:
        view = await ours.tick("BTCUSDT")
        assert await ours.asked_during(30) == []
        quote, candles = await ours.board.quote("BTCUSDT"), await ours.board.candles("BTCUSDT", "1m")
        assert (quote.bid, quote.ask, quote.last_price) == (view.book.bid, view.book.ask, None)
        assert quote.read_ms == view.book.read_ms
        assert candles.candles == tuple(view.candles)
        assert await ours.board.rules("BTCUSDT") == view.rules
        assert await ours.board.book("BTCUSDT") is None
        assert await ours.board.day("BTCUSDT") is None


async def test_of_many_symbols_those_are_put_up_that_somebody_looks_at_or_that_are_held(tmp_path):
    many = tuple(f"{name}USDT" for name in ("BTC", "ETH", *(f"X{n}" for n in range(FEW_SYMBOLS))))
    async with studio(tmp_path, traded=many) as ours:
        await ours.tick("BTCUSDT")
        view = await ours.tick("ETHUSDT")
        assert await ours.asked_during(3) == []
        assert await ours.board.quote("BTCUSDT") is None
        ours.held.add("ETHUSDT")
        assert await ours.asked_during(1) == []
        assert (await ours.board.quote("ETHUSDT")).bid == view.book.bid
        assert await ours.board.candles("BTCUSDT", "1m") is None
        await ours.look(("BTCUSDT", "1m"))
        await ours.beat()
        assert await ours.board.rules("BTCUSDT") is not None
        assert await ours.board.quote("BTCUSDT") is not None
        assert len((await ours.board.candles("BTCUSDT", "1m")).candles) > 100


async def test_a_symbol_that_a_tick_sees_first_while_another_is_put_up_is_put_up_next(tmp_path, monkeypatch):
    async with studio(tmp_path, traded=("BTCUSDT", "ETHUSDT")) as ours:
        monkeypatch.setattr(market_publisher, "give_way", lambda: ours.tick("ETHUSDT"))
        await ours.tick("BTCUSDT")
        await ours.beat()
        assert await ours.board.quote("BTCUSDT") is not None
        await ours.beat()
        assert await ours.board.quote("ETHUSDT") is not None


async def test_everything_else_has_its_turn_between_two_symbols_that_are_put_up(tmp_path):
    turns = []

    async def others():
        while True:
            turns.append(len(turns))
            await give_way()

    async with studio(tmp_path, traded=("BTCUSDT", "ETHUSDT")) as ours:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            await ours.tick(symbol)
        going = spawn(others(), name="others")
        await ours.beat()
        await stop(going)
    assert len(turns) >= 2


async def test_age_of_what_a_tick_saw_is_that_of_its_reading(tmp_path):
    async with studio(tmp_path) as ours:
        await ours.tick("BTCUSDT")
        ours.desk.clock.speed = 60.0
        await ours.desk.exchange.advance(30_000)  # half a second of the machine at this speed
        await ours.desk.gateway.synchronise()
        await ours.beat()
        assert wall_ms() - (await ours.board.quote("BTCUSDT")).read_wall_ms == 500


async def test_what_somebody_looks_at_is_all_there_after_one_beat(tmp_path):
    async with studio(tmp_path) as ours:
        gateway = ours.desk.gateway
        await ours.look(("BTCUSDT", "5m"))
        await ours.beat()
        book, quote = await ours.board.book("BTCUSDT"), await ours.board.quote("BTCUSDT")
        depth = await gateway.depth("BTCUSDT", 100)
        assert (book.bids, book.asks) == (depth.bids, depth.asks)
        assert (quote.bid, quote.bid_quantity) == depth.bids[0]
        assert (quote.ask, quote.ask_quantity) == depth.asks[0]
        assert quote.last_price == await gateway.last_price("BTCUSDT")
        candles = await ours.board.candles("BTCUSDT", "5m")
        assert list(candles.candles) == await gateway.candles("BTCUSDT", "5m", CANDLES_SHOWN)
        assert candles.candles[-1].close_time_ms > ours.desk.clock.now_ms(), "the running candle is the last"
        day, said = (
            await ours.board.day("BTCUSDT"),
            await (await ours.desk.exchange.client()).get_ticker(symbol="BTCUSDT"),
        )
        prices = [said[name] for name in ("openPrice", "highPrice", "lowPrice", "lastPrice", "priceChangePercent")]
        assert [day.open, day.high, day.low, day.last, day.change_pct] == [Decimal(price) for price in prices]
        assert (day.volume_base, day.volume_quote) == (Decimal(said["volume"]), Decimal(said["quoteVolume"]))
        assert day.trades == said["count"]
        assert {note.read_wall_ms for note in (book, quote, candles, day)} == {wall_ms()}


async def test_a_minute_of_looking_takes_a_tenth_of_the_weight(tmp_path):
    async with studio(tmp_path) as ours:
        await ours.look(("BTCUSDT", "1m"))
        await ours.beat()
        asked = []
        for _ in range(6):
            await ours.look(("BTCUSDT", "1m"))
            asked += await ours.asked_during(10)
        assert Counter(path for path, _ in asked) == {
            "depth": 60,
            "ticker/price": 60,
            "klines": 30,
            "ticker/24hr": 6,
        }
        assert sum(cost("get", path, sent).weight for path, sent in asked) <= 600
        assert {int(sent["limit"]) for path, sent in asked if path == "klines"} == {2}


async def test_candles_are_joined_to_those_that_are_up(tmp_path):
    async with studio(tmp_path) as ours:
        await ours.look(("BTCUSDT", "1m"))
        await ours.beat()
        await ours.desk.wait(3 * MINUTE_MS)
        asked = await ours.asked_during(1)  # at once: a candle has closed
        assert [sent["limit"] for path, sent in asked if path == "klines"] == ["4"]
        candles = (await ours.board.candles("BTCUSDT", "1m")).candles
        assert list(candles) == await ours.desk.gateway.candles("BTCUSDT", "1m", CANDLES_SHOWN)


async def test_after_a_gap_longer_than_what_is_kept_all_candles_are_read_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(market_publisher, "CANDLES_KEPT", 40)
    async with studio(tmp_path) as ours:
        await ours.look(("BTCUSDT", "1m"))
        await ours.beat()
        await ours.desk.exchange.advance(40 * MINUTE_MS)
        await ours.desk.gateway.synchronise()
        asked = await ours.asked_during(1)
        assert [sent["limit"] for path, sent in asked if path == "klines"] == ["40"]
        candles = (await ours.board.candles("BTCUSDT", "1m")).candles
        assert list(candles) == await ours.desk.gateway.candles("BTCUSDT", "1m", 40)


async def test_ticks_do_not_overwrite_what_is_read_more_often(tmp_path):
    async with studio(tmp_path) as ours:
        await ours.look(("BTCUSDT", "1m"))
        await ours.beat()
        await ours.tick("BTCUSDT")
        await ours.beat()
        assert (await ours.board.quote("BTCUSDT")).last_price is not None
        assert (await ours.board.candles("BTCUSDT", "1m")).candles[-1].close_time_ms > ours.desk.clock.now_ms()


async def test_indicators_are_those_of_the_strategy_over_closed_candles(tmp_path):
    async with studio(tmp_path, params={"rsi_period": "7"}) as ours:
        await ours.look(("BTCUSDT", "5m"))
        await ours.beat()
        seen = await ours.board.indicators("BTCUSDT", "5m")
        closed = (await ours.desk.gateway.candles("BTCUSDT", "5m", CANDLES_KEPT))[:-1]
        columns = create_strategy("rsi_momentum", {"rsi_period": 7}).columns(candle_frame(closed))
        assert seen.columns.keys() == {"rsi"}
        assert seen.columns["rsi"] == tuple(columns["rsi"][-CANDLES_SHOWN:])
        assert seen.open_times_ms == tuple(candle.open_time_ms for candle in closed[-CANDLES_SHOWN:])
        assert (seen.strategy, seen.parameters["rsi_oversold"], seen.trouble) == ("rsi_momentum", 30.0, "")


async def test_indicators_are_worked_out_when_a_candle_closes_and_not_before(tmp_path):
    asked = []

    class Counting(RsiMomentum):
        def vote(self, frame):
            asked.append(int(frame.index[-1]))
            return super().vote(frame)

    async with studio(tmp_path, create=lambda _name, params: Counting(Counting.Params(**params))) as ours:
        await ours.look(("BTCUSDT", "1m"))
        await ours.beat(6)
        assert len(asked) == 1
        await ours.desk.wait(MINUTE_MS)
        await ours.beat(6)
        assert asked == [asked[0], asked[0] + MINUTE_MS]


async def test_strategy_that_raises_shows_its_words_and_the_candles_all_the_same(tmp_path):
    class Broken(RsiMomentum):
        def vote(self, _):
            raise SystemExit("no")

    async with studio(tmp_path, create=lambda _name, params: Broken(Broken.Params(**params))) as ours:
        await ours.look(("BTCUSDT", "1m"))
        await ours.beat(3)
        seen = await ours.board.indicators("BTCUSDT", "1m")
        assert seen.columns == {}
        assert "strategy rsi_momentum raised SystemExit: no" in seen.trouble
        assert await ours.board.candles("BTCUSDT", "1m") is not None


async def test_symbol_that_no_strategy_decides_on_has_no_indicators(tmp_path):
    async with studio(tmp_path) as ours:
        await ours.look(("ETHUSDT", "1m"))
        await ours.beat()
        assert await ours.board.candles("ETHUSDT", "1m") is not None
        assert await ours.board.indicators("ETHUSDT", "1m") is None


async def test_wish_that_is_not_repeated_is_over(tmp_path):
    async with studio(tmp_path) as ours:
        await ours.look(("BTCUSDT", "1m"))
        assert len(await ours.asked_during(20)) > 20
        assert await ours.asked_during(5) == []


async def test_symbol_that_is_listed_but_not_traded_is_read_with_its_rules(tmp_path):
    async with studio(tmp_path) as ours:
        await ours.look(("ETHUSDT", ""))
        await ours.beat()
        assert await ours.board.rules("ETHUSDT") == ours.desk.rules["ETHUSDT"]
        assert await ours.board.quote("ETHUSDT") is not None
        assert "klines" not in {path for path, _ in await ours.asked()}


async def test_symbol_that_nobody_lists_is_asked_about_once_in_a_while(tmp_path):
    async with studio(tmp_path) as ours:
        await ours.look(("NOSUCHUSDT", "1m"), ("<script>", "1m"))
        before = await ours.asked()
        for _ in range(5):
            await ours.look(("NOSUCHUSDT", "1m"), ("<script>", "1m"))
            await ours.beat(10)
        (asked,) = (await ours.asked())[len(before) :]
        assert asked == ("exchangeInfo", {"symbols": '["NOSUCHUSDT"]'})


async def test_few_symbols_are_read_at_a_time_and_stay_while_they_are_looked_at(tmp_path):
    symbols = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "ADAUSDT")
    async with studio(tmp_path, listed=symbols, traded=symbols) as ours:
        await ours.look(*[(symbol, "") for symbol in symbols[-MOST_SYMBOLS:]])
        await ours.beat()
        await ours.look(*[(symbol, "") for symbol in symbols])
        asked = await ours.asked_during(3)
        assert {sent["symbol"] for _, sent in asked} == set(symbols[-MOST_SYMBOLS:])


async def test_nothing_is_asked_while_half_of_the_minutes_weight_is_used(tmp_path):
    async with studio(tmp_path) as ours:
        ours.desk.gateway.budget.learn(
            [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 100}]
        )
        await ours.desk.gateway.depth("BTCUSDT")
        while ours.desk.gateway.has_leisure:
            await ours.desk.gateway.depth("BTCUSDT")
        await ours.look(("BTCUSDT", "1m"))
        assert await ours.asked_during(3) == []
        ours.machine.seconds += 60
        await ours.look(("BTCUSDT", "1m"))
        assert await ours.asked_during(1) != []


async def test_failing_question_is_said_once_and_the_exchange_left_alone_for_a_while(tmp_path, caplog):
    async with studio(tmp_path) as ours:
        await ours.desk.exchange.fault("http", method="GET", path="depth", status=503, count=2)
        for _ in range(3):
            await ours.look(("BTCUSDT", "1m"))
            asked = await ours.asked_during(10)
        assert len(warnings_in(caplog)) == 1
        assert "BTCUSDT: what is shown of the market is not kept up to date" in warnings_in(caplog)[0]
        assert ours.desk.gateway.breaker.state == "closed"
        assert len(asked) > 10, "it goes on by itself"
        assert await ours.board.book("BTCUSDT") is not None


async def test_nothing_is_asked_of_an_exchange_that_does_not_answer(tmp_path):
    async with studio(tmp_path) as ours:
        for _ in range(3):
            ours.desk.gateway.breaker.failed(RuntimeError("it is away"))
        await ours.look(("BTCUSDT", "1m"))
        assert [path for path, _ in await ours.asked_during(5) if path != "time"] == []


async def test_fault_of_its_own_leaves_the_task_running(tmp_path, monkeypatch, caplog):
    async with studio(tmp_path) as ours:
        asked, again = 0, asyncio.Event()

        async def broken(_symbol, _limit):
            nonlocal asked
            asked += 1
            if asked == 2:
                again.set()
            raise ZeroDivisionError

        async def second(_):
            ours.machine.seconds += 10
            await sleep_seconds(0)

        monkeypatch.setattr(ours.desk.gateway, "depth", broken)
        monkeypatch.setattr("binance_trade_agent.agents.market_publisher.sleep_seconds", second)
        await ours.look(("BTCUSDT", "1m"))
        task = asyncio.ensure_future(ours.publisher.run())
        await asyncio.wait_for(again.wait(), 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert len(warnings_in(caplog)) == 1


def decided(folder) -> list[tuple]:
    """What was decided, without what names the run."""
    with LedgerReader.open(folder / "ledger.db") as reader:
        (run,) = reader.snapshot(queries.runs)
        entries = reader.snapshot(lambda connection: queries.decisions(connection, run.run_id))
    return [(each.tick_ms, each.symbol, each.outcome, each.detail, each.bid, each.signal) for each in entries]


async def test_daemon_keeps_the_board_and_decides_the_same_while_somebody_looks(tmp_path, monkeypatch):
    monkeypatch.setattr(market_publisher, "_BEAT_SECONDS", 0.01)
    monkeypatch.setattr(market_publisher, "_SHORTEST_PAUSE_SECONDS", 0.01)
    decisions = {}
    for is_looked_at in (False, True):
        folder = tmp_path / str(is_looked_at)
        folder.mkdir()
        async with running_exchange(speed=None) as exchange:
            wanted = configured(folder, exchange, **EAGER)
            board = MarketBoard(shared_cache(wanted.settings), board_namespace(wanted.settings))
            if is_looked_at:
                await board.want("dashboard", [Wish("BTCUSDT", "5m", wall_ms()), Wish("ETHUSDT", "1m", wall_ms())])
            await daemon._run(wanted)
            decisions[is_looked_at] = decided(folder)
            assert (await board.quote("BTCUSDT")).bid > 0
            assert (await board.book("BTCUSDT") is not None) is is_looked_at
            assert (await board.candles("BTCUSDT", "5m") is not None) is is_looked_at
    assert len(decisions[False]) == 20
    assert decisions[False] == decisions[True]
