"""A whole session as a user starts it: what it says, what it leaves, and how it ends."""

import contextlib
import signal
from pathlib import Path

import pytest

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from tests.exchange_process import exchange_process, running_exchange
from tests.sessions.command import trade_agent
from tests.sessions.daemon_process import (
    assert_books_balance,
    assert_equal_to_exchange,
    daemon,
    session,
)

KEYS = {"BINANCE_API_KEY": "a1" * 32, "BINANCE_API_SECRET": "b2" * 32}

pytestmark = pytest.mark.slow


async def reconciled(folder, **settings: str) -> str:
    """The last line of `trade-agent reconcile`."""
    return (await trade_agent(folder, "reconcile", **settings)).out.splitlines()[-1]


def exchange_processes(folder: Path) -> list[str]:
    """Processes that keep a simulated exchange's state in `folder`, where the system has /proc."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"--state={folder}/".encode() in command.read_bytes():
                found.append(command.parent.name)
    return found


async def test_session_trades_reports_and_leaves_nothing_running(tmp_path):
    ended = await session(tmp_path, is_cold=True, TRADING_DURATION_MINUTES="30")
    log = "\n".join(ended.log)
    assert "Trading Cycle #1 - 00:00:00" in log
    assert "Trading Cycle #30 - 00:29:00" in log
    for words in ("BTCUSDT: HOLD signal ⏸️ skipped (", "✅ TRADE EXECUTED", "Stopped: the duration is over"):
        assert words in log
    assert "cycles 30, decisions 60" in ended.report
    assert "Equity 10,000.00 before, " in ended.report
    assert assert_books_balance(tmp_path / "ledger.db") > 0
    assert exchange_processes(tmp_path) == []
    assert await reconciled(tmp_path) == "0 differences"


async def test_next_session_goes_on_where_the_last_one_stopped(tmp_path):
    await session(tmp_path, TRADING_DURATION_MINUTES="5")
    ended = await session(tmp_path, TRADING_DURATION_MINUTES="5")
    assert "Trading Cycle #1 - 00:05:00" in "\n".join(ended.log)
    assert "(run 2, simulated" in ended.report


async def test_session_on_an_exchange_that_runs_equals_it_to_the_last_digit(tmp_path):
    async with running_exchange(speed=None) as exchange:
        await session(tmp_path, **exchange.urls, TRADING_SYMBOLS=" btcusdt, ethusdt ", TRADING_DURATION_MINUTES="40")
        assert assert_books_balance(tmp_path / "ledger.db") > 0
        await assert_equal_to_exchange(tmp_path / "ledger.db", exchange)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_the_run_in_good_order(tmp_path, number):
    async with daemon(tmp_path, TRADING_DURATION_MINUTES="0", SIMULATION_SPEED="600") as running:
        await running.until_logged("Trading Cycle #2")
        asked = monotonic_seconds()
        running.send(number)
        assert await running.ended() == 0
        assert monotonic_seconds() - asked < 10
        assert f"ended: {number.name}" in running.report
    assert exchange_processes(tmp_path) == []


async def test_signal_at_an_exchange_that_does_not_answer_still_ends_within_10_s(tmp_path):
    async with (
        running_exchange(speed=None) as exchange,
        daemon(tmp_path, **exchange.urls, TRADING_DURATION_MINUTES="0") as running,
    ):
        await running.until_logged("Trading Cycle #3")
        await exchange.fault("timeout_after", count=None)
        await sleep_seconds(0.3)
        asked = monotonic_seconds()
        running.send(signal.SIGTERM)
        assert await running.ended() == 0
        assert monotonic_seconds() - asked < 10
        assert "ended: SIGTERM" in running.report


async def test_signal_during_the_start_leaves_nothing_running(tmp_path):
    async with daemon(tmp_path, is_cold=True) as running:
        while not (tmp_path / "ledger.db").exists():
            await sleep_seconds(0.002)
        running.send(signal.SIGTERM)
        assert await running.ended() == 0
        assert "Trading Cycle" not in running.everything
    assert exchange_processes(tmp_path) == []


async def test_second_daemon_on_the_same_ledger_is_refused_by_name(tmp_path):
    async with daemon(tmp_path, TRADING_DURATION_MINUTES="0", SIMULATION_SPEED="600") as first:
        await first.until_logged("Trading Cycle #1")
        async with daemon(tmp_path) as second:
            assert await second.ended() == 2
            assert str(first.process.pid) in second.everything
        first.send(signal.SIGTERM)
        assert await first.ended() == 0


async def test_reconcile_beside_the_running_daemon_leaves_its_exchange_alone(tmp_path):
    async with daemon(tmp_path, TRADING_DURATION_MINUTES="0", SIMULATION_SPEED="60") as running:
        await running.until_logged("Trading Cycle #1")
        assert await reconciled(tmp_path) == "0 differences"
        await running.until_logged("Trading Cycle #2")
        running.send(signal.SIGTERM)
        assert await running.ended() == 0


async def test_exchange_that_dies_ends_the_run_with_one_sentence(tmp_path):
    async with (
        exchange_process(speed=None) as exchange,
        daemon(tmp_path, **exchange.urls, TRADING_DURATION_MINUTES="0", SIMULATION_SPEED="600") as running,
    ):
        await running.until_logged("Trading Cycle #2")
        await exchange.kill()
        assert await running.ended() == 1
        assert "❌ the simulated exchange at" in running.log[-1]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"TRADING_MODE": "testnet"}, "TRADING_MODE=testnet needs BINANCE_API_KEY and BINANCE_API_SECRET."),
        ({**KEYS, "BINANCE_TESTNET": "false"}, "BINANCE_TESTNET=false does not select production"),
        ({**KEYS, "TRADING_MODE": "live"}, "TRADING_MODE=live is not armed"),
    ],
)
async def test_mode_that_is_not_meant_is_refused_before_anything_is_asked(tmp_path, settings, sentence):
    async with daemon(tmp_path, **settings) as running:
        assert await running.ended() == 2
        assert sentence in running.everything
        assert not any(key in running.everything for key in KEYS.values())
    assert not (tmp_path / "ledger.db").exists()


@pytest.mark.parametrize("minutes", ["0", "30"])
async def test_positions_that_nothing_would_ever_sell_are_warned_about_at_the_start(tmp_path, minutes):
    no_price = {"RISK_STOP_LOSS_PCT": "0", "RISK_TAKE_PROFIT_PCT": "0", "RISK_STRATEGY_EXIT": "false"}
    async with running_exchange(speed=None) as exchange:
        ran = await session(
            tmp_path, **exchange.urls, **no_price, RISK_TIME_STOP_MINUTES=minutes, TRADING_DURATION_MINUTES="1"
        )
    assert ("what is bought will never be sold" in ran.everything) is (minutes == "0")
