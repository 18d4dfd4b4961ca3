"""Decisions in pages: every decision once, the newest first, whatever the page's size; and what a span of them came to."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports.decision_pages import (
    Filters,
    Place,
    decided_symbols,
    decision_page,
    last_tick_ms,
    refusing_rules,
    tally,
)
from tests.ledger.bookkeeping import OPENING, decision, run_record

RULES = ("spread", "cooldown", None)
SYMBOLS = ("BTCUSDT", "ETHUSDT")
RUNS = ("run-a", "run-b")
TICKS = 12


def made(run: int, tick: int, symbol: str):
    """The decision of a run at a tick: each third is refused, by one rule and then the other."""
    number = tick * 2 + SYMBOLS.index(symbol)
    rule = RULES[number % 3]
    outcome = Outcome.REFUSED if rule else Outcome.HELD
    # The second run begins where the first one ends, as a simulated market that is started anew may.
    return decision(
        (tick + run * (TICKS - 2)) * 1_000,
        outcome,
        run_id=RUNS[run],
        cycle=tick + 1,
        symbol=symbol,
        rule=rule,
        detail=f"the spread is 0.{number} %" if rule else f"RSI {number} between 30 and 70",
    )


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    path = tmp_path_factory.mktemp("decisions") / "ledger.db"

    async def write() -> None:
        async with await Ledger.open(path) as ledger:
            await ledger.open_epoch(0, "new market", OPENING)
            for run, name in enumerate(RUNS):
                await ledger.begin_run(run_record(name, started_ms=run * TICKS * 1_000))
                await ledger.record_decisions([made(run, tick, each) for tick in range(TICKS) for each in SYMBOLS])

    asyncio.run(write())
    with LedgerReader.open(path) as opened:
        yield opened


def all_of(reader, filters: Filters, limit: int, look: int = 1_000) -> list[tuple[str, int, str]]:
    """Every page after the other, as a person would leaf through them."""

    def read(connection):
        found, before = [], None
        while True:
            page = decision_page(connection, filters, before, limit=limit, look=look)
            assert len(page.rows) <= limit
            found += [(row.run_id, row.tick_ms, row.symbol) for row in page.rows]
            if page.older is None:
                return found
            assert page.rows or page.is_cut, "a page that goes on has rows, or has looked at enough"
            before = page.older

    return reader.snapshot(read)


def wanted(filters: Filters) -> list[tuple[str, int, str]]:
    """The same, by looking at every decision."""
    every = [made(run, tick, symbol) for run in (1, 0) for tick in reversed(range(TICKS)) for symbol in SYMBOLS[::-1]]
    return [
        (each.run_id, each.tick_ms, each.symbol)
        for each in every
        if filters.symbol in {None, each.symbol}
        and filters.outcome in {None, each.outcome}
        and filters.rule in {None, each.rule}
        and (filters.from_ms is None or each.tick_ms >= filters.from_ms)
        and (filters.before_ms is None or each.tick_ms < filters.before_ms)
    ]


moments = st.none() | st.integers(0, 25_000)


@given(
    filters=st.builds(
        Filters,
        symbol=st.sampled_from((None, "NONE", *SYMBOLS)),
        outcome=st.sampled_from((None, Outcome.HELD, Outcome.REFUSED, Outcome.FAILED)),
        rule=st.sampled_from((None, "spread", "cooldown", "nothing")),
        from_ms=moments,
        before_ms=moments,
    ),
    limit=st.integers(1, 60),
    look=st.integers(1, 60),
)
def test_leafing_through_shows_each_decision_that_matches_once(reader, filters, limit, look):
    assert all_of(reader, filters, limit, look) == wanted(filters)


def test_a_page_ends_where_enough_was_looked_at(reader):
    never = Filters(outcome=Outcome.FAILED)
    page = reader.snapshot(lambda connection: decision_page(connection, never, look=5))
    assert (page.rows, page.is_cut) == ((), True)
    assert page.older == Place(2, 19_000, "ETHUSDT"), "after five decisions of the newest run"


def test_a_tally_says_how_they_ended_and_why(reader):
    found = reader.snapshot(lambda connection: tally(connection, Filters(symbol="BTCUSDT", from_ms=10_000)))
    kept = wanted(Filters(symbol="BTCUSDT", from_ms=10_000))
    assert found.decisions == len(kept) == sum(found.outcomes.values())
    assert found.outcomes == {"REFUSED": 9, "HELD": 5}
    assert found.rules == {"cooldown": 5, "spread": 4}
    assert {(one.outcome, one.rule, one.reason, one.times) for one in found.reasons} == {
        ("REFUSED", "spread", "the spread is … %", 4),
        ("REFUSED", "cooldown", "the spread is … %", 5),
        ("HELD", None, "RSI … between 30 and 70", 5),
    }
    assert (found.from_ms, found.is_cut) == (10_000, False)


def test_a_tally_of_more_than_it_counts_says_that_it_is_of_the_newest(reader):
    found = reader.snapshot(lambda connection: tally(connection, Filters(), most=6))
    assert (found.decisions, found.is_cut, found.from_ms) == (6, True, 19_000)


def test_what_a_list_can_be_filtered_by(reader):
    assert reader.snapshot(decided_symbols) == ["BTCUSDT", "ETHUSDT"]
    assert reader.snapshot(refusing_rules) == ["cooldown", "spread"]
    newest = reader.snapshot(lambda connection: queries.decisions(connection, "run-b", limit=1))
    assert reader.snapshot(last_tick_ms) == newest[0].tick_ms


def test_an_empty_ledger_has_no_decision(tmp_path):
    async def make() -> None:
        async with await Ledger.open(tmp_path / "ledger.db"):
            pass

    asyncio.run(make())
    with LedgerReader.open(tmp_path / "ledger.db") as empty:
        assert empty.snapshot(lambda connection: decision_page(connection, Filters())).rows == ()
        assert empty.snapshot(lambda connection: tally(connection, Filters())).decisions == 0
        assert empty.snapshot(last_tick_ms) is None
