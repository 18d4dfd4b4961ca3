"""Signs that the best set of a search is luck."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, variance

import numpy as np

from binance_trade_agent.backtest.optimize.goals import GOALS, Goal
from binance_trade_agent.backtest.optimize.model import Curve, Outcome, Params
from binance_trade_agent.backtest.optimize.space import Space
from binance_trade_agent.history.table import FloatArray
from binance_trade_agent.reports.performance import YEAR_DAYS

LEAST_PROBABILITY = 0.95
LEAST_TRADES = 30
_EULER_MASCHERONI = 0.5772156649015329
_MOST_LOST = 0.5  # of what the search found may be lost outside it without a word
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """The Sharpe ratio of the best of many sets, judged by how many were tried.

    Attributes:
        sharpe: of the best, a year.
        luck: what the best of so many sets without any skill may be expected to have, a year.
        probability: that the true Sharpe ratio is above 0 although so many were tried: 0 to 1.
        trials: how many sets were tried; days: how long the returns are.
    """

    sharpe: float
    luck: float
    probability: float
    trials: int
    days: int


def expected_best(sharpes: Sequence[float], trials: int) -> float:
    """Sharpe ratio that the best of `trials` sets has by luck alone, when their true ones are all 0.

    Source: Bailey and Lopez de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40 (5), 2014,
    equation 1 with a mean of 0: the root of the ratios' variance, times (1 - g) z(1 - 1/N) + g z(1 - 1/(N e)), with g
    the Euler-Mascheroni constant and z the quantiles of the normal distribution.

    Args:
        sharpes: of the sets, all on one scale; the answer is on it too.
        trials: N; sets that were tried and have no Sharpe ratio count too.
    """
    if trials < 2 or len(sharpes) < 2:
        return 0.0
    quantiles = (_NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e)))
    weights = (1 - _EULER_MASCHERONI, _EULER_MASCHERONI)
    return math.sqrt(variance(sharpes)) * sum(weight * z for weight, z in zip(weights, quantiles, strict=True))


def true_above(sharpe: float, above: float, count: int, skewness: float, kurtosis: float) -> float | None:
    """Probability that the true Sharpe ratio is above `above`, both those of one return; None where it has no error.

    Source: Bailey and Lopez de Prado, The Sharpe Ratio Efficient Frontier, Journal of Risk 15 (2), 2012: the normal
    distribution at (SR - SR*) sqrt(T - 1) / sqrt(1 - skewness SR + (kurtosis - 1) / 4 SR^2).

    Args:
        sharpe: that was measured over `count` returns.
        above: what it is compared with.
        count: of returns.
        skewness: of the returns.
        kurtosis: of the returns; 3 for a normal distribution.
    """
    error = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    return _NORMAL.cdf((sharpe - above) * math.sqrt(count - 1) / math.sqrt(error)) if error > 0 else None


def sharpe_probability(returns: FloatArray, above: float) -> float | None:
    """As `true_above`, of returns. None for less than three of them, and where they do not differ."""
    spread = float(returns.std()) if len(returns) > 2 else 0.0
    if spread <= 0:
        return None
    standard = (returns - returns.mean()) / spread
    skewness, kurtosis = float(np.mean(standard**3)), float(np.mean(standard**4))
    sharpe = float(returns.mean() / returns.std(ddof=1))
    return true_above(sharpe, above, len(returns), skewness, kurtosis)


def deflated_sharpe(best: Curve, sharpes: Sequence[float], trials: int) -> DeflatedSharpe | None:
    """The deflated Sharpe ratio (same source as `expected_best`, equation 2). None where the best has no Sharpe ratio.

    Args:
        best: equity of the best set, by days.
        sharpes: of the sets that were tried, a year.
        trials: how many those were.
    """
    returns = best.equity_quote[1:] / best.equity_quote[:-1] - 1
    a_year = math.sqrt(YEAR_DAYS)
    luck = expected_best(sharpes, trials)
    probability = sharpe_probability(returns, luck / a_year)
    if probability is None:
        return None
    sharpe = float(returns.mean() / returns.std(ddof=1)) * a_year
    return DeflatedSharpe(sharpe, luck, probability, trials, len(returns))


def warnings_of(
    space: Space,
    goals: Sequence[Goal],
    params: Params,
    inside: Outcome,
    outside: Outcome | None,
    deflated: DeflatedSharpe | None,
) -> list[str]:
    """A sentence for each sign of over-fitting, and one when the best set earned nothing even where it was searched.

    Args:
        space: what was searched.
        goals: what it was searched for.
        params: the best set.
        inside: of it, where it was searched.
        outside: of it, on the part that was kept back, if any.
        deflated: None where the best has no Sharpe ratio, which is said too.
    """
    said = [*_of_profit(inside), *_of_luck(deflated), *_of_trades(inside), *_of_edges(space, params)]
    if outside is None:
        return [
            *said,
            "Nothing was kept back: how these parameters do on candles that they were not chosen on is unknown.",
        ]
    return [*said, *_of_loss(goals, inside, outside)]


def _of_profit(inside: Outcome) -> list[str]:
    profit_pct = inside.measures.get("profit")
    if profit_pct is None or profit_pct > 0:
        return []
    lost = GOALS["profit"].text(profit_pct)
    return [f"The best set earned nothing ({lost}) even where it was searched: not trading was as good or better."]


def _of_luck(deflated: DeflatedSharpe | None) -> list[str]:
    if deflated is None:
        return ["The best set has no Sharpe ratio to judge by how many sets were tried."]
    if deflated.probability >= LEAST_PROBABILITY:
        return []
    probability = f"the deflated Sharpe probability is {deflated.probability:.2f}, below {LEAST_PROBABILITY}"
    return [f"The best of {deflated.trials} sets may be luck: {probability}."]


def _of_trades(inside: Outcome) -> list[str]:
    if inside.trades >= LEAST_TRADES:
        return []
    return [f"{inside.trades} trades are few to judge by: from {LEAST_TRADES} on a mean begins to say something."]


def _of_edges(space: Space, params: Params) -> list[str]:
    edges = space.edges(params)
    if not edges:
        return []
    named = ", ".join(f"{name}={params[name]}" for name in edges)
    return [f"The best lies at the edge of the space ({named}): a better one may lie beyond it."]


def _of_loss(goals: Sequence[Goal], inside: Outcome, outside: Outcome) -> list[str]:
    if outside.refused:
        return [f"The best set could not be run on the part that was kept back: {outside.refused}."]
    if not outside.trades:
        return ["The best set closed no trade on the part that was kept back, which therefore says nothing."]
    said = []
    for goal in goals:
        found, kept = inside.measures.get(goal.name), outside.measures.get(goal.name)
        if found is None or kept is None or goal.name == GOALS["trades"].name:
            continue
        is_worse = kept * _MOST_LOST > found if goal.minimise else kept < found - abs(found) * _MOST_LOST
        if is_worse:
            said.append(
                f"Out of sample {goal.name} is {goal.text(kept)}, far from the {goal.text(found)} that the search saw."
            )
    return said
