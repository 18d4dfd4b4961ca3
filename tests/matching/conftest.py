"""What all tests of matching share."""

import pytest

from binance_trade_agent.matching.engine import MatchingEngine
from tests.matching.f0 import new_engine


@pytest.fixture
def engine() -> MatchingEngine:
    """The BTCUSDT market of fixture F0."""
    return new_engine()
