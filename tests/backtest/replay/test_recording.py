"""The recording: what was written is read again, torn or cut short; it keeps within its space and disturbs nobody."""

import asyncio
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.agents.recorder import Recorder, recording
from binance_trade_agent.assembly import _witness
from binance_trade_agent.configuration import load
from binance_trade_agent.domain.candles import MINUTE_MS, Candle
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.market import BookTicker, MarketView
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.recording import Look, Recording, RecordingWriter, Seen, answer_of

CHOICE = StrategyChoice("rsi_momentum", {"rsi_period": "5"})
RULES = SymbolRules("BTCUSDT", "BTC", "USDT", step_size=Decimal("0.00001"))


def candle(minute: int, close: str = "100.5") -> Candle:
    open_ms = minute * MINUTE_MS
    return Candle(open_ms, open_ms + MINUTE_MS - 1, *map(Decimal, ("100", "101", "99.5", close)), Decimal(7))


def view(candles: list[Candle], larger: list[Candle] | None = None, bid: str = "100.4") -> MarketView:
    book = BookTicker("BTCUSDT", Decimal(bid), Decimal(1), Decimal("100.6"), Decimal(2), 5)
    age_ms = 3 if candles else None
    interval = "" if larger is None else "5m"
    return MarketView("BTCUSDT", RULES, tuple(candles), book, age_ms, 4, larger, interval)


def look(number: int, view_seen: MarketView | None = None, **more: object) -> Look:
    return Look(number * MINUTE_MS, number, "BTCUSDT", CHOICE, view_seen, **more)


def written(folder: Path, looks: list[Look], most_bytes: int = 10**9) -> list[Path]:
    writer = RecordingWriter(folder, "run", most_bytes)
    for each in looks:
        writer.write(each, [("now_ms", [], each.tick_ms)])
    writer.close()
    return sorted(folder.iterdir())


def read(folder: Path, run_id: str = "run") -> list[Look]:
    return [recorded.look for tick in Recording(folder, run_id).ticks() for recorded in tick.looks.values()]


