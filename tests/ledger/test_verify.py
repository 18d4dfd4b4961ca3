import asyncio
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import OrderState, Side
from binance_trade_agent.ledger import fee_values
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.pauses import begin_pause
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.verify import sentences
from binance_trade_agent.risk.state import Pause
from tests.ledger.bookkeeping import BTCUSDT, OPENING, fill, place, report, run_record, trading_ledger
from tests.ledger.limits_world import equity_point

amounts = st.decimals("0.00000001", "1000", places=8)
trades = st.fixed_dictionaries(
    {
        "trade_id": st.integers(1, 60),
        "side": st.sampled_from(Side),
        "price": amounts,
        "quantity": amounts,
        "quote_quantity": amounts,
        "commission": st.decimals(0, 1, places=8),
        "commission_asset": st.sampled_from(["BTC", "USDT", "BNB"]),
    }
)


def differences(path):
    with LedgerReader.open(path) as reader:
        return reader.snapshot(lambda connection: list(sentences(connection)))


async def traded(path, past):
    """A ledger that has booked these trades, in the order in which they come, twice where an id repeats."""
    async with trading_ledger(path) as ledger:
        for number, trade in enumerate({trade["trade_id"]: trade for trade in past}.values()):
            order_id = f"bta-BTCUSDT-{number}"
            await place(ledger, order_id, trade["side"], tick_ms=1_000 + number)
            booked = fill(order_id=order_id, **trade)
            status = "FILLED" if number % 2 else "PARTIALLY_FILLED"
            executed = str(trade["quantity"])
            said = report(status, executed, booked, order_id=order_id, side=trade["side"])
            await ledger.apply_report(said, **BTCUSDT)
            await ledger.apply_report(said, **BTCUSDT)
            await ledger.post_external("USDT", trade["price"], number, f"gift {number}")


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(trades, max_size=12))
def test_what_was_booked_verifies_whatever_was_traded(past):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite3"
        asyncio.run(traded(path, past))
        assert differences(path) == []


async def session(path):
    """Two epochs; a position, a commission in BNB that was priced, an order that is open and one that was given up."""
    async with trading_ledger(path) as ledger:
        await place(ledger)
        await ledger.apply_report(report("FILLED", "0.001", fill(1)), **BTCUSDT)
        await ledger.open_epoch(5_000, "the exchange was reset", OPENING)
        await ledger.begin_run(run_record("run-b"))
        await place(ledger, "bta-BTCUSDT-2", tick_ms=6_000)
        bnb = {"commission": Decimal("0.0001"), "commission_asset": "BNB"}
        filled = fill(7, "bta-BTCUSDT-2", quantity=Decimal("0.002"), quote_quantity=Decimal(120), **bnb)
        await ledger.apply_report(report("FILLED", "0.002", filled, order_id="bta-BTCUSDT-2"), **BTCUSDT)
        (fee,) = await ledger.read(fee_values.to_convert)
        await ledger.write(lambda connection: fee_values.convert(connection, fee, Decimal(600), 6_500))
        await place(ledger, "bta-BTCUSDT-3", tick_ms=7_000)
        await place(ledger, "bta-BTCUSDT-4", tick_ms=8_000)
        await ledger.transition("bta-BTCUSDT-4", OrderState.UNKNOWN, 8_100)
        await ledger.transition("bta-BTCUSDT-4", OrderState.NOT_PLACED, 9_000)
        await ledger.post_external("USDT", Decimal("1.5"), 9_500, "gift")
        for cycle, equity in enumerate([10_000, 10_200, 9_000]):
            await ledger.record_equity(equity_point(9_600 + cycle, Decimal(equity), cycle=cycle, run_id="run-b"))
        pause = Pause("drawdown", 9_602, 9_700, "fell")
        await ledger.write(lambda connection: begin_pause(connection, 2, pause))
        await ledger.record_equity(equity_point(9_700, Decimal(9_100), cycle=3, run_id="run-b"))


