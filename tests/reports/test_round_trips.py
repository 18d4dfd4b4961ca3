"""From fills to round trips."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import Fill, Order, OrderState, OrderType, Role, Side
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.reports.round_trips import round_trips

ASSETS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}


class Book:
    """Orders with their fills, one a minute: `buy("2 @ 100")`."""

    def __init__(self) -> None:
        self.fills: list[Fill] = []
        self.orders: list[Order] = []

    def buy(self, *parts: str, **kwargs) -> "Book":
        return self._trade(Side.BUY, parts, **kwargs)

    def sell(self, *parts: str, **kwargs) -> "Book":
        return self._trade(Side.SELL, parts, **kwargs)

    def _trade(self, side, parts, *, fee="0 USDT", symbol="BTCUSDT", of=None, exit_kind=None) -> "Book":
        order_id = f"bta-{len(self.orders)}"
        amounts = [tuple(map(Decimal, part.split(" @ "))) for part in parts]
        filled = sum(quantity for quantity, _ in amounts)
        wanted = Decimal(of) if of else filled
        commission, asset = fee.split()
        now_ms = (1 + len(self.orders)) * MINUTE_MS
        self.orders.append(
            Order(
                client_order_id=order_id,
                symbol=symbol,
                side=side,
                type=OrderType.MARKET,
                quantity=wanted,
                state=OrderState.FILLED if wanted == filled else OrderState.EXPIRED,
                created_ms=now_ms,
                updated_ms=now_ms,
                tick_ms=now_ms,
                candle_open_ms=now_ms - MINUTE_MS,
                reference_price=amounts[0][1],
                executed_base=filled,
                role=Role.ENTRY if side is Side.BUY else Role.EXIT,
                exit=exit_kind,
            )
        )
        for quantity, price in amounts:
            self.fills.append(
                Fill(
                    symbol=symbol,
                    trade_id=len(self.fills) + 1,
                    exchange_order_id=len(self.orders),
                    client_order_id=order_id,
                    side=side,
                    price=price,
                    quantity=quantity,
                    quote_quantity=quantity * price,
                    commission=Decimal(commission),
                    commission_asset=asset,
                    is_maker=False,
                    traded_ms=now_ms,
                )
            )
        return self

    def trips(self, **kwargs):
        return round_trips(self.fills, self.orders, ASSETS, **kwargs)


def test_a_purchase_and_its_sale_are_a_round_trip():
    (trip,), still_open = Book().buy("2 @ 100").sell("2 @ 110", exit_kind=ExitKind.TAKE_PROFIT).trips()
    assert still_open == []
    assert (trip.symbol, trip.quote_asset, trip.quantity_base) == ("BTCUSDT", "USDT", 2)
    assert (trip.opened_ms, trip.closed_ms, trip.duration_ms) == (MINUTE_MS, 2 * MINUTE_MS, MINUTE_MS)
    assert (trip.entry_price, trip.exit_price) == (100, 110)
    assert (trip.cost_quote, trip.proceeds_quote, trip.profit_quote, trip.profit_pct) == (200, 220, 20, 10)
    assert (trip.exit, trip.entries, trip.exits) == (ExitKind.TAKE_PROFIT, 1, 1)
    assert (trip.fees, trip.fees_quote) == ({}, 0)


def test_several_entries_and_exits_are_one_round_trip_with_the_exit_of_its_last_sale():
    book = Book().buy("1 @ 100", "1 @ 102").buy("2 @ 91")
    book.sell("1 @ 99", of="4", exit_kind=ExitKind.STRATEGY).sell("3 @ 101", exit_kind=ExitKind.STOP_LOSS)
    (trip,), _ = book.trips()
    assert (trip.entries, trip.exits, trip.quantity_base) == (2, 2, 4)
    assert (trip.entry_price, trip.exit_price) == (96, Decimal("100.5"))
    assert (trip.profit_quote, trip.exit) == (18, ExitKind.STOP_LOSS)


def test_fees_in_quote_are_cost_of_a_purchase_and_taken_from_a_sale():
    (trip,), _ = Book().buy("1 @ 100", fee="0.1 USDT").sell("1 @ 110", fee="0.11 USDT").trips()
    assert (trip.cost_quote, trip.proceeds_quote) == (Decimal("100.1"), Decimal("109.89"))
    assert trip.profit_quote == Decimal("9.79")
    assert (trip.fees, trip.fees_quote) == ({"USDT": Decimal("0.21")}, Decimal("0.21"))


def test_fees_in_base_leave_less_to_sell():
    (trip,), _ = Book().buy("1 @ 100", fee="0.001 BTC").sell("0.999 @ 110", fee="0 USDT").trips()
    assert (trip.quantity_base, trip.profit_quote) == (1, Decimal("9.89"))
    assert (trip.fees, trip.fees_quote) == ({"BTC": Decimal("0.001")}, Decimal("0.1"))


def test_fees_in_a_third_asset_count_at_their_worth():
    book = Book().buy("1 @ 100", fee="0.002 BNB").sell("1 @ 110", fee="0.001 BNB")
    worth = {MINUTE_MS: Decimal(500), 2 * MINUTE_MS: Decimal(600)}
    (trip,), _ = book.trips(fee_worth=lambda asset, at_ms: worth[at_ms] if asset == "BNB" else None)
    assert (trip.fees, trip.fees_quote) == ({"BNB": Decimal("0.003")}, Decimal("1.6"))
    assert trip.profit_quote == Decimal("8.4")
    assert trip.profit_pct == Decimal("8.4")


def test_fees_whose_worth_is_unknown_are_named_and_not_guessed():
    (trip,), _ = Book().buy("1 @ 100", fee="0.002 BNB").sell("1 @ 110", fee="0.11 USDT").trips()
    assert (trip.fees_quote, trip.profit_quote) == (None, Decimal("9.89"))
    assert trip.fees == {"BNB": Decimal("0.002"), "USDT": Decimal("0.11")}


def test_dust_ends_a_round_trip_and_its_cost_goes_into_the_next():
    book = Book().buy("1 @ 100").sell("0.9 @ 110").buy("0.9 @ 120").sell("1 @ 120")
    (first, second), still_open = book.trips()
    assert (first.profit_quote, second.profit_quote, still_open) == (9, 2, [])


def test_a_sale_that_did_not_fill_whole_leaves_the_position_open():
    (), (held,) = Book().buy("1 @ 100").sell("0.7 @ 110", of="1").trips()
    assert (held.quantity_base, held.realised_quote) == (Decimal("0.3"), 7)


def test_the_first_fill_of_a_whole_sale_ends_nothing():
    book = Book().buy("1 @ 100").sell("0.6 @ 110", "0.3 @ 100")
    (trip,), _ = book.trips()
    assert (trip.exit_price, trip.profit_quote) == (Decimal("106.66666667"), 6)


def test_what_is_open_at_the_end_stands_apart_with_its_unrealised_profit():
    book = Book().buy("1 @ 100", fee="0.1 USDT").buy("1 @ 50", symbol="ETHUSDT")
    closed, (btc, eth) = book.trips(prices={"BTCUSDT": Decimal(110)})
    assert closed == []
    assert (btc.symbol, btc.cost_quote, btc.price) == ("BTCUSDT", Decimal("100.1"), 110)
    assert (btc.unrealised_quote, btc.unrealised_pct) == (Decimal("9.9"), Decimal("9.8901"))
    assert (eth.price, eth.unrealised_quote, eth.unrealised_pct) == (None, None, None)


def test_trips_stand_in_the_order_in_which_they_ended():
    book = Book().buy("1 @ 100").buy("1 @ 50", symbol="ETHUSDT").sell("1 @ 51", symbol="ETHUSDT").sell("1 @ 101")
    trips, _ = book.trips()
    assert [trip.symbol for trip in trips] == ["ETHUSDT", "BTCUSDT"]


def test_a_sale_of_what_was_never_bought_costs_nothing():
    (trip,), _ = Book().sell("1 @ 100").trips()
    assert (trip.entry_price, trip.cost_quote, trip.profit_quote, trip.profit_pct) == (None, 0, 100, None)


def test_no_fills_are_no_trips():
    assert Book().trips() == ([], [])


# --- Excursions


def table(*high_low: tuple[float, float], interval_ms: int = MINUTE_MS) -> CandleTable:
    high, low = np.array(high_low, dtype=float).T
    times = interval_ms * (1 + np.arange(len(high), dtype=np.int64))
    return CandleTable.with_digits(
        "BTCUSDT", "1m", times, open=low, high=high, low=low, close=high, volume=np.ones(len(high))
    )


def test_excursions_are_the_extremes_of_the_candles_before_the_sale():
    book = Book().buy("1 @ 100").buy("1 @ 1", symbol="ETHUSDT").sell("1 @ 1", symbol="ETHUSDT").sell("1 @ 104")
    candles = {"BTCUSDT": table((101, 98), (106, 100), (105, 90), (999, 1))}
    eth, btc = book.trips(candles=candles)[0]
    assert (btc.best_pct, btc.worst_pct) == pytest.approx((6, -10))
    assert (eth.best_pct, eth.worst_pct) == (None, None)


def test_a_trip_within_one_candle_has_only_its_own_prices():
    book = Book().buy("1 @ 100").sell("1 @ 97")
    (trip,), _ = book.trips(candles={"BTCUSDT": table((200, 50), interval_ms=MINUTE_MS)})
    assert (trip.best_pct, trip.worst_pct) == pytest.approx((0, -3))


@given(st.lists(st.tuples(st.integers(90, 110), st.integers(0, 9)), min_size=12, max_size=12), st.data())
def test_excursions_are_those_of_a_plain_loop(rows, data):
    highs_lows = [(base + width, base - width) for base, width in rows]
    book = Book()
    for _ in range(data.draw(st.integers(1, 5))):
        book.buy(f"1 @ {data.draw(st.integers(90, 110))}").sell(f"1 @ {data.draw(st.integers(90, 110))}")
    for trip in book.trips(candles={"BTCUSDT": table(*highs_lows)})[0]:
        held = highs_lows[trip.opened_ms // MINUTE_MS - 1 : trip.closed_ms // MINUTE_MS - 1]
        own = [float(trip.entry_price), float(trip.exit_price)]
        entry = float(trip.entry_price)
        assert trip.best_pct == pytest.approx(100 * (max([high for high, _ in held] + own) / entry - 1))
        assert trip.worst_pct == pytest.approx(100 * (min([low for _, low in held] + own) / entry - 1))


# --- Everything adds up


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Side),
            st.sampled_from(["BTCUSDT", "ETHUSDT"]),
            st.integers(1, 50),
            st.integers(1, 90_000),
            st.sampled_from(["0.3 USDT", "0.01 BTC", "0.01 ETH", "0.2 BNB"]),
            st.booleans(),
        ),
        max_size=25,
    )
)
def test_profits_add_up_to_what_the_positions_realised_and_fees_to_those_of_the_fills(steps):
    book = Book()
    for side, symbol, size, price, fee, is_whole in steps:
        (book.buy if side is Side.BUY else book.sell)(
            f"{size} @ {price}", symbol=symbol, fee=fee, of=None if is_whole else str(size + 1)
        )
    trips, still_open = book.trips()
    positions = {symbol: Position(symbol) for symbol in ASSETS}
    for fill in book.fills:
        base, quote = ASSETS[fill.symbol]
        positions[fill.symbol] = apply_fill(positions[fill.symbol], fill, base_asset=base, quote_asset=quote)
    for symbol, position in positions.items():
        profits = [trip.profit_quote for trip in trips if trip.symbol == symbol]
        realised = [trip.realised_quote for trip in still_open if trip.symbol == symbol]
        third = [fill.commission for fill in book.fills if fill.symbol == symbol and fill.commission_asset == "BNB"]
        assert sum(profits + realised) == position.realised_pnl_quote
        told = [trip.fees.get("BNB", 0) for trip in [*trips, *still_open] if trip.symbol == symbol]
        assert sum(told) == sum(third)
