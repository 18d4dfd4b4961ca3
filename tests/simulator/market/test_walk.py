"""The random walk: reproducible to the last bit, in any order of its blocks."""

import hashlib

import numpy as np
import pytest

from binance_trade_agent.simulator.market.walk import BLOCK_MINUTES, uniform, walk_block


def test_uniform_numbers_are_the_same_on_every_machine():
    digest = hashlib.sha256(uniform("a seed", 1_000).tobytes()).hexdigest()

    assert digest == "9785d20722069c1f12a2353ae586a660e395fbc9c8750bff9f1415138807f639"


def test_a_block_is_the_same_on_every_machine():
    block = walk_block("7/common factor", 3)

    digest = hashlib.sha256(block.changes.tobytes() + block.volatilities.tobytes()).hexdigest()
    assert digest == "cd5a0570e4443185c1df8e1b77176fcd737b031a941f6599aa49023c096e16d0"


@pytest.mark.parametrize("number", [-60, -1, 0, 1, 1_000])
def test_any_block_stands_for_itself(number):
    block = walk_block("7/BTCUSDT", number)

    assert len(block.changes) == len(block.volatilities) == BLOCK_MINUTES
    assert np.isfinite(block.changes).all()
    assert (block.volatilities > 0).all()
    assert 0.5 < block.volatilities.mean() < 2


def test_walks_of_other_seeds_and_numbers_have_nothing_in_common():
    changes = [walk_block(seed, number).changes for seed in ("1/BTCUSDT", "2/BTCUSDT") for number in (0, 1)]

    between = np.corrcoef(changes)[np.triu_indices(4, k=1)]
    assert np.abs(between).max() < 0.2


def test_uniform_numbers_lie_between_nought_and_one():
    drawn = uniform("any", 100_000)

    assert 0 <= drawn.min() < 0.001
    assert 0.999 < drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.005
