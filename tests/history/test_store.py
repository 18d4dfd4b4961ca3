"""The folder of candles: what is written comes back, what a backtest opens, and what is said when it is not there."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from pyarrow import parquet

from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.rules import read_listings, rules_of, write_listings
from binance_trade_agent.history.store import CandleStore, Provenance, open_data
from binance_trade_agent.simulator.market.replay import ReplayFeed
from binance_trade_agent.simulator.symbols import listing
from tests.history.candles import (
    DAY_MS,
    HOUR_MS,
    NEW_YEAR_MS,
    changed,
    made_candles,
    same,
    sound_tables,
    without,
    write_csv,
    write_text,
)

CANDLES = made_candles(100)


def refusal(*arguments) -> str:
    with pytest.raises(HistoryError) as caught:
        open_data(*arguments)
    return str(caught.value)


class TestStore:
    @given(table=sound_tables())
    @settings(max_examples=40, deadline=None)
    def test_what_is_written_is_read_to_the_last_digit(self, tmp_path_factory, table):
        store = CandleStore(tmp_path_factory.mktemp("store"))
        store.write(table, Provenance("somewhere", ((1, 2), (5, 7)), 3))
        assert same(store.read("BTCUSDT", "1m"), table)
        assert store.provenance("BTCUSDT", "1m") == Provenance("somewhere", ((1, 2), (5, 7)), 3)

    def test_the_file_has_the_columns_that_are_promised_and_the_simulator_replays_it(self, tmp_path):
        path = CandleStore(tmp_path / "new" / "folder").write(CANDLES, Provenance())
        schema = parquet.read_schema(path)
        assert {field.name: str(field.type) for field in schema} == {
            "open_time_ms": "int64",
            "open": "double",
            "high": "double",
            "low": "double",
            "close": "double",
            "volume": "double",
        }
        assert (schema.metadata[b"symbol"], schema.metadata[b"interval"]) == (b"BTCUSDT", b"1h")
        assert list(path.parent.iterdir()) == [path]
        feed = ReplayFeed([path], start_ms=NEW_YEAR_MS + 50 * HOUR_MS)
        assert feed.symbols == ("BTCUSDT",)

    def test_candles_are_added_replaced_or_known_already(self, tmp_path):
        store = CandleStore(tmp_path)
        asked = Provenance("an exchange", ((NEW_YEAR_MS + 20 * HOUR_MS, NEW_YEAR_MS + 60 * HOUR_MS),), NEW_YEAR_MS)
        store.add(CANDLES.rows(20, 60), asked)
        newer = changed(CANDLES.rows(0, 40), 30, volume=1.5)
        merged = store.add(newer)
        assert (merged.added, merged.replaced, merged.same) == (20, 1, 19)
        expected = newer.joined(CANDLES.rows(40, 60))
        assert same(store.read("BTCUSDT", "1h"), expected)
        assert store.provenance("BTCUSDT", "1h") == asked

    def test_nothing_there_is_none_and_an_unwritable_folder_is_said(self, tmp_path):
        assert CandleStore(tmp_path).read("BTCUSDT", "1h") is None
        assert CandleStore(tmp_path).provenance("BTCUSDT", "1h") == Provenance()
        (tmp_path / "file").write_text("")
        with pytest.raises(HistoryError, match=r"BTCUSDT-1h\.parquet cannot be written: "):
            CandleStore(tmp_path / "file" / "below").write(CANDLES, Provenance())


class TestOpenData:
    def test_a_file_and_a_part_of_it(self, tmp_path):
        path = write_csv(tmp_path / "BTCUSDT-1h.csv.gz", CANDLES)
        assert same(open_data(path, "BTCUSDT", "1h"), CANDLES)
        part = open_data(path, "BTCUSDT", "1h", NEW_YEAR_MS + HOUR_MS, NEW_YEAR_MS + 3 * HOUR_MS)
        assert same(part, CANDLES.rows(1, 3))
        assert same(open_data(path, "BTCUSDT", "1h", start_ms=NEW_YEAR_MS + 90 * HOUR_MS), CANDLES.rows(90, 100))

    def test_in_a_folder_parquet_goes_before_csv_and_both_before_files_with_a_remark(self, tmp_path):
        write_csv(tmp_path / "BTCUSDT-1h-old.csv", CANDLES.rows(0, 10))
        assert same(open_data(tmp_path, "BTCUSDT", "1h"), CANDLES.rows(0, 10))
        write_csv(tmp_path / "BTCUSDT-1h.csv", CANDLES.rows(10, 20))
        assert same(open_data(tmp_path, "BTCUSDT", "1h"), CANDLES.rows(10, 20))
        CandleStore(tmp_path).write(CANDLES.rows(20, 30), Provenance())
        assert same(open_data(tmp_path, "BTCUSDT", "1h"), CANDLES.rows(20, 30))
        assert same(open_data(tmp_path, "BTCUSDT", "1h", end_ms=NEW_YEAR_MS + 5 * HOUR_MS), CANDLES.rows(0, 5))

    def test_a_folder_of_binances_monthly_files_is_read_as_one(self, tmp_path):
        for row in (60, 0, 30):
            write_csv(tmp_path / f"BTCUSDT-1h-2024-{row:02}.csv", CANDLES.rows(row, row + 30))
        assert same(open_data(tmp_path, "BTCUSDT", "1h"), CANDLES.rows(0, 90))

    def test_what_is_not_there_is_said_with_what_is(self, tmp_path):
        path = write_csv(tmp_path / "BTCUSDT-1h.csv", CANDLES)
        write_text(tmp_path / "notes.csv", "anything")
        assert refusal(tmp_path, "BTCUSDT", "1m") == f"{tmp_path} holds no BTCUSDT 1m candles; of BTCUSDT it has 1h"
        assert refusal(tmp_path, "BTCUSD", "1h").endswith(
            "holds no BTCUSD 1h candles; it has BTCUSDT; did you mean BTCUSDT?"
        )
        assert refusal(path, "ETHUSDT", "1h") == f"{path} holds BTCUSDT 1h candles, not ETHUSDT 1h"
        assert "does not exist" in refusal(tmp_path / "no", "BTCUSDT", "1h")
        (tmp_path / "empty").mkdir()
        assert refusal(tmp_path / "empty", "BTCUSDT", "1h").endswith("; it holds no candles at all")
        assert refusal(path, "BTCUSDT", "1h", NEW_YEAR_MS + 9 * DAY_MS) == (
            f"{path} has no BTCUSDT 1h candles from 2024-01-10T00:00:00Z; "
            "it has those of 2024-01-01T00:00:00Z to 2024-01-05T03:00:00Z"
        )
        assert "which is not before its end" in refusal(path, "BTCUSDT", "1h", 5, 5)

    def test_a_period_within_a_gap_has_no_candles(self, tmp_path):
        path = write_csv(tmp_path / "BTCUSDT-1h.csv", without(CANDLES, *range(40, 60)))
        said = refusal(path, "BTCUSDT", "1h", NEW_YEAR_MS + 45 * HOUR_MS, NEW_YEAR_MS + 50 * HOUR_MS)
        assert "from 2024-01-02T21:00:00Z to 2024-01-03T02:00:00Z" in said


class TestRules:
    def test_filters_of_the_folder_else_typical_ones(self, tmp_path):
        assert rules_of(tmp_path, "BTCUSDT", Decimal(40_000)).min_notional == 5
        entry = listing("BTCUSDT")
        notional = next(each for each in entry["filters"] if each["filterType"] == "NOTIONAL")
        notional["minNotional"] = "11"
        write_listings(tmp_path, [entry])
        write_listings(tmp_path, [listing("ETHUSDT")])
        assert rules_of(tmp_path, "BTCUSDT", Decimal(40_000)).min_notional == 11
        assert sorted(read_listings(tmp_path)) == ["BTCUSDT", "ETHUSDT"]
        assert rules_of(None, "BTCUSDT", Decimal(40_000)).min_notional == 5

    def test_broken_listings_and_unknown_symbols_are_said(self, tmp_path):
        with pytest.raises(HistoryError, match="no filters are known: symbol 'BTCEUR' is unknown"):
            rules_of(tmp_path, "BTCEUR", Decimal(40_000))
        write_listings(tmp_path, [{"symbol": "BTCUSDT"}])
        with pytest.raises(HistoryError, match="the filters of BTCUSDT are broken: KeyError"):
            rules_of(tmp_path, "BTCUSDT", Decimal(40_000))
        write_text(tmp_path / "exchangeInfo.json", "[1]")
        with pytest.raises(HistoryError, match=r"exchangeInfo\.json is not an answer of GET exchangeInfo"):
            rules_of(tmp_path, "BTCUSDT", Decimal(40_000))
