"""The equity curve for a chart: few points, the true extremes among them; and what is said beside it, exactly."""

import sqlite3
from contextlib import closing
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.ledger import equity, journal
from binance_trade_agent.ledger.connection import in_transaction, open_or_create
from binance_trade_agent.ledger.equity import Series
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.reports.equity_curve import EquityCurve, quote_assets, run_spans, worth
from binance_trade_agent.reports.performance import drawdown, falls, sharpe
from tests.ledger.bookkeeping import run_record

USDT = Series(1, "USDT")
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2


class Noted:
    """A ledger into which points of equity are written."""

    def __init__(self, path):
        self.path = path
        self.connection = open_or_create(path)
        self.connection.execute("PRAGMA synchronous = OFF")
        self._write(lambda inside: journal.open_epoch(inside, 500, "test", {"USDT": Decimal(1_000)}))
        self._write(lambda inside: journal.begin_run(inside, run_record()))

    def note(self, *points, **more):
        """Points of (time, equity)."""
        self._write(lambda inside: [equity.record(inside, 1, point(*each, **more)) for each in points])

    def run(self, work):
        self._write(work)

    def _write(self, work):
        in_transaction(work)(self.connection)


def point(tick_ms, value, *, external=0, quote_asset="USDT", run_id="run-a", held="0", outside="0"):
    cash = Decimal(value) - Decimal(held)
    amounts = (Decimal(value) + Decimal(outside), cash, Decimal(held), Decimal(0), Decimal(0), Decimal(external))
    return EquityPoint(run_id, tick_ms, 1, *amounts, quote_asset=quote_asset)


@pytest.fixture
def noted(tmp_path):
    made = Noted(tmp_path / "ledger.db")
    with closing(made.connection):
        yield made


@pytest.fixture
def reader(noted):
    with LedgerReader.open(noted.path) as opened:
        yield opened


def read_all(curve, at_a_time=20_000):
    while not curve.update(at_a_time):
        pass
    return curve


def worth_of(reader, series=USDT):
    return reader.snapshot(lambda connection: worth(connection, series))


def test_few_points_are_shown_as_they_are(noted, reader):
    noted.note((1_000, "100"), (2_000, "120"), (3_000, "90.5"))
    shown = read_all(EquityCurve(reader, USDT)).chart()
    assert (shown.times_ms, shown.equity, shown.of) == ([1_000, 2_000, 3_000], [100, 120, 90.5], 3)
    assert shown.drawdown_pct == pytest.approx([0, 0, -24.5833], abs=1e-4)


def test_what_came_from_outside_is_no_profit(noted, reader):
    noted.note((1_000, "100"), (2_000, "100"))
    noted.note((3_000, "600"), external=500)
    curve = read_all(EquityCurve(reader, USDT))
    assert curve.chart().equity == [100, 100, 100]
    now = worth_of(reader)
    assert (now.equity_quote, now.external_quote, now.all_time.quote) == (600, 500, 0)


def test_it_is_read_on_from_where_it_was_and_the_last_word_on_a_tick_counts(noted, reader):
    curve = EquityCurve(reader, USDT)
    noted.note((1_000, "100"), (2_000, "150"))
    read_all(curve)
    noted.note((2_000, "110"), (3_000, "105"))
    read_all(curve)
    assert (curve.chart().equity, len(curve)) == ([100, 110, 105], 3)
    assert curve.chart().drawdown_pct == pytest.approx([0, 0, -4.5454], abs=1e-3)


