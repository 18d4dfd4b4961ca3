"""Exchanges that live as long as a module of tests: hypothesis calls a test many times."""

import pytest

from tests.simulator.robustness.running import victim


@pytest.fixture(scope="module", params=["F0", "synthetic"])
def exchange_under_fire(request):
    options = {"fixture": "F0"} if request.param == "F0" else {"speed": None, "balances": {"USDT": 100_000, "BTC": 1}}
    with victim(**options) as running:
        yield running
