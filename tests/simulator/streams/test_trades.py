"""Trade streams: every trade, and the aggregates of REST."""

from decimal import Decimal

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.matching.orders import OrderRequest
from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT
from binance_trade_agent.simulator.market.payloads import aggregate_trade_row, trade_row
from tests.simulator.streams.market import Market


def buy_through_levels(market: Market, levels: int) -> None:
    """A market order that takes so many levels of the book."""
    asks = market.exchange.engine.listings["BTCUSDT"].book.depth(Side.SELL, levels)
    quantity = sum((size for _, size in asks), Decimal(0))
    market.exchange.place(
        OrderRequest(MAIN_ACCOUNT, "BTCUSDT", Side.BUY, OrderType.MARKET, "sweep", quantity=quantity),
    )
    market.streams.pump()


def test_every_trade_comes_once_and_equals_rest():
    market = Market(balances={"USDT": Decimal(10_000_000)}, history_minutes=30)
    listener = market.listen("btcusdt@trade")
    market.run(20_000)
    buy_through_levels(market, 3)
    market.run(20_000)
    messages = listener.take()
    rows = [trade_row(trade) for trade in market.exchange.market.recent_trades("BTCUSDT", len(messages))]
    assert [(m["t"], m["p"], m["q"], m["T"], m["m"]) for m in messages] == [
        (row["id"], row["price"], row["qty"], row["time"], row["isBuyerMaker"]) for row in rows
    ]
    assert messages[0]["t"] + len(messages) - 1 == messages[-1]["t"]


def test_aggregates_are_those_of_rest_one_a_price_of_an_order():
    market = Market(balances={"USDT": Decimal(10_000_000)}, history_minutes=30)
    listener = market.listen("btcusdt@aggTrade")
    market.run(20_000)
    listener.take()
    buy_through_levels(market, 3)
    messages = listener.take()
    assert len(messages) == 3
    rows = market.exchange.market.aggregate_trades("BTCUSDT", from_id=messages[0]["a"], limit=10)
    expected = [
        {"e": "aggTrade", "E": market.exchange.now_ms, "s": "BTCUSDT", **aggregate_trade_row(row)} for row in rows
    ]
    assert messages == expected
    market.run(10_000)
    assert listener.take()[0]["a"] == messages[-1]["a"] + 1


def test_trades_of_a_far_jump_all_come():
    market = Market(history_minutes=30)
    listener = market.listen("btcusdt@trade")
    market.advance(3_600_000)
    ids = [message["t"] for message in listener.take()]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) > 600
