"""Which indicator is drawn where: prices over the candles, everything else in a pane of its own."""

import pytest

from binance_trade_agent.cache.market_board import IndicatorsSeen
from binance_trade_agent.dashboard.market.indicators import MOST_PANES, PRICE, Drawing, drawing
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.registry import create_strategy, strategy_names
from tests.strategies.conftest import _walk

CLOSES = (100.0, 101.0, 102.0)


def drawn(parameters=None, **columns) -> Drawing:
    values = {name: tuple(each) for name, each in columns.items()}
    return drawing(IndicatorsSeen("A", "1m", "own", parameters or {}, (0, 1, 2), values, "", 0, 0), CLOSES)


def of(strategy: Strategy) -> Drawing:
    """What is drawn of a strategy over a market."""
    frame = _walk(7)
    columns = strategy.columns(frame)
    names = columns.keys() - {"action", "confidence", "lean"}
    numbers = {name: float(value) for name, value in strategy.params.model_dump().items()}
    values = {name: tuple(columns[name]) for name in names}
    seen = IndicatorsSeen("A", "1m", strategy.name, numbers, tuple(frame.index), values, "", 0, 0)
    return drawing(seen, frame["close"].tolist()[-3:])


@pytest.mark.parametrize("name", strategy_names(None))
def test_every_strategy_of_ours_is_drawn_with_labels_that_name_its_parameters(name):
    result = of(create_strategy(name))
    assert result.lines
    for line in result.lines:
        assert "{" not in line.label
        assert "_" not in line.label
        assert line.pane == PRICE or line.pane in {pane.key for pane in result.panes}
    for pane in result.panes:
        assert pane.thresholds, f"{pane.key} says what it is compared with"


@pytest.mark.parametrize(
    ("name", "panes", "over_candles"),
    [
        ("rsi_momentum", {"rsi"}, set()),
        ("macd_crossover", {"macd"}, set()),
        ("bollinger_bands", set(), {"band_lower", "band_middle", "band_upper"}),
        ("ema_crossover", set(), {"ema_fast", "ema_slow"}),
        ("supertrend", set(), {"supertrend"}),
        ("donchian_breakout", set(), {"donchian_low", "donchian_middle", "donchian_high"}),
        ("mean_reversion_zscore", {"zscore"}, set()),
        ("combined_default", {"rsi", "macd", "score"}, {"band_lower", "band_middle", "band_upper"}),
    ],
)
def test_prices_lie_over_the_candles_and_oscillators_in_panes(name, panes, over_candles):
    result = of(create_strategy(name))
    assert {pane.key for pane in result.panes} == panes
    assert {line.name for line in result.lines if line.pane == PRICE} == over_candles


def test_indicator_of_an_own_strategy_that_stays_near_the_price_is_a_price():
    result = drawn(my_average=(99.0, 100.0, 101.0), my_force=(0.5, -0.5, None))
    assert {line.name: line.pane for line in result.lines} == {"my_average": PRICE, "my_force": "my_force"}
    assert [pane.label for pane in result.panes] == ["my force"]


def test_own_strategy_with_a_name_of_ours_and_other_parameters_is_drawn_without_thresholds():
    result = drawn(rsi=(40.0, 50.0, 60.0))
    assert [(line.label, line.pane) for line in result.lines] == [("rsi", "rsi")]
    assert result.panes[0].thresholds == ()


def test_indicator_without_a_value_is_no_price():
    assert drawn(mine=(None, None, None)).lines[0].pane == "mine"


def test_only_so_many_panes_are_drawn():
    columns = {f"mine_{number}": (1.0, 2.0, 3.0) for number in range(MOST_PANES + 3)}
    result = drawn(**columns)
    assert len(result.panes) == MOST_PANES
    assert {line.pane for line in result.lines} == {pane.key for pane in result.panes}


def test_distance_of_the_macd_from_its_signal_is_drawn_as_bars():
    result = drawn(
        {"macd_fast": 12, "macd_slow": 26, "macd_signal": 9}, macd=(3.0, 2.0, None), macd_signal=(1.0, 2.5, 1.0)
    )
    bars = next(line for line in result.lines if line.shape == "bars")
    assert bars.values == [2.0, -0.5, None]
