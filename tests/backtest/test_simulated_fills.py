"""Simulated fills are those of the exchange itself, which replays the same candles."""

from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from binance_trade_agent.backtest.fills import Barriers, CandleFills, FillSettings, Part
from binance_trade_agent.backtest.gateway import Place
from binance_trade_agent.backtest.plan import BacktestError
from binance_trade_agent.backtest.run import run_backtest
from binance_trade_agent.backtest.simulated_fills import SimulatedFills
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.matching.errors import OrderRefused
from binance_trade_agent.matching.lists import Contingency, OrderListRequest
from binance_trade_agent.matching.orders import OrderRequest
from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT
from binance_trade_agent.simulator.options import ExchangeOptions, build_exchange
from tests.backtest.made import MINUTE_MS, START_MS, plan, rules, script, table
from tests.simulator.market.candles import write_candles

D = Decimal
RICH = {"USDT": D(10**9), "BTC": D(10**6)}


@st.composite
def markets(draw) -> list[Candle]:
    """Candles of BTCUSDT, some without volume, some with a hole before them; the first one trades."""
    candles, open_ms, at = [], START_MS, draw(st.integers(50_000, 5_000_000))
    for _ in range(draw(st.integers(2, 5))):
        span = draw(st.sampled_from([0, 3, 20, 200, 50_000]))
        open_, close = (min(max(at + draw(st.integers(-span, span)), 100), 10**8) for _ in range(2))
        low, high = min(open_, close) - draw(st.integers(0, span)), max(open_, close) + draw(st.integers(0, span))
        volume = draw(st.sampled_from([0, 1, 3, 40, 10**4, 10**7])) if candles else 10**5
        prices = (D(max(cents, 1)).scaleb(-2) for cents in (open_, high, low, close))
        candles.append(Candle(open_ms, open_ms + MINUTE_MS - 1, *prices, D(volume).scaleb(-5)))
        step = draw(st.sampled_from([1, 1, 1, 3])) if len(candles) > 1 else 1
        open_ms, at = open_ms + MINUTE_MS * step, close
    return candles


@contextmanager
def replayed(candles: list[Candle], row: int = 1):
    """The exchange at the opening of a candle."""
    with TemporaryDirectory() as folder:
        file = write_candles(Path(folder) / "BTCUSDT-1m.csv", candles)
        start = datetime.fromtimestamp(candles[row].open_time_ms / 1000, UTC).isoformat()
        exchange = build_exchange(ExchangeOptions(replay=(file,), start=start, speed=None, balances=RICH))
        exchange.advance(candles[row].open_time_ms)
        yield exchange


def fills_of(candles: list[Candle]) -> SimulatedFills:
    return SimulatedFills(CandleTable.of("BTCUSDT", "1m", candles))


def request(side: Side, kind: OrderType, quantity: Decimal, **fields) -> OrderRequest:
    return OrderRequest(MAIN_ACCOUNT, "BTCUSDT", side, kind, f"{kind}", quantity, **fields)


def traded(exchange) -> list[Part]:
    trades = exchange.engine.history.trades(MAIN_ACCOUNT, "BTCUSDT")
    return [Part(trade.price, trade.quantity, trade.at_ms) for trade in trades]


@settings(max_examples=30)
@given(markets())
def test_the_book_at_each_opening_is_that_of_the_exchange(candles):
    fills = fills_of(candles)
    rows = range(1, len(candles))
    with replayed(candles) as exchange:
        for row in rows:
            exchange.advance(candles[row].open_time_ms)
            book = exchange.engine.listings["BTCUSDT"].book
            bids, asks = fills.depth(row)
            assert (list(bids), list(asks)) == (list(book.outside(Side.BUY)), list(book.outside(Side.SELL)))
            quote = fills.quote(row)
            assert quote.middle == exchange.market.last_price("BTCUSDT")
            assert (quote.bid, quote.ask) == (bids[0][0], asks[0][0])
            assert quote.bid == fills.bid(row)
        exchange.advance(candles[-1].close_time_ms)
        assert fills.last_bid() == exchange.engine.listings["BTCUSDT"].book.outside(Side.BUY)[0][0]
    exact = [*(fills.bid(row) for row in rows), fills.last_bid()]
    twice = np.repeat(np.arange(1, len(candles) + 1), 2)  # while another symbol ticks through a hole of this one
    assert fills.bids(twice).tolist() == [float(bid) for bid in exact for _ in range(2)]


quantities = st.sampled_from([D("0.00001"), D("0.01"), D(1), D(30)])


@settings(max_examples=30)
@given(markets(), st.lists(st.tuples(st.sampled_from(Side), quantities), min_size=1, max_size=4))
def test_market_orders_take_the_levels_and_what_they_took_is_gone(candles, orders):
    fills = fills_of(candles)
    with replayed(candles) as exchange:
        for side, quantity in orders:
            before = len(traded(exchange))
            try:
                exchange.place(request(side, OrderType.MARKET, quantity))
            except OrderRefused:
                assume(False)
            assert [part[:2] for part in traded(exchange)[before:]] == [
                part[:2] for part in fills.market(1, side, quantity)
            ]


