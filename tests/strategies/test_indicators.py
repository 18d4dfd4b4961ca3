"""Indicators against TA-Lib, pandas-ta-classic and plain Python, and where they must be undefined."""

from itertools import pairwise

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.strategies import indicators

seeds = st.integers(0, 10**6)


def wilder_rsi(closes, period):
    """RSI as Wilder wrote it: the first average is a mean, each next one forgets a `period`th."""
    changes = [after - before for before, after in pairwise(closes)]
    gain = sum(max(change, 0) for change in changes[:period]) / period
    loss = sum(max(-change, 0) for change in changes[:period]) / period
    values = [float("nan")] * period + [100 * gain / (gain + loss)]
    for change in changes[period:]:
        gain = (gain * (period - 1) + max(change, 0)) / period
        loss = (loss * (period - 1) + max(-change, 0)) / period
        values.append(100 * gain / (gain + loss))
    return values


@given(seed=seeds, period=st.integers(2, 70))
def test_rsi_equals_wilders_recurrence(seed, period, walk):
    close = walk(seed, 200)["close"].to_numpy()
    np.testing.assert_allclose(indicators.rsi(close, period), wilder_rsi(close.tolist(), period), atol=1e-9, rtol=0)


@given(seed=seeds)
def test_indicators_equal_talib(seed, walk):
    frame = walk(seed, 300)
    high, low, close = (frame[name].to_numpy() for name in ("high", "low", "close"))
    line, signal, _ = talib.MACD(close, 12, 26, 9)
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    floor, channel_middle, top = indicators.donchian(high, low, 20, 10)
    pairs = [
        (indicators.ema(close, 12), talib.EMA(close, 12)),
        (indicators.zscore(close, 30), (close - talib.SMA(close, 30)) / talib.STDDEV(close, 30)),
        (floor[20:], talib.MIN(low, 10)[19:-1]),
        (top[1:], talib.MAX(high, 20)[:-1]),
        (channel_middle[1:], (talib.MAX(high, 20)[:-1] + talib.MIN(low, 20)[:-1]) / 2),
        (indicators.rsi(close, 14), talib.RSI(close, 14)),
        (indicators.macd(close, 12, 26, 9), (line, signal)),
        (indicators.bollinger(close, 20, 2.0), (lower, middle, upper)),
        (indicators.atr(high, low, close, 14), talib.ATR(high, low, close, 14)),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("odd", [None, float("nan"), float("inf"), 1e150, 0.0])
@pytest.mark.parametrize("row", [5, 98])
def test_the_last_range_is_the_last_element_of_all_ranges(odd, row, walk):
    prices = [walk(4, 99)[name].to_numpy().copy() for name in ("high", "low", "close")]
    for values in prices:
        values[row] = values[row] if odd is None else odd
        np.testing.assert_equal(indicators.last_atr(*prices, 14), indicators.atr(*prices, 14)[-1])
    flat = np.full(99, 7.0)
    assert np.isnan(indicators.last_atr(flat, flat, flat, 14))


@pytest.mark.filterwarnings("ignore:Timestamp.dayofyear")  # pandas-ta-classic 0.8.32 at its import, under pandas 3
def test_indicators_equal_pandas_ta_classic(walk):
    import pandas_ta_classic as oracle

    frame = walk(7)
    high, low, close = frame["high"], frame["low"], frame["close"]
    rsi = oracle.rsi(close, length=14)
    macd = oracle.macd(close, fast=12, slow=26, signal=9)
    bands = oracle.bbands(close, length=20, std=2.0, ddof=0)
    atr = oracle.atr(high, low, close, length=14)
    line, signal = indicators.macd(close.to_numpy(), 12, 26, 9)
    lower, middle, upper = indicators.bollinger(close.to_numpy(), 20, 2.0)
    pairs = [
        (indicators.rsi(close.to_numpy(), 14), rsi),
        (line, macd.iloc[:, 0]),
        (signal, macd.iloc[:, 2]),
        (lower, bands.iloc[:, 0]),
        (middle, bands.iloc[:, 1]),
        (upper, bands.iloc[:, 2]),
        (indicators.atr(high.to_numpy(), low.to_numpy(), close.to_numpy(), 14), atr),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours[-100:], theirs.to_numpy()[-100:], rtol=1e-9)


def test_bollinger_uses_the_population_deviation(walk):
    close = walk(3, 60)["close"]
    _, middle, upper = indicators.bollinger(close.to_numpy(), 20, 2.0)
    np.testing.assert_allclose(middle[-1], close[-20:].mean(), rtol=1e-12)
    np.testing.assert_allclose(upper[-1], close[-20:].mean() + 2 * close[-20:].std(ddof=0), rtol=1e-9)


def all_indicators(frame):
    high, low, close = (frame[name].to_numpy() for name in ("high", "low", "close"))
    return {
        "rsi": indicators.rsi(close, 14),
        "macd": indicators.macd(close, 12, 26, 9)[0],
        "macd_signal": indicators.macd(close, 12, 26, 9)[1],
        "band_lower": indicators.bollinger(close, 20, 2.0)[0],
        "band_upper": indicators.bollinger(close, 20, 2.0)[2],
        "atr": indicators.atr(high, low, close, 14),
        "ema": indicators.ema(close, 14),
        "zscore": indicators.zscore(close, 20),
        "donchian_low": indicators.donchian(high, low, 20, 14)[0],
        "donchian_middle": indicators.donchian(high, low, 20, 14)[1],
        "donchian_high": indicators.donchian(high, low, 20, 14)[2],
        "supertrend": indicators.supertrend(high, low, close, 3, 1.0)[0],
        "supertrend_trend": indicators.supertrend(high, low, close, 3, 1.0)[1],
    }


@pytest.mark.parametrize("price", [0.00001234, 1.0, 66_000.1])
def test_a_market_that_never_moves_has_no_indicator(price, frame_of):
    for name, values in all_indicators(frame_of([price] * 400)).items():
        assert np.isnan(values).all(), name


def test_a_market_that_stops_moving_loses_each_indicator_with_its_last_change(walk, frame_of):
    moving = walk(11, 300)["close"].tolist()
    frame = frame_of(moving + [moving[-1]] * 60)
    still = {"rsi": 14, "macd": 26, "macd_signal": 26, "band_lower": 19, "band_upper": 19, "ema": 13, "zscore": 19}
    still |= {"donchian_low": 21, "donchian_middle": 21, "donchian_high": 21}  # its 20 candles are those before
    for name, changes in still.items():
        values = all_indicators(frame)[name]
        assert np.isfinite(values[299 + changes - 1]), name
        assert np.isnan(values[299 + changes :]).all(), name


@pytest.mark.parametrize("hole", [float("nan"), float("inf")])
def test_a_hole_in_the_prices_undefines_everything_after_it(hole, walk):
    frame = walk(5)
    frame.iloc[200, :4] = hole
    for name, values in all_indicators(frame).items():
        assert np.isfinite(values[199]), name
        assert np.isnan(values[200:]).all(), name


@pytest.mark.parametrize("rows", [0, 1, 2, 13])
def test_too_few_prices_have_no_indicator(rows, walk):
    for name, values in all_indicators(walk(1, 20).iloc[:rows]).items():
        assert len(values) == rows, name
        assert np.isnan(values).all(), name


def test_a_coin_of_a_thousandth_of_a_cent_has_the_rsi_and_bands_of_a_dear_one(walk):
    dear = walk(9)["close"].to_numpy()
    cheap = dear / 6e9
    np.testing.assert_allclose(indicators.rsi(cheap, 14), indicators.rsi(dear, 14), rtol=1e-6)
    np.testing.assert_allclose(indicators.bollinger(cheap, 20, 2)[0] * 6e9, indicators.bollinger(dear, 20, 2)[0])


def test_a_hair_of_movement_in_a_dear_coin_is_a_flat_band(frame_of):
    close = frame_of([66_000.00] * 60 + [66_000.01] * 10 + [66_000.00] * 10)["close"].to_numpy()
    assert np.isnan(indicators.bollinger(close, 20, 2.0)[0]).all()


def test_ema_equals_its_recurrence(walk):
    close = walk(4, 100)["close"].tolist()
    average, expected = sum(close[:12]) / 12, []
    for price in close[12:]:
        average += (price - average) * 2 / 13
        expected.append(average)
    np.testing.assert_allclose(indicators.ema(np.array(close), 12)[12:], expected, rtol=1e-12)


def test_zscore_counts_deviations_from_the_mean(frame_of):
    close = frame_of([1.0, 3.0, 1.0, 3.0, 7.0])["close"].to_numpy()  # of the last five: mean 3, deviation √4.8
    assert indicators.zscore(close, 5)[-1] == pytest.approx(4 / 4.8**0.5, rel=1e-9)


def test_the_channel_of_a_candle_is_that_of_the_candles_before_it():
    high, low = np.array([5.0, 4.0, 6.0, 9.0, 5.0]), np.array([2.0, 3.0, 1.0, 4.0, 4.0])
    floor, middle, top = indicators.donchian(high, low, 3, 2)
    np.testing.assert_array_equal(top, [np.nan, np.nan, np.nan, 6.0, 9.0])
    np.testing.assert_array_equal(middle, [np.nan, np.nan, np.nan, 3.5, 5.0])
    np.testing.assert_array_equal(floor, [np.nan, np.nan, np.nan, 1.0, 1.0])


@given(seed=seeds, start=st.integers(1, 200))
def test_beyond_their_start_up_indicators_do_not_depend_on_where_the_candles_begin(seed, start, walk):
    frame = walk(seed, 700)
    whole, later = all_indicators(frame), all_indicators(frame.iloc[start:])
    for name in whole.keys() - {"supertrend", "supertrend_trend"}:  # see test_supertrend.py
        np.testing.assert_allclose(later[name][300:], whole[name][start + 300 :], rtol=1e-5, atol=1e-3, err_msg=name)
