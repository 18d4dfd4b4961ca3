"""Orders on the fixtures F1 and F2 (binance-protocol.md Appendix A): BNB discount, other filters, closed symbols."""

from decimal import Decimal

import pytest

from tests.simulator.order_calls import balance, place, refusal


@pytest.fixture
async def f1(exchange, client):
    await exchange.control("reset", fixture="F1")
    return client


@pytest.fixture
async def f2(exchange, client):
    await exchange.control("reset", fixture="F2")
    return client


async def test_commission_is_paid_in_bnb_at_a_discount(f1):
    order = await f1.order_market_buy(symbol="BTCUSDT", quantity="0.5")
    (fill,) = order["fills"]
    assert (fill["commissionAsset"], fill["commission"]) == ("BNB", "0.04687500")  # 50000 * 0.075 % / 800
    assert await balance(f1, "BNB") == (Decimal("9.953125"), 0)
    assert await balance(f1, "BTC") == (Decimal("1.5"), 0)
    told = await f1.v3_get_account_commission(symbol="BTCUSDT")
    assert (told["discount"]["enabledForAccount"], told["discount"]["discount"]) == (True, "0.25000000")
    (trade,) = await f1.get_my_trades(symbol="BTCUSDT")
    assert trade["commissionAsset"] == "BNB"


async def test_commission_is_full_and_of_what_was_received_when_bnb_does_not_suffice(f1):
    await f1.order_market_sell(symbol="BNBUSDT", quantity="9.999")
    order = await f1.order_market_buy(symbol="BTCUSDT", quantity="0.5")
    assert [(fill["commissionAsset"], fill["commission"]) for fill in order["fills"]] == [("BTC", "0.00050000")]


async def test_position_may_not_grow_beyond_its_bound(f2):
    await place(f2, quantity="0.5", price="99000")
    too_much = await refusal(place(f2, quantity="0.51", price="99000"))  # 1 held, 0.5 on the way
    assert too_much == (400, -2010, "Filter failure: MAX_POSITION")
    assert (await place(f2, "SELL", quantity="0.9", price="110000"))["status"] == "NEW"


@pytest.mark.parametrize(
    ("symbol", "order", "answer"),
    [
        ("SOLUSDT", {"quantity": "0.02"}, (400, -1013, "Filter failure: MIN_NOTIONAL")),
        ("SOLUSDT", {"quoteOrderQty": "4.9"}, (400, -1013, "Filter failure: MIN_NOTIONAL")),
        ("BNBUSDT", {"quantity": "1"}, (400, -2010, "This symbol is not permitted for this account.")),
        ("ETHUSDT", {"quantity": "1"}, (400, -2010, "Market is closed.")),
    ],
)
async def test_what_a_symbol_excludes_is_refused(f2, symbol, order, answer):
    assert await refusal(f2.order_market_buy(symbol=symbol, **order)) == answer


async def test_group_of_symbols_may_be_traded_once_the_account_has_its_permission(f2, exchange):
    await exchange.control("config", account_permissions={"permissions": ["SPOT", "TRD_GRP_050"]})
    assert (await f2.order_market_buy(symbol="BNBUSDT", quantity="1"))["status"] == "FILLED"
    assert (await f2.get_account())["permissions"] == ["SPOT", "TRD_GRP_050"]


async def test_of_two_filters_of_the_notional_both_hold_each_at_its_own_price(client, exchange):
    older = {"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": True, "avgPriceMins": 0}
    await exchange.control("config", symbol={"symbol": "BTCUSDT", "filters": [older]})
    for quantity, name in (("0.00004", "NOTIONAL"), ("0.00009", "MIN_NOTIONAL")):
        assert await refusal(place(client, quantity=quantity, price="99000")) == (400, -1013, f"Filter failure: {name}")
    await exchange.control("trade", symbol="BTCUSDT", price="50000", qty="0.001", taker="SELL")
    market = client.order_market_buy(symbol="BTCUSDT", quantity="0.00015")  # 15 by the average, 7.5 by the last price
    assert await refusal(market) == (400, -1013, "Filter failure: MIN_NOTIONAL")