@settings(max_examples=80)
@given(markets(), quantities, st.data())
def test_a_stop_and_a_target_fill_as_on_the_exchange(candles, quantity, data):
    fills = fills_of(candles)
    since = data.draw(st.integers(1, len(candles) - 1))
    quote = fills.quote(since)
    known = [price for each in candles[since:] for price in (each.low, each.high, (each.low + each.high) / 2)]
    known = [price.quantize(D("0.01")) for price in known]
    below, above = [p for p in known if p < quote.middle], [p for p in known if p > max(quote.middle, quote.bid)]
    assume(below and above)
    stop, target = data.draw(st.sampled_from(below)), data.draw(st.sampled_from(above))
    with replayed(candles, since) as exchange:
        legs = (
            request(Side.SELL, OrderType.STOP_LOSS, quantity, stop_price=stop),
            request(Side.SELL, OrderType.LIMIT_MAKER, quantity, price=target),
        )
        try:
            exchange.place_list(OrderListRequest(MAIN_ACCOUNT, "BTCUSDT", Contingency.OCO, "list", legs))
        except OrderRefused:
            assume(False)
        barriers, left, seen = Barriers(stop, target, since), quantity, 0
        hit_rows = fills.rows_hit(barriers, since, len(candles))
        for row in range(since, len(candles)):
            is_next = row + 1 < len(candles) and candles[row + 1].open_time_ms == candles[row].close_time_ms + 1
            exchange.advance(candles[row].close_time_ms + is_next)
            hit = fills.resting(row, barriers, left)
            parts = list(hit.parts) if hit else []
            assert parts == traded(exchange)[seen:]
            seen += len(parts)
            left -= sum((part.quantity for part in parts), D(0))
            assert hit is None or row in hit_rows
            if hit and (hit.is_stop or not left):
                break
            if hit:
                barriers = barriers._replace(stop=None)  # its list ends with the first fill of the other leg
                hit_rows = fills.rows_hit(barriers, since, len(candles))


def test_a_symbol_that_the_exchange_cannot_list_is_refused_by_name():
    market = table([(100, 101, 99, 100, 5)] * 4, "BTCEUR")
    asked = plan("BTCEUR", fills=FillSettings(rules="simulated"))
    with pytest.raises(BacktestError, match="symbol 'BTCEUR' is unknown"):
        run_backtest(asked, {"BTCEUR": market}, create=script)


def test_a_market_in_which_nobody_has_traded_before_the_first_tick_is_refused():
    market = table([(100, 100, 100, 100, 0)] * 3 + [(100, 101, 99, 100, 5)])
    asked = plan(fills=FillSettings(rules="simulated"))
    with pytest.raises(BacktestError, match="nobody trades in the first candles of BTCUSDT"):
        run_backtest(asked, {"BTCUSDT": market}, create=script)


# Candles alone, through the levels of that book

CALM = [(30_000.0, 30_010.0, 29_990.0, 30_000.0, 50.0)] * 3
BOOK = FillSettings(D(0), D("0.02"), "book", volume_share_pct=D(0))


def test_a_small_order_gets_the_best_price_and_a_large_one_ever_worse_ones():
    fills = CandleFills(table(CALM), rules(), BOOK)
    assert fills.market(2, Side.BUY, D("0.001")) == (Part(D("30003.00"), D("0.001")),)
    parts = fills.market(2, Side.BUY, D(5))
    assert parts[0].price == D("30003.00")
    assert [part.price for part in parts] == sorted({part.price for part in parts})
    assert sum(part.quantity for part in parts) == 5
    sold = fills.market(2, Side.SELL, D(5))
    assert [part.price for part in sold] == sorted({part.price for part in sold}, reverse=True)


def test_what_the_book_does_not_hold_does_not_fill():
    fills = CandleFills(table(CALM), rules(), BOOK)
    parts = fills.market(2, Side.BUY, D(1000))
    offered = fills.depth(2)[1]
    assert [tuple(part[:2]) for part in parts] == list(offered)
    assert sum(part.quantity for part in parts) < 1000


def test_a_stop_sells_through_the_book_from_where_it_triggers():
    fills = CandleFills(table([*CALM, (30_000.0, 30_000.0, 29_000.0, 29_100.0, 50.0)]), rules(), BOOK)
    hit = fills.resting(3, Barriers(D(29_500), None), D(5))
    assert hit is not None
    assert hit.is_stop
    assert hit.parts[0].price == D("29497.05")
    assert len(hit.parts) > 1


@pytest.mark.parametrize(
    "fills",
    [CandleFills(table(CALM), rules(), BOOK), CandleFills(table(CALM), rules(), FillSettings()), SimulatedFills(table(CALM))],
    ids=["book", "no book", "simulated"],
)  # fmt: skip
def test_the_quote_of_a_tick_is_where_its_book_begins(fills):
    """Else an entry would be judged by another depth than it fills through: it asks for none that the quote tells."""
    quote, (bids, asks) = Place(rules(), fills, 2, {}).book(2, 0), fills.depth(2)
    assert ((quote.bid, quote.bid_quantity), (quote.ask, quote.ask_quantity)) == (bids[0], asks[0])
    assert (quote.bid, quote.ask) == fills.quote(2)[:2]


def test_a_quote_of_an_empty_side_offers_nothing():
    class Empty(SimulatedFills):
        def depth(self, row):  # noqa: ARG002 (as that of FillRules)
            return (), ((D(30_000), D(1)),)

    quote = Place(rules(), Empty(table(CALM)), 2, {}).book(2, 0)
    assert (quote.bid, quote.bid_quantity, quote.ask) == (0, 0, 30_000)
