from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from tests.simulator.market.candles import MINUTE_MS, START_MS, rows_of, sound_candles


@st.composite
def runs(draw):
    """Hours and then minutes."""
    hours, minutes = draw(st.integers(0, 3)), draw(st.integers(0, 5))
    return [
        *(draw(sound_candles(START_MS - (hours - n) * 60 * MINUTE_MS, "1h")) for n in range(hours)),
        *(draw(sound_candles(START_MS + n * MINUTE_MS)) for n in range(minutes)),
    ]


@given(runs(), st.integers(0, 8))
def test_candles_come_back_exactly_also_in_parts(candles, middle):
    parts = [CandleColumns.of(candles[:middle]), CandleColumns.of(candles[middle:])]

    assert rows_of(CandleColumns.of(candles)) == candles
    assert rows_of(CandleColumns.joined(parts)) == candles
    assert len(CandleColumns.joined(parts)) == len(candles)
