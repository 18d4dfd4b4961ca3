"""What is held now: its worth by the newest bid, and what stands on the exchange to sell it, said plainly."""

from decimal import Decimal

import pytest

from binance_trade_agent.cache.market_board import Quote
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState, OrderType, Role, Side
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports.positions_now import positions_now
from tests.ledger.bookkeeping import BTCUSDT, decision, fill, intent, place, run_record, trading_ledger
from tests.matching.f0 import RULES


@pytest.fixture
async def ledger(tmp_path):
    """0.002 BTC, bought for 120 USDT and a fee of 0.000002 BTC at 1,002 ms."""
    async with trading_ledger(tmp_path / "ledger.db") as opened:
        await place(opened)
        for trade_id in (1, 2):
            await opened.book_fill(fill(trade_id), **BTCUSDT)
        await opened.transition("bta-BTCUSDT-1", OrderState.FILLED, 1_100)
        yield opened


def shown(ledger, epoch=1, **more):
    with LedgerReader.open(ledger.path) as reader:
        return reader.snapshot(lambda connection: positions_now(connection, epoch, **more))


def quote(bid, read_ms):
    return {"BTCUSDT": Quote("BTCUSDT", bid, Decimal(1), bid + 1, Decimal(1), None, read_ms, 77)}


async def protect(ledger, quantity, *, number=1, stop="58000", target="66000", state=OrderState.ACCEPTED):
    legs = [
        intent(
            f"bta-stop-{number}",
            Side.SELL,
            2_000,
            type=OrderType.STOP_LOSS_LIMIT,
            role=Role.STOP_LOSS,
            stop_price=Decimal(stop),
            price=Decimal(stop) - 100,
            quantity=Decimal(quantity),
            list_id=f"list-{number}",
            exit=ExitKind.STOP_LOSS,
        ),
        intent(
            f"bta-target-{number}",
            Side.SELL,
            2_000,
            type=OrderType.LIMIT_MAKER,
            role=Role.TAKE_PROFIT,
            price=Decimal(target),
            quantity=Decimal(quantity),
            list_id=f"list-{number}",
            exit=ExitKind.TAKE_PROFIT,
        ),
    ]
    await ledger.commit_protection("run-a", legs, 2_000)
    for leg in legs:
        await ledger.transition(leg.client_order_id, OrderState.SENT, 2_001)
        if state is not OrderState.SENT:
            await ledger.transition(leg.client_order_id, state, 2_002)


async def test_what_nothing_protects_is_said_to_be_unprotected(ledger):
    (held,) = shown(ledger)
    assert (held.quantity_base, held.average_price) == (Decimal("0.001998"), Decimal(120) / Decimal("0.001998"))
    assert (held.protected_base, held.unprotected_base) == (0, Decimal("0.001998"))
    assert (held.stop_price, held.target_price, held.opened_ms) == (None, None, 1_001)
    assert held.strategy == "rsi_default"


async def test_a_position_without_a_bid_has_no_worth(ledger):
    (held,) = shown(ledger)
    assert (held.mark_price, held.worth_quote, held.pnl_quote, held.pnl_pct) == (None, None, None, None)


async def test_its_worth_is_by_the_last_bid_that_a_decision_saw(ledger):
    await ledger.record_decisions(
        [
            decision(60_000, bid=Decimal(61_000)),
            decision(120_000, bid=Decimal(62_000)),
            decision(180_000, outcome=Outcome.NO_DATA),
        ]
    )
    (held,) = shown(ledger)
    assert (held.mark_price, held.mark_ms, held.mark_wall_ms) == (62_000, 120_000, None)
    assert held.worth_quote == Decimal("123.876")
    assert held.pnl_quote == Decimal("3.876")
    assert held.pnl_pct == pytest.approx(3.23)


async def test_a_newer_quote_counts_and_an_older_one_does_not(ledger):
    await ledger.record_decisions([decision(120_000, bid=Decimal(62_000))])
    (held,) = shown(ledger, quotes=quote(Decimal(63_000), 120_001))
    assert (held.mark_price, held.mark_ms, held.mark_wall_ms) == (63_000, 120_001, 77)
    (held,) = shown(ledger, quotes=quote(Decimal(63_000), 119_999))
    assert held.mark_price == 62_000


async def test_bids_of_another_market_do_not_count(ledger):
    await ledger.record_decisions([decision(9_000_000, bid=Decimal(62_000))])
    await ledger.open_epoch(1_000, "new market", {"USDT": Decimal(1_000)})
    await ledger.begin_run(run_record("run-b"))
    await place(ledger, "bta-BTCUSDT-9", tick_ms=5_000)
    await ledger.book_fill(fill(1, "bta-BTCUSDT-9"), **BTCUSDT)
    (held,) = shown(ledger, epoch=2)
    assert held.mark_price is None


async def test_stop_and_target_that_stand_are_named(ledger):
    await protect(ledger, "0.0015")
    (held,) = shown(ledger)
    assert (held.stop_price, held.target_price) == (58_000, 66_000)
    assert [order.client_order_id for order in held.stops + held.targets] == ["bta-stop-1", "bta-target-1"]
    assert (held.protected_base, held.unprotected_base) == (Decimal("0.0015"), Decimal("0.000498"))


@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.UNKNOWN])
async def test_what_is_not_known_to_stand_protects_nothing(ledger, state):
    await protect(ledger, "0.0015", state=state)
    (held,) = shown(ledger)
    assert (held.stop_price, held.protected_base) == (None, 0)
    assert [(order.state, order.stands) for order in held.stops] == [(state, False)]


async def test_what_is_too_little_to_be_sold_is_not_called_unprotected(ledger):
    await protect(ledger, "0.00199")
    (held,) = shown(ledger, rules={"BTCUSDT": RULES}, quotes=quote(Decimal(60_000), 3_000))
    assert (held.unprotected_base, held.is_dust) == (0, False)


async def test_what_a_person_has_on_sale_is_told_apart(ledger):
    sale = intent(
        "bta-hand-1",
        Side.SELL,
        3_000,
        type=OrderType.LIMIT,
        role=Role.EXIT,
        price=Decimal(70_000),
        quantity=Decimal("0.001"),
        exit=ExitKind.MANUAL,
    )
    await ledger.commit_protection("run-a", [sale], 3_000)
    await protect(ledger, "0.0005")
    (held,) = shown(ledger)
    assert [(order.client_order_id, order.price) for order in held.persons] == [("bta-hand-1", 70_000)]
    assert (held.protected_base, held.on_sale_base, held.unprotected_base) == (
        Decimal("0.0005"),
        Decimal("0.001"),
        Decimal("0.000498"),
    )


async def test_alarms_about_it_are_with_it(ledger):
    await ledger.raise_alarm("unprotected", "BTCUSDT", "the exchange refused the stop", 4_000)
    await ledger.raise_alarm("unprotected", "ETHUSDT", "another", 4_000)
    (held,) = shown(ledger)
    assert [alarm.text for alarm in held.alarms] == ["the exchange refused the stop"]


async def test_what_is_flat_is_not_shown(tmp_path):
    async with await Ledger.open(tmp_path / "ledger.db") as ledger:
        assert shown(ledger) == []
