"""Market data: what the board holds is shown with its age, what the ledger holds is drawn on it, and nothing else."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import get_args

import pytest

from binance_trade_agent.cache.market_board import (
    BookSeen,
    CandlesSeen,
    DayFigures,
    IndicatorsSeen,
    MarketBoard,
    Note,
    Quote,
    RulesSeen,
)
from binance_trade_agent.cache.shared import board_namespace, shared_cache
from binance_trade_agent.dashboard.pages.market import Interval
from binance_trade_agent.domain.candles import INTERVAL_MS, MINUTE_MS, Candle
from binance_trade_agent.domain.orders import Fill, Order, Role, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import wall_ms
from tests.dashboard.served import WITH_PASSWORDS, Served, served
from tests.dashboard.visitor import Visitor

SYMBOL = "BTCUSDT"
BARS = 40
RULES = SymbolRules(SYMBOL, "BTC", "USDT", tick_size=Decimal("0.01"), step_size=Decimal("0.00001"))


@dataclass
class Market:
    """A dashboard on a ledger that was traded on, and the board that it reads."""

    dashboard: Served
    reader: Visitor
    board: MarketBoard
    fills: list[Fill]
    orders: list[Order]

    def put(self, *notes: Note) -> None:
        for note in notes:
            asyncio.run(self.board.put(note))

    def chart(self, interval: str = "1m", part: str = "") -> dict:
        reply = self.reader.get(f"/market/chart{part}?symbol={SYMBOL}&interval={interval}")
        assert reply.status == 200, reply.text
        return reply.json()


def candles(until_ms: int, interval: str = "1m", *, count: int = BARS) -> CandlesSeen:
    """`count` candles; the last one runs at `until_ms`."""
    length = INTERVAL_MS[interval]
    first = until_ms // length * length - (count - 1) * length
    made = [candle(first + number * length, length, str(65_000 + number)) for number in range(count)]
    return CandlesSeen(SYMBOL, interval, tuple(made), until_ms, wall_ms())


def candle(open_ms: int, length: int, close: str) -> Candle:
    price = Decimal(close)
    return Candle(open_ms, open_ms + length - 1, price - 1, price + 2, price - 3, price, Decimal("12.5"))


def indicators(seen: CandlesSeen, **columns: float) -> IndicatorsSeen:
    """Columns that rise by one with each closed candle from the number that is given."""
    closed = [each for each in seen.candles if each.close_time_ms < seen.read_ms]
    values = {name: tuple(first + number for number in range(len(closed))) for name, first in columns.items()}
    parameters = {"rsi_period": 14.0, "rsi_oversold": 30.0, "rsi_overbought": 70.0}
    times = tuple(each.open_time_ms for each in closed)
    return IndicatorsSeen(SYMBOL, seen.interval, "rsi_momentum", parameters, times, values, "", seen.read_ms, wall_ms())


def quote(last: str | None = "65001.10", *, age_seconds: int = 0) -> Quote:
    read_wall_ms = wall_ms() - 1000 * age_seconds
    sizes = (Decimal("0.25"), Decimal("65001.5"), Decimal("0.75"))
    return Quote(SYMBOL, Decimal(65001), *sizes, None if last is None else Decimal(last), 1, read_wall_ms)


def book(bids=(("65001", "0.5"), ("65000", "1.5")), asks=(("65002", "2"), ("65003", "1"))) -> BookSeen:
    sides = [tuple((Decimal(price), Decimal(quantity)) for price, quantity in side) for side in (bids, asks)]
    return BookSeen(SYMBOL, *sides, 1, wall_ms())


DAY = DayFigures(
    SYMBOL,
    *map(Decimal, ("64000", "66000", "63000", "65001", "1.564", "31380.5", "2043112345.67")),
    trades=17_296,
    read_ms=1,
    read_wall_ms=1,
)


@pytest.fixture(scope="module")
def market(played_folder, tmp_path_factory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("market") / "played"
    shutil.copytree(played_folder, folder)
    shutil.rmtree(folder / "ledger.db.board", ignore_errors=True)
    with LedgerReader.open(folder / "ledger.db") as reader:
        epoch = reader.snapshot(queries.epoch_number)
        fills = reader.snapshot(lambda connection: queries.latest_fills(connection, epoch, SYMBOL, 500))
        entries = reader.snapshot(lambda connection: queries.unsettled_orders(connection, epoch))
    with served(folder, **WITH_PASSWORDS) as dashboard:
        settings = dashboard.desk.settings
        board = MarketBoard(shared_cache(settings), board_namespace(settings))
        orders = [entry.order for entry in entries if entry.order.symbol == SYMBOL]
        shown = Market(dashboard, dashboard.viewer(), board, fills, orders)
        shown.put(RulesSeen(RULES, 1, 1))  # prices have the symbol's digits in whatever order the tests come
        yield shown


# Choosing


def test_without_a_choice_it_shows_what_is_traded_in_the_candles_that_are_traded_on(market):
    page = market.reader.get("/market")
    assert page.status == 200
    assert "<option selected>BTCUSDT</option>" in page.text
    assert "<option >ETHUSDT</option>" in page.text
    assert 'data-symbol="BTCUSDT" data-interval="1m"' in page.text


def test_symbol_and_candles_are_chosen_by_links_and_a_form_that_need_no_script(market):
    page = market.reader.get("/market?symbol=ethusdt&interval=15m")
    assert '<form class="market-pick" method="get" action="/market"' in page.text
    assert 'data-symbol="ETHUSDT" data-interval="15m"' in page.text
    assert '<a href="/market?symbol=ETHUSDT&amp;interval=15m" aria-current="true">15m</a>' in page.text
    assert [name for name in INTERVAL_MS if f">{name}</option>" not in page.text] == []


def test_every_interval_of_candles_may_be_chosen():
    assert get_args(Interval) == tuple(INTERVAL_MS)


@pytest.mark.parametrize(
    "query", ["symbol=<script>", "symbol=BTC-USDT", "symbol=", "symbol=" + "A" * 21, "interval=7m", "interval=1M"]
)
@pytest.mark.parametrize("path", ["/market", "/market/figures", "/market/chart", "/market/chart/tail"])
def test_what_is_no_symbol_or_no_interval_is_refused_in_a_sentence(market, path, query):
    whole = {"symbol": "BTCUSDT", "interval": "1m"} | dict([query.split("=")])
    reply = market.reader.get(f"{path}?symbol={whole['symbol']}&interval={whole['interval']}")
    assert reply.status == 422
    assert query.split("=")[0] in reply.words
    assert "<script>alert" not in reply.text


def test_looking_at_it_tells_the_trader(market):
    market.reader.get("/market?symbol=ETHUSDT&interval=4h")
    wanted = asyncio.run(market.board.wanted())
    (wish,) = [wish for wish in wanted if (wish.symbol, wish.interval) == ("ETHUSDT", "4h")]
    assert abs(wall_ms() - wish.wall_ms) < 5_000


# Prices


def test_price_has_the_symbols_digits_its_source_and_its_age(market):
    market.put(quote(age_seconds=3), RulesSeen(RULES, 1, 1), DAY)
    words = market.reader.get(f"/market/figures?symbol={SYMBOL}&interval=1m").words
    assert "Last trade, USDT per BTC 65,001.10 on the simulated exchange, read 3 s ago" in words
    assert "Bid 65,001.00 0.25 BTC" in words
    assert "Ask 65,001.50 0.75 BTC" in words
    assert "24 h change ▲ +1.56 %" in words
    assert "24 h high 66,000.00 low 63,000.00" in words
    assert "24 h volume 2,043.1 M USDT 31,380 BTC in 17,296 trades" in words


def test_price_of_a_tick_is_called_what_it_is(market):
    market.put(quote(None), RulesSeen(RULES, 1, 1))
    words = market.reader.get(f"/market/figures?symbol={SYMBOL}&interval=1m").words
    assert "Bid, USDT per BTC 65,001.00" in words
    assert "Last trade" not in words


def test_without_a_trader_it_says_so(market):
    words = market.reader.get(f"/market/figures?symbol={SYMBOL}&interval=1m").words
    assert "No trader runs, so nothing new is read." in words


def test_symbol_of_which_nothing_was_read_is_unknown_and_no_zero(market):
    words = market.reader.get("/market/figures?symbol=DOGEUSDT&interval=1m").words
    assert "Price unknown Nothing was ever read of DOGEUSDT." in words
    assert "0.00" not in words


def test_what_the_exchange_calls_things_is_escaped(market):
    market.put(RulesSeen(replace(RULES, symbol="EVIL", status="<script>alert(1)</script>"), 1, 1))
    text = market.reader.get("/market/figures?symbol=EVIL&interval=1m").text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text


# The book


def test_book_has_levels_sums_and_the_spread(market):
    market.put(book(), RulesSeen(RULES, 1, 1))
    reply = market.reader.get(f"/market/book?symbol={SYMBOL}")
    words = reply.words
    assert "65,003.00 1.00000 3.00000 65,002.00 2.00000 2.00000 Spread 1.00 0.0015 %" in words
    assert "65,001.00 0.50000 0.50000 65,000.00 1.50000 2.00000" in words
    assert "bids 2.00000 , asks 3.00000 BTC (bids 40 %)" in words
    assert '<rect class="sum" width="100' in reply.text


def test_one_order_far_off_does_not_squeeze_the_curve(market):
    market.put(book(asks=(("65002", "2"), ("65003", "1"), ("99000", "1"))))
    words = market.reader.get(f"/market/book?symbol={SYMBOL}").words
    assert "65,000.00 65,003.00" in words, "the curve ends where the nearer side does"
    assert "99,000.00 1.00000 4.00000" in words, "the level is listed all the same"


@pytest.mark.parametrize(
    ("sides", "said"),
    [({"bids": ()}, "Nobody bids"), ({"asks": ()}, "Nobody asks"), ({"bids": (), "asks": ()}, "empty")],
)
def test_book_without_a_side_has_no_spread(market, sides, said):
    market.put(book(**sides))
    assert f"{said}: there is no spread." in market.reader.get(f"/market/book?symbol={SYMBOL}").words


def test_levels_of_one_order_a_side_have_no_curve(market):
    market.put(book(bids=(("65001", "1"),), asks=(("65002", "1"),)))
    reply = market.reader.get(f"/market/book?symbol={SYMBOL}")
    assert reply.status == 200
    assert "<path" not in reply.text


# The chart


def test_chart_has_the_candles_of_the_board_and_the_running_one_last(market):
    seen = candles(market.fills[-1].traded_ms + 30_000)
    market.put(seen)
    data = market.chart()
    assert data["times"] == [each.open_time_ms // 1000 for each in seen.candles]
    assert data["close"] == [float(each.close) for each in seen.candles]
    assert data["volume"] == [12.5] * BARS
    assert data["read_wall_ms"] == seen.read_wall_ms


def test_tail_is_the_end_of_the_same(market):
    seen = candles(market.fills[-1].traded_ms + 30_000)
    market.put(seen, indicators(seen, rsi=30.0))
    whole, tail = market.chart(), market.chart(part="/tail")
    for name in ("times", "open", "high", "low", "close", "volume"):
        assert tail[name] == whole[name][-3:]
    assert [line["values"] for line in tail["lines"]] == [line["values"][-3:] for line in whole["lines"]]
    assert all(tail[name] == whole[name] for name in ("shape", "fills", "levels", "panes", "digits"))


def test_lines_are_those_of_the_strategy_with_its_thresholds_and_end_with_the_closed_candles(market):
    seen = candles(market.fills[-1].traded_ms + 30_000)
    market.put(seen, indicators(seen, rsi=20.0))
    data = market.chart()
    (line,) = data["lines"]
    assert (line["label"], line["pane"]) == ("RSI 14", "rsi")
    assert line["values"] == [20.0 + number for number in range(BARS - 1)] + [None]
    (pane,) = data["panes"]
    assert {(each["label"], each["value"]) for each in pane["thresholds"]} == {("oversold", 30.0), ("overbought", 70.0)}
    assert data["note"] == "rsi_momentum decides on these candles, once they are closed."


def test_other_candles_than_those_that_are_traded_on_are_said_to_be_so(market):
    seen = candles(market.fills[-1].traded_ms, "1h")
    market.put(seen, indicators(seen, rsi=20.0))
    note = market.chart("1h")["note"]
    assert note == "rsi_momentum decides on 1m candles; here its indicators are over 1h ones."


def test_strategy_that_fails_is_said_to(market):
    seen = candles(market.fills[-1].traded_ms, "5m")
    failed = replace(indicators(seen), trouble="strategy mine raised ZeroDivisionError")
    market.put(seen, failed)
    data = market.chart("5m")
    assert data["note"] == "No indicators: strategy mine raised ZeroDivisionError."
    assert len(data["times"]) == BARS


def test_marks_are_the_fills_of_the_ledger_each_at_its_candle(market):
    market.put(candles(market.fills[-1].traded_ms + 30_000))
    data = market.chart()
    shown = [fill for fill in market.fills if fill.traded_ms >= data["times"][0] * 1000]
    assert shown
    expected: dict[tuple[int, str], list[Fill]] = {}
    for fill in shown:
        expected.setdefault((fill.traded_ms // MINUTE_MS * 60, fill.side.value), []).append(fill)
    assert {(mark["time"], mark["side"]): mark["count"] for mark in data["marks"]} == {
        at: len(together) for at, together in expected.items()
    }
    for mark in data["marks"]:
        together = expected[mark["time"], mark["side"]]
        assert mark["quantity"] == float(sum(fill.quantity for fill in together))
        prices = [fill.price for fill in together]
        assert float(min(prices)) <= mark["price"] <= float(max(prices))
    assert data["fills"] == market.fills[-1].trade_id


def test_levels_are_the_entry_and_the_orders_that_protect_it(market):
    market.put(candles(market.fills[-1].traded_ms + 30_000), RulesSeen(RULES, 1, 1))
    levels = {level["kind"]: level["price"] for level in market.chart()["levels"]}
    protective = {order.role: order for order in market.orders if not order.is_terminal}
    assert {kind for kind in levels if kind != "entry"} == {"stop", "target"}
    assert levels["stop"] == float(protective[Role.STOP_LOSS].stop_price)
    assert levels["target"] == float(protective[Role.TAKE_PROFIT].price)
    assert levels["stop"] < levels["entry"] < levels["target"]


def test_candles_that_nobody_has_read_are_waited_for(market):
    data = market.chart("3d")
    assert data["times"] == []
    assert data["trouble"] == "No trader runs, so nobody reads candles from the exchange."


def test_symbol_that_is_not_traded_has_no_strategy(market):
    data = market.reader.get("/market/chart?symbol=DOGEUSDT&interval=1m").json()
    assert data["note"] == "DOGEUSDT is not traded, so no strategy looks at it."


# The position


def test_position_its_orders_and_its_fills_are_listed(market):
    market.put(quote(), RulesSeen(RULES, 1, 1))
    words = market.reader.get(f"/market/position?symbol={SYMBOL}").words
    stop = next(order for order in market.orders if order.role is Role.STOP_LOSS)
    assert f"Stop sells at market at {stop.stop_price:,.2f}" in words
    assert "No order on the exchange protects it" not in words
    last = market.fills[-1]
    shape = "▲ buy" if last.side is Side.BUY else "▼ sell"
    assert f"{shape} {last.price:,.2f}" in words


def test_what_is_too_little_to_be_sold_is_called_dust(market):
    market.put(quote(), RulesSeen(replace(RULES, min_notional=Decimal(1_000_000)), 1, 1))
    words = market.reader.get(f"/market/position?symbol={SYMBOL}").words
    assert "Only dust is left" in words
    assert "Unrealised" not in words


def test_symbol_without_a_position_says_so(market):
    words = market.reader.get("/market/position?symbol=DOGEUSDT").words
    assert "The bot holds no DOGEUSDT." in words
    assert "The bot has not traded DOGEUSDT in this epoch." in words


# Updates


def test_running_candle_comes_over_the_socket(market):
    seen = candles(market.fills[-1].traded_ms + 30_000, "30m")
    market.put(seen)
    url = f"/market/chart/tail?symbol={SYMBOL}&interval=30m"
    with market.reader.live() as tab:
        tab.send(json.dumps({"watch": [{"url": url, "on": "ledger market"}]}))
        assert _next(tab, url)["close"][-1] == float(seen.candles[-1].close)
        moved = replace(seen.candles[-1], close=Decimal("65040.5"))
        market.put(replace(seen, candles=(*seen.candles[:-1], moved)))
        assert _next(tab, url)["close"][-1] == 65040.5


def _next(tab, url: str) -> dict:
    while (message := json.loads(tab.recv(timeout=10))).get("url") != url:
        pass
    return message["data"]


# Without a ledger


def test_without_a_ledger_the_page_is_there_and_says_why_it_is_empty(serve):
    fresh = serve(played=False)
    reader = fresh.viewer()
    page = reader.get("/market")
    assert page.status == 200
    assert "There is no ledger at" in page.words
    assert "No trader runs, so nobody reads the book." in page.words
    assert reader.get("/market/chart?symbol=BTCUSDT&interval=1m").json()["times"] == []
