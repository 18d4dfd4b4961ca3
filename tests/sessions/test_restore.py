"""A ledger that is put back from a backup while the exchange has gone on: nothing of what was traded since is lost."""

import asyncio
import signal
from decimal import Decimal

import pytest

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.order_ids import parse_order_id
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.verify import sentences
from binance_trade_agent.ops.ledger_commands import back_up_ledger, restore_ledger
from tests.exchange_process import running_exchange
from tests.sessions.daemon_process import EAGER, assert_books_balance, daemon
from tests.sessions.test_session import reconciled

PROTECTED = {**EAGER, "RISK_STOP_LOSS_PCT": "0.3", "RISK_TAKE_PROFIT_PCT": "0.4", "TRADING_DURATION_MINUTES": "0"}

pytestmark = pytest.mark.slow


async def test_what_was_traded_after_the_backup_is_adopted_to_the_last_digit(tmp_path, capfd):
    ledger, backup = tmp_path / "ledger.db", tmp_path / "backup"
    async with running_exchange(speed=None) as exchange:
        async with daemon(tmp_path, **PROTECTED, **exchange.urls) as running:
            await running.until_logged("TRADE EXECUTED", 3)
            assert await asyncio.to_thread(back_up_ledger, ledger, backup) == 0
            assert await asyncio.to_thread(restore_ledger, ledger, backup) == 2
            refusal = capfd.readouterr().err
            assert f"a trader runs: process {running.process.pid} " in refusal
            assert "`trade-agent stop`" in refusal
            before = len(running.log)
            while sum("TRADE EXECUTED" in line for line in running.log[before:]) < 6:
                await running.until_logged("Trading Cycle", 1 + sum("Trading Cycle" in line for line in running.log))
            running.send(signal.SIGKILL)
            await running.process.wait()
        ids = names(ledger)
        assert names(backup) < ids, "it has traded on"
        assert await asyncio.to_thread(restore_ledger, ledger, backup) == 0
        assert names(ledger) == names(backup)
        async with daemon(tmp_path, **PROTECTED, **exchange.urls) as again:
            await again.until_logged("TRADE EXECUTED")
            again.send(signal.SIGTERM)
            assert await again.ended() == 0
        assert "the ledger was restored from backup: " in again.everything
        assert await reconciled(tmp_path, **exchange.urls) == "0 differences"
        assert_books_balance(ledger)
        await assert_holds_what_the_exchange_has(ledger, exchange)
    fresh = names(ledger) - ids
    assert fresh, "it trades on after that"
    assert min(parse_order_id(name).fence for name in fresh) > 10_000, "no generation of before is given again"


async def assert_holds_what_the_exchange_has(ledger, exchange) -> None:
    """Every order that has executed is in the ledger, wallets are equal, and nothing came from outside."""
    state = await exchange.state()
    with LedgerReader.open(ledger) as reader:
        wallet, orders, found, outside = reader.snapshot(
            lambda inside: (
                queries.wallet(inside, 1),
                queries.orders(inside),
                list(sentences(inside)),
                inside.execute("SELECT * FROM postings WHERE kind = 'external'").fetchall(),
            )
        )
    balances = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in state["balances"]["main"]}
    assert {asset: wallet.get(asset, ZERO) for asset in balances} == balances
    theirs = {
        (row["symbol"], row["orderId"]): Decimal(row["executedQty"])
        for row in state["orders"]
        if Decimal(row["executedQty"])
    }
    ours = {
        (entry.order.symbol, entry.order.exchange_order_id): entry.filled_base for entry in orders if entry.filled_base
    }
    assert ours == theirs
    assert (found, outside) == ([], [])


def names(ledger) -> set[str]:
    """Client order ids in a ledger."""
    with LedgerReader.open(ledger) as reader:
        return {entry.order.client_order_id for entry in reader.snapshot(queries.orders)}
