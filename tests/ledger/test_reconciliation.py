from decimal import Decimal

import pytest

from binance_trade_agent.domain.orders import Order, OrderState, OrderType, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger.reconciliation import ExchangeFacts, Kind, LedgerFacts, reconcile
from tests.ledger.bookkeeping import fill, report

ORDER = Order(
    client_order_id="bta-BTCUSDT-1",
    symbol="BTCUSDT",
    side=Side.BUY,
    type=OrderType.MARKET,
    quantity=Decimal("0.002"),
    state=OrderState.FILLED,
    created_ms=1,
    updated_ms=1,
    tick_ms=1,
    candle_open_ms=1,
    reference_price=Decimal(60_000),
    executed_base=Decimal("0.001"),
)
WALLET = {"BTC": Decimal("1.000999"), "USDT": Decimal(9_940)}


def compare(ledger=None, exchange=None, assets=("BTC", "USDT")):
    ours = {"wallet": WALLET, "orders": [ORDER], "fills": [fill(1)], **(ledger or {})}
    theirs = {"balances": WALLET, "orders": [report("FILLED", "0.001")], "trades": [fill(1)], **(exchange or {})}
    return reconcile(LedgerFacts(**ours), ExchangeFacts(**theirs), assets)


def test_equal_books_have_no_differences_and_no_notes():
    result = compare()
    assert (result.differences, result.notes) == ([], [])


def test_trailing_zeros_of_the_exchange_are_no_difference():
    padded = {asset: amount.quantize(Decimal("0.00000001")) for asset, amount in WALLET.items()}
    assert compare(exchange={"balances": padded}).differences == []


def test_a_balance_that_is_off_by_the_last_digit_is_told():
    (difference,) = compare(exchange={"balances": {**WALLET, "BTC": Decimal("1.00099901")}}).differences
    assert (difference.kind, difference.subject) == (Kind.BALANCE, "BTC")
    assert difference.text == "BTC: ledger 1.000999, exchange 1.00099901, 0.00000001 more there"


def test_assets_that_are_neither_traded_nor_in_the_ledger_are_not_judged():
    assert compare(exchange={"balances": {**WALLET, "DOGE": Decimal(5)}}).differences == []


def test_an_asset_that_the_ledger_once_held_is_judged_though_it_is_not_traded():
    (difference,) = compare(ledger={"wallet": {**WALLET, "BNB": Decimal(1)}}).differences
    assert (difference.subject, difference.exchange) == ("BNB", "0")


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN, OrderState.ACCEPTED])
def test_an_open_order_that_the_exchange_does_not_know_is_told(state):
    (difference,) = compare({"orders": [replace(ORDER, state=state)]}, {"orders": []}).differences
    assert (difference.kind, difference.exchange) == (Kind.ORDER, "unknown there")


def test_an_order_that_is_over_need_not_be_reported():
    assert compare(exchange={"orders": []}).differences == []


@pytest.mark.parametrize("told", [report("CANCELED", "0.001"), report("FILLED", "0.002")])
def test_another_state_or_quantity_is_told(told):
    (difference,) = compare(exchange={"orders": [told]}).differences
    assert difference.ledger == "FILLED 0.001"


def test_an_order_of_ours_that_is_not_in_the_ledger_is_told():
    (difference,) = compare(ledger={"orders": []}).differences
    assert (difference.ledger, difference.exchange) == ("not in it", "FILLED 0.001")


@pytest.mark.parametrize("side", ["ledger", "exchange"])
def test_a_trade_that_only_one_of_them_knows_is_told(side):
    facts = {"ledger": {"fills": []}} if side == "ledger" else {"exchange": {"trades": []}}
    (difference,) = compare(**facts).differences
    assert (difference.kind, difference.subject) == (Kind.TRADE, "BTCUSDT")


def test_a_trade_with_another_fee_is_told_with_both():
    (difference,) = compare(exchange={"trades": [fill(1, commission=Decimal("0.000002"))]}).differences
    assert difference.ledger == "BUY 0.001 @ 60000, fee 0.000001 BTC"
    assert difference.exchange == "BUY 0.001 @ 60000, fee 0.000002 BTC"


def test_orders_and_trades_of_others_are_notes():
    result = compare(
        exchange={
            "orders": [report("FILLED", "0.001"), report("NEW", "0", order_id="web_1")],
            "trades": [fill(1), fill(2, "")],
        }
    )
    assert result.differences == []
    assert [note.split(" (")[0] for note in result.notes] == ["order 9 is not ours", "trade 2 of BTCUSDT is not ours"]
