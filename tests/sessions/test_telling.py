"""What a running trader leaves beside its ledger for whoever watches it: its vitals, its log."""

import pytest

from binance_trade_agent.ops import heartbeat, vitals
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.log_file import log_folder
from binance_trade_agent.ops.log_pages import LogQuery, page
from tests.sessions.daemon_process import session

pytestmark = pytest.mark.slow


async def test_a_session_tells_how_it_was_and_what_it_logged(tmp_path):
    began_ms = wall_ms()
    ended = await session(tmp_path, TRADING_DURATION_MINUTES="12")
    ledger = tmp_path / "ledger.db"
    last = heartbeat.read(heartbeat.heartbeat_path(ledger))
    told = vitals.read(vitals.vitals_path(ledger))

    assert began_ms < told.process.started_wall_ms < told.ticks.begun_wall_ms < told.written_wall_ms <= wall_ms()
    assert (told.run_id, told.process.pid, told.mode) == (last.run_id, last.pid, "simulated")
    assert told.ticks.measured == last.cycle == 12
    assert 0 < told.ticks.mean_ms <= told.ticks.longest_ms < 10_000
    assert (told.is_stepped, told.speed) == (True, 1_000_000)
    assert told.market_ms >= 1_767_571_200_000 + 11 * 60_000
    assert told.user_stream.is_live
    assert told.user_stream.connections == 1
    assert told.user_stream.heard_wall_ms is not None
    assert told.price_stream is None  # a stepped market stands still between ticks
    exchange = told.exchange
    assert exchange.requests.sent > 12
    assert exchange.requests.unanswered == 0
    assert 0 < exchange.requests.mean_ms <= exchange.requests.p95_ms <= exchange.requests.longest_ms
    assert 0 <= exchange.budget.weight_used < exchange.budget.weight_limit
    assert exchange.round_trip_ms > 0
    assert set(told.symbols) == {"BTCUSDT", "ETHUSDT"}
    assert (told.redis, told.entry_blocks) == (None, ())
    assert told.disk_free_mb > 0

    log = page(log_folder(ledger), LogQuery(), size=10_000).entries
    printed = [line for line in ended.log if "Trading Cycle #" in line]
    assert [entry.text for entry in reversed(log) if "Trading Cycle #" in entry.text] == printed
    decisions = page(log_folder(ledger), LogQuery(symbol="ETHUSDT", run=last.run_id), size=10_000).entries
    assert len([entry for entry in decisions if entry.event == "decision"]) == 12
