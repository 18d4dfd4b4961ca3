"""Book streams: best prices, partial books, and the diffs that a local book is kept with (binance-protocol.md 5.1)."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.matching.errors import Refused
from binance_trade_agent.matching.orders import OrderRequest
from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT, Exchange
from tests.simulator.streams.market import Market

SYMBOL = "BTCUSDT"
TICK = Decimal("0.01")


class LocalBook:
    """A book kept as Binance's documentation tells clients to keep it."""

    def __init__(self, snapshot: dict) -> None:
        self.update_id = snapshot["lastUpdateId"]
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        self._has_begun = False

    def apply(self, event: dict) -> None:
        if event["u"] <= self.update_id:
            return
        if self._has_begun:
            assert event["U"] == self.update_id + 1
        else:
            assert event["U"] <= self.update_id + 1 <= event["u"]
        self._has_begun = True
        self.update_id = event["u"]
        for side, levels in self.sides.items():
            for price, quantity in event[side]:
                if quantity == "0.00000000":
                    levels.pop(price, None)
                else:
                    levels[price] = quantity


def rest_depth(exchange: Exchange) -> dict:
    """What GET depth shows."""
    book = exchange.book_snapshot(SYMBOL)
    return {
        "lastUpdateId": book.update_id,
        "bids": [(f"{price:.8f}", f"{size:.8f}") for price, size in book.depth(Side.BUY, 5000)],
        "asks": [(f"{price:.8f}", f"{size:.8f}") for price, size in book.depth(Side.SELL, 5000)],
    }


def best(exchange: Exchange, side: Side) -> Decimal:
    return exchange.engine.listings[SYMBOL].book.depth(side, 1)[0][0]


def place(exchange: Exchange, number: int, side: Side, ticks: int, quantity: Decimal) -> None:
    """A limit order so many ticks behind the best price of its side, before it when negative."""
    price = best(exchange, side) + (-ticks if side is Side.BUY else ticks) * TICK
    request = OrderRequest(MAIN_ACCOUNT, SYMBOL, side, OrderType.LIMIT, f"id{number}", quantity=quantity, price=price)
    try:
        exchange.place(request)
    except Refused:
        return


def cancel_oldest(exchange: Exchange) -> None:
    for order in list(exchange.engine.history.open_orders(MAIN_ACCOUNT, SYMBOL))[:1]:
        exchange.cancel(order, None)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(10, 7_000)),
        st.tuples(st.just("place"), st.sampled_from(list(Side)), st.integers(-300, 300), st.integers(1, 200)),
        st.tuples(st.just("cancel")),
        st.tuples(st.just("book"), st.integers(1, 8)),
        st.tuples(st.just("trade"), st.sampled_from(list(Side)), st.integers(1, 200)),
        st.tuples(st.just("snapshot")),
    ),
    max_size=40,
)


