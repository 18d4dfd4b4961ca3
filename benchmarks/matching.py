"""Orders a second through the matching engine on one core, and the bare arithmetic of their fills beside them."""

import gc
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.book import Level
from binance_trade_agent.matching.engine import MatchingEngine
from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.matching.orders import ExchangeOrder, OrderRequest
from binance_trade_agent.ops.clock import monotonic_seconds
from support.machine import print_head

ROUNDS = 7
ORDERS = 20_000
LEVELS = 20
ORDERS_PER_BOOK = 20
RULES = SymbolRules("BTCUSDT", "BTC", "USDT", tick_size=Decimal("0.01"), step_size=Decimal("0.00001"))
SIZE = Decimal("0.5")
QUANTITIES = [Decimal(steps) / 100_000 for steps in range(1_000, 100_000, 4_973)]
UNIT = Decimal("0.00000001")

Work = Callable[[MatchingEngine], None]


def main() -> None:
    """Measure and print the best of some rounds, as orders a second."""
    print_head("benchmarks/matching.py")
    print(
        f"best of {ROUNDS} rounds of {ORDERS} orders; {LEVELS} levels of {SIZE} on each side, a new book after each "
        f"{ORDERS_PER_BOOK} orders; quantities {QUANTITIES[0]} to {QUANTITIES[-1]}"
    )
    ways: dict[str, tuple[Work, Work]] = {
        "MARKET orders, buys and sells in turn": (nothing, market_orders),
        "  the same while 5,000 limit orders rest": (rest_limits, market_orders),
        "LIMIT orders that rest, each cancelled at once": (nothing, limits_and_cancels),
        "STOP_LOSS_LIMIT orders, each cancelled at once, 1,000 others wait": (wait_for_triggers, stops_and_cancels),
        "the Decimal arithmetic of the MARKET orders' fills (reference)": (nothing, bare_arithmetic),
    }
    for name, (prepare, work) in ways.items():
        print(f"  {name:66} {orders_a_second(prepare, work):9,.0f}")


def orders_a_second(prepare: Work, work: Work) -> float:
    """The best rate of some rounds of `work`, each with an engine of its own that `prepare` has had before."""
    seconds = []
    for _ in range(ROUNDS):
        engine = new_engine()
        prepare(engine)
        gc.collect()
        started = monotonic_seconds()
        work(engine)
        seconds.append(monotonic_seconds() - started)
        assert violations(engine) == []
    return ORDERS / min(seconds)


def new_engine() -> MatchingEngine:
    """One symbol, one account with plenty of both assets."""
    engine = MatchingEngine()
    engine.list_symbol(RULES, Decimal(100_000))
    engine.open_account("main", {"USDT": Decimal(10_000_000_000), "BTC": Decimal(100_000)})
    engine.apply_book("BTCUSDT", *levels(), 0)
    return engine


def levels() -> tuple[list[Level], list[Level]]:
    """Bids and asks one unit apart around 100,000."""
    bids = [(Decimal(99_999 - step), SIZE) for step in range(LEVELS)]
    asks = [(Decimal(100_001 + step), SIZE) for step in range(LEVELS)]
    return bids, asks


def market_orders(engine: MatchingEngine) -> None:
    """Each order takes one to three levels."""
    bids, asks = levels()
    for number in range(ORDERS):
        if number % ORDERS_PER_BOOK == 0:
            engine.apply_book("BTCUSDT", bids, asks, number)
        quantity = QUANTITIES[number % len(QUANTITIES)]
        side = Side.BUY if number % 2 else Side.SELL
        engine.place(OrderRequest("main", "BTCUSDT", side, OrderType.MARKET, f"c{number}", quantity), number)


def nothing(engine: MatchingEngine) -> None:
    """The engine is used as it is."""


def rest_limits(engine: MatchingEngine) -> None:
    """Orders of the account rest away from the market."""
    for number in range(5_000):
        place_limit(engine, f"r{number}", Decimal(50_000 + number), number)


def limits_and_cancels(engine: MatchingEngine) -> None:
    """Each order comes into the book and leaves it."""
    for number in range(ORDERS):
        order = place_limit(engine, f"c{number}", Decimal(99_000 + number % 500), number)
        engine.cancel(order, number, cancel_id=f"x{number}")


def wait_for_triggers(engine: MatchingEngine) -> None:
    """Stop orders of the account wait."""
    for number in range(1_000):
        place_stop(engine, f"w{number}", Decimal(90_000 + number), number)


def stops_and_cancels(engine: MatchingEngine) -> None:
    """Each order waits for its trigger beside others, and is cancelled."""
    for number in range(ORDERS):
        order = place_stop(engine, f"c{number}", Decimal(95_000 + number % 500), number)
        engine.cancel(order, number, cancel_id=f"x{number}")


def bare_arithmetic(engine: MatchingEngine) -> None:
    """What fills must compute at least: value, commission, two balances, fees, the order's sums, the level's rest."""
    del engine
    bids, asks = levels()
    rate, zero = Decimal("0.001"), Decimal(0)
    base, quote, fees_base, fees_quote = Decimal(100_000), Decimal(10_000_000_000), zero, zero
    for number in range(ORDERS):
        if number % ORDERS_PER_BOOK == 0:
            book = {Side.BUY: list(asks), Side.SELL: list(bids)}
        left = QUANTITIES[number % len(QUANTITIES)]
        side = Side.BUY if number % 2 else Side.SELL
        offers = book[side]
        executed_base = executed_quote = zero
        while left:
            price, size = offers[0]
            taken = min(size, left)
            value = price * taken
            if side is Side.BUY:
                commission = (taken * rate).quantize(UNIT, ROUND_DOWN)
                quote -= value
                base += taken - commission
                fees_base += commission
            else:
                commission = (value * rate).quantize(UNIT, ROUND_DOWN)
                base -= taken
                quote += value - commission
                fees_quote += commission
            executed_base += taken
            executed_quote += value
            left -= taken
            if taken == size:
                del offers[0]
            else:
                offers[0] = (price, size - taken)


def place_limit(engine: MatchingEngine, client_id: str, price: Decimal, at_ms: int) -> ExchangeOrder:
    """A small buy at `price`."""
    request = OrderRequest("main", "BTCUSDT", Side.BUY, OrderType.LIMIT, client_id, Decimal("0.001"), price=price)
    return placed(engine, request, at_ms)


def place_stop(engine: MatchingEngine, client_id: str, stop_price: Decimal, at_ms: int) -> ExchangeOrder:
    """A small sell that waits for `stop_price`."""
    request = OrderRequest(
        "main",
        "BTCUSDT",
        Side.SELL,
        OrderType.STOP_LOSS_LIMIT,
        client_id,
        Decimal("0.001"),
        price=stop_price - 10,
        stop_price=stop_price,
    )
    return placed(engine, request, at_ms)


def placed(engine: MatchingEngine, request: OrderRequest, at_ms: int) -> ExchangeOrder:
    """Place an order and return it."""
    order = engine.place(request, at_ms).order
    assert order is not None
    return order


if __name__ == "__main__":
    main()
