"""The random walk behind a synthetic market: regimes that persist, volatility in clusters, and now and then a jump.

Only additions, multiplications and the stable core of `random.Random` are used, no logarithm and no cosine: their last
digit differs between machines, and the same seed has to give the same market everywhere.
"""

from collections.abc import Iterator
from random import Random

_SQRT_3 = 1.7320508075688772

_RANGE_SHARE = 0.12  # of regimes; the others trend
_TREND_MINUTES = (8, 16)
_RANGE_MINUTES = (6, 20)
_TREND_DRIFT = (0.8, 1.2)  # standard deviations a minute: enough for RSI(14) to pass 30 and 70 in a trend
_TURN_ODDS = 0.8  # that a trend goes against the one before it
_PULL = 1 / 120  # how much the odds of an up-trend fall with each standard deviation above the start
_RANGE_REVERSION = 0.35  # of the last minute's move

_VOLATILITY_REVERSION = 0.04
_VOLATILITY_NOISE = 0.10
_VOLATILITY_BOUNDS = (0.5, 2.5)
_JUMP_ODDS = 1 / 700  # a minute: about twice a day
_JUMP_SIZE = (4.0, 10.0)  # standard deviations
_VOLATILITY_AFTER_JUMP = 2.2


class Walk:
    """Minute after minute, a change in units of the symbol's usual standard deviation, and the volatility it had."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)  # noqa: S311 - a reproducible market, not a secret
        self._level = 0.0
        self._last_noise = 0.0
        self._volatility = 1.0
        self._minutes_left = 0
        self._drift = 0.0
        self._direction = 1

    def __iter__(self) -> Iterator[tuple[float, float]]:
        """Changes and volatilities, for ever; a calm minute has volatility 1."""
        while True:
            yield self._step()

    def _step(self) -> tuple[float, float]:
        if not self._minutes_left:
            self._begin_regime()
        self._minutes_left -= 1
        noise = self._normal()
        in_range = not self._drift
        change = self._volatility * (self._drift + noise - (_RANGE_REVERSION * self._last_noise if in_range else 0.0))
        self._last_noise = noise
        volatility = self._volatility
        low, high = _VOLATILITY_BOUNDS
        drawn = volatility + _VOLATILITY_REVERSION * (1 - volatility) + _VOLATILITY_NOISE * self._normal()
        self._volatility = min(max(drawn, low), high)
        if self._random.random() < _JUMP_ODDS:
            change += self._between(_JUMP_SIZE) * (1 if self._random.random() < 0.5 else -1)
            self._volatility = _VOLATILITY_AFTER_JUMP
        self._level += change
        return change, volatility

    def _begin_regime(self) -> None:
        if self._random.random() < _RANGE_SHARE:
            self._drift = 0.0
            self._minutes_left = int(self._between(_RANGE_MINUTES))
            return
        up_odds = (1 - _TURN_ODDS if self._direction > 0 else _TURN_ODDS) - self._level * _PULL
        self._direction = 1 if self._random.random() < min(max(up_odds, 0.1), 0.9) else -1
        self._drift = self._direction * self._between(_TREND_DRIFT)
        self._minutes_left = int(self._between(_TREND_MINUTES))

    def _between(self, bounds: tuple[float, float]) -> float:
        low, high = bounds
        return low + (high - low) * self._random.random()

    def _normal(self) -> float:
        """About normal, mean 0 and deviation 1: the sum of four uniform numbers."""
        draw = self._random.random
        return _SQRT_3 * (draw() + draw() + draw() + draw() - 2)
