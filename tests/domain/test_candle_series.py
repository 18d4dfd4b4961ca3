"""The series that may be decided on: whatever comes, it is closed, sound and in one piece, and nothing is lost silently."""

from collections import Counter
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.candle_series import (
    FAR_OFF_FACTOR,
    QUIET_WINDOW,
    CandleSeries,
    Dropped,
    Flaw,
    Hole,
    candle_series,
)
from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.domain.candles import BINANCE_INTERVALS, MINUTE_MS, Candle, candle_span_ms
from binance_trade_agent.domain.values import replace

FIRST_MS = 1_700_000_040_000
SPOILERS = {
    "NaN": ({"close": Decimal("NaN")}, Flaw.NOT_A_NUMBER),
    "signalling NaN": ({"open": Decimal("sNaN")}, Flaw.NOT_A_NUMBER),
    "infinite": ({"high": Decimal("Infinity")}, Flaw.NOT_A_NUMBER),
    "volume is no number": ({"volume": Decimal("NaN")}, Flaw.NOT_A_NUMBER),
    "high below low": ({"high": Decimal(1), "low": Decimal(2)}, Flaw.UNSOUND),
    "nothing": (dict.fromkeys(("open", "high", "low", "close"), Decimal(0)), Flaw.UNSOUND),
    "negative volume": ({"volume": Decimal(-1)}, Flaw.UNSOUND),
    "ends before it begins": ({"close_time_ms": 0}, Flaw.UNSOUND),
    "100 times": ({name: Decimal(10_000) for name in ("open", "high", "low", "close")}, Flaw.FAR_OFF),
    "a hundredth": ({name: Decimal(1) for name in ("open", "high", "low", "close")}, Flaw.FAR_OFF),
    "a wick to 10 times": ({"high": Decimal(100 * FAR_OFF_FACTOR * 2)}, Flaw.FAR_OFF),
}


def candles(count: int, *, first_ms: int = FIRST_MS, price: int = 100) -> list[Candle]:
    """Minutes without a flaw, prices a little up and down."""
    return [
        Candle(
            first_ms + number * MINUTE_MS,
            first_ms + (number + 1) * MINUTE_MS - 1,
            Decimal(price),
            Decimal(price + 2),
            Decimal(price - 2),
            Decimal(price + number % 3 - 1),
            Decimal(1),
        )
        for number in range(count)
    ]


def after(series: list[Candle]) -> int:
    return series[-1].close_time_ms + 1


@given(st.permutations(candles(30)), st.integers(0, 5))
def test_sound_candles_pass_whatever_their_order_and_repetition(shuffled, repeated):
    series = candle_series((), [*shuffled, *shuffled[:repeated]], after(candles(30)))
    assert series.candles == candles(30)
    assert [each.flaw for each in series.dropped] == [Flaw.REPEATED] * repeated
    assert (series.hole, series.bad_end) == (None, None)


@given(spoiler=st.sampled_from(sorted(SPOILERS)), at=st.integers(0, 39))
def test_spoilt_candle_is_dropped_with_its_reason_and_the_series_begins_after_it(spoiler, at):
    changes, flaw = SPOILERS[spoiler]
    whole = candles(40)
    series = candle_series((), [*whole[:at], replace(whole[at], **changes), *whole[at + 1 :]], after(whole))
    assert series.dropped == [Dropped(whole[at].open_time_ms, flaw)]
    is_last = at == 39
    assert series.candles == (whole[:at] if is_last else whole[at + 1 :])
    assert series.bad_end == (series.dropped[0] if is_last else None)
    has_hole = at not in {0, 39}
    assert series.hole == (Hole(whole[at].open_time_ms, whole[at + 1].open_time_ms) if has_hole else None)


@given(known=st.integers(0, 40), overlap=st.integers(0, 5))
def test_series_in_two_pieces_is_the_series_in_one(known, overlap):
    whole = candles(40)
    pieces = candle_series(whole[:known], whole[max(0, known - overlap) :], after(whole))
    assert pieces == CandleSeries(whole, [], None)


def test_later_of_two_candles_of_one_minute_wins():
    whole = candles(5)
    other = replace(whole[4], close=Decimal(101))
    assert candle_series((), [*whole, other], after(whole)).candles[-1] == other
    assert candle_series(whole, [other], after(whole)).candles[-1] == other
    broken = replace(whole[4], close=Decimal("NaN"))
    assert candle_series((), [*whole, broken], after(whole)).candles == whole


