"""Files of candles read as columns: what is accepted, what is refused, and that no digit is lost."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet

from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.files import read_table, symbol_and_interval
from binance_trade_agent.history.merging import AMOUNTS
from binance_trade_agent.simulator.market.candle_files import read_candle_file
from binance_trade_agent.simulator.market.feed import FeedError
from tests.history.candles import (
    HEADER,
    HOUR_MS,
    NEW_YEAR_MS,
    lines_of,
    made_candles,
    same,
    sound_tables,
    write_csv,
    write_text,
)

CANDLES = made_candles(4)
FIRST = f"{NEW_YEAR_MS},10,12,9,11,5"


def refusal(path) -> str:
    with pytest.raises(HistoryError) as caught:
        read_table(path)
    return str(caught.value)


def outcome(read):
    """The sentence that refuses a file, or what was read."""
    try:
        return None, read()
    except (HistoryError, FeedError) as error:
        return str(error), None


class TestForms:
    @pytest.mark.parametrize("name", ["BTCUSDT-1h.csv", "BTCUSDT-1h-2024.csv.gz", "BTC_USDT-1h.csv"])
    def test_csv_plain_or_gzip(self, tmp_path, name):
        assert same(read_table(write_csv(tmp_path / name, CANDLES)), CANDLES)

    @pytest.mark.parametrize("factor", [0.001, 1, 1000, 1_000_000], ids=["s", "ms", "us", "ns"])
    def test_whole_numbers_are_times_by_their_size(self, tmp_path, factor):
        rows = [line.split(",", 1) for line in lines_of(CANDLES)]
        text = "\n".join([HEADER, *(f"{int(int(at) * factor)},{rest}" for at, rest in rows)])
        assert same(read_table(write_text(tmp_path / "BTCUSDT-1h.csv", text)), CANDLES)

    def test_milliseconds_that_become_microseconds_within_a_file(self, tmp_path):
        early, late = lines_of(CANDLES)[:2], lines_of(CANDLES)[2:]
        text = "\n".join([HEADER, *early, *(line.replace(",", "000,", 1) for line in late)])
        assert same(read_table(write_text(tmp_path / "BTCUSDT-1h.csv", text)), CANDLES)

    def test_binances_archive_without_a_header_and_twelve_columns(self, tmp_path):
        text = "\n".join(f"{line},1704070799999,1,2,3,4,0" for line in lines_of(CANDLES))
        assert same(read_table(write_text(tmp_path / "BTCUSDT-1h-2024-01.csv", text)), CANDLES)

    @pytest.mark.parametrize(
        "form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+00:00", "%Y-%m-%d %H:%M"]
    )
    def test_iso_times_in_other_orders_of_columns(self, tmp_path, form):
        times = [np.datetime64(int(at), "ms").item().strftime(form) for at in CANDLES.open_times_ms]
        rows = [
            ",".join([*reversed(line.split(",")[1:]), at]) for line, at in zip(lines_of(CANDLES), times, strict=True)
        ]
        text = "\n".join(["Volume,Close,Low,High,Open,Date", *rows])
        assert same(read_table(write_text(tmp_path / "BTCUSDT-1h.csv", text)), CANDLES)

    @pytest.mark.parametrize("suffix", ["parquet", "feather"])
    @pytest.mark.parametrize("kind", [pa.timestamp("ms", "UTC"), pa.timestamp("ns"), pa.int64()])
    def test_what_pandas_and_freqtrade_write(self, tmp_path, suffix, kind):
        moments = (
            pa.array(CANDLES.open_times_ms)
            .cast(pa.timestamp("ms"))
            .cast(pa.timestamp("ns") if kind == pa.timestamp("ns") else pa.timestamp("ms"))
        )
        dates = moments.cast(kind)
        table = pa.table({"date": dates, **{name: getattr(CANDLES, name) for name in AMOUNTS}})
        path = tmp_path / f"BTC_USDT-1h.{suffix}"
        (parquet.write_table if suffix == "parquet" else feather.write_feather)(table, path)
        assert same(read_table(path), CANDLES)

    def test_symbol_and_interval_that_are_said_overrule_the_name(self, tmp_path):
        path = write_csv(tmp_path / "prices.csv", CANDLES)
        assert same(read_table(path, "BTCUSDT", "1h"), CANDLES)

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("prices.csv", "prices.csv: a candle file is named SYMBOL-INTERVAL with the suffix .parquet"),
            ("btcusdt-1m.csv", "is named SYMBOL-INTERVAL"),
            ("BTCUSDT-1m.txt", "is named SYMBOL-INTERVAL"),
            ("BTCUSDT-1hour.csv", "interval '1hour' is none of 1s, 1m"),
        ],
    )
    def test_a_name_that_says_nothing(self, tmp_path, name, sentence):
        with pytest.raises(HistoryError, match=sentence):
            symbol_and_interval(tmp_path / name)


class TestDigits:
    @given(table=sound_tables(), suffix=st.sampled_from(["csv", "csv.gz", "parquet"]))
    @settings(max_examples=60, deadline=None)
    def test_each_number_comes_back_exactly_as_it_was_and_as_the_simulator_reads_it(
        self, tmp_path_factory, table, suffix
    ):
        path = tmp_path_factory.mktemp("files") / f"BTCUSDT-1m.{suffix}"
        if suffix == "parquet":
            parquet.write_table(
                pa.table({"date": table.open_times_ms, **{n: getattr(table, n) for n in AMOUNTS}}), path
            )
        else:
            write_csv(path, table)
        read = read_table(path)
        assert same(read, table)
        assert [read.candle(row) for row in range(len(read))] == list(read_candle_file(path).candles)

    def test_the_noise_of_binary_floats_is_rounded_away(self, tmp_path):
        text = f"{HEADER}\n{NEW_YEAR_MS},0.30000000000000004,0.30000000000000004,0.1,0.2,100.00000000000001\n"
        table = read_table(write_text(tmp_path / "BTCUSDT-1h.csv", text))
        candle = table.candle(0)
        assert [str(value) for value in (candle.open, candle.low, candle.close, candle.volume)] == [
            "0.3",
            "0.1",
            "0.2",
            "100",
        ]

    def test_a_column_of_large_numbers_keeps_fewer_decimals(self, tmp_path):
        text = f"{HEADER}\n{NEW_YEAR_MS},1,1,1,1,1234567890.1234567\n{NEW_YEAR_MS + HOUR_MS},1,1,1,1,0.12345678\n"
        table = read_table(write_text(tmp_path / "BTCUSDT-1h.csv", text))
        assert [str(table.candle(row).volume) for row in (0, 1)] == ["1234567890.12346", "0.12346"]

    def test_a_number_that_no_float_holds_is_refused(self, tmp_path):
        text = f"{HEADER}\n{NEW_YEAR_MS},1,1,1,1,1234567890123456\n"
        path = write_text(tmp_path / "BTCUSDT-1h.csv", text)
        assert (
            refusal(path) == "BTCUSDT-1h.csv: 1234567890123456 has more than 15 digits, which is too large for a candle"
        )


class TestBrokenRows:
    @pytest.mark.parametrize(
        ("row", "sentence"),
        [
            (f"{NEW_YEAR_MS},1,1,1,1,1", f"time {NEW_YEAR_MS} repeats the row above's {NEW_YEAR_MS}"),
            (f"{NEW_YEAR_MS - HOUR_MS},1,1,1,1,1", f"time {NEW_YEAR_MS - HOUR_MS} is before the row above's"),
            (f"{NEW_YEAR_MS + 1},1,1,1,1,1", f"time {NEW_YEAR_MS + 1} is not the start of a 1h candle"),
            (f"{NEW_YEAR_MS + HOUR_MS},1,1,2,1,1", "high 1 is below low 2"),
            (f"{NEW_YEAR_MS + HOUR_MS},1,1,0,1,1", "low 0 is not above 0"),
            (f"{NEW_YEAR_MS + HOUR_MS},1,1,1,1,-1", "volume -1 is negative"),
            (f"{NEW_YEAR_MS + HOUR_MS},1,1,1,nan,1", "close NaN is not a finite number"),
            (f"{NEW_YEAR_MS + HOUR_MS},1,inf,1,1,1", "high Infinity is not a finite number"),
            (f"{NEW_YEAR_MS + HOUR_MS},1,1,1,,1", "close '' is not a number"),
            (f"{NEW_YEAR_MS + HOUR_MS},1,1,1,1", "5 columns instead of 6"),
            ("soon,1,1,1,1,1", "time 'soon' is neither a whole number nor ISO 8601"),
            ("9999999999999,1,1,1,1,1", "is not between the years 1970 and 2100"),
        ],
    )
    def test_a_broken_row_is_named_by_file_and_line(self, tmp_path, row, sentence):
        said = refusal(write_text(tmp_path / "BTCUSDT-1h.csv", f"{HEADER}\n{FIRST}\n{row}\n"))
        assert said.startswith("BTCUSDT-1h.csv:3: ")
        assert sentence in said

    def test_rows_that_are_all_too_far_apart(self, tmp_path):
        text = f"{HEADER}\n{FIRST}\n{NEW_YEAR_MS + 2 * HOUR_MS},1,1,1,1,1\n"
        assert "at least 120 minutes apart" in refusal(write_text(tmp_path / "BTCUSDT-1h.csv", text))

    def test_a_missing_column_and_an_empty_file(self, tmp_path):
        path = write_text(tmp_path / "BTCUSDT-1h.csv", "time,open,high,low,close\n1,1,1,1,1\n")
        assert "column volume is missing" in refusal(path)
        assert refusal(write_text(path, "")) == "BTCUSDT-1h.csv holds no candles"
        assert refusal(write_text(path, HEADER)) == "BTCUSDT-1h.csv holds no candles"

    def test_files_that_cannot_be_read(self, tmp_path):
        assert "does not exist" in refusal(tmp_path / "BTCUSDT-1h.csv")
        assert "does not exist" in refusal(tmp_path / "BTCUSDT-1h.feather")
        whole = write_csv(tmp_path / "BTCUSDT-1h.csv.gz", CANDLES).read_bytes()
        (tmp_path / "BTCUSDT-1h.csv.gz").write_bytes(whole[:40])
        assert "is not a whole gzip file" in refusal(tmp_path / "BTCUSDT-1h.csv.gz")
        (tmp_path / "BTCUSDT-1h.csv.gz").write_bytes(gzip.compress(b"\xff\xfe\x00"))
        assert "is not a text file" in refusal(tmp_path / "BTCUSDT-1h.csv.gz")
        for suffix, kind in (("parquet", "Parquet"), ("feather", "Feather")):
            path = write_text(tmp_path / f"BTCUSDT-1h.{suffix}", "nonsense")
            assert f"is not a whole {kind} file" in refusal(path)

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_what_the_simulator_refuses_is_refused_with_the_same_words_and_nothing_else(self, tmp_path_factory, data):
        path = tmp_path_factory.mktemp("broken") / "BTCUSDT-1m.csv"
        lines = lines_of(data.draw(sound_tables()))
        row = data.draw(st.integers(0, len(lines) - 1))
        fields = lines[row].split(",")
        place = data.draw(st.integers(0, 5))
        fields[place] = data.draw(
            st.sampled_from(["", "0", "-1", "nan", "1e3", "x", "1,2", " 7 ", "NULL", "1_0", "+5", '"1"', "0x1"])
        )
        lines[row] = ",".join(fields)
        write_text(path, "\n".join([HEADER, *lines]))
        said, candles = outcome(lambda: read_candle_file(path).candles)
        table_said, table = outcome(lambda: read_table(path))
        assert table_said == said
        if table is not None:
            assert [table.candle(each) for each in range(len(table))] == list(candles)