@pytest.fixture
async def path(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    await session(path)
    return path


def change(path, statement):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount == 1


def test_an_untouched_ledger_has_no_difference(path):
    assert differences(path) == []


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "UPDATE wallets SET amount = '9999.9' WHERE epoch = 2 AND asset = 'USDT'",
            "wallet of epoch 2: 9999.9 USDT, and its postings sum to 9881.5",
        ),
        (
            "UPDATE positions SET quantity = '0.0021' WHERE epoch = 2",
            "position BTCUSDT of epoch 2: quantity is 0.0021, and its fills give 0.002",
        ),
        (
            "UPDATE positions SET cost_quote = '1' WHERE epoch = 1",
            "position BTCUSDT of epoch 1: cost_quote is 1, and its fills give 60",
        ),
        (
            "UPDATE positions SET realised_pnl_quote = '0.00000001' WHERE epoch = 1",
            "position BTCUSDT of epoch 1: realised_pnl_quote is 0.00000001, and its fills give 0",
        ),
        (
            "UPDATE positions SET opened_ms = NULL WHERE epoch = 1",
            "position BTCUSDT of epoch 1: opened_ms is None, and its fills give 1001",
        ),
        ("DELETE FROM positions WHERE epoch = 1", "position BTCUSDT of epoch 1 is missing"),
        (
            "INSERT INTO position_marks VALUES (2, 'BTCUSDT', 7, '1', '120', '0', 1007, 1007)",
            "position BTCUSDT of epoch 2 after trade 7: quantity is 1, and its fills give 0.002",
        ),
        (
            "INSERT INTO position_marks VALUES (2, 'BTCUSDT', 9, '1', '120', '0', 1007, 1007)",
            "position BTCUSDT of epoch 2 is marked after trade 9, which has no fill",
        ),
        (
            "INSERT INTO positions VALUES (2, 'ETHUSDT', 'ETH', 'USDT', '1', '1', '0', 1, 1)",
            "position ETHUSDT of epoch 2 has no fill",
        ),
        (
            "UPDATE postings SET amount = '-0.003' WHERE epoch = 2 AND kind = 'fill' AND line = 2",
            "entry fill BTCUSDT:7 of epoch 2 does not sum to zero: -0.001 BTC is left",
        ),
        (
            "DELETE FROM postings WHERE epoch = 2 AND kind = 'fill' AND line = 2",
            "entry fill BTCUSDT:7 of epoch 2: line 2 is missing",
        ),
        (
            "UPDATE fills SET commission = '0.0000011' WHERE trade_id = 1",
            "fill BTCUSDT:1 of epoch 1 does not have the postings that it should have",
        ),
        ("UPDATE fills SET trade_id = 8 WHERE trade_id = 7", "entry fill BTCUSDT:7 of epoch 2 has no fill"),
        ("UPDATE fills SET price = 'sixty' WHERE trade_id = 7", "fill BTCUSDT:7 of epoch 2 cannot be read"),
        (
            "UPDATE fills SET exchange_order_id = 10 WHERE trade_id = 7",
            "fill BTCUSDT:7 of epoch 2 is not like its order bta-BTCUSDT-2",
        ),
        (
            "UPDATE fills SET client_order_id = 'bta-BTCUSDT-9' WHERE trade_id = 7",
            "fill BTCUSDT:7 of epoch 2 has no order: bta-BTCUSDT-9",
        ),
        ("DELETE FROM orders WHERE client_order_id = 'bta-BTCUSDT-3'", "order_events: 2 rows refer to rows of orders"),
        (
            "UPDATE orders SET filled_base = '0.0005' WHERE client_order_id = 'bta-BTCUSDT-1'",
            "order bta-BTCUSDT-1 is filled 0.0005 for 60, and its fills sum to 0.001 for 60",
        ),
        (
            "UPDATE orders SET executed_base = '0.0005' WHERE client_order_id = 'bta-BTCUSDT-1'",
            "order bta-BTCUSDT-1 is filled 0.001 and was executed only 0.0005",
        ),
        (
            "UPDATE orders SET settled = 1 WHERE client_order_id = 'bta-BTCUSDT-3'",
            "order bta-BTCUSDT-3 is marked settled, and its state and fills say otherwise",
        ),
        (
            "UPDATE orders SET state = 'DENIED' WHERE client_order_id = 'bta-BTCUSDT-4'",
            "order bta-BTCUSDT-4 is DENIED, and the last step of its life is NOT_PLACED",
        ),
        (
            "UPDATE order_events SET state = 'FILLED' WHERE client_order_id = 'bta-BTCUSDT-4' AND sequence = 3",
            "order bta-BTCUSDT-4: NOT_PLACED cannot follow FILLED, and is step 4 of its life",
        ),
        (
            "DELETE FROM order_events WHERE client_order_id = 'bta-BTCUSDT-4' AND sequence = 2",
            "order bta-BTCUSDT-4: the steps of its life are not numbered 1 to 3",
        ),
        (
            "DELETE FROM order_events WHERE client_order_id = 'bta-BTCUSDT-4' AND sequence = 1",
            "order bta-BTCUSDT-4: its life does not begin with INTENT",
        ),
        (
            "UPDATE order_events SET executed_base = '1' WHERE client_order_id = 'bta-BTCUSDT-4' AND sequence = 2",
            "order bta-BTCUSDT-4: what was executed falls at step 3 of its life",
        ),
        ("UPDATE orders SET state = 'LOST' WHERE client_order_id = 'bta-BTCUSDT-4'", "bta-BTCUSDT-4 cannot be read"),
        ("UPDATE runs SET number = 7 WHERE run_id = 'run-b'", "the 2 runs are not numbered 1 to 2"),
        ("UPDATE epochs SET closed_ms = NULL WHERE epoch = 1", "epoch 1 is open and 2 is the last"),
        (
            "UPDATE fee_values SET value_quote = '0.061'",
            "fee value of fill BTCUSDT:7 of epoch 2: 0.0001 at 600 is not 0.061",
        ),
        (
            "UPDATE fee_values SET amount = '0.1'",
            "fee value of fill BTCUSDT:7 of epoch 2 is not of its fill's commission",
        ),
        (
            "UPDATE equity SET cash_quote = '9000' WHERE cycle = 1",
            "equity of epoch 2 at 9601: the peak is 10200, and the points give 11550",
        ),
        (
            "UPDATE equity SET peak_quote = '9999' WHERE cycle = 2",
            "equity of epoch 2 at 9602: the peak is 9999, and the points give 10200",
        ),
        ("DELETE FROM pauses", "equity of epoch 2 at 9700: the peak is 9100, and the points give 10200"),
        (
            "UPDATE external_sums SET amount = '2'",
            "what came from outside in epoch 2: 2 USDT, and its postings sum to 1.5",
        ),
        ("UPDATE fee_values SET price = NULL", "fee value of fill BTCUSDT:7 of epoch 2 has a price without a value"),
    ],
)
def test_each_change_is_told_in_a_sentence(path, statement, sentence):
    change(path, statement)
    assert [said for said in differences(path) if sentence in said], differences(path)


def test_it_reads_one_moment_while_the_trader_writes(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    asyncio.run(opened_with_an_order(path))
    with LedgerReader.open(path) as reader:

        def before_and_after_a_fill(connection):
            first = [*sentences(connection), *connection.execute("SELECT * FROM fills")]
            asyncio.run(filled(path))
            return first, [*sentences(connection), *connection.execute("SELECT * FROM fills")]

        assert reader.snapshot(before_and_after_a_fill) == ([], [])
        assert reader.snapshot(lambda connection: len(list(connection.execute("SELECT * FROM fills")))) == 1


async def opened_with_an_order(path):
    async with trading_ledger(path) as ledger:
        await place(ledger)


async def filled(path):
    async with await Ledger.open(path) as ledger:
        await ledger.apply_report(report("FILLED", "0.001", fill(1)), **BTCUSDT)
