import gzip
from decimal import Decimal

import pytest

from binance_trade_agent.domain.candles import INTERVAL_MS, interval_open_ms
from binance_trade_agent.simulator.market.candle_files import read_candle_file
from binance_trade_agent.simulator.market.feed import FeedError
from tests.simulator.market.candles import HEADER, MINUTE_MS, START_MS, candle, write_candles, write_text

GOOD_ROW = f"{START_MS},10,12,9,11,5"
NEXT_MS = START_MS + MINUTE_MS


def refusal(path) -> str:
    with pytest.raises(FeedError) as caught:
        read_candle_file(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["BTCUSDT-1m.csv", "BTCUSDT-1m.csv.gz", "BTCUSDT-1m-2023q1outage.csv.gz"])
def test_candles_are_read_to_the_last_digit(tmp_path, name):
    rows = [
        candle(START_MS, "65000.10 65000.123456 64999.9 65000", "0.00000001"),
        candle(NEXT_MS, "65000 65000 65000 65000", "0"),
        candle(START_MS + 5 * MINUTE_MS, "1 2 0.5 1.5", "123456789.12345678"),
    ]

    file = read_candle_file(write_candles(tmp_path / name, rows))

    assert (file.symbol, file.interval, list(file.candles)) == ("BTCUSDT", "1m", rows)
    assert str(file.candles[0].open) == "65000.10"


@pytest.mark.parametrize("interval", list(INTERVAL_MS))
def test_each_interval_is_taken_from_the_name(tmp_path, interval):
    rows = [candle(START_MS + index * INTERVAL_MS[interval], "1 2 1 2", "1", interval) for index in range(2)]
    if interval == "3d":
        rows = [candle(interval_open_ms(interval, START_MS), "1 2 1 2", "1", interval)]

    file = read_candle_file(write_candles(tmp_path / f"SOLUSDT-{interval}.csv", rows))

    assert (file.interval, list(file.candles)) == (interval, rows)


@pytest.mark.parametrize(
    ("row", "flaw"),
    [
        (f"{NEXT_MS},6,5,4,5,1", "high 5 is below open 6"),
        (f"{NEXT_MS},5,5,7,5,1", "high 5 is below low 7"),
        (f"{NEXT_MS},5,9,4,10,1", "high 9 is below close 10"),
        (f"{NEXT_MS},5,9,6,8,1", "low 6 is above open 5"),
        (f"{NEXT_MS},8,9,6,5,1", "low 6 is above close 5"),
        (f"{NEXT_MS},5,9,-4,8,1", "low -4 is not above 0"),
        (f"{NEXT_MS},0,9,0,8,1", "open 0 is not above 0"),
        (f"{NEXT_MS},5,9,4,8,-1", "volume -1 is negative"),
        (f"{NEXT_MS},5,NaN,4,8,1", "high NaN is not a finite number"),
        (f"{NEXT_MS},5,9,4,8,inf", "volume Infinity is not a finite number"),
        (f"{NEXT_MS},5,nine,4,8,1", "high 'nine' is not a number"),
        (f"{NEXT_MS},5,9,4,,1", "close '' is not a number"),
        ("noon,5,9,4,8,1", "time 'noon' is neither a whole number nor ISO 8601"),
        (f"{NEXT_MS},5,9,4,8", "5 columns instead of 6"),
        (f"{NEXT_MS},5,9,4,8,1,2", "7 columns instead of 6"),
        (f"{NEXT_MS},5,9,4,{'8' * 40},1", "close has more than 20 digits"),
        (f"{NEXT_MS},5,9,4,1e30,1", "close has more than 20 digits"),
        (f"{NEXT_MS},5,9,4,0.000000001,1", "close 0 is not above 0"),
        (GOOD_ROW, f"time {START_MS} repeats the row above's {START_MS}"),
        (f"{START_MS - MINUTE_MS},5,9,4,8,1", f"time {START_MS - MINUTE_MS} is before the row above's {START_MS}"),
        ("9999999999999,5,9,4,8,1", "time 9999999999999 is not between the years 1970 and 2100"),
        (f"{NEXT_MS + 1},5,9,4,8,1", f"time {NEXT_MS + 1} is not the start of a 1m candle"),
    ],
)
def test_a_broken_row_is_named_by_file_and_line(tmp_path, row, flaw):
    path = write_text(tmp_path / "BTCUSDT-1m.csv", f"{HEADER}\n{GOOD_ROW}\n{row}\n")

    assert refusal(path) == f"BTCUSDT-1m.csv:3: {flaw}"


