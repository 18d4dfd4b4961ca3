"""Buy and hold, from bids that the ledger has: nothing is made up where one is missing."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.ledger.equity import Series
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.reports.equity_curve import EquityCurve
from binance_trade_agent.reports.hold_line import HoldLine
from tests.ledger.bookkeeping import BTCUSDT, decision, fill, place, trading_ledger

ETHUSDT = {"base_asset": "ETH", "quote_asset": "USDT"}
TICK_MS = 60_000


@pytest.fixture
async def ledger(tmp_path):
    """BTCUSDT traded, equity 1,000 at each of ten ticks."""
    async with trading_ledger(tmp_path / "ledger.db") as opened:
        await place(opened)
        await opened.book_fill(fill(), **BTCUSDT)
        for tick in range(1, 11):
            amounts = (Decimal(1_000), Decimal(1_000), Decimal(0), Decimal(0), Decimal(0))
            await opened.record_equity(EquityPoint("run-a", tick * TICK_MS, tick, *amounts, quote_asset="USDT"))
        yield opened


async def seen(ledger, symbol, bids):
    """Bids by the number of the tick; None where there was no data."""
    await ledger.record_decisions(
        [
            decision(tick * TICK_MS, Outcome.HELD if bid else Outcome.NO_DATA, symbol=symbol, bid=bid and Decimal(bid))
            for tick, bid in bids.items()
        ]
    )


def values(ledger, *ticks):
    with LedgerReader.open(ledger.path) as reader:
        curve = EquityCurve(reader, Series(1, "USDT"))
        assert curve.update()
        made = HoldLine(reader, Series(1, "USDT"))
        return made.values(curve, [tick * TICK_MS for tick in ticks]), made.symbols


async def test_one_symbol_follows_its_bid(ledger):
    await seen(ledger, "BTCUSDT", {1: 60_000, 2: 66_000, 3: 57_000})
    assert values(ledger, 1, 2, 3) == ([1_000, pytest.approx(1_100), 950], ("BTCUSDT",))


async def test_several_symbols_have_equal_parts_from_when_all_were_seen(ledger):
    await place(ledger, "bta-ETHUSDT-1", symbol="ETHUSDT", tick_ms=TICK_MS)
    await ledger.book_fill(fill(1, "bta-ETHUSDT-1", symbol="ETHUSDT"), **ETHUSDT)
    await seen(ledger, "BTCUSDT", {1: 50_000, 2: 60_000, 3: 66_000})
    await seen(ledger, "ETHUSDT", {2: 2_000, 3: 2_600})
    assert values(ledger, 1, 2, 3) == ([None, 1_000, pytest.approx(1_200)], ("BTCUSDT", "ETHUSDT"))


async def test_the_last_bid_holds_for_a_while_and_not_for_ever(ledger):
    await seen(ledger, "BTCUSDT", {1: 60_000, 2: 66_000, 3: None})
    found, _ = values(ledger, 3, 62, 63)
    assert found == [pytest.approx(1_100), pytest.approx(1_100), None]


async def test_without_bids_there_is_no_line(ledger):
    await seen(ledger, "BTCUSDT", {1: None})
    assert values(ledger, 1, 2)[0] == [None, None]


async def test_bids_of_another_epoch_do_not_count(ledger):
    await seen(ledger, "BTCUSDT", {1: 60_000})
    await ledger.open_epoch(5_000, "new market", {"USDT": Decimal(1_000)})
    with LedgerReader.open(ledger.path) as reader:
        curve = EquityCurve(reader, Series(2, "USDT"))
        assert curve.update()
        assert HoldLine(reader, Series(2, "USDT")).values(curve, [TICK_MS]) == [None]
