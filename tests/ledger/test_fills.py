"""Properties of the one door for fills: whatever comes, in whatever order and how often, the books are right."""

import asyncio
import tempfile
from collections import defaultdict
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import TRANSITIONS, OrderState, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import fills as fills_module
from binance_trade_agent.ledger import position_marks, queries
from binance_trade_agent.ledger.accounting import Account, balances
from binance_trade_agent.ledger.export import dump
from binance_trade_agent.ledger.verify import sentences
from tests.ledger.bookkeeping import BTCUSDT, OPENING, fill, intent, place, report, trading_ledger

ORDER_OF = {Side.BUY: "bta-BTCUSDT-buy", Side.SELL: "bta-BTCUSDT-sell"}


def amount(units, places):
    return Decimal(units).scaleb(-places)


@st.composite
def one_fill(draw, fee_assets=("BTC", "USDT", "BNB")):
    side = draw(st.sampled_from(Side))
    quantity = amount(draw(st.integers(1, 10**8)), 5)
    price = amount(draw(st.integers(1, 10**8)), 2)
    return fill(
        0,
        ORDER_OF[side],
        side,
        price=price,
        quantity=quantity,
        quote_quantity=quantity * price,
        commission=amount(draw(st.integers(0, 10**6)), 8),
        commission_asset=draw(st.sampled_from(fee_assets)),
    )


def numbered(fills):
    return [replace(one, trade_id=number, traded_ms=1_000 + number) for number, one in enumerate(fills, start=1)]


def fills_of(**options):
    return st.lists(one_fill(**options), min_size=1, max_size=8).map(numbered)


def booked(fills, look):
    """What `look` sees in a fresh ledger after the fills."""

    async def book(path):
        async with trading_ledger(path) as ledger:
            for side, order_id in ORDER_OF.items():
                await place(ledger, order_id, side, tick_ms=1_000 if side is Side.BUY else 2_000)
            for one in fills:
                await ledger.book_fill(one, **BTCUSDT)
            return await look(ledger)

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(book(Path(folder) / "ledger.sqlite3"))


@settings(max_examples=40, deadline=None)
@given(fills_of())
def test_postings_sum_to_zero_and_the_wallet_is_the_opening_and_all_that_came(fills):
    async def look(ledger):
        rows = await ledger.read(lambda connection: connection.execute("SELECT * FROM postings").fetchall())
        return rows, await ledger.read(lambda connection: queries.postings(connection, 1)), await ledger.wallet()

    rows, postings, wallet = booked(fills, look)
    sums = defaultdict(Decimal)
    for row in rows:
        sums[row["kind"], row["reference"], row["asset"]] += Decimal(row["amount"])
    assert set(sums.values()) == {Decimal(0)}
    assert wallet == balances(postings, Account.WALLET)
    expected = defaultdict(Decimal, OPENING)
    for one in fills:
        sign = 1 if one.side is Side.BUY else -1
        expected["BTC"] += sign * one.quantity
        expected["USDT"] -= sign * one.quote_quantity
        expected[one.commission_asset] -= one.commission
    assert wallet == expected


@settings(max_examples=40, deadline=None)
@given(fills_of(fee_assets=("BTC", "USDT")))
def test_the_position_is_what_the_wallet_gained_when_fees_are_in_base_or_quote(fills):
    async def look(ledger):
        return await ledger.positions(), await ledger.wallet()

    positions, wallet = booked(fills, look)
    assert positions["BTCUSDT"].quantity == wallet["BTC"] - OPENING["BTC"]
    profit_less_cost = positions["BTCUSDT"].realised_pnl_quote - positions["BTCUSDT"].cost_quote
    assert profit_less_cost == wallet["USDT"] - OPENING["USDT"]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_fills_repeated_and_out_of_order_leave_the_same_ledger(data):
    fills = data.draw(fills_of())
    shuffled = data.draw(st.permutations(fills + data.draw(st.lists(st.sampled_from(fills), max_size=4))))

    async def look(ledger):
        return list(dump(ledger.path))

    assert booked(shuffled, look) == booked(fills, look)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "REJECTED"]),
            st.integers(0, 4),
            st.lists(st.integers(1, 4), max_size=2),
        ),
        max_size=8,
    )
)
def test_whatever_is_reported_states_follow_the_rules_and_quantities_never_fall(reports):
    async def look(ledger):
        for status, thousandths, trade_ids in reports:
            fills = [fill(trade_id, ORDER_OF[Side.BUY]) for trade_id in trade_ids]
            told = report(status, str(amount(thousandths, 3)), *fills, order_id=ORDER_OF[Side.BUY])
            await ledger.apply_report(told, **BTCUSDT)
        events = await ledger.read(lambda connection: queries.order_events(connection, ORDER_OF[Side.BUY]))
        return events, await ledger.order(ORDER_OF[Side.BUY]), await ledger.fills()

    events, entry, fills = booked([], look)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    for earlier, later in pairwise(events):
        followers = TRANSITIONS[OrderState(earlier.state)] | {OrderState(earlier.state)}
        assert OrderState(later.state) in followers
        assert later.executed_base >= earlier.executed_base
    assert entry.filled_base == sum((one.quantity for one in fills), Decimal(0))
    assert entry.order.executed_base >= entry.filled_base
    assert intent(ORDER_OF[Side.BUY]).quantity == entry.order.quantity


def marks_and_position(fills):
    """The position and its marks, one after every second fill."""

    async def look(ledger):
        rows = await ledger.read(lambda connection: connection.execute("SELECT * FROM position_marks").fetchall())
        verified = await ledger.read(lambda connection: list(sentences(connection)))
        assert verified == []
        return [tuple(row) for row in rows], await ledger.positions()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(position_marks, "MARK_EVERY", 2)
        return booked(fills, look)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_late_fill_is_put_in_its_place_from_the_mark_before_it(data):
    fills = data.draw(fills_of())
    in_order = marks_and_position(fills)
    assert len(in_order[0]) == len(fills) // 2
    assert marks_and_position(data.draw(st.permutations(fills))) == in_order


async def test_a_late_fill_after_many_others_reads_only_those_since_the_mark_before_it(tmp_path):
    async with trading_ledger(tmp_path / "ledger.sqlite3") as ledger:
        await place(ledger)
        for trade_id in [*range(1, 250), *range(251, 270), 250]:
            await ledger.write(partial(count_replayed, fill=fill(trade_id)))
        marks = await ledger.read(
            lambda connection: connection.execute("SELECT trade_id FROM position_marks").fetchall()
        )
        assert [mark["trade_id"] for mark in marks] == [100, 200]
        assert await ledger.read(lambda connection: list(sentences(connection))) == []


def count_replayed(connection, fill):
    reads = []
    connection.set_trace_callback(reads.append)
    assert fills_module.book_fill(connection, 1, fill, **BTCUSDT)
    connection.set_trace_callback(None)
    if fill.trade_id == 250:
        assert [read for read in reads if "FROM fills" in read and "trade_id > 200" in read]
