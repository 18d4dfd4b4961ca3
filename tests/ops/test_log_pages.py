"""Reading the log: pages backwards over files, filters, what comes after, lines that are none of ours."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ops import log_pages
from binance_trade_agent.ops.log_file import file_path, json_line
from binance_trade_agent.ops.log_pages import CursorError, LogQuery, download, page, tail

NOON_MS = 1_767_614_400_000


def line(number, **fields):
    """Line `number` of a log that says one a second from noon."""
    said = {"timestamp": iso_utc(NOON_MS + number * 1000), "level": "info", "event": f"line {number}", **fields}
    return json_line(said).encode("utf-8", "backslashreplace") + b"\n"


def write(folder, number, *lines, name="trader"):
    with file_path(folder, name, number).open("ab") as file:
        file.writelines(lines)


def texts(entries):
    return [entry.text for entry in entries]


def all_pages(folder, query, size):
    """Every entry over all pages, the newest first."""
    found, cursor = [], None
    while True:
        got = page(folder, query, cursor, size)
        assert len(got.entries) <= size
        found += got.entries
        if got.older is None:
            return found
        cursor = got.older


@pytest.fixture
def log(tmp_path):
    """A hundred lines in four files."""
    for number in range(100):
        write(tmp_path, 7 + number // 25, line(number))
    return tmp_path


class TestPages:
    def test_the_newest_line_comes_first_and_pages_go_back_over_the_files(self, log):
        first = page(log, LogQuery(), size=30)
        assert texts(first.entries) == [f"line {number}" for number in range(99, 69, -1)]
        second = page(log, LogQuery(), first.older, size=30)
        assert texts(second.entries) == [f"line {number}" for number in range(69, 39, -1)]

    @pytest.mark.parametrize("size", [1, 7, 25, 100, 1000])
    def test_all_pages_together_are_the_log(self, log, size):
        assert texts(all_pages(log, LogQuery(), size)) == [f"line {number}" for number in reversed(range(100))]

    def test_a_page_stays_what_it_was_while_the_log_grows_and_old_files_go(self, log):
        cursor = page(log, LogQuery(), size=30).older
        before = texts(page(log, LogQuery(), cursor, size=30).entries)
        write(log, 10, *map(line, range(100, 120)))
        write(log, 11, *map(line, range(120, 140)))
        file_path(log, "trader", 7).unlink()
        assert texts(page(log, LogQuery(), cursor, size=30).entries) == before

    def test_a_page_of_files_that_are_gone_is_empty(self, log):
        for number in (7, 8):
            file_path(log, "trader", number).unlink()
        assert page(log, LogQuery(), "8:40").entries == []

    def test_where_no_log_is_there_is_nothing(self, tmp_path):
        nothing = page(tmp_path / "none", LogQuery())
        assert (nothing.entries, nothing.older) == ([], None)
        assert tail(tmp_path / "none", LogQuery(), nothing.end).entries == []

    @pytest.mark.parametrize("cursor", ["", "7", "7:", "-1:3", "a:b", "7:4:1", "9" * 40, "7:٣", "../../etc"])
    def test_what_is_no_cursor_is_refused_in_a_sentence(self, log, cursor):
        with pytest.raises(CursorError, match="is no place in the log"):
            page(log, LogQuery(), cursor)

    def test_lines_longer_than_a_block_are_read_too(self, log, monkeypatch):
        monkeypatch.setattr(log_pages, "_BLOCK_BYTES", 200)
        monkeypatch.setattr(log_pages, "_LINE_BYTES", 64)
        write(log, 10, line(100, detail="x" * 5000), line(101))
        assert texts(all_pages(log, LogQuery(), 9)) == [f"line {number}" for number in reversed(range(102))]

    def test_after_so_much_that_was_looked_at_the_rest_is_left_for_the_next_page(self, log, monkeypatch):
        monkeypatch.setattr(log_pages, "_LONGEST_LOOK_BYTES", 1)
        first = page(log, LogQuery(text="line 3"), size=50)
        assert (first.entries, first.is_cut) == ([], True)
        assert texts(all_pages(log, LogQuery(text="line 3"), 50))[-1] == "line 3"


class TestFilters:
    @pytest.fixture
    def varied(self, tmp_path):
        write(
            tmp_path,
            1,
            line(0, symbol="BTCUSDT", run="run-a", client_order_id="x-1"),
            line(1, event="ETHUSDT is suspended after 5 failures", level="error"),
            line(2, event="decision", line="BTCUSDT: ⛔ Größe", symbol="BTCUSDT", level="warning"),
            line(3, event='command cancel by x: "x-1" was cancelled', exception="Trace\nValueError: Rare"),
            line(4, level="debug", detail="needle"),
            line(5, event="BTCUSDTX is another", level="critical", run="run-b"),
        )
        return tmp_path

    @pytest.mark.parametrize(
        ("query", "numbers"),
        [
            (LogQuery(), [5, 4, 3, 2, 1, 0]),
            (LogQuery(least_level="debug"), [5, 4, 3, 2, 1, 0]),
            (LogQuery(least_level="info"), [5, 3, 2, 1, 0]),
            (LogQuery(least_level="warning"), [5, 2, 1]),
            (LogQuery(least_level="error"), [5, 1]),
            (LogQuery(symbol="BTCUSDT"), [2, 0]),
            (LogQuery(symbol="ETHUSDT"), [1]),
            (LogQuery(symbol="ethusdt"), []),
            (LogQuery(client_order_id="x-1"), [3, 0]),
            (LogQuery(run="run-b"), [5]),
            (LogQuery(text="NEEDLE"), [4]),
            (LogQuery(text="rare"), [3]),
            (LogQuery(text="größe"), [2]),
            (LogQuery(text="⛔"), [2]),
            (LogQuery(text='"x-1"'), [3]),
            (LogQuery(text="trace\nvalueerror"), [3]),
            (LogQuery(text="level"), []),  # names of fields are no text
            (LogQuery(text="suspended", least_level="error", symbol="ETHUSDT"), [1]),
            (LogQuery(text="suspended", symbol="BTCUSDT"), []),
            (LogQuery(from_ms=NOON_MS + 2000), [5, 4, 3, 2]),
            (LogQuery(until_ms=NOON_MS + 2000), [2, 1, 0]),
            (LogQuery(from_ms=NOON_MS + 1001, until_ms=NOON_MS + 3000), [3, 2]),
            (LogQuery(from_ms=10**17), []),
            (LogQuery(until_ms=-(10**17)), []),
            (LogQuery(name="dashboard"), []),
        ],
    )
    def test_a_filter_leaves_what_fits(self, varied, query, numbers):
        expected = [NOON_MS + number * 1000 for number in numbers]
        assert [entry.wall_ms for entry in page(varied, query).entries] == expected
        downloaded = [json.loads(each)["timestamp"] for each in b"".join(download(varied, query)).splitlines()]
        assert downloaded == [iso_utc(at_ms) for at_ms in reversed(expected)]

    def test_time_is_found_by_bisection_over_files_and_lines_without_a_time(self, tmp_path, monkeypatch):
        monkeypatch.setattr(log_pages, "_LINE_BYTES", 128)
        for number in range(2000):
            write(tmp_path, 1 + number // 500, *([b"cut off\n"] * (number % 7 == 0)), line(number))
        query = LogQuery(from_ms=NOON_MS + 499_000, until_ms=NOON_MS + 1_500_000)
        assert texts(all_pages(tmp_path, query, 400)) == [f"line {number}" for number in range(1500, 498, -1)]

    def test_a_clock_that_was_set_back_hides_no_line(self, tmp_path):
        write(tmp_path, 1, *map(line, range(100, 110)))
        write(tmp_path, 2, *map(line, range(10)))
        assert len(page(tmp_path, LogQuery(from_ms=NOON_MS + 100_000)).entries) == 10


class TestTail:
    def test_what_came_since_comes_in_its_order_over_files(self, log):
        cursor = page(log, LogQuery()).end
        assert tail(log, LogQuery(), cursor).entries == []
        write(log, 10, line(100))
        write(log, 11, line(101), line(102))
        came = tail(log, LogQuery(), cursor)
        assert (texts(came.entries), came.has_gap) == (["line 100", "line 101", "line 102"], False)
        assert tail(log, LogQuery(), came.cursor).entries == []

    def test_filters_hold_and_what_does_not_fit_is_not_looked_at_again(self, log):
        cursor = page(log, LogQuery()).end
        write(log, 10, line(100), line(101, level="error"))
        came = tail(log, LogQuery(least_level="error"), cursor)
        assert texts(came.entries) == ["line 101"]
        assert came.cursor == page(log, LogQuery()).end

    def test_of_many_as_many_come_as_are_asked_for_and_the_rest_with_the_next_call(self, log):
        first = tail(log, LogQuery(), "0:0", size=60)
        second = tail(log, LogQuery(), first.cursor, size=60)
        assert texts([*first.entries, *second.entries]) == [f"line {number}" for number in range(100)]

    def test_a_line_that_is_being_written_waits_until_it_is_whole(self, log):
        cursor = page(log, LogQuery()).end
        whole = line(100)
        write(log, 10, whole[:30])
        assert tail(log, LogQuery(), cursor).entries == []
        assert page(log, LogQuery()).entries[0].text == "line 99"
        write(log, 10, whole[30:])
        assert texts(tail(log, LogQuery(), cursor).entries) == ["line 100"]

    def test_a_reader_that_was_away_too_long_is_told_of_the_gap(self, log, monkeypatch):
        cursor = page(log, LogQuery(), size=30).older
        for number in (7, 8, 9):
            file_path(log, "trader", number).unlink()
        assert tail(log, LogQuery(), cursor).has_gap
        monkeypatch.setattr(log_pages, "_BLOCK_BYTES", 300)
        came = tail(log, LogQuery(), "10:0")
        assert came.has_gap
        assert texts(came.entries) == ["line 96", "line 97", "line 98", "line 99"]


class TestLinesThatAreNoneOfOurs:
    HOSTILE = (
        b"not json at all\n",
        b'{"timestamp":"2026-01-05T\n',
        b"\xff\xfe\x00\x01 no unicode\n",
        b"[1,2]\n",
        b"17\n",
        b"\n",
        b'{"timestamp":17,"level":["x"],"event":{"a":1}}\n',
        b'{"timestamp":"yesterday","level":"info","event":"\\udc80 <script>alert(1)</script>"}\n',
        b'{"timestamp":"2026-01-05T12:00:00","level":"info","event":"no zone"}\n',
        b'{"timestamp":"9999-12-31T23:59:59.999Z","event":null}\n',
        b"[" * 100_000 + b"\n",
        b'{"event":' + b"9" * 100_000 + b"}\n",
    )

    def test_they_are_shown_as_text_and_hide_none_of_ours(self, tmp_path):
        write(tmp_path, 1, line(0), *self.HOSTILE, line(1), b"\x00\x00\x00")
        entries = all_pages(tmp_path, LogQuery(), 3)
        assert len(entries) == 2 + len(self.HOSTILE) - 1  # an empty line says nothing
        assert (entries[0].text, entries[-1].text) == ("line 1", "line 0")
        assert entries[-2].text == "not json at all"
        for entry in entries:
            entry.text.encode()
        assert texts(page(tmp_path, LogQuery(until_ms=NOON_MS + 1000)).entries) == ["line 1", "line 0"]

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.one_of(st.binary(max_size=60), st.builds(json.dumps, st.dictionaries(st.text(), st.text())))))
    def test_nothing_raises(self, tmp_path_factory, pieces):
        folder = tmp_path_factory.mktemp("log")
        write(folder, 1, *(piece.encode() if isinstance(piece, str) else piece for piece in pieces), b"\n")
        for query in (LogQuery(), LogQuery(text="a", least_level="info"), LogQuery(from_ms=0, symbol='"\\')):
            for entry in all_pages(folder, query, 2):
                "".join([entry.text, *entry.details, *entry.details.values()]).encode()
            tail(folder, query, "0:0")
            list(download(folder, query))
