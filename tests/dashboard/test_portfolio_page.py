"""The Portfolio page over HTTP: what it says is what the ledger has, whoever looks and however it is narrowed down."""

import asyncio
import csv
import html
import io
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from binance_trade_agent.cache.market_board import Quote
from binance_trade_agent.desk.memory import Memory
from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.orders import OrderState, OrderType, Role, Side
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.reports import tally
from binance_trade_agent.reports.analysis import analyze
from tests.ledger.bookkeeping import BTCUSDT, decision, fill, intent, place, run_record, trading_ledger
from tests.reports.trading_day import write_trading_day

NOON_MS = 20_000 * DAY_MS + DAY_MS // 2
HOSTILE = "<script>alert(1)</script>"
ORDER_ID = re.compile(r'<a class="mono id"[^>]*>([^<]+)</a>')


@pytest.fixture(scope="module")
def analysis(dashboard):
    with LedgerReader.open(dashboard.ledger_path) as reader:
        return analyze(reader, limit=None)


@pytest.fixture
def ledger_path(tmp_path):
    return tmp_path / "ledger.db"


def order_ids(text):
    return [html.unescape(found) for found in ORDER_ID.findall(text)]


def older(text):
    found = re.search(r'rel="next" href="([^"]+)"', text)
    return html.unescape(found[1]).removesuffix("#trades") if found else None


def written(ledger_path, work):
    """Let `work` write to a ledger with an epoch and a run."""

    async def write():
        async with trading_ledger(ledger_path) as ledger:
            await work(ledger)

    asyncio.run(write())


def point(tick_ms, value, **more):
    amounts = (Decimal(value), Decimal(value), Decimal(0), Decimal(0), Decimal(0))
    return EquityPoint("run-a", tick_ms, 1, *amounts, quote_asset="USDT", **more)


# The page as a whole


def test_every_part_is_there_at_once_and_needs_no_script(trader):
    page = trader.get("/portfolio")
    assert page.status == 200
    for title in ("Equity and drawdown", "Positions", "Trades", "By day", "By symbol", "By strategy"):
        assert f"{title} " in page.words
    for card in (
        "Equity, USDT",
        "Today, UTC",
        "P&amp;L, realised",
        "Drawdown",
        "Sharpe ratio",
        "Win rate",
        "Fees paid",
    ):
        assert card in page.text
    assert 'role="alert"' not in page.text
    assert page.text.count("data-live=") == 5  # the bar and the page's four regions


def test_the_viewer_sees_the_same(trader, viewer):
    assert order_ids(viewer.get("/portfolio").text) == order_ids(trader.get("/portfolio").text)


def test_the_cards_say_what_the_analysis_does(trader, analysis):
    (profit,), (total,) = analysis.profit, analysis.summary_in_all
    words = trader.get("/portfolio/summary", hx_request="true").words
    assert f"{abs(profit.realised_pnl_quote):,.2f}" in words
    assert f"of {total.sells} sale" in words
    assert f"{total.won_sells} won" in words
    assert f"{total.fees['USDT']:,.2f}" in words
    assert "needs 30 days, has 1" in words
    assert "No trader runs" in words


def test_what_is_open_is_shown_with_its_stop_and_target(trader, dashboard, analysis):
    held = [holding for holding in analysis.positions if holding.unrealised_pnl_quote and holding.value_quote > 10]
    assert held, "the played ledger has a position"
    text = trader.get("/portfolio/positions", hx_request="true").text
    for holding in held:
        assert f"/market?symbol={holding.symbol}" in text
    standing = [order for order in analysis.open_orders if order.state == OrderState.ACCEPTED]
    assert standing
    for order in standing:
        assert order.client_order_id in text
    assert ">protected<" in text


# Trades


