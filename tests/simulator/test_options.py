from dataclasses import replace
from decimal import Decimal

from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.simulator.options import ExchangeOptions, build_exchange, state_file
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
