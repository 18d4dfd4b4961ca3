"""The running sums equal the whole analysis, whatever came in whatever order and however often they were looked at."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports import tally_lane
from binance_trade_agent.reports.analysis import analyze
from binance_trade_agent.reports.order_strategies import BY_HAND
from binance_trade_agent.reports.tally import Tally
from tests.ledger.bookkeeping import BTCUSDT, fill, place, report, trading_ledger
from tests.reports.random_fills import LedgerFolder, expected, trading
from tests.reports.trading_day import write_trading_day


def counted_up(tally, at_a_time=2_000):
    while not tally.advance(at_a_time):
        pass
    return tally.view()


def amounts(sums):
    named = {
        "fills": sums.fills,
        "buys": sums.buys,
        "sells": sums.sells,
        "won": sums.won,
        "lost": sums.lost,
        "bought": sums.bought_quote,
        "sold": sums.sold_quote,
        "realised": sums.realised_quote,
        **{f"fee {asset}": amount for asset, amount in sums.fees.items()},
    }
    return {name: value for name, value in named.items() if value}


def compared(figures):
    return {
        figure.name: (
            figure.fills,
            figure.buys,
            figure.sells,
            figure.won_sells,
            figure.bought_quote,
            figure.sold_quote,
            figure.realised_pnl_quote,
            figure.fees,
        )
        for figure in figures
    }


def as_figures(groups):
    return {
        group.name: (s.fills, s.buys, s.sells, s.won, s.bought_quote, s.sold_quote, s.realised_quote, s.fees)
        for group in groups
        for s in [group.sums]
    }


@settings(max_examples=25)
@given(trading(), st.lists(st.integers(0, 3), min_size=24, max_size=24), st.integers(1, 4))
def test_sums_equal_the_analysis_whatever_came_in_whatever_order(made_and_arriving, looks, at_a_time):
    made, arriving = made_and_arriving
    with LedgerFolder(made) as ledger, LedgerReader.open(ledger.path) as reader:
        tally = Tally(reader)
        for each, fills_counted in zip(arriving, looks, strict=False):
            ledger.book(each)
            if fills_counted:
                tally.advance(fills_counted)
        view = counted_up(tally, at_a_time)
        analysis = analyze(reader, limit=None)
    assert (view.counted, view.total, view.is_whole) == (len(arriving), len(arriving), True)
    assert as_figures(view.by_symbol) == compared(analysis.summary_by_symbol)
    assert as_figures(view.in_all) == compared(analysis.summary_in_all)
    found = {
        (symbol, part.day, part.strategy): amounts(sums)
        for symbol, parts in view.parts.items()
        for part, sums in parts.items()
    }
    assert {key: sums for key, sums in found.items() if sums} == expected(made)


async def test_a_small_day_by_symbol_strategy_and_day(tmp_path):
    await write_trading_day(tmp_path / "ledger.db")
    with LedgerReader.open(tmp_path / "ledger.db") as reader:
        view = counted_up(Tally(reader))
    (day,) = view.by_day
    assert (day.name, day.sums.realised_quote, day.sums.win_rate_pct) == (0, Decimal("2.814062"), 100)
    (strategy,) = view.by_strategy
    assert (strategy.name, strategy.sums.fills) == ("rsi_default", 5)
    assert strategy.sums.fees == {"BNB": Decimal("0.0002"), "BTC": Decimal("0.000001"), "USDT": Decimal("0.123938")}
    assert view.days_of("rsi_default") == {0}
    assert view.days_of(BY_HAND) == frozenset()


async def test_while_it_counts_it_says_how_far_it_is(tmp_path):
    await write_trading_day(tmp_path / "ledger.db")
    with LedgerReader.open(tmp_path / "ledger.db") as reader:
        tally = Tally(reader)
        assert not tally.advance(2)
        view = tally.view()
        assert (view.counted, view.total, view.is_whole) == (2, 5, False)
        assert not tally.advance(1)
        assert (tally.view().counted, tally.view().is_whole) == (3, False)  # BTCUSDT is done
        assert counted_up(tally, 1).counted == 5


async def test_what_has_not_changed_is_the_same_view(tmp_path):
    await write_trading_day(tmp_path / "ledger.db")
    with LedgerReader.open(tmp_path / "ledger.db") as reader:
        tally = Tally(reader)
        view = counted_up(tally)
        assert tally.advance()
        assert tally.view() is view


async def test_what_was_added_up_is_shown_until_a_new_count_is_done(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await place(ledger)
        for trade_id in (1, 2, 4):
            await ledger.book_fill(fill(trade_id), **BTCUSDT)
        with LedgerReader.open(ledger.path) as reader:
            tally = Tally(reader)
            assert counted_up(tally).in_all[0].sums.fills == 3
            await ledger.book_fill(fill(3), **BTCUSDT)
            assert not tally.advance()  # notices that one is missing
            assert not tally.advance(2)
            view = tally.view()
            assert (view.counted, view.total, view.in_all[0].sums.fills) == (2, 4, 3)
            assert counted_up(tally).in_all[0].sums.fills == 4


async def test_an_order_that_was_over_and_fills_on_is_still_one_order(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await place(ledger)
        first, later = fill(1, quote_quantity=Decimal(60)), fill(2)
        await ledger.apply_report(report("FILLED", "0.001", first, quantity=Decimal("0.001")), **BTCUSDT)
        with LedgerReader.open(ledger.path) as reader:
            tally = Tally(reader)
            assert counted_up(tally).in_all[0].sums.buys == 1
            await ledger.book_fill(later, **BTCUSDT)
            sums = counted_up(tally).in_all[0].sums
            assert (sums.fills, sums.buys) == (2, 1)


async def test_orders_that_are_over_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(tally_lane, "_MOST_ORDERS", 2)
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        with LedgerReader.open(ledger.path) as reader:
            tally = Tally(reader)
            for number in range(1, 6):
                order_id = f"bta-BTCUSDT-{number}"
                await place(ledger, order_id, tick_ms=number * 1_000)
                await ledger.book_fill(fill(number, order_id), **BTCUSDT)
                counted_up(tally)
                told = report("FILLED", "0.001", order_id=order_id, exchange_order_id=number)
                await ledger.apply_report(told, **BTCUSDT)
            assert counted_up(tally).in_all[0].sums.buys == 5
            assert len(tally._lanes["BTCUSDT"]._orders) <= 3


async def test_another_epoch_begins_at_nothing(tmp_path):
    await write_trading_day(tmp_path / "ledger.db")
    with LedgerReader.open(tmp_path / "ledger.db") as reader:
        tally = Tally(reader)
        counted_up(tally)
        async with await Ledger.open(tmp_path / "ledger.db") as ledger:
            await ledger.open_epoch(900_000, "testnet reset", {"USDT": Decimal(5)})
        view = counted_up(tally)
    assert (view.epoch, view.total, view.in_all) == (2, 0, [])


@pytest.mark.parametrize("group", ["in_all", "by_symbol", "by_strategy", "by_day"])
async def test_a_ledger_without_trades_adds_up_to_nothing(tmp_path, group):
    await (await Ledger.open(tmp_path / "ledger.db")).close()
    with LedgerReader.open(tmp_path / "ledger.db") as reader:
        view = counted_up(Tally(reader))
    assert getattr(view, group) == []
    assert view.is_whole