def test_pages_of_trades_hold_every_order_once_the_newest_first(trader, analysis):
    seen, address = [], "/portfolio"
    while address:
        text = trader.get(address).text
        seen += order_ids(text)
        address = older(text)
    assert sorted(seen) == sorted(trade.client_order_id for trade in analysis.trades)
    times = {trade.client_order_id: trade.traded_ms for trade in analysis.trades}
    assert [times[each] for each in seen] == sorted(times.values(), reverse=True)
    assert len(seen) > 20, "so many that they need more than one page"


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("symbol=ETHUSDT", lambda trade: trade.symbol == "ETHUSDT"),
        ("symbol=ethusdt", lambda trade: trade.symbol == "ETHUSDT"),
        ("side=SELL", lambda trade: trade.side is Side.SELL),
        ("symbol=BTCUSDT&side=BUY", lambda trade: (trade.symbol, trade.side) == ("BTCUSDT", Side.BUY)),
        ("strategy=rsi_momentum", lambda _: True),
        ("strategy=macd", lambda _: False),
        ("to=2000-01-01", lambda _: False),
        ("from=2000-01-01&to=&q=", lambda _: True),
    ],
)
def test_trades_are_narrowed_down(trader, analysis, query, matches):
    text = "".join(trader.get(f"/portfolio/trades.csv?{query}").text)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    wanted = [trade for trade in analysis.trades if matches(trade)]
    assert sorted(row["client_order_id"] for row in rows) == sorted(trade.client_order_id for trade in wanted)
    shown = trader.get(f"/portfolio?{query}")
    assert order_ids(shown.text) == [row["client_order_id"] for row in rows][:20]
    assert ("No trade matches." in shown.text) == (not wanted)


def test_an_order_is_found_by_its_id_by_the_end_of_it_and_by_its_number(trader, analysis, dashboard):
    order_id = analysis.trades[5].client_order_id
    with closing(sqlite3.connect(dashboard.ledger_path)) as connection:
        (number,) = connection.execute(
            "SELECT exchange_order_id FROM orders WHERE client_order_id = ?", (order_id,)
        ).fetchone()
    assert order_ids(trader.get(f"/portfolio?q={order_id}").text) == [order_id]
    assert order_ids(trader.get(f"/portfolio?q={order_id[-14:-4]}").text) == [order_id]
    assert order_id in order_ids(trader.get(f"/portfolio?q={number}").text)


def test_csv_comes_as_a_file_with_exact_amounts(trader, analysis):
    answer = trader.get("/portfolio/trades.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="trades-epoch-1.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    realised = sum(Decimal(row["realised_pnl_quote"]) for row in rows if row["realised_pnl_quote"])
    assert realised == analysis.profit[0].realised_pnl_quote


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("from=yesterday", 422, "from: &#39;yesterday&#39; is not a day; write it as 2026-01-31."),
        ("before=here", 422, "before: &#39;here&#39; is not a place in the list of trades."),
        ("side=HOLD", 422, "side:"),
        ("span=year", 422, "span:"),
        ("epoch=7", 404, "The ledger has no epoch 7."),
        ("epoch=0", 422, "epoch:"),
    ],
)
def test_what_is_not_allowed_is_refused_in_a_sentence(trader, query, status, sentence):
    for path in ("/portfolio", "/portfolio/trades"):
        if path == "/portfolio/trades" and "span" in query:
            continue
        answer = trader.get(f"{path}?{query}")
        assert (answer.status, sentence in answer.text) == (status, True), (path, answer.words)


def test_hostile_names_are_only_text(serve, ledger_path):
    async def work(ledger):
        await place(ledger, symbol=HOSTILE)
        await ledger.book_fill(fill(symbol=HOSTILE), **BTCUSDT)
        await ledger.raise_alarm("unprotected", HOSTILE, f"refused: {HOSTILE}", 4_000)

    written(ledger_path, work)
    page = serve(played=False).trader().get(f"/portfolio?q={HOSTILE}&strategy={HOSTILE}&symbol=")
    assert page.status == 200
    assert HOSTILE not in page.text
    assert html.escape(HOSTILE) in page.text


# The curve


def test_the_chart_ends_where_equity_stands(trader, dashboard):
    data = trader.get("/portfolio/chart").json()
    (epoch,) = data["epochs"]
    with closing(sqlite3.connect(dashboard.ledger_path)) as connection:
        points = connection.execute("SELECT count(*) FROM equity").fetchone()[0]
        cash, held = connection.execute(
            "SELECT cash_quote, positions_quote FROM equity ORDER BY tick_ms DESC LIMIT 1"
        ).fetchone()
    assert (data["asset"], epoch["number"], epoch["of"], epoch["stretch"]) == ("USDT", 1, points, 1)
    assert epoch["times"] == sorted(set(epoch["times"]))
    assert epoch["equity"][-1] == float(round(Decimal(cash) + Decimal(held), 2))
    assert max(epoch["drawdown"]) <= 0


def test_the_tail_is_the_end_of_the_chart(trader):
    (whole,), (tail,) = (
        trader.get("/portfolio/chart").json()["epochs"],
        trader.get("/portfolio/chart/tail").json()["epochs"],
    )
    count = len(tail["times"])
    assert 0 < count < len(whole["times"])
    for name in ("times", "equity", "drawdown"):
        assert tail[name] == whole[name][-count:]
    assert (tail["stretch"], tail["marks"]) == (whole["stretch"], whole["marks"])


