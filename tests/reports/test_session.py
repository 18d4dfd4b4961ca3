from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger import position_marks
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports.session import render, session_report
from tests.ledger.bookkeeping import BTCUSDT, decision, fill, intent, place, report, run_record, trading_ledger
from tests.reports.trading_day import write_trading_day

EXPECTED = """\
Session run-a (run 1, simulated, combined_default, BTCUSDT ETHUSDT)
  1970-01-01 00:00:01 to 1970-01-01 00:05:00 UTC, ended: duration is over
  cycles 4, decisions 7
  orders 4: FILLED 3, SENT 1, 1 not settled yet
    SENT ENTRY BUY 0 ETHUSDT (bta-ETHUSDT-1, run run-a)
BTCUSDT
  decisions    HELD 1, ORDERED 3
  traded       2 buys, 1 sells, 3 fills
  volume       244.94 USDT
  fees         0.000001 BTC, 0.123938 USDT
  realised     +2.81 USDT
  position     flat
ETHUSDT
  decisions    HELD 1, ORDERED 1, REFUSED 1
  traded       1 buys, 0 sells, 2 fills
  volume       200.00 USDT
  fees         0.0002 BNB
  realised     0.00 USDT
  position     0.1 ETH, cost 200.00
  unrealised   +10.05 USDT at 2,100.5, the bid of 00:04:00
In all, USDT
  traded       3 buys, 1 sells, 5 fills
  volume       444.94 USDT
  fees         0.0002 BNB, 0.000001 BTC, 0.123938 USDT
  realised     +2.81 USDT
  unrealised   +10.05 USDT
Equity 10,000.00 before, 10,003.25 after (+3.25), at the prices of 00:04:00"""


async def test_the_report_of_a_trading_day(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    await write_trading_day(path)
    with LedgerReader.open(path) as reader:
        text = render(session_report(reader, "run-a"))
    assert text == EXPECTED
    assert max(len(line) for line in text.splitlines()) <= 80


async def test_a_run_without_a_tick_has_a_report(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path):
        pass
    with LedgerReader.open(path) as reader:
        report_text = render(session_report(reader, "run-a"))
    assert report_text.splitlines()[1:] == ["  cycles 0, decisions 0", "  orders 0"]


async def test_only_the_runs_own_trades_count_and_positions_of_earlier_runs_are_held(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    await write_trading_day(path)
    async with await Ledger.open(path) as ledger:
        await ledger.begin_run(run_record("run-b", started_ms=400_000))
    with LedgerReader.open(path) as reader:
        later = session_report(reader, "run-b")
        earlier = session_report(reader, "run-a")
    assert (later.by_symbol, later.in_all, later.orders) == ([], [], {})
    held = {holding.symbol: holding.quantity_base for holding in later.holdings}
    assert held == {"BTCUSDT": Decimal(0), "ETHUSDT": Decimal("0.1")}
    assert len(earlier.by_symbol) == 2


async def test_a_position_without_a_price_is_unknown_not_zero(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        await place(ledger)
        await ledger.apply_report(report("FILLED", "0.001", fill(1)), **BTCUSDT)
    with LedgerReader.open(path) as reader:
        text = render(session_report(reader, "run-a"))
    assert "unrealised   unknown USDT, no price seen" in text


async def test_an_unknown_run_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path):
        pass
    with LedgerReader.open(path) as reader, pytest.raises(LedgerError, match="has no run run-x"):
        session_report(reader, "run-x")


@pytest.mark.parametrize("mark_every", [1, 2, 3, 100])
async def test_report_is_the_same_whether_the_past_is_read_or_left_out(tmp_path, monkeypatch, mark_every):
    """The ledger's last run is reported from the marks before its first fills, an earlier one from all fills."""
    monkeypatch.setattr(position_marks, "MARK_EVERY", mark_every)
    path = tmp_path / "ledger.sqlite3"
    await write_trading_day(path)
    async with await Ledger.open(path) as ledger:
        await ledger.begin_run(run_record("run-b", started_ms=400_000))
        for number, side in enumerate((Side.BUY, Side.SELL, Side.BUY, Side.SELL), start=10):
            order_id = f"bta-BTCUSDT-{number}"
            ordered = decision(number * 60_000, Outcome.ORDERED, run_id="run-b", client_order_id=order_id)
            await ledger.commit_intent(ordered, intent(order_id, side, tick_ms=number * 60_000), number * 60_000)
            for trade_id in (2 * number + 1, 2 * number):  # the first one late
                price = Decimal(60_000 + 100 * trade_id)
                booked = fill(trade_id, order_id, side, price=price, quote_quantity=price * Decimal("0.001"))
                await ledger.book_fill(booked, base_asset="BTC", quote_asset="USDT")
    with LedgerReader.open(path) as reader:
        as_the_last = session_report(reader, "run-b")
    async with await Ledger.open(path) as ledger:
        await ledger.begin_run(run_record("run-c", started_ms=900_000))
    with LedgerReader.open(path) as reader:
        assert session_report(reader, "run-b") == as_the_last
    (bitcoin,) = as_the_last.by_symbol
    assert (bitcoin.buys, bitcoin.sells, bitcoin.fills) == (2, 2, 8)
