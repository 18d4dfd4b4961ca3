import asyncio
from decimal import Decimal

import pytest

from binance_trade_agent.domain.values import replace
from binance_trade_agent.ops.clock import block_seconds, monotonic_seconds, wall_ms
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.simulator.options import ExchangeOptions, build_exchange, open_exchange, state_file
from binance_trade_agent.simulator.state_file import SavedState

HOUR_MS = 3_600_000


def test_a_state_folder_keeps_one_file_for_each_market(tmp_path):
    options = ExchangeOptions(symbols=("BTCUSDT",), state=tmp_path)
    markets = [options, replace(options, seed=8), replace(options, symbols=("BTCUSDT", "ETHUSDT"))]
    for market in markets:
        state_file(market).save(build_exchange(market))
    assert len(list(tmp_path.glob("exchange-*.state"))) == len(markets)
    for market in markets:
        saved = state_file(market).load(build_exchange(market).session_id)
        assert isinstance(saved, SavedState)


def test_a_market_that_ran_ahead_of_the_wall_clock_is_not_set_back(tmp_path):
    stepped = ExchangeOptions(symbols=("BTCUSDT",), start="now", speed=None, state=tmp_path / "state")
    exchange = build_exchange(stepped)
    exchange.clock.advance_to(exchange.now_ms + HOUR_MS)
    ahead_ms = exchange.advance()
    state_file(stepped).save(exchange)
    assert ahead_ms > wall_ms()
    assert build_exchange(replace(stepped, speed=Decimal(1))).now_ms >= ahead_ms


def test_a_relay_needs_the_other_exchange_asked_first():
    with pytest.raises(FeedError, match="it must be mainnet, testnet or an address"):
        asyncio.run(open_exchange(ExchangeOptions(relay="nowhere")))


def test_a_market_that_runs_ahead_of_the_machine_is_advanced_for_a_bounded_time_only():
    exchange = build_exchange(ExchangeOptions(speed=Decimal(1_000_000), history_minutes=10))
    first_ms = exchange.now_ms
    for _ in range(5):
        block_seconds(0.2)  # nearly two and a half market days
        began = monotonic_seconds()
        exchange.advance()
        assert monotonic_seconds() - began < 8
    assert first_ms < exchange.now_ms < first_ms + 48 * HOUR_MS
    assert exchange.clock.now_ms() - exchange.now_ms < 1_000_000 * 1_000  # a real second
