"""What requests cost: by the documentation, and by what the exchange then counts."""

from decimal import Decimal

import pytest

from binance_trade_agent.domain.orders import OrderType
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.weights import Priority, cost
from binance_trade_agent.ops.clock import ScaledClock
from tests.exchange_process import API_KEY, API_SECRET, running_exchange

ESSENTIAL, ENTRY, MARKET_DATA = Priority


@pytest.mark.parametrize(
    ("method", "path", "parameters", "weight", "priority", "orders"),
    [
        ("get", "time", {}, 1, ESSENTIAL, 0),
        ("get", "ping", {}, 1, ESSENTIAL, 0),
        ("get", "exchangeInfo", {}, 20, MARKET_DATA, 0),
        ("get", "klines", {"symbol": "A"}, 2, MARKET_DATA, 0),
        ("get", "depth", {"symbol": "A"}, 5, MARKET_DATA, 0),
        ("get", "depth", {"symbol": "A", "limit": 500}, 25, MARKET_DATA, 0),
        ("get", "depth", {"symbol": "A", "limit": 1000}, 50, MARKET_DATA, 0),
        ("get", "depth", {"symbol": "A", "limit": 5000}, 250, MARKET_DATA, 0),
        ("get", "ticker/bookTicker", {"symbol": "A"}, 2, MARKET_DATA, 0),
        ("get", "ticker/bookTicker", {}, 4, MARKET_DATA, 0),
        ("get", "ticker/price", {"symbol": "A"}, 2, MARKET_DATA, 0),
        ("get", "ticker/24hr", {"symbol": "A"}, 2, MARKET_DATA, 0),
        ("get", "ticker/24hr", {}, 80, MARKET_DATA, 0),
        ("get", "order", {"symbol": "A"}, 4, ESSENTIAL, 0),
        ("get", "openOrders", {"symbol": "A"}, 6, ESSENTIAL, 0),
        ("get", "openOrders", {}, 80, ESSENTIAL, 0),
        ("get", "account", {}, 20, ESSENTIAL, 0),
        ("get", "myTrades", {"symbol": "A"}, 20, ESSENTIAL, 0),
        ("get", "myTrades", {"symbol": "A", "orderId": 0}, 5, ESSENTIAL, 0),
        ("get", "something/new", {}, 20, ESSENTIAL, 0),
        ("post", "order", {"side": "BUY"}, 1, ENTRY, 1),
        ("post", "order", {"side": "SELL"}, 1, ESSENTIAL, 1),
        ("post", "order/test", {"side": "BUY"}, 1, ENTRY, 0),
        ("post", "order/cancelReplace", {"side": "BUY"}, 1, ESSENTIAL, 1),
        ("post", "orderList/oco", {"side": "SELL"}, 1, ESSENTIAL, 2),
        ("post", "orderList/otoco", {}, 1, ESSENTIAL, 3),
        ("delete", "order", {}, 1, ESSENTIAL, 0),
        ("DELETE", "openOrders", {}, 1, ESSENTIAL, 0),
        ("delete", "orderList", {}, 1, ESSENTIAL, 0),
    ],
)
def test_cost_of_a_request(method, path, parameters, weight, priority, orders):
    known = cost(method, path, parameters)
    assert (known.weight, known.priority, known.orders) == (weight, priority, orders)


@pytest.fixture
async def gateway():
    """A minute that has just begun does not end during the test."""
    async with (
        running_exchange(start="2026-01-05T00:00:10Z", speed=Decimal(1)) as exchange,
        BinanceGateway(simulated(exchange.url), API_KEY, API_SECRET, ScaledClock()) as opened,
    ):
        await opened.synchronise()
        yield opened


async def test_exchange_counts_what_the_gateway_reserves(gateway, intent, monkeypatch):
    """Orders and cancels that succeed cost nothing (binance-protocol.md 1.0), so their reserve is given back."""
    reserved = []
    spend = gateway.budget.spend

    def noted(price):
        reserved.append(price)
        return spend(price)

    monkeypatch.setattr(gateway.budget, "spend", noted)
    await gateway.account()
    used = gateway.used_weight

    async def check(request, *, is_free=False):
        nonlocal used
        reserved.clear()
        answer = await request
        (price,) = reserved
        assert gateway.used_weight - used == (0 if is_free else price.weight)
        used = gateway.used_weight
        return answer

    bid = (await check(gateway.book_ticker("BTCUSDT"))).bid
    placed = await check(gateway.place_order(intent(quantity="0.01")), is_free=True)
    limit = intent("bta-BTCUSDT-2", type=OrderType.LIMIT, price=Decimal(int(bid * Decimal("0.9"))), quantity="0.01")
    resting = await check(gateway.place_order(limit), is_free=True)
    for request in (
        gateway.symbol_rules(["BTCUSDT"]),
        gateway.all_symbols(),
        gateway.candles("BTCUSDT", "1m", 2),
        gateway.book_ticker("BTCUSDT"),
        gateway.depth("BTCUSDT"),
        gateway.depth("BTCUSDT", 500),
        gateway.last_price("BTCUSDT"),
        gateway.account(),
        gateway.order("BTCUSDT", "bta-BTCUSDT-1"),
        gateway.open_orders("BTCUSDT"),
        gateway.trades_of_order("BTCUSDT", placed.exchange_order_id),
        gateway.trades_since("BTCUSDT", 0),
        gateway.latest_trade_id("BTCUSDT"),
    ):
        await check(request)
    another = replace(limit, client_order_id="bta-BTCUSDT-3")
    replaced = await check(gateway.replace_order("BTCUSDT", resting.exchange_order_id, another), is_free=True)
    await check(gateway.cancel_order("BTCUSDT", replaced.placed.exchange_order_id), is_free=True)
    assert gateway.budget.orders_used["10s"] >= 1