def test_a_missing_file_is_named(tmp_path):
    assert refusal(tmp_path / "BTCUSDT-1m.csv") == f"candle file {tmp_path / 'BTCUSDT-1m.csv'} does not exist"


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "BTCUSDT-1m.csv").mkdir()

    assert "cannot be read" in refusal(tmp_path / "BTCUSDT-1m.csv")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("prices.csv", "SYMBOL-INTERVAL with the suffix .csv"),
        ("BTCUSDT-1m.txt", "SYMBOL-INTERVAL with the suffix .csv"),
        ("BTCUSD-1m.csv", "symbol 'BTCUSD' is unknown"),
        ("BTCUSDT-1min.csv", "interval '1min' is none of"),
    ],
)
def test_a_name_that_says_nothing_is_refused(tmp_path, name, reason):
    message = refusal(write_text(tmp_path / name, f"{HEADER}\n{GOOD_ROW}\n"))

    assert message.startswith(f"{name}: ")
    assert reason in message


@pytest.mark.parametrize(
    ("header", "flaw"),
    [
        ("time,open,high,low,close", "column volume is missing; needed are time, open, high, low, close, volume"),
        ("when,open,high,low,close,volume", "no column is the time of a candle's opening, such as open_time or date"),
    ],
)
def test_a_header_without_a_column_is_refused(tmp_path, header, flaw):
    path = write_text(tmp_path / "BTCUSDT-1m.csv", f"{header}\n{GOOD_ROW}\n")

    assert refusal(path) == f"BTCUSDT-1m.csv:1: {flaw}"


BINANCE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


@pytest.mark.parametrize("header", ["", BINANCE_HEADER + "\n"], ids=["without a header", "with a header"])
@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000], ids=["ms", "us", "ns"])
def test_a_file_of_binances_archive_is_read(tmp_path, header, unit):
    row = "65000.10000000,65010.00000000,64990.00000000,65001.00000000,12.34560000"
    text = "".join(
        f"{(START_MS + n * MINUTE_MS) * unit},{row},{(START_MS + n * MINUTE_MS + MINUTE_MS - 1) * unit},1,7,1,1,0\n"
        for n in range(3)
    )

    file = read_candle_file(write_text(tmp_path / "BTCUSDT-1m-2026-01.csv", header + text))

    assert [entry.open_time_ms for entry in file.candles] == [START_MS + n * MINUTE_MS for n in range(3)]
    assert file.candles[0].volume == Decimal("12.3456")


@pytest.mark.parametrize(
    "time", ["2026-01-05T00:00:00Z", "2026-01-05 00:00:00+00:00", "2026-01-05 00:00:00", str(START_MS // 1000)]
)
def test_times_are_read_as_iso_text_or_seconds_and_columns_by_their_names(tmp_path, time):
    path = write_text(tmp_path / "BTC_USDT-1m.csv", f"volume,close,low,high,open,Date\n5,11,9,12,10,{time}\n")

    assert list(read_candle_file(path).candles) == [candle(START_MS, "10 12 9 11", "5")]


def test_the_noise_of_binary_floats_is_rounded_away(tmp_path):
    path = write_text(tmp_path / "BTCUSDT-1m.csv", f"{HEADER}\n{START_MS},0.30000000000000004,1,0.1,1,5\n")

    assert read_candle_file(path).candles[0].open == Decimal("0.3")


@pytest.mark.parametrize("text", ["", f"{HEADER}\n"])
def test_an_empty_file_is_refused(tmp_path, text):
    assert "BTCUSDT-1m.csv" in refusal(write_text(tmp_path / "BTCUSDT-1m.csv", text))


@pytest.mark.parametrize(
    "content", [b"not gzip", gzip.compress(f"{HEADER}\n{GOOD_ROW}\n".encode(), mtime=0)[:-12]], ids=["other", "cut"]
)
def test_a_damaged_gzip_file_is_refused(tmp_path, content):
    path = tmp_path / "BTCUSDT-1m.csv.gz"
    path.write_bytes(content)

    assert refusal(path).startswith("BTCUSDT-1m.csv.gz is not a whole gzip file")


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_bytes(b"\xff\xfe\x00")

    assert refusal(path) == "BTCUSDT-1m.csv is not a text file"


def test_rows_further_apart_than_the_name_says_are_refused(tmp_path):
    rows = [candle(START_MS + index * 30 * MINUTE_MS, "1 2 1 2") for index in range(3)]
    path = write_candles(tmp_path / "BTCUSDT-1m.csv", rows)

    assert refusal(path) == "BTCUSDT-1m.csv: rows are at least 30 minutes apart, but the name says 1m"


def test_a_price_keeps_all_its_digits(tmp_path):
    path = write_text(tmp_path / "BTCUSDT-1m.csv", f"{HEADER}\n{START_MS},1.10,1.20,1.00,1.15,0.30\n")

    assert read_candle_file(path).candles[0].volume == Decimal("0.3")
