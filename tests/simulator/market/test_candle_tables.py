"""Candles in Parquet, in the layouts that others write."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from binance_trade_agent.simulator.market.candle_files import read_candle_file
from binance_trade_agent.simulator.market.feed import FeedError
from tests.simulator.market.candles import MINUTE_MS, START_MS, candle

EXPECTED = [candle(START_MS + n * MINUTE_MS, "10 12 9 11.5", "5.25") for n in range(3)]
MOMENTS = [datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=n) for n in range(3)]
PRICES = {"open": [10.0] * 3, "high": [12.0] * 3, "low": [9.0] * 3, "close": [11.5] * 3, "volume": [5.25] * 3}


def written(path, columns):
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "times",
    [
        {"date": pa.array(MOMENTS, pa.timestamp("ms", "UTC"))},  # freqtrade's
        {"date": pa.array(MOMENTS, pa.timestamp("ns", "UTC"))},
        {"timestamp": pa.array([moment.replace(tzinfo=None) for moment in MOMENTS], pa.timestamp("us"))},
        {"open_time": [START_MS + n * MINUTE_MS for n in range(3)]},
        {"open_time": [(START_MS + n * MINUTE_MS) * 1000 for n in range(3)]},
        {"__index_level_0__": pa.array(MOMENTS, pa.timestamp("ns", "UTC"))},  # a frame with an index of times
        {"time": [moment.isoformat() for moment in MOMENTS]},
    ],
    ids=["ms", "ns", "naive us", "integer ms", "integer us", "index", "text"],
)
def test_times_of_every_kind_are_read(tmp_path, times):
    file = read_candle_file(written(tmp_path / "BTC_USDT-1m.parquet", {**PRICES, **times}))

    assert (file.symbol, list(file.candles)) == ("BTCUSDT", EXPECTED)


@pytest.mark.parametrize("kind", [str, Decimal], ids=["text", "decimal"])
def test_prices_may_be_text_or_decimals(tmp_path, kind):
    prices = {name: [kind(str(value)) for value in values] for name, values in PRICES.items()}

    file = read_candle_file(written(tmp_path / "BTCUSDT-1m.parquet", {"date": MOMENTS, **prices}))

    assert list(file.candles) == EXPECTED


def refusal(path) -> str:
    with pytest.raises(FeedError) as caught:
        read_candle_file(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"close": [11.5, float("nan"), 11.5]}, "BTCUSDT-1m.parquet row 2: close NaN is not a finite number"),
        ({"close": [11.5, None, 11.5]}, "BTCUSDT-1m.parquet row 2: close None is not a number"),
        ({"high": [12.0, 12.0, 8.0]}, "BTCUSDT-1m.parquet row 3: high 8 is below open 10"),
        ({"date": [MOMENTS[0]] * 3}, f"BTCUSDT-1m.parquet row 2: time {START_MS} repeats the row above's {START_MS}"),
    ],
)
def test_a_broken_row_is_named_by_its_number(tmp_path, changes, flaw):
    path = written(tmp_path / "BTCUSDT-1m.parquet", {"date": MOMENTS, **PRICES, **changes})

    assert refusal(path) == flaw


def test_a_missing_column_is_named(tmp_path):
    path = written(tmp_path / "BTCUSDT-1m.parquet", {"date": MOMENTS, "close": PRICES["close"]})

    assert refusal(path).startswith("BTCUSDT-1m.parquet: column open is missing")


def test_a_missing_a_cut_and_an_empty_file_are_refused(tmp_path):
    path = tmp_path / "BTCUSDT-1m.parquet"
    assert refusal(path) == f"candle file {path} does not exist"
    whole = written(path, {"date": MOMENTS, **PRICES}).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refusal(path).startswith("BTCUSDT-1m.parquet is not a whole Parquet file")
    path.write_bytes(b"")
    assert refusal(path).startswith("BTCUSDT-1m.parquet is not a whole Parquet file")
    written(path, {"date": MOMENTS[:0], **{name: values[:0] for name, values in PRICES.items()}})
    assert refusal(path) == "BTCUSDT-1m.parquet holds no candles"