def test_the_last_day_of_a_long_curve(serve, ledger_path):
    async def work(ledger):
        for day in range(40):
            await ledger.record_equity(point(NOON_MS + day * DAY_MS, 1_000 + day % 3))

    written(ledger_path, work)
    visitor = serve(played=False).trader()
    spans = {
        span: len(visitor.get(f"/portfolio/chart?span={span}").json()["epochs"][0]["times"])
        for span in ("day", "week", "month", "all")
    }
    assert spans == {"day": 2, "week": 8, "month": 31, "all": 40}
    assert (
        "unknown" not in visitor.get("/portfolio/summary").words.partition("Sharpe ratio")[2].partition("Win rate")[0]
    )


def test_what_came_from_outside_is_told_and_is_no_profit(serve, ledger_path):
    async def work(ledger):
        await ledger.record_equity(point(NOON_MS, 1_000))
        await ledger.record_equity(point(NOON_MS + 60_000, 1_600, external_quote=Decimal(500)))

    written(ledger_path, work)
    visitor = serve(played=False).trader()
    words = visitor.get("/portfolio/summary").words
    assert "1,600.00" in words
    assert "+ 500.00 came from outside" in words
    assert "+10.00 %" in words
    assert visitor.get("/portfolio/chart").json()["epochs"][0]["equity"] == [1_000, 1_100]


# Epochs


def two_epochs(ledger_path, second_begins_ms):
    async def work():
        await write_trading_day(ledger_path)
        async with await Ledger.open(ledger_path) as ledger:
            await ledger.record_equity(point(60_000, 10_000))
            await ledger.open_epoch(900_000, "testnet reset", {"USDT": Decimal(5)})
            await ledger.begin_run(run_record("run-b", started_ms=second_begins_ms))
            worth = point(second_begins_ms, 5)
            await ledger.record_equity(
                EquityPoint("run-b", *[getattr(worth, name) for name in worth.__struct_fields__[1:]])
            )

    asyncio.run(work())


def test_an_epoch_that_is_over_is_shown_as_it_was(serve, ledger_path):
    two_epochs(ledger_path, 900_000)
    visitor = serve(played=False).trader()
    now, before = visitor.get("/portfolio"), visitor.get("/portfolio?epoch=1")
    assert "Nothing has been traded in this epoch." in now.words
    assert "testnet reset" in now.words
    assert "This epoch is over" in before.words
    assert order_ids(before.text)[0] == "bta-ETHUSDT-1"
    assert "+ 2.81" in before.words
    assert visitor.get("/portfolio/trades.csv?epoch=1").headers["content-disposition"].endswith('"trades-epoch-1.csv"')


def test_all_epochs_are_drawn_one_after_the_other_and_marked(serve, ledger_path):
    two_epochs(ledger_path, 900_000)
    data = serve(played=False).trader().get("/portfolio/chart?every_epoch=true").json()
    assert [epoch["number"] for epoch in data["epochs"]] == [1, 2]
    assert [mark["text"] for mark in data["epochs"][1]["marks"] if mark["kind"] == "epoch"] == ["epoch 2"]


def test_an_epoch_whose_market_began_at_an_earlier_time_again_is_left_out_and_said_to_be(serve, ledger_path):
    two_epochs(ledger_path, 1_000)
    data = serve(played=False).trader().get("/portfolio/chart?every_epoch=true").json()
    assert ([epoch["number"] for epoch in data["epochs"]], data["left_out"]) == ([1], [2])


# Nothing yet, not all yet, and what is not known


def test_without_a_ledger_it_says_what_to_do(serve):
    page = serve(played=False).trader().get("/portfolio")
    assert page.status == 200
    assert "There is no ledger at" in page.words
    assert "trade-agent run" in page.words


def test_before_the_first_trade_it_says_why_there_is_none(serve, ledger_path):
    async def work(ledger):
        await ledger.record_decisions([decision(60_000, detail="RSI 48.1 between 30 and 70")])

    written(ledger_path, work)
    page = serve(played=False).trader().get("/portfolio")
    assert "Nothing has been traded in this epoch. BTCUSDT: Holds: RSI 48.1 between 30 and 70" in page.words
    assert '<a class="button" href="/signals">' in page.text
    assert "The bot holds nothing" in page.words
    assert "Win rate unknown nothing was sold yet" in page.words