def test_candle_is_closed_when_its_last_millisecond_is_over():
    whole = candles(3)
    assert candle_series((), whole, after(whole)).candles == whole
    early = candle_series((), whole, after(whole) - 1)
    assert early.candles == whole[:2]
    assert early.dropped == [Dropped(whole[2].open_time_ms, Flaw.UNCLOSED)]
    assert early.bad_end is None


_prices = st.sampled_from([Decimal(each) for each in ("-1", "0", "1", "99", "100", "101", "5000", "NaN", "Infinity")])


@st.composite
def wild_candles(draw) -> Candle:
    open_ms = FIRST_MS + draw(st.integers(0, 30)) * MINUTE_MS
    close_ms = open_ms + draw(st.sampled_from([MINUTE_MS - 1, MINUTE_MS - 1, MINUTE_MS - 1, MINUTE_MS, 0]))
    if draw(st.booleans()):
        return Candle(open_ms, close_ms, *(draw(_prices) for _ in range(5)))
    return Candle(open_ms, close_ms, *map(Decimal, (100, 102, 98, 101, 3)))


@given(st.lists(wild_candles(), max_size=60), st.integers(0, 31))
def test_whatever_comes_what_is_left_is_closed_sound_and_in_one_piece(came, minutes):
    now_ms = FIRST_MS + minutes * MINUTE_MS
    series = candle_series((), came, now_ms)
    assert all(candle.is_sound and candle.close_time_ms < now_ms for candle in series.candles)
    assert all(
        one.close_time_ms + 1 == next_one.open_time_ms
        for one, next_one in zip(series.candles, series.candles[1:], strict=False)
    )
    assert set(series.candles) <= set(came)
    flaws = Counter(each.flaw for each in series.dropped)
    before_the_hole = len(came) - sum(flaws.values()) - len(series.candles)
    assert before_the_hole >= 0
    assert before_the_hole == 0 or series.hole is not None
    assert candle_series((), series.candles, now_ms).candles == series.candles or flaws[Flaw.FAR_OFF]


@pytest.mark.parametrize("interval", BINANCE_INTERVALS)
def test_neighbours_are_told_by_where_one_ends_whatever_the_length(interval):
    at_ms, whole = FIRST_MS, []
    for template in candles(30):
        opened, following = candle_span_ms(interval, at_ms)
        whole.append(replace(template, open_time_ms=opened, close_time_ms=following - 1))
        at_ms = following
    assert candle_series((), whole, at_ms) == CandleSeries(whole, [], None)
    holed = candle_series((), [*whole[:10], *whole[11:]], at_ms)
    assert holed.candles == whole[11:]


def test_market_that_really_moved_a_hundredfold_is_believed_after_a_while_and_from_there():
    old, step = candles(40), 40 * MINUTE_MS
    new = candles(40, first_ms=FIRST_MS + step, price=10_000)
    for count in range(1, 40):
        series = candle_series((), [*old, *new[:count]], after(new))
        assert set(series.candles) <= set(old) or set(series.candles) <= set(new)  # never both
    assert series.candles[-30:] == new[9:39]


def test_candles_without_volume_stay_and_are_counted():
    whole = candles(40)
    quiet = [replace(candle, volume=Decimal(0)) for candle in whole]
    half = QUIET_WINDOW // 2
    series = candle_series((), [*whole[:-half], *quiet[-half:]], after(whole))
    assert (len(series.candles), series.quiet_candles, series.is_quiet) == (40, half, False)
    series = candle_series((), [*whole[: -half - 1], *quiet[-half - 1 :]], after(whole))
    assert (len(series.candles), series.quiet_candles, series.is_quiet) == (40, half + 1, True)
    assert candle_series((), [*quiet[:-QUIET_WINDOW], *whole[-QUIET_WINDOW:]], after(whole)).quiet_candles == 0
    assert not CandleSeries(()).is_quiet


@given(st.lists(st.sampled_from([0.0, -0.0, 1e-300, 0.5, float("nan")]), max_size=2 * QUIET_WINDOW))
def test_quiet_candles_of_columns_are_those_whose_volume_is_0(volumes):
    numbers = np.ones((len(volumes), 5))
    numbers[:, 4] = volumes
    window = CandleWindow(np.zeros((len(volumes), 2), dtype=np.int64), numbers)
    assert CandleSeries(window).quiet_candles == sum(volume == 0 for volume in volumes[-QUIET_WINDOW:])