@settings(max_examples=25)
@given(
    st.lists(st.lists(st.integers(50, 150), min_size=1, max_size=60), min_size=1, max_size=5),
    st.integers(2, 9),
    st.integers(6, 40),
)
def test_extremes_are_true_however_few_points_are_shown(tmp_path_factory, batches, at_a_time, most):
    made = Noted(tmp_path_factory.mktemp("curve") / "ledger.db")
    values = np.array([value for batch in batches for value in batch], dtype=float)
    number = 0
    with closing(made.connection), LedgerReader.open(made.path) as reader:
        curve = EquityCurve(reader, USDT)
        for batch in batches:
            made.run(lambda inside, begin=number, batch=batch: _insert(inside, begin, batch))
            number += len(batch)
            read_all(curve, at_a_time)
        shown = curve.chart(most=most)
        later = curve.chart(from_ms=1_000 * (len(values) // 2), most=most)
    assert len(shown.times_ms) <= most + 6
    assert (min(shown.equity), max(shown.equity)) == (values.min(), values.max())
    assert (shown.equity[0], shown.equity[-1]) == (values[0], values[-1])
    assert min(shown.drawdown_pct) == pytest.approx(100 * falls(values).min())
    assert shown.times_ms == sorted(set(shown.times_ms))
    assert (min(later.equity), max(later.equity)) == (
        values[len(values) // 2 :].min(),
        values[len(values) // 2 :].max(),
    )
    assert (shown.of, later.of) == (len(values), len(values) - len(values) // 2)


def _insert(connection: sqlite3.Connection, begin: int, values: list[int]) -> None:
    connection.executemany(
        "INSERT INTO equity VALUES ('run-a', ?, 1, '0', ?, '0', '0', '0', '0', 'USDT', 1, '0')",
        [(1_000 * (begin + number), str(value)) for number, value in enumerate(values)],
    )


def test_points_that_stand_for_others_stay_while_more_come(noted, reader):
    noted.run(lambda inside: _insert(inside, 0, [100 + number * 7 % 13 for number in range(400)]))
    curve = read_all(EquityCurve(reader, USDT))
    before = curve.chart(most=100)
    noted.run(lambda inside: _insert(inside, 400, [103, 104]))
    after = read_all(curve).chart(most=100)
    assert set(before.times_ms[:-4]) <= set(after.times_ms)


def test_figures_are_those_of_the_whole_curve(noted, reader):
    values = [100 + number % 7 for number in range(40)]
    noted.note(*((number * DAY_MS + 1, value) for number, value in enumerate(values)))
    figures = read_all(EquityCurve(reader, USDT)).figures()
    times, curve = np.arange(40) * DAY_MS + 1, np.array(values, dtype=float)
    assert figures.days == 40
    assert figures.sharpe == sharpe(times, curve)
    assert figures.deepest == drawdown(times, curve)
    assert figures.drawdown_pct == pytest.approx(100 * (1 - 104 / 106))


def test_a_few_days_have_no_sharpe_ratio(noted, reader):
    noted.note(*((number * DAY_MS, 100 + number % 3) for number in range(20)))
    assert read_all(EquityCurve(reader, USDT)).figures().sharpe is None


def test_an_epoch_without_points_says_nothing(reader):
    curve = read_all(EquityCurve(reader, USDT))
    assert curve.chart().times_ms == []
    assert (curve.figures().deepest, curve.figures().drawdown_pct) == (None, None)
    assert worth_of(reader) is None
    assert reader.snapshot(lambda connection: quote_assets(connection, 1)) == []


def test_changes_since_midnight_since_a_week_and_since_the_beginning(noted, reader):
    noted.note(
        (NOON_MS - 9 * DAY_MS, "800"),
        (NOON_MS - 7 * DAY_MS, "1000"),
        (NOON_MS - 6 * DAY_MS, "1300"),
        (NOON_MS - DAY_MS, "900"),
        (NOON_MS - 60_000, "950"),
        (NOON_MS, "990"),
    )
    now = worth_of(reader)
    assert (now.day.quote, now.day.pct, now.day.since_ms) == (90, 10, NOON_MS - DAY_MS // 2)
    assert (now.week.quote, now.week.pct, now.week.since_ms) == (-10, -1, NOON_MS - 7 * DAY_MS)
    assert (now.all_time.quote, now.all_time.pct) == (190, 23.75)


def test_an_epoch_of_two_days_has_no_week(noted, reader):
    noted.note((NOON_MS - 2 * DAY_MS, "800"), (NOON_MS, "990"))
    assert worth_of(reader).week is None


def test_a_day_that_begins_before_the_first_point_counts_from_that(noted, reader):
    noted.note((NOON_MS, "800"), (NOON_MS + 1, "880"))
    assert worth_of(reader).day.pct == 10


def test_what_others_own_is_told_apart(noted, reader):
    noted.note((1_000, "100"), held="40", outside="60000")
    now = worth_of(reader)
    assert (now.equity_quote, now.cash_quote, now.positions_quote, now.wallet_quote) == (100, 60, 40, 60_100)


def test_quote_assets_have_curves_of_their_own(noted, reader):
    noted.note((1_000, "100"))
    noted.note((2_000, "2"), quote_asset="BTC")
    assert reader.snapshot(lambda connection: quote_assets(connection, 1)) == ["BTC", "USDT"]
    assert read_all(EquityCurve(reader, Series(1, "BTC"))).chart().equity == [2]


def test_runs_last_to_their_end_or_to_their_last_sign(noted, reader):
    noted.run(lambda inside: journal.end_run(inside, "run-a", 5_000, 9, "the duration is over"))
    for run_id in ("run-b", "run-c"):
        noted.run(lambda inside, run_id=run_id: journal.begin_run(inside, run_record(run_id, started_ms=6_000)))
    noted.note((7_000, "100"), run_id="run-b")
    spans = reader.snapshot(lambda connection: run_spans(connection, 1))
    assert [(span.from_ms, span.until_ms, span.end_reason) for span in spans] == [
        (1_000, 5_000, "the duration is over"),
        (6_000, 7_000, None),
        (6_000, None, None),
    ]
