"""Spans of time: what is there, what is missing, in which pieces it is fetched."""

from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.history.plan import Piece, pieces_of
from binance_trade_agent.history.spans import gaps, missing, pages, runs, union
from tests.history.candles import DAY_MS, HOUR_MS, NEW_YEAR_MS, made_candles, without

MINUTE_MS = 60_000
FEBRUARY_MS, MARCH_MS = NEW_YEAR_MS + 31 * DAY_MS, NEW_YEAR_MS + 60 * DAY_MS
LATER_MS = MARCH_MS + 20 * DAY_MS

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda ends: (min(ends), max(ends))), max_size=8)


def inside(some) -> set[int]:
    return {at for from_ms, before_ms in some for at in range(from_ms, before_ms)}


@given(spans, st.tuples(st.integers(0, 30), st.integers(31, 60)))
def test_what_is_missing_and_what_is_held_are_the_whole_and_share_nothing(held, wanted):
    lacking = missing(wanted, held)
    assert inside(lacking) == inside([wanted]) - inside(held)
    assert lacking == union(lacking)
    assert inside(union(held)) == inside(held)


def test_runs_and_gaps_of_candles():
    table = without(made_candles(10), 3, 4, 7)
    hours = [[(at - NEW_YEAR_MS) // HOUR_MS for at in span] for span in runs(table)]
    assert hours == [[0, 3], [5, 7], [8, 10]]
    assert [[(at - NEW_YEAR_MS) // HOUR_MS for at in span] for span in gaps(table)] == [[3, 5], [7, 8]]
    assert runs(table.rows(0, 0)) == gaps(table.rows(0, 0)) == []


def test_a_span_is_cut_into_pages():
    assert pages((0, 25), 10) == [(0, 10), (10, 20), (20, 25)]


def periods(lacking, interval="1m", now_ms=LATER_MS, has_archive=True) -> list[str | None]:
    pieces = pieces_of("BTCUSDT", interval, lacking, now_ms, has_archive=has_archive)
    return [piece.file and piece.file.period for piece in pieces]


class TestPieces:
    def test_months_that_are_over_days_of_the_running_one_and_pages_of_today(self):
        found = periods([(NEW_YEAR_MS, MARCH_MS + 2 * DAY_MS + HOUR_MS)], now_ms=MARCH_MS + 2 * DAY_MS + HOUR_MS)
        assert found == ["2024-01", "2024-02", "2024-03-01", "2024-03-02", None]

    def test_a_few_days_of_a_month_are_fetched_day_by_day_more_as_the_whole_month(self):
        assert periods([(FEBRUARY_MS - 2 * DAY_MS, FEBRUARY_MS)]) == ["2024-01-30", "2024-01-31"]
        assert periods([(FEBRUARY_MS - 6 * DAY_MS, FEBRUARY_MS)]) == ["2024-01"]

    def test_two_holes_in_a_month_fetch_it_once(self):
        holes = [(NEW_YEAR_MS, NEW_YEAR_MS + 8 * DAY_MS), (NEW_YEAR_MS + 9 * DAY_MS, NEW_YEAR_MS + 18 * DAY_MS)]
        assert periods(holes) == ["2024-01"]

    def test_what_one_page_holds_is_asked_there(self):
        span = (NEW_YEAR_MS + MINUTE_MS, NEW_YEAR_MS + 1001 * MINUTE_MS)
        assert pieces_of("BTCUSDT", "1m", [span], LATER_MS, has_archive=True) == [Piece(span)]

    def test_without_an_archive_and_for_candles_longer_than_a_day_all_is_asked_in_pages(self):
        assert periods([(NEW_YEAR_MS, NEW_YEAR_MS + 2 * DAY_MS)], has_archive=False) == [None] * 3
        assert periods([(0, LATER_MS)], interval="3d") == [None] * 7

    @given(st.integers(0, 60), st.integers(1, 60 * 24), st.sampled_from(["1m", "15m", "1h", "1d"]), st.booleans())
    def test_the_pieces_hold_all_that_is_lacking(self, first_day, hours, interval, has_archive):
        span = (NEW_YEAR_MS + first_day * DAY_MS, NEW_YEAR_MS + first_day * DAY_MS + hours * HOUR_MS)
        pieces = pieces_of("BTCUSDT", interval, [span], span[1], has_archive=has_archive)
        assert missing(span, [piece.span for piece in pieces]) == []
        assert all(piece.span[1] <= span[1] for piece in pieces if piece.file)


def test_where_a_file_lies_in_the_archive():
    month, day = (
        pieces_of("BTCUSDT", "1m", [(start_ms, FEBRUARY_MS)], LATER_MS, has_archive=True)[0].file
        for start_ms in (NEW_YEAR_MS, FEBRUARY_MS - DAY_MS)
    )
    assert month.path == "data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip"
    assert day.path == "data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-31.zip"