class TestWhatIsWritten:
    @given(
        st.lists(
            st.tuples(st.integers(0, 12), st.integers(0, 8), st.sampled_from(["100.5", "100.7"]), st.booleans()),
            min_size=1,
            max_size=8,
        )
    )
    def test_is_read_again_however_the_candles_move_on(self, tmp_path_factory, moves):
        """Each look has candles [end - count, end), the last one maybe revised: windows grow, shrink, jump, repeat."""
        looks, end = [], 5
        for number, (step, count, close, has_larger) in enumerate(moves, start=1):
            end += step
            candles = [*map(candle, range(end - count, end - 1)), candle(end - 1, close)][-count:] if count else []
            looks.append(look(number, view(candles, candles[::2] if has_larger else None)))
        folder = tmp_path_factory.mktemp("recording")
        written(folder, looks)
        assert [_plain(each) for each in read(folder)] == [_plain(each) for each in looks]

    def test_is_a_candle_a_minute_not_the_whole_window(self, tmp_path):
        candles = [candle(minute) for minute in range(400)]
        (path,) = written(tmp_path, [look(number, view(candles[number : number + 300])) for number in range(1, 100)])
        lines = path.read_bytes().splitlines()
        assert len(lines[1]) > 15_000
        assert max(map(len, lines[2:])) < 500

    def test_is_also_why_nothing_was_seen_what_rests_and_what_is_remembered(self, tmp_path):
        looks = [
            look(1, None, trouble="no closed 1m candle"),
            look(2, None, trouble="", timed_out=True),
            look(3, view([]), trouble="the candles are old", seen=Seen("id", Decimal("101.5"))),
            look(4, view([candle(1)]), rests="suspended", seen=Seen("id", Decimal(102), Decimal("103.1"))),
        ]
        written(tmp_path, looks)
        assert list(map(_plain, read(tmp_path))) == list(map(_plain, looks))

    def test_that_was_asked_later_comes_after_what_was_asked_before(self, tmp_path):
        writer = RecordingWriter(tmp_path, "run", 10**9)
        first, second = look(1, view([candle(1)])), Look(MINUTE_MS, 1, "ETHUSDT", CHOICE)
        writer.write(first, [("position", ["BTCUSDT"], Decimal(1))])
        writer.write(second, [])
        writer.write_more(first, [("position", ["BTCUSDT"], Decimal(2))])
        writer.close()
        (tick,) = Recording(tmp_path, "run").ticks()
        assert [answer_of(each, Decimal) for each in tick.looks["BTCUSDT"].asked] == [1, 2]
        assert tick.looks["ETHUSDT"].asked == []

    def test_that_was_asked_when_later_ticks_had_begun_belongs_to_its_own(self, tmp_path):
        writer = RecordingWriter(tmp_path, "run", 10**9)
        looks = [look(number, view([candle(number)])) for number in (1, 2, 3)]
        for each in looks:
            writer.write(each, [("position", ["BTCUSDT"], Decimal(each.cycle))])
        writer.write_more(looks[1], [("position", ["BTCUSDT"], Decimal(20))])
        writer.write(look(9), [])
        writer.close()
        ticks = list(Recording(tmp_path, "run").ticks())
        told = [[answer_of(each, Decimal) for each in tick.looks["BTCUSDT"].asked] for tick in ticks]
        assert told == [[1], [2, 20], [3], []]

    def test_is_a_long_answer_once_as_long_as_it_stays_the_same(self, tmp_path):
        orders, more, other = ["x" * 500], ["y" * 500], ["z" * 500]
        answers = [orders, orders, more, more, orders]
        writer = RecordingWriter(tmp_path, "run", 10**9)
        for number, answer in enumerate(answers, start=1):
            writer.write(look(number), [("unsettled_orders", [], answer), ("positions", ["ETHUSDT"], other)])
            writer.write_more(look(number), [("unsettled_orders", [], answer)])
        writer.close()
        (path,) = tmp_path.iterdir()
        ticks = list(Recording(tmp_path, "run").ticks())
        asked = [tick.looks["BTCUSDT"].asked for tick in ticks]
        assert [[answer_of(each, list[str]) for each in line] for line in asked] == [[a, other, a] for a in answers]
        assert {tuple(each[0] for each in line) for line in asked} == {
            ("unsettled_orders", "positions", "unsettled_orders")
        }
        assert path.read_bytes().count(b"x" * 500) == 2
        assert path.read_bytes().count(b"z" * 500) == 1

    def test_can_be_read_by_its_owner_only(self, tmp_path):
        (path,) = written(tmp_path, [look(1)])
        assert path.stat().st_mode & 0o777 == 0o600


def _plain(each: Look) -> object:
    """A look with its candles as lists, whatever kind of sequence they were."""
    seen = each.view
    if seen is None:
        return each
    larger = None if seen.larger_candles is None else list(seen.larger_candles)
    parts = (seen.rules, seen.book, list(seen.candles), larger, seen.candle_age_ms, seen.book_age_ms)
    return each.tick_ms, each.choice, each.trouble, each.timed_out, each.rests, each.seen, parts


class TestDamage:
    def test_a_torn_last_line_is_left_out(self, tmp_path):
        (path,) = written(tmp_path, [look(number, view([candle(number)])) for number in range(1, 5)])
        whole = path.read_bytes()
        for cut in (1, 30, len(whole.splitlines()[-1])):
            path.write_bytes(whole[:-cut])
            assert [each.cycle for each in read(tmp_path)] == [1, 2, 3]

    def test_a_broken_line_before_others_is_one_sentence(self, tmp_path):
        (path,) = written(tmp_path, [look(1), look(2)])
        path.write_bytes(path.read_bytes().replace(b'"cycle":1', b'"cycle":x'))
        with pytest.raises(HistoryError, match=r"run\.0001\.jsonl, line 2 is no line of a recording: "):
            read(tmp_path)

    def test_another_form_or_run_is_one_sentence(self, tmp_path):
        (path,) = written(tmp_path, [look(1)])
        path.write_bytes(path.read_bytes().replace(b'"form":2', b'"form":9'))
        with pytest.raises(HistoryError, match=r"is of form 9, made by version .*: this one reads 1 and 2"):
            read(tmp_path)
        path.rename(tmp_path / "other.0001.jsonl")
        with pytest.raises(HistoryError, match="run run was not recorded"):
            read(tmp_path)