@settings(max_examples=50, deadline=None)
@given(steps=steps, name=st.sampled_from(["btcusdt@depth", "btcusdt@depth@100ms"]))
def test_local_book_equals_rest_at_every_snapshot(steps, name):
    market = Market(balances={"USDT": Decimal(10_000_000), "BTC": Decimal(100)}, history_minutes=10)
    exchange = market.exchange
    listener = market.listen(name)
    books = [LocalBook(rest_depth(exchange))]
    for number, (action, *arguments) in enumerate([*steps, ("snapshot",)]):
        match action:
            case "advance":
                market.advance(*arguments)
            case "place":
                side, ticks, size = arguments
                place(exchange, number, side, ticks, Decimal(size) / 1000)
            case "cancel":
                cancel_oldest(exchange)
            case "book":
                middle = best(exchange, Side.BUY)
                levels = [(middle - 5 * index * TICK, Decimal(index)) for index in range(1, arguments[0] + 1)]
                exchange.replace_book(SYMBOL, levels, [(2 * middle - price, size) for price, size in levels])
            case "trade":
                side, size = arguments
                exchange.print_trade(SYMBOL, best(exchange, Side.SELL), Decimal(size) / 1000, side)
            case _:
                snapshot = rest_depth(exchange)
                events = listener.take()
                for book in books:
                    for event in events:
                        book.apply(event)
                    assert book.update_id == snapshot["lastUpdateId"]
                    assert book.sides == {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
                books.append(LocalBook(snapshot))
        market.streams.pump()


def test_diffs_come_ten_times_a_second_and_join_without_a_gap():
    market = Market()
    listener = market.listen("btcusdt@depth@100ms")
    market.run(200)
    listener.take()
    for number in range(40):
        place(market.exchange, number, Side.BUY, 50 + number, Decimal("0.001"))
        market.advance(50)
    events = listener.take()
    assert len(events) == 20
    assert all(later["U"] == event["u"] + 1 for event, later in pairwise(events))
    assert all(event["E"] % 100 == 0 for event in events)


def test_unchanged_book_sends_no_diff():
    market = Market()
    listener = market.listen("btcusdt@depth@100ms", "btcusdt@depth")
    market.run(4_000)  # the first trade of the market comes with its start
    listener.take()
    market.run(900)
    assert listener.take() == []


def test_level_that_goes_is_deleted_with_eight_zeros():
    market = Market()
    market.run(100)
    place(market.exchange, 1, Side.BUY, 777, Decimal("0.001"))
    listener = market.listen("btcusdt@depth@100ms")
    cancel_oldest(market.exchange)
    market.advance(100)
    [event] = listener.take()
    assert [quantity for _, quantity in event["b"]] == ["0.00000000"]
    assert event["a"] == []


def test_partial_fill_of_an_order_shows_in_the_diffs():
    market = Market(balances={"USDT": Decimal(100_000)})
    market.run(100)
    market.exchange.replace_book(SYMBOL, [(Decimal(60_000), Decimal(2))], [(Decimal(60_010), Decimal(3))])
    place(market.exchange, 1, Side.BUY, -1, Decimal("0.5"))
    market.advance(100)
    listener = market.listen("btcusdt@depth@100ms")
    market.exchange.print_trade(SYMBOL, Decimal("60000.01"), Decimal("0.2"), Side.SELL)
    market.advance(100)
    [event] = listener.take()
    assert event["b"] == [["60000.01000000", "0.30000000"]]


def test_partial_book_comes_at_each_beat_changed_or_not():
    market = Market()
    listener = market.listen("btcusdt@depth5@100ms")
    market.run(3_000)
    books = listener.take()
    assert len(books) in {30, 31}
    assert set(books[0]) == {"lastUpdateId", "bids", "asks"}
    assert [len(books[0]["bids"]), len(books[0]["asks"])] == [5, 5]
    assert books[-1]["lastUpdateId"] == market.exchange.engine.listings[SYMBOL].book.update_id
    place(market.exchange, 1, Side.BUY, -1, Decimal("0.001"))
    market.advance(100)
    [book] = listener.take()
    assert book["bids"][0][1] == "0.00100000"


def test_best_prices_come_at_once_and_only_when_they_have_changed():
    market = Market()
    listener = market.listen("btcusdt@bookTicker")
    market.streams.pump()
    [first] = listener.take()
    assert set(first) == {"u", "s", "b", "B", "a", "A"}
    place(market.exchange, 1, Side.BUY, 500, Decimal("0.001"))
    market.streams.pump()
    assert listener.take() == []
    place(market.exchange, 2, Side.BUY, -1, Decimal("0.001"))
    market.streams.pump()
    [second] = listener.take()
    assert Decimal(second["b"]) == Decimal(first["b"]) + TICK
    assert second["u"] > first["u"]


def test_best_prices_follow_a_book_that_is_set_by_hand():
    market = Market()
    listener = market.listen("btcusdt@bookTicker")
    market.streams.pump()
    listener.take()
    market.exchange.replace_book(SYMBOL, [(Decimal(60_000), Decimal(2))], [(Decimal(60_001), Decimal(3))])
    market.streams.pump()
    [ticker] = listener.take()
    assert (ticker["b"], ticker["B"], ticker["a"], ticker["A"]) == (
        "60000.00000000", "2.00000000", "60001.00000000", "3.00000000",
    )  # fmt: skip
