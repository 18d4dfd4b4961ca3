"""The random walk behind a synthetic market: regimes that persist, volatility in clusters, and now and then a jump.

It comes in blocks, each a function of the seed and its number alone. Only additions, multiplications and the raw bits
of PCG64 are used, no logarithm and no cosine: their last digit differs between machines, and the same seed has to give
the same market everywhere.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_MINUTES = 1024

_SQRT_3 = 3**0.5

# Regimes last some minutes. Trends drift by about a standard deviation a minute, so that RSI(14) passes 30 and 70 in
# them; calm and volatile ones go back and forth.
_SHORTEST_REGIME, _LONGEST_REGIME = 8, 16
_CALM_SHARE, _VOLATILE_SHARE = 0.08, 0.12  # of regimes; the others trend
_CALM, _VOLATILE = 0.6, 1.8  # of the usual volatility
_TREND_DRIFT = (0.8, 1.2)  # standard deviations a minute
_TURN_ODDS = 0.8  # that a trend goes against the one before it
_REVERSION = 0.35  # of the last minute's move, without a trend

# Volatility is a product of factors that stay for so many minutes each: clusters within clusters.
_CLUSTER_MINUTES = (16, 64, 256)
_CLUSTER_SPREAD = 0.4  # a factor lies in 1 +- this

_JUMP_ODDS = 1 / 700  # a minute: about twice a day
_JUMP_SIZE = (4.0, 10.0)  # standard deviations
_AFTERMATH_MINUTES = 30
_AFTERMATH = 1.5  # volatility added right after a jump, which fades

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Block:
    """A minute's change in units of the usual standard deviation, and its volatility (1 is usual), for each minute."""

    changes: Floats
    volatilities: Floats


def uniform(seed: str, count: int) -> Floats:
    """`count` numbers in [0, 1), the same for the same seed on every machine."""
    digest = hashlib.blake2b(seed.encode(), digest_size=16).digest()
    raw = np.random.PCG64(int.from_bytes(digest)).random_raw(count)
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def walk_block(seed: str, number: int) -> Block:
    """The block of that number of the seed's walk; numbers below 0 are the past."""
    regimes = BLOCK_MINUTES // _SHORTEST_REGIME
    clusters = sum(BLOCK_MINUTES // minutes for minutes in _CLUSTER_MINUTES)
    drawn = uniform(f"{seed}/{number}", 6 * BLOCK_MINUTES + 4 * regimes + clusters)
    minutes, rest = drawn[: 6 * BLOCK_MINUTES].reshape(6, BLOCK_MINUTES), drawn[6 * BLOCK_MINUTES :]
    noise = _SQRT_3 * (minutes[0] + minutes[1] + minutes[2] + minutes[3] - 2)
    drift, volatility = _regimes(rest[: 4 * regimes].reshape(4, regimes))
    volatility = volatility * _clusters(rest[4 * regimes :])
    reverting = np.concatenate(([0.0], noise[:-1])) * (drift == 0)
    jumps = np.flatnonzero(minutes[4] < _JUMP_ODDS)
    for minute in jumps:
        aftermath = volatility[minute + 1 : minute + 1 + _AFTERMATH_MINUTES]
        aftermath += _AFTERMATH * np.linspace(1.0, 0.0, _AFTERMATH_MINUTES)[: len(aftermath)]
    changes = volatility * (drift + noise - _REVERSION * reverting)
    low, high = _JUMP_SIZE
    changes[jumps] += (low + (high - low) * minutes[5][jumps]) * np.where(minutes[0][jumps] < 0.5, -1, 1)
    return Block(changes, volatility)


def _regimes(drawn: Floats) -> tuple[Floats, Floats]:
    """Drift and volatility of each minute, from a column of four numbers for each regime."""
    kind, length, size, turn = drawn
    lasting = (_SHORTEST_REGIME + length * (_LONGEST_REGIME - _SHORTEST_REGIME + 1)).astype(np.int64)
    is_calm, is_volatile = kind < _CALM_SHARE, kind > 1 - _VOLATILE_SHARE
    direction = np.cumprod(np.where(turn < _TURN_ODDS, -1.0, 1.0))
    low, high = _TREND_DRIFT
    drift = np.where(is_calm | is_volatile, 0.0, direction * (low + (high - low) * size))
    volatility = np.where(is_calm, _CALM, np.where(is_volatile, _VOLATILE, 1.0))
    return np.repeat(drift, lasting)[:BLOCK_MINUTES], np.repeat(volatility, lasting)[:BLOCK_MINUTES]


def _clusters(drawn: Floats) -> Floats:
    whole = np.ones(BLOCK_MINUTES)
    first = 0
    for minutes in _CLUSTER_MINUTES:
        count = BLOCK_MINUTES // minutes
        factors = 1 + _CLUSTER_SPREAD * (2 * drawn[first : first + count] - 1)
        whole = whole * np.repeat(factors, minutes)
        first += count
    return whole
