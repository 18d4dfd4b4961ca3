"""The daemon in paper mode, against the relayed market of a second simulated exchange."""

import pytest

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from tests.exchange_process import running_exchange
from tests.sessions.command import trade_agent
from tests.sessions.daemon_process import EAGER, assert_books_balance, daemon, session

pytestmark = pytest.mark.slow

PAPER = {
    **EAGER,
    "TRADING_MODE": "paper",
    "TRADING_SYMBOLS": "BTCUSDT",
    "TRADING_INTERVAL_SECONDS": "1",
    "TRADING_DURATION_MINUTES": "0.1",
    "STRATEGY_PARAMS": "rsi_period=2,rsi_oversold=98,rsi_overbought=99",  # buys at nearly each tick
}


async def test_paper_session_trades_at_the_relayed_prices_and_nothing_reaches_the_other_exchange(tmp_path):
    async with running_exchange(start="now", symbols=("BTCUSDT",)) as upstream:
        settings = {**PAPER, "SIMULATION_RELAY": upstream.url}
        ended = await session(tmp_path, **settings)
        said = await trade_agent(tmp_path, "reconcile", **settings)
        state, requests = await upstream.state(), await upstream.log()
    assert said.out.splitlines()[-1] == "0 differences"
    assert "paper" in ended.report
    assert assert_books_balance(tmp_path / "ledger.db") > 0
    assert state["orders"] == []
    assert {request["method"] for request in requests} == {"GET"}
    assert "signature" not in str(requests)
    with LedgerReader.open(tmp_path / "ledger.db") as reader:
        fills = reader.snapshot(queries.fills)
    assert all(50_000 < fill.price < 80_000 for fill in fills)


async def test_paper_mode_without_the_relayed_exchange_ends_with_one_clear_line(tmp_path, unused_tcp_port):
    async with daemon(tmp_path, **PAPER, SIMULATION_RELAY=f"http://127.0.0.1:{unused_tcp_port}") as running:
        assert await running.ended() == 1
        assert f"http://127.0.0.1:{unused_tcp_port} cannot be reached" in running.log[-1]
