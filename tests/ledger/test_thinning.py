"""Of old decisions without an order one of each symbol in each half hour is left; nothing else is touched."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.ledger.repeats import Again
from binance_trade_agent.ledger.thinning import Thinning, thin
from binance_trade_agent.ledger.verify import sentences
from binance_trade_agent.reports.session import session_report
from binance_trade_agent.reports.why import explain_at
from tests.ledger.bookkeeping import BTCUSDT, decision, fill, place, report, run_record, signal, trading_ledger

HOUR = 60 * MINUTE_MS


class StoppedClock:
    def __init__(self, now_ms: int) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms


def seen(tick_ms: int, symbol: str = "BTCUSDT", outcome: Outcome = Outcome.HELD, **changes):
    values = {"bid": Decimal(60_000), "ask": Decimal(60_001), "signal": signal(Action.HOLD, symbol)}
    return decision(tick_ms, outcome, symbol=symbol, cycle=tick_ms // MINUTE_MS, **{**values, **changes})


def each_minute(hours: int, symbols=("BTCUSDT", "ETHUSDT")):
    return [seen(minute * MINUTE_MS, symbol) for minute in range(1, hours * 60 + 1) for symbol in symbols]


async def thinned(ledger, before_ms: int, piece: int = 50) -> int:
    """Thin out all that there is; how many pieces that were."""
    pieces = 0
    while await ledger.write(lambda connection: thin(connection, before_ms, piece)):
        pieces += 1
        assert pieces < 1_000
    return pieces


async def left(ledger, run_id: str = "run-a"):
    made = await ledger.read(lambda connection: queries.decisions(connection, run_id))
    return sorted((each.symbol, each.tick_ms // MINUTE_MS) for each in made)


async def books(ledger):
    return await ledger.read(queries.orders), await ledger.fills(), await ledger.wallet()


@pytest.mark.parametrize("piece", [1, 7, 50, 10_000])
async def test_one_of_each_symbol_in_each_half_hour_is_left_of_the_old_ones(tmp_path, piece):
    async with trading_ledger(tmp_path / "ledger.sqlite3") as ledger:
        await ledger.record_decisions(each_minute(hours=3))
        await thinned(ledger, 2 * HOUR, piece)
        old = [(symbol, minute) for symbol in ("BTCUSDT", "ETHUSDT") for minute in (1, 30, 60, 90)]
        young = [(symbol, minute) for symbol in ("BTCUSDT", "ETHUSDT") for minute in range(120, 181)]
        assert await left(ledger) == sorted(old + young)
        assert await thinned(ledger, 2 * HOUR) == 0, "it is done"
        await thinned(ledger, 3 * HOUR)
        assert [minute for symbol, minute in await left(ledger) if symbol == "BTCUSDT"] == [
            1,
            30,
            60,
            90,
            120,
            150,
            180,
        ]


async def test_what_an_order_came_of_stays_and_the_ledger_verifies(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        ordered = {}
        for outcome in set(Outcome) - {Outcome.HELD, Outcome.SKIPPED, Outcome.REFUSED, Outcome.NO_DATA, Outcome.FAILED}:
            tick_ms = (len(ordered) + 2) * MINUTE_MS
            ordered[tick_ms // MINUTE_MS] = order_id = f"bta-BTCUSDT-{len(ordered)}"
            await place(ledger, order_id, tick_ms=tick_ms)
            await ledger.record_decisions([seen(tick_ms, outcome=outcome, client_order_id=order_id)])
        await ledger.apply_report(
            report("FILLED", "0.001", fill(1, "bta-BTCUSDT-0"), order_id="bta-BTCUSDT-0"), **BTCUSDT
        )
        before = await books(ledger)
        await ledger.record_decisions([seen(minute * MINUTE_MS) for minute in (1, 10, 11)])
        await thinned(ledger, DAY_MS)
        assert await left(ledger) == [("BTCUSDT", minute) for minute in sorted({1, *ordered})]
        assert await books(ledger) == before
        assert await ledger.read(lambda connection: list(sentences(connection))) == []


async def test_decisions_that_saw_no_price_are_not_the_ones_that_are_left(tmp_path):
    async with trading_ledger(tmp_path / "ledger.sqlite3") as ledger:
        blind = [seen(minute * MINUTE_MS, outcome=Outcome.NO_DATA, bid=None, ask=None) for minute in (1, 2)]
        await ledger.record_decisions([*blind, seen(3 * MINUTE_MS), seen(4 * MINUTE_MS)])
        await thinned(ledger, DAY_MS)
        assert await left(ledger) == [("BTCUSDT", 3)]


async def test_reports_count_what_was_thinned_out_and_say_that_it_was(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        await ledger.record_decisions(each_minute(hours=1, symbols=["BTCUSDT"]))
        again = [Again("run-a", 58 * MINUTE_MS, "BTCUSDT", 58 * MINUTE_MS + tick, 58) for tick in (1, 2)]
        await ledger.record_decisions([], again)
        await ledger.record_equity(EquityPoint("run-a", HOUR, 60, *[Decimal(1)] * 5))
        await ledger.end_run("run-a", HOUR, HOUR, "over")
        with LedgerReader.open(path) as reader:
            before = session_report(reader, "run-a")
        await thinned(ledger, DAY_MS, piece=7)
    with LedgerReader.open(path) as reader:
        after = session_report(reader, "run-a")
        assert (after.cycles, after.decisions) == (before.cycles, before.decisions) == (60, {"BTCUSDT": {"HELD": 62}})
        explained = explain_at(reader, "BTCUSDT", "1970-01-01T00:10:00Z")
    assert explained.taken.endswith(
        "the tick at 1970-01-01 00:01:00 UTC, the next one that was kept at 1970-01-01 00:30:00"
    )


async def test_earlier_runs_are_thinned_out_too_the_oldest_first(tmp_path):
    async with trading_ledger(tmp_path / "ledger.sqlite3") as ledger:
        await ledger.begin_run(run_record("run-b"))
        for run_id, start in (("run-a", 0), ("run-b", 2 * HOUR)):
            await ledger.record_decisions([seen(start + minute * MINUTE_MS, run_id=run_id) for minute in range(1, 41)])
        assert await ledger.write(lambda connection: thin(connection, DAY_MS))
        assert (len(await left(ledger, "run-a")), len(await left(ledger, "run-b"))) == (2, 40)
        await thinned(ledger, DAY_MS)
        assert (await left(ledger, "run-a"), len(await left(ledger, "run-b"))) == ([("BTCUSDT", 1), ("BTCUSDT", 30)], 2)


async def test_it_looks_every_ten_minutes_and_goes_on_while_something_is_left(tmp_path):
    async with trading_ledger(tmp_path / "ledger.sqlite3") as ledger:
        await ledger.record_decisions(each_minute(hours=12))
        clock = StoppedClock(2 * DAY_MS)
        looking = Thinning(ledger, clock, keep_days=1)
        for _ in range(9):  # 1440 decisions in pieces of 200 or so, then a look that finds nothing
            await looking.look()
        assert len(await left(ledger)) == 2 * 25
        await ledger.record_decisions([seen(DAY_MS + minute * MINUTE_MS) for minute in (1, 2)])
        for passed, more in ((5, 2), (10, 1)):
            clock.ms = 2 * DAY_MS + passed * MINUTE_MS
            await looking.look()
            assert len(await left(ledger)) == 2 * 25 + more


async def test_with_0_days_all_are_kept_for_ever_and_a_ledger_that_cannot_be_written_is_said(tmp_path, caplog):
    async with trading_ledger(tmp_path / "ledger.sqlite3") as ledger:
        await ledger.record_decisions(each_minute(hours=1))
        await Thinning(ledger, StoppedClock(1_000 * DAY_MS), keep_days=0).look()
        assert len(await left(ledger)) == 120
        await ledger.read(lambda connection: connection.execute("PRAGMA query_only = 1"))
        await Thinning(ledger, StoppedClock(1_000 * DAY_MS), keep_days=1).look()
        assert "old decisions were not thinned out" in caplog.text
        assert len(await left(ledger)) == 120
