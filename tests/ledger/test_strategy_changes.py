"""Strategy changes in the ledger: what was in use at any tick of any run."""

import pytest

from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.ledger.strategy_changes import BY_SETTINGS, StrategyChange, in_use_at, latest, record
from tests.ledger.bookkeeping import run_record, trading_ledger

CONFIGURED = StrategyChoice("combined_default")
RSI = StrategyChoice("rsi_momentum", {"rsi_period": "10", "ETHUSDT.rsi_period": "14"})
MACD = StrategyChoice("macd_crossover")


def change(choice=RSI, at_ms=1_000, run_id="run-a", requested_by="cli") -> StrategyChange:
    return StrategyChange(run_id, at_ms, requested_by, choice, CONFIGURED)


@pytest.fixture
async def ledger(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as opened:
        yield opened


async def recorded(ledger, *changes) -> None:
    for each in changes:
        await ledger.write(lambda connection, each=each: record(connection, each))


async def used(ledger, run_id: str, tick_ms: int) -> StrategyChoice | None:
    found = await ledger.read(lambda connection: in_use_at(connection, run_id, tick_ms))
    return found.choice if found else None


async def test_latest_change_is_read_as_it_was_written(ledger):
    assert await ledger.read(latest) is None
    await recorded(ledger, change(CONFIGURED, requested_by=BY_SETTINGS), change())
    assert await ledger.read(latest) == change()


async def test_change_is_in_use_from_its_tick_on(ledger):
    assert await used(ledger, "run-a", 5_000) is None
    await recorded(ledger, change(CONFIGURED, 1_000), change(RSI, 3_000), change(MACD, 4_000))
    assert [await used(ledger, "run-a", tick_ms) for tick_ms in (999, 1_000, 2_999, 3_000, 3_999, 4_000, 9_000)] == [
        None,
        CONFIGURED,
        CONFIGURED,
        RSI,
        RSI,
        MACD,
        MACD,
    ]


async def test_two_changes_for_the_same_tick_leave_the_later_one(ledger):
    await recorded(ledger, change(RSI, 2_000), change(MACD, 2_000))
    assert await used(ledger, "run-a", 2_000) == MACD


async def test_later_run_goes_on_with_the_last_change_whatever_its_market_time(ledger):
    """A new simulated market may begin at the same time as the one before."""
    await recorded(ledger, change(RSI, 8_000))
    await ledger.begin_run(run_record("run-b", started_ms=1_000))
    assert await used(ledger, "run-b", 1_000) == RSI
    await recorded(ledger, change(MACD, 2_000, run_id="run-b"))
    assert await used(ledger, "run-b", 1_000) == RSI
    assert await used(ledger, "run-b", 2_000) == MACD
    assert await used(ledger, "run-a", 9_000) == RSI