class TestSpace:
    def test_the_oldest_files_go_when_record_keep_mb_is_used_up(self, tmp_path):
        settings = load(
            {"RECORD_KEEP_MB": "1", "LEDGER_PATH": tmp_path / "ledger.db"}, environment={}, folder=tmp_path
        ).settings
        strategies = SimpleNamespace(choice=CHOICE)
        folder = tmp_path / "recordings"
        written(folder, [look(1)] * 3)  # of an earlier run: "run" comes after the digits of the next one's name
        (folder / "run.0001.jsonl").rename(folder / "2025.0001.jsonl")
        with _witness(settings, strategies, SimpleNamespace(changed=dict), "2026") as witness:
            assert isinstance(witness, Recorder)
            for number in range(1, 90):
                decide(witness, number, view([candle(minute, f"{number}.5") for minute in range(250)]))
        files = sorted(path.name for path in folder.iterdir())
        assert "2025.0001.jsonl" not in files
        assert "2026.0001.jsonl" not in files
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 1_000_000
        cycles = [each.cycle for each in read(folder, "2026")]
        assert cycles == list(range(cycles[0], 90))
        left = Recording(folder, "2026")
        list(left.ticks())
        assert left.marks["BTCUSDT"].book.bid == Decimal("100.4")

    def test_nothing_is_recorded_where_record_keep_mb_is_0(self, tmp_path):
        settings = load(
            {"RECORD_KEEP_MB": "0", "LEDGER_PATH": tmp_path / "ledger.db"}, environment={}, folder=tmp_path
        ).settings
        with _witness(settings, SimpleNamespace(choice=CHOICE), SimpleNamespace(changed=dict), "2026") as witness:
            decide(witness, 1, view([candle(1)]))
        assert list(tmp_path.iterdir()) == []


def decide(witness, number: int, seen: MarketView) -> None:
    decision = Decision("2026", number * MINUTE_MS, number, "BTCUSDT", Outcome.HELD, "")
    with witness.deciding(decision, None):
        witness.looked(seen, None, None)


class TestTradingGoesOn:
    def test_a_disk_that_is_full_is_said_once_and_no_more_is_recorded(self, tmp_path, caplog):
        writer = RecordingWriter(tmp_path, "run", 10**9)
        writer.write = lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        recorder = Recorder(writer, lambda: CHOICE)
        for number in (1, 2, 3):
            decide(recorder, number, view([candle(number)]))
        assert [record.getMessage() for record in caplog.records] == [
            "what decisions are made on is not recorded any more: [Errno 28] No space left on device"
        ]

    def test_a_folder_that_cannot_be_made_is_said_and_decisions_are_made(self, tmp_path, caplog):
        (tmp_path / "recordings").write_text("a file")
        with recording(lambda: RecordingWriter(tmp_path / "recordings", "run", 1), lambda: CHOICE) as witness:
            decide(witness, 1, view([]))
        assert "is not recorded" in caplog.text

    async def test_decisions_side_by_side_keep_their_answers_apart(self, tmp_path):
        writer = RecordingWriter(tmp_path, "run", 10**9)
        recorder = Recorder(writer, lambda: CHOICE)
        met = asyncio.Event()

        async def one(symbol: str, waits: bool) -> None:
            with recorder.deciding(Decision("run", 5, 1, symbol, Outcome.HELD, ""), None):
                recorder.looked(view([]), None, None)
                if waits:
                    await met.wait()
                recorder.asking("whose", lambda: symbol)()
                met.set()

        await asyncio.gather(one("BTCUSDT", True), one("ETHUSDT", False))
        recorder.close()
        (tick,) = Recording(tmp_path, "run").ticks()
        assert {symbol: [answer_of(each, str) for each in kept.asked] for symbol, kept in tick.looks.items()} == {
            "BTCUSDT": ["BTCUSDT"],
            "ETHUSDT": ["ETHUSDT"],
        }