def test_a_ledger_without_an_epoch_is_shown_as_empty(serve, ledger_path):
    asyncio.run(_open_and_close(ledger_path))
    visitor = serve(played=False).trader()
    assert "Nothing has been traded" in visitor.get("/portfolio").words
    assert (
        visitor.get("/portfolio/chart").json()["trouble"] == "No tick has valued the account yet, and no trader runs."
    )
    assert visitor.get("/portfolio/trades.csv").text.count("\n") == 1


async def _open_and_close(path):
    await (await Ledger.open(path)).close()


def test_while_fills_are_counted_it_says_how_many_are(serve, ledger_path, monkeypatch):
    """One fill is counted at each look, as if there were a million of them."""
    monkeypatch.setattr(tally.Tally.advance, "__defaults__", (1,))

    async def leave_it(self, job):
        pass

    monkeypatch.setattr(Memory, "_go_on", leave_it)
    asyncio.run(write_trading_day(ledger_path))
    visitor = serve(played=False).trader()
    said = [
        re.findall(r"counting (\d) of 5 fills so far", visitor.get("/portfolio/performance").words) for _ in range(7)
    ]
    assert said[0] == ["1"]
    assert said == sorted(said, key=lambda found: found or ["9"])
    assert said[-1] == []


def test_what_nothing_protects_is_called_unprotected(serve, ledger_path):
    async def work(ledger):
        await place(ledger)
        await ledger.book_fill(fill(), **BTCUSDT)

    written(ledger_path, work)
    words = serve(played=False).trader().get("/portfolio/positions").words
    assert "unprotected" in words
    assert words.count("none stands") == 2
    assert "Mark, bid" in words
    assert "unknown unknown" in words  # no bid was ever seen, so neither worth nor profit is known


def test_what_is_protected_in_part_says_how_much_is_not(serve, ledger_path):
    async def work(ledger):
        await place(ledger)
        await ledger.book_fill(fill(commission=Decimal(0)), **BTCUSDT)
        stop = intent(
            "bta-stop-1",
            Side.SELL,
            2_000,
            type=OrderType.STOP_LOSS_LIMIT,
            role=Role.STOP_LOSS,
            stop_price=Decimal(58_000),
            price=Decimal(57_900),
            quantity=Decimal("0.0004"),
        )
        await ledger.commit_protection("run-a", [stop], 2_000)
        for state in (OrderState.SENT, OrderState.ACCEPTED):
            await ledger.transition("bta-stop-1", state, 2_001)

    written(ledger_path, work)
    answer = serve(played=False).trader().get("/portfolio/positions")
    assert "in part 0.0006 BTC unprotected" in answer.words
    assert "58,000" in answer.words
    assert 'href="/logs?order=bta-stop-1"' in answer.text


def test_a_newer_quote_of_the_board_is_the_mark(serve, ledger_path):
    async def work(ledger):
        await place(ledger)
        await ledger.book_fill(fill(commission=Decimal(0)), **BTCUSDT)
        await ledger.record_decisions([decision(60_000, bid=Decimal(61_000))])

    written(ledger_path, work)
    served = serve(played=False)
    visitor = served.trader()
    assert "61.00" in visitor.get("/portfolio/positions").words
    quote = Quote("BTCUSDT", Decimal(62_000), Decimal(1), Decimal(62_001), Decimal(1), None, 60_001, 77)
    asyncio.run(served.desk.board.put(quote))
    words = visitor.get("/portfolio/positions").words
    assert "62.00" in words
    assert "ago" in words


# Live


def test_a_fill_is_pushed_to_an_open_page(serve):
    served = serve()
    visitor = served.trader()
    address = "/portfolio/trades"
    with visitor.live() as tab:
        tab.send(f'{{"watch": [{{"url": "{address}", "on": "ledger"}}]}}')
        assert address in _next_html(tab)
        order_id = "bta-BTCUSDT-pushed"
        asyncio.run(_trade(served.ledger_path, order_id))
        assert order_id in _next_html(tab)


def _next_html(tab):
    while '"html"' not in (message := tab.recv(timeout=20)):
        pass
    return message


async def _trade(path, order_id):
    async with await Ledger.open(path) as ledger:
        runs = await ledger.read(lambda connection: connection.execute("SELECT run_id FROM runs").fetchone())
        now_ms = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp() * 1000)
        bought = intent(order_id, Side.BUY, now_ms, quantity=Decimal("0.001"))
        await ledger.commit_protection(runs[0], [bought], now_ms)
        await ledger.book_fill(fill(10**9, order_id, traded_ms=now_ms), **BTCUSDT)
