"""`trade-agent doctor` on a Redis that is away: trading goes on without it, a part of an account does not begin."""

import pytest

from binance_trade_agent.configuration import load
from binance_trade_agent.ops import doctor


@pytest.mark.parametrize(
    ("shares", "begins"),
    [({}, "warning  redis"), ({"TRADING_CAPITAL_QUOTE": "50"}, "failed   redis")],
)
async def test_redis_that_does_not_answer(tmp_path, shares, begins):
    configured = load(environment={"REDIS_URL": "redis://127.0.0.1:9/0", **shares}, folder=tmp_path)
    assert str(await doctor._redis(configured.settings)).startswith(begins)
