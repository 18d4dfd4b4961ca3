"""What is held of a symbol is read from the file once, and anew when an order on it may have moved.

That it is what the books say after whatever happens: tests/backtest/test_books.py.
"""

from contextlib import contextmanager
from decimal import Decimal

import pytest

from binance_trade_agent.domain.orders import OrderState, Role, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger.errors import DuplicateIntent
from tests.ledger.bookkeeping import BTCUSDT, decision, fill, intent, report, trading_ledger
from tests.ledger.test_remembered_view import reads_of

RULES = SymbolRules("BTCUSDT", "BTC", "USDT", min_notional=Decimal(5))
OTHER = SymbolRules("ETHUSDT", "ETH", "USDT", min_notional=Decimal(5))
ORDER = intent().client_order_id


@pytest.fixture
async def ledger(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ready:
        await ready.commit_intent(decision(client_order_id=ORDER), intent(), 1_000, is_sending=True)
        await ready.apply_report(report("FILLED", "0.002", fill(1), fill(2)), **BTCUSDT)
        held = await ready.held("BTCUSDT", RULES)
        assert held.position.quantity == Decimal("0.001998")
        assert await ready.held("ETHUSDT", OTHER) is None
        yield ready


@contextmanager
def asking_nothing(ledger):
    with reads_of(ledger) as read:
        yield
    assert read == []


async def test_while_nothing_has_moved_the_file_is_not_asked(ledger):
    with asking_nothing(ledger):
        first = await ledger.held("BTCUSDT", RULES)
        assert await ledger.held("BTCUSDT", RULES) is first
        assert await ledger.held("ETHUSDT", OTHER) is None


async def test_what_moves_no_order_leaves_it_as_it_is(ledger):
    await ledger.record_decisions([decision(5_000)])
    await ledger.raise_alarm("late_fill", "BTCUSDT", "a sentence", 5_000)
    await ledger.clear_alarm("late_fill", "BTCUSDT", 6_000)
    await ledger.move_trade_cursor("BTCUSDT", 7)
    with asking_nothing(ledger):
        assert (await ledger.held("BTCUSDT", RULES)).position.quantity == Decimal("0.001998")


async def test_an_order_on_another_symbol_leaves_it_as_it_is(ledger):
    other = replace(intent("bta-ETHUSDT-9"), symbol="ETHUSDT")
    await ledger.commit_intent(decision(5_000, symbol="ETHUSDT", client_order_id="bta-ETHUSDT-9"), other, 5_000)
    await ledger.transition("bta-ETHUSDT-9", OrderState.SENT, 5_000)
    with asking_nothing(ledger):
        await ledger.held("BTCUSDT", RULES)
    with reads_of(ledger) as read:
        assert await ledger.held("ETHUSDT", OTHER) is None
    assert read != []


async def test_a_sale_of_it_is_seen_at_once(ledger):
    sale = replace(intent("bta-BTCUSDT-9", Side.SELL), role=Role.EXIT, quantity=Decimal("0.001998"))
    await ledger.commit_protection("run-a", [sale], 9_000, is_sending=True)
    sold = fill(3, "bta-BTCUSDT-9", Side.SELL, quantity=Decimal("0.001998"), commission_asset="USDT")
    told = report("FILLED", "0.001998", sold, order_id="bta-BTCUSDT-9", side=Side.SELL, quantity=Decimal("0.001998"))
    await ledger.apply_report(told, **BTCUSDT)
    assert await ledger.held("BTCUSDT", RULES) is None


async def test_by_other_rules_it_is_told_anew(ledger):
    strict = replace(RULES, min_notional=Decimal(5_000))
    assert await ledger.held("BTCUSDT", strict) is None, "it is dust by these"
    assert await ledger.held("BTCUSDT", RULES) is not None


async def test_after_what_nobody_has_said_anything_of_all_are_asked_anew(ledger):
    for write in (
        ledger.write(lambda connection: connection.execute("UPDATE positions SET quantity = '0'")),
        ledger.open_epoch(9_000, "another market", {"USDT": Decimal(100)}),
    ):
        await write
        for symbol, rules in (("BTCUSDT", RULES), ("ETHUSDT", OTHER)):
            assert await ledger.held(symbol, rules) is None


async def test_after_a_transaction_that_failed_it_is_asked_anew(ledger):
    with pytest.raises(DuplicateIntent):
        await ledger.commit_intent(decision(client_order_id=ORDER), intent(), 1_000)
    with reads_of(ledger) as read:
        assert await ledger.held("BTCUSDT", RULES) is not None
    assert read != []
