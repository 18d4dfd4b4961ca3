"""Signs of luck. The oracles are numbers that others publish, and simulations."""

import math

import numpy as np
import pytest

from binance_trade_agent.backtest.optimize.goals import goals_named
from binance_trade_agent.backtest.optimize.model import Curve, Outcome
from binance_trade_agent.backtest.optimize.overfitting import (
    deflated_sharpe,
    expected_best,
    sharpe_probability,
    true_above,
    warnings_of,
)
from binance_trade_agent.backtest.optimize.space import space_of
from binance_trade_agent.domain.candles import DAY_MS


def standardised(count, skewness_seed=7):
    values = np.random.default_rng(skewness_seed).normal(size=count)
    return (values - values.mean()) / values.std(ddof=1)


def test_the_best_of_many_without_skill_is_as_good_as_a_simulation_of_them():
    draws = np.random.default_rng(1).normal(size=(4000, 50)).max(axis=1).mean()
    one_wide = [1.0, -1.0] * 5000  # a variance of 1
    assert expected_best(one_wide, 50) == pytest.approx(draws, rel=0.02)


def test_the_numbers_of_the_paper():
    """Bailey and Lopez de Prado 2014, numerical example: V = 1/2 a year, 100 sets, 250 days a year: SR0 = 0.1132 a day.

    Sharpe ratio 2.5 a year over 1250 days, skewness -3, kurtosis 10: a deflated Sharpe ratio of 0.9004.
    """
    wide = math.sqrt(0.5 / 250)
    sharpes = [wide, -wide] * 50_000
    luck = expected_best(sharpes, 100)
    assert luck == pytest.approx(0.1132, abs=5e-5)
    assert true_above(2.5 / math.sqrt(250), luck, 1250, -3, 10) == pytest.approx(0.9004, abs=5e-5)


def test_a_normal_series_needs_no_correction_of_shape():
    returns = 0.1 + standardised(1000)
    skewness, kurtosis = (float(np.mean(standardised(1000) ** power)) for power in (3, 4))
    error = math.sqrt(1 - skewness * 0.1 + (kurtosis - 1) / 4 * 0.01)
    expected = 0.5 * math.erfc(-(0.1 - 0.05) * math.sqrt(999) / error / math.sqrt(2))
    assert sharpe_probability(returns, 0.05) == pytest.approx(expected, rel=1e-3)
    assert sharpe_probability(returns, 0.1) == pytest.approx(0.5, abs=1e-9)


def test_without_spread_or_with_too_few_days_there_is_no_probability():
    assert sharpe_probability(np.array([0.01, 0.01, 0.01]), 0) is None
    assert sharpe_probability(np.array([0.01, 0.02]), 0) is None


def test_one_set_alone_cannot_be_the_luckiest():
    assert expected_best([0.1], 1) == 0.0


def curve(daily_sharpe, days=400):
    growth = 1 + 0.01 * (daily_sharpe + standardised(days))
    return Curve(np.arange(days + 1) * DAY_MS, 1000 * np.cumprod(np.concatenate([[1.0], growth])))


def test_the_more_sets_were_tried_the_less_the_best_is_believed():
    sharpes = [1.0, -1.0] * 50
    probabilities = [deflated_sharpe(curve(0.12), sharpes, trials).probability for trials in (2, 10, 100, 1000)]
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] > 0.95 > probabilities[-1]


SPACE = space_of("rsi_momentum", {}, ["rsi_period=5:30"], grid=True)
INSIDE = Outcome({"sharpe": 2.0, "drawdown": 5.0}, 100)
TRUSTED = deflated_sharpe(curve(0.5), [0.1, -0.1] * 10, 20)


def said(goal="sharpe", params="14", inside=INSIDE, outside=INSIDE, deflated=TRUSTED):
    return warnings_of(SPACE, goals_named([goal]), {"rsi_period": params}, inside, outside, deflated)


def test_nothing_is_said_of_a_sound_set():
    assert TRUSTED.probability > 0.95
    assert said() == []


@pytest.mark.parametrize(
    ("changed", "begins"),
    [
        ({"params": "30"}, "The best lies at the edge of the space (rsi_period=30): a better one may lie beyond it."),
        (
            {"inside": Outcome({"sharpe": 1.0, "profit": -0.5}, 99)},
            "The best set earned nothing (-0.50 %) even where it",
        ),
        ({"inside": Outcome({"sharpe": 2.0}, 29)}, "29 trades are few to judge by"),
        ({"outside": Outcome({"sharpe": 0.9}, 50)}, "Out of sample sharpe is 0.90, far from the 2.00"),
        (
            {"outside": Outcome({"drawdown": 10.1}, 50), "goal": "drawdown"},
            "Out of sample drawdown is 10.10 %, far from",
        ),
        ({"outside": Outcome({"sharpe": None}, 0)}, "The best set closed no trade on the part that was kept back"),
        (
            {"outside": Outcome({}, 0, None, "too short")},
            "The best set could not be run on the part that was kept back",
        ),
        ({"outside": None}, "Nothing was kept back"),
        ({"deflated": None}, "The best set has no Sharpe ratio"),
        (
            {"deflated": deflated_sharpe(curve(0.02), [1.0, -1.0] * 50, 100)},
            "The best of 100 sets may be luck: the deflated Sharpe probability is 0.0",
        ),
    ],
)
def test_each_sign_of_luck_is_a_sentence(changed, begins):
    (sentence,) = said(**changed)
    assert sentence.startswith(begins)


def test_what_is_a_little_worse_out_of_sample_is_usual():
    assert said(outside=Outcome({"sharpe": 1.1}, 50)) == []
