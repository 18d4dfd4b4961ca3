"""S32: killed at random moments under random faults, from seeds; `make torture` runs as many as one has time for."""

import pytest

from tests.torture.episode import run_seed


@pytest.mark.parametrize("seed", [2001, 2002, 2003, 2004])
def test_s32_killed_at_random_moments_under_random_faults(seed):
    result = run_seed(seed)
    assert result.violations == [], f"again: python -m tests.torture.run --seed {seed}"
    assert (result.lost, result.doubled, result.differences) == (0, 0, 0)
    assert result.lives > 2


def test_s32_the_seed_reproduces_it():
    assert run_seed(2005).hash == run_seed(2005).hash
