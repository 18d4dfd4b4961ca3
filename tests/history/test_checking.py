"""Checking recorded candles: each flaw is found, counted and named, and sound candles are left in peace."""

import numpy as np
import pytest

from binance_trade_agent.history.checking import Checked, Stretch, check_files
from binance_trade_agent.history.store import candle_files
from binance_trade_agent.history.table import CandleTable
from tests.history.candles import (
    HEADER,
    HOUR_MS,
    NEW_YEAR_MS,
    changed,
    lines_of,
    made_candles,
    without,
    write_csv,
    write_text,
)

MINUTES = made_candles(600, interval="1m")


def checked(folder) -> dict[str, Checked]:
    return {each.what: each for each in check_files(candle_files(folder))}


def only(folder, table) -> Checked:
    write_csv(folder / f"BTCUSDT-{table.interval}.csv", table)
    (found,) = checked(folder).values()
    return found


def added_up(minutes: CandleTable, interval: str, count: int) -> CandleTable:
    """Larger candles, one by one."""
    groups = [minutes.rows(start, start + count) for start in range(0, len(minutes), count)]
    return CandleTable.with_digits(
        "BTCUSDT",
        interval,
        np.array([group.open_times_ms[0] for group in groups]),
        open=np.array([group.open[0] for group in groups]),
        close=np.array([group.close[-1] for group in groups]),
        high=np.array([group.high.max() for group in groups]),
        low=np.array([group.low.min() for group in groups]),
        volume=np.array([round(float(sum(group.volume)), 5) for group in groups]),
    )


def test_sound_candles_have_nothing_to_say(tmp_path):
    assert only(tmp_path, MINUTES) == Checked("BTCUSDT-1m.csv", candles=600)


def test_gaps_are_listed_and_not_wrong(tmp_path):
    found = only(tmp_path, without(made_candles(50), 10, 11, 12, 40))
    assert found.gaps == [
        Stretch(NEW_YEAR_MS + 10 * HOUR_MS, NEW_YEAR_MS + 12 * HOUR_MS, 3),
        Stretch(NEW_YEAR_MS + 40 * HOUR_MS, NEW_YEAR_MS + 40 * HOUR_MS, 1),
    ]
    assert str(found.gaps[0]) == "3 candles, 2024-01-01T10:00:00Z to 2024-01-01T12:00:00Z"
    assert not found.wrong


def test_repeated_and_misplaced_rows_are_counted(tmp_path):
    lines = lines_of(made_candles(6))
    off = lines[3].replace(str(NEW_YEAR_MS + 3 * HOUR_MS), str(NEW_YEAR_MS + 3 * HOUR_MS + 1))
    write_text(tmp_path / "BTCUSDT-1h.csv", "\n".join([HEADER, *lines[:3], lines[2], lines[2], off]))
    (found,) = checked(tmp_path).values()
    assert (found.duplicates, found.misaligned) == (2, 1)
    assert found.wrong[0].startswith("BTCUSDT-1h.csv:5: time 1704074400000 repeats the row above's")
    assert found.wrong[1:] == ["rows that repeat a time: 2", "rows off the grid of 1h: 1"]


@pytest.mark.parametrize(
    ("values", "wrong", "notes"),
    [
        ({"high": 400_000.0 * 1.1}, 1, 0),
        ({"low": 400.0}, 1, 0),
        ({"high": 100_000.0}, 0, 1),
        ({"high": 60_000.0}, 0, 0),
    ],
    ids=["ten times too high", "a slipped point", "a wild minute", "a brisk minute"],
)
def test_a_price_far_from_those_before_and_after(tmp_path, values, wrong, notes):
    found = only(tmp_path, changed(MINUTES, 300, **values))
    assert (len(found.wrong), len(found.notes)) == (wrong, notes)
    assert all("at 2024-01-01T05:00:00Z" in said for said in found.wrong + found.notes)


def test_a_market_that_really_moves_is_no_outlier(tmp_path):
    table = made_candles(40)
    risen = CandleTable.with_digits(
        "BTCUSDT",
        "1h",
        table.open_times_ms,
        **{
            name: np.where(np.arange(40) < 20, getattr(table, name), getattr(table, name) * 20)
            for name in ("open", "high", "low", "close")
        },
        volume=table.volume,
    )
    assert not only(tmp_path, risen).wrong


def test_long_silence_and_prices_that_do_not_move_are_noted(tmp_path):
    table = MINUTES
    for row in range(100, 172):
        table = changed(table, row, volume=0.0)
    for row in range(300, 340):
        table = changed(table, row, **dict.fromkeys(("open", "high", "low", "close"), 40_000.0))
    assert only(tmp_path, table).notes == [
        "no volume in 72 candles, 2024-01-01T01:40:00Z to 2024-01-01T02:51:00Z",
        "no range in 40 candles, 2024-01-01T05:00:00Z to 2024-01-01T05:39:00Z",
    ]


class TestIntervals:
    def test_intervals_that_add_up_agree(self, tmp_path):
        write_csv(tmp_path / "BTCUSDT-1m.csv", without(MINUTES, 95))
        write_csv(tmp_path / "BTCUSDT-30m.csv", added_up(MINUTES, "30m", 30))
        found = checked(tmp_path)["BTCUSDT 1m and 30m"]
        assert (found.candles, found.wrong) == (19, [])

    @pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
    def test_a_number_that_differs_is_wrong(self, tmp_path, name):
        large = added_up(MINUTES, "30m", 30)
        step = {"high": 0.01, "low": -0.01, "volume": 0.00001}.get(name, 0.0)
        value = getattr(large, name)[4] + step if step else (large.low[4] + large.high[4]) / 2
        write_csv(tmp_path / "BTCUSDT-1m.csv", MINUTES)
        write_csv(tmp_path / "BTCUSDT-30m.csv", changed(large, 4, **{name: round(value, 5)}))
        assert checked(tmp_path)["BTCUSDT 1m and 30m"].wrong == [
            "1 of 20 candles differ, the first at 2024-01-01T02:00:00Z"
        ]

    def test_files_of_one_symbol_are_compared_together(self, tmp_path):
        write_csv(tmp_path / "BTCUSDT-1m-a.csv", MINUTES.rows(0, 300))
        write_csv(tmp_path / "BTCUSDT-1m-b.csv", MINUTES.rows(300, 600))
        write_csv(tmp_path / "BTCUSDT-5m.csv", added_up(MINUTES, "5m", 5))
        write_csv(tmp_path / "BTCUSDT-1h.csv", added_up(MINUTES, "1h", 60))
        found = {what: each.candles for what, each in checked(tmp_path).items() if " and " in what}
        assert found == {"BTCUSDT 1m and 5m": 120, "BTCUSDT 5m and 1h": 10, "BTCUSDT 1m and 1h": 10}
