"""Candles as a frame."""

from decimal import Decimal

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.strategies.frame import candle_frame


def test_a_candle_becomes_a_row_of_floats_under_its_open_time():
    candle = Candle(60_000, 119_999, *(Decimal(text) for text in ("1.5", "2", "1", "1.75", "10")))
    frame = candle_frame([candle])
    assert frame.index.tolist() == [60_000]
    assert frame.to_dict("records") == [{"open": 1.5, "high": 2.0, "low": 1.0, "close": 1.75, "volume": 10.0}]
    assert set(frame.dtypes.astype(str)) == {"float64"}


def test_no_candles_become_an_empty_frame():
    assert list(candle_frame([]).columns) == ["open", "high", "low", "close", "volume"]
    assert candle_frame([]).empty
