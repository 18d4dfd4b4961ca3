"""Memory stays bounded: old orders, trades and lists are forgotten, open ones never."""

from binance_trade_agent.matching.history import History
from tests.matching.f0 import place, place_list, request


def test_only_the_latest_ended_orders_and_trades_are_kept(engine):
    engine.history = History(kept=3)
    resting = place(engine, "BUY", "LIMIT", "0.1", price="90000", client_order_id="resting")
    for number in range(5):
        place(engine, "BUY", "MARKET", "0.01", client_order_id=f"c-{number}")
    orders = engine.history.orders("main", "BTCUSDT")
    assert [order.client_order_id for order in orders] == ["resting", "c-2", "c-3", "c-4"]
    assert engine.history.find_by_client_id("main", "BTCUSDT", "c-1") is None
    assert [trade.trade_id for trade in engine.history.trades("main", "BTCUSDT")] == [3, 4, 5]
    assert engine.history.open_orders("main") == [resting]


def test_only_the_latest_ended_lists_are_kept(engine):
    engine.history = History(kept=2)
    for number in range(4):
        legs = (
            request("SELL", "STOP_LOSS", "0.1", stop_price="95000", client_order_id=f"s-{number}"),
            request("SELL", "LIMIT_MAKER", "0.1", price="105000", client_order_id=f"l-{number}"),
        )
        order_list = place_list(engine, "OCO", *legs).order_list
        engine.cancel_list(order_list, 2, cancel_id=None)
    assert [order_list.list_id for order_list in engine.history.lists("main")] == [3, 4]
