"""Pages of trades: newest first, each once, whatever they are narrowed down to and however they are cut."""

import csv
import io
from decimal import Decimal
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports import trade_walk
from binance_trade_agent.reports.analysis import analyze
from binance_trade_agent.reports.order_strategies import BY_HAND
from binance_trade_agent.reports.trade_pages import CSV_COLUMNS, Filters, Place, csv_chunks, trade_page
from tests.ledger.bookkeeping import BTCUSDT, fill, place, trading_ledger
from tests.reports.random_fills import ASSETS, DAY_MS, START_MS, LedgerFolder, owners, trading
from tests.reports.trading_day import write_trading_day

ALL = Filters()


@pytest.fixture
async def reader(tmp_path):
    await write_trading_day(tmp_path / "ledger.db")
    with LedgerReader.open(tmp_path / "ledger.db") as opened:
        yield opened


def page_of(reader, filters=ALL, before=None, **limits):
    return reader.snapshot(lambda connection: trade_page(connection, 1, filters, before, **limits))


def all_rows(reader, filters=ALL, **limits):
    rows, before = [], None
    while True:
        page = page_of(reader, filters, before, **limits)
        rows += page.rows
        if page.older is None:
            return rows
        before = page.older


def ids(rows):
    return [row.trade.client_order_id for row in rows]


asked_for = st.builds(
    Filters,
    symbol=st.sampled_from([None, *ASSETS]),
    side=st.sampled_from([None, *Side]),
    strategy=st.sampled_from([None, "rsi", "macd", BY_HAND, ""]),
    from_ms=st.sampled_from([None, START_MS + 1, START_MS + DAY_MS]),
    to_ms=st.sampled_from([None, START_MS + DAY_MS + 2, START_MS + 2 * DAY_MS]),
    text=st.sampled_from(["", "bta000-", "00000000000001", "0000", "2", "BTCUSDT"]),
    days=st.sampled_from([None, frozenset({20_000, 20_002}), frozenset({20_001})]),
)


def matches(row, filters):
    order_id, at_ms = row.client_order_id, row.traded_ms
    number = str(int(order_id[-14:], 16))
    return (
        filters.symbol in {None, row.symbol}
        and filters.side in {None, row.side}
        and (filters.from_ms is None or at_ms >= filters.from_ms)
        and (filters.to_ms is None or at_ms < filters.to_ms)
        and (filters.days is None or at_ms // DAY_MS in filters.days)
        and (order_id.startswith(filters.text) or order_id[-14:].startswith(filters.text) or number == filters.text)
    )


@settings(max_examples=35)
@given(trading(), asked_for, st.integers(1, 5), st.integers(2, 30), st.sampled_from([0, 500]))
def test_pages_hold_what_the_analysis_does_each_trade_once(made_and_arriving, filters, limit, look_fills, few_orders):
    made, arriving = made_and_arriving
    is_few = patch.object(trade_walk, "_FEW_ORDERS", few_orders)  # that a text stands for: two ways to find them
    with is_few, LedgerFolder(made) as ledger, LedgerReader.open(ledger.path) as reader:
        for each in arriving:
            ledger.book(each)
        rows = all_rows(reader, filters, limit=limit, look_fills=look_fills)
        trades = analyze(reader, limit=None).trades
    whose = owners(made)
    wanted = [trade for trade in trades if matches(trade, filters)]
    wanted = [trade for trade in wanted if filters.strategy in {None, whose[trade.client_order_id]}]
    assert [row.place for row in rows] == sorted((row.place for row in rows), reverse=True)
    by_id = {trade.client_order_id: trade for trade in wanted}
    assert sorted(ids(rows)) == sorted(by_id)
    for row in rows:
        assert row.trade == by_id[row.trade.client_order_id]
        assert row.strategy == whose[row.trade.client_order_id]


def test_the_newest_is_first_with_all_that_is_known_of_it(reader):
    newest, sale, *_ = page_of(reader).rows
    assert (newest.trade.symbol, newest.trade.fees, newest.role) == ("ETHUSDT", {"BNB": Decimal("0.0002")}, "ENTRY")
    assert (sale.trade.realised_pnl_quote, sale.strategy, sale.type) == (Decimal("2.814062"), "rsi_default", "MARKET")
    ((sold, realised),) = sale.fills
    assert (sold.trade_id, realised) == (3, Decimal("2.814062"))
    assert [realised for _, realised in newest.fills] == [None, None]


def test_a_page_says_where_the_next_one_begins(reader):
    first = page_of(reader, limit=3)
    rest = page_of(reader, before=first.older, limit=3)
    assert ids(first.rows) + ids(rest.rows) == [
        "bta-ETHUSDT-1",
        "bta-BTCUSDT-3",
        "bta-BTCUSDT-2",
        "bta-BTCUSDT-1",
    ]
    assert (first.is_cut, rest.older) == (False, None)


def test_a_page_that_fits_says_that_there_is_no_more(reader):
    assert page_of(reader, limit=4).older is None


def test_looking_for_what_is_rare_ends_and_can_go_on(reader):
    page = page_of(reader, Filters(strategy="macd"), look_fills=2)
    assert (page.rows, page.is_cut) == ((), True)
    assert page_of(reader, Filters(strategy="macd"), page.older).older is None


@pytest.mark.parametrize("text", ["", "1", "1.2", "a.2.BTCUSDT", "1.b.BTCUSDT", "1.٢.BTCUSDT", f"1.{2**63}.BTCUSDT"])
def test_an_address_that_is_no_place_is_refused(text):
    with pytest.raises(ValueError, match="is not a place in the list of trades"):
        Place.parse(text)


def test_a_place_is_read_back_whatever_the_symbol_holds():
    place_ = Place(17, "A.B<script>", -3)
    assert Place.parse(str(place_)) == place_


def test_csv_has_every_trade_that_matches(reader):
    text = "".join(csv_chunks(reader, 1, Filters(symbol="BTCUSDT"), chunk_rows=2))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["side"] for row in rows] == ["SELL", "BUY", "BUY"]
    assert rows[0]["realised_pnl_quote"] == "2.814062"
    assert rows[0]["fees"] == "0.123938 USDT"
    assert rows[0]["time_utc"] == "1970-01-01T00:03:00.100Z"


def test_csv_is_made_piece_by_piece(reader):
    chunks = csv_chunks(reader, 1, ALL, chunk_rows=1)
    next(chunks)
    assert next(chunks).count("\r\n") == 1


async def test_csv_gives_a_spreadsheet_no_formula_to_work_out(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await place(ledger, symbol="=HYPERLINK(1)")
        await ledger.book_fill(fill(symbol="=HYPERLINK(1)"), **BTCUSDT)
        with LedgerReader.open(ledger.path) as reader:
            text = "".join(csv_chunks(reader, 1, ALL))
    assert ",'=HYPERLINK(1)," in text
