"""The view that the trader decides by is read once, and anew when anything was written, by whomever."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger.connection import open_or_create
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.remembered_view import LatestView
from binance_trade_agent.ledger.sql_view import SqlView
from binance_trade_agent.risk.state import Pause
from tests.ledger.bookkeeping import BTCUSDT, decision, fill, intent, report, trading_ledger
from tests.ledger.limits_world import ASSETS, HOUR_MS, NOON_MS, World, bought, sold

RULES = {symbol: SymbolRules(symbol, *assets, min_notional=Decimal(5)) for symbol, assets in ASSETS.items()}


@contextmanager
def reads_of(ledger: Ledger) -> Iterator[list[str]]:
    """The tables that the ledger's connection is asked for meanwhile, one for each statement."""
    read: list[str] = []
    words = iter(())

    def note(statement: str) -> None:
        nonlocal words
        words = iter(statement.split())
        read.extend(next(words) for word in words if word == "FROM")

    connection = ledger._connection._conn
    connection.set_trace_callback(note)
    try:
        yield read
    finally:
        connection.set_trace_callback(None)


async def test_it_says_what_is_in_the_ledger_at_each_moment(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:

        async def seen():
            return await ledger.consult(
                lambda books: (
                    [entry.order.state for entry in books.unsettled_orders()],
                    [entry.order.state for entry in books.unsettled_orders("BTCUSDT")],
                    books.unsettled_orders("ETHUSDT"),
                    {symbol: position.quantity for symbol, position in books.positions().items()},
                    books.position("BTCUSDT").quantity,
                    books.position("ETHUSDT").quantity,
                    books.wallet()["BTC"],
                )
            )

        assert await seen() == ([], [], [], {}, 0, 0, 1)
        await ledger.commit_intent(decision(), intent(), 1_000)
        assert (await seen())[:3] == ([OrderState.INTENT], [OrderState.INTENT], [])
        await ledger.apply_report(report("PARTIALLY_FILLED", "0.001", fill()), **BTCUSDT)
        _, _, _, positions, here, there, wallet = await seen()
        assert positions == {"BTCUSDT": here}
        assert (here > 0, there, wallet) == (True, 0, 1 + here)


async def test_nothing_is_read_again_while_nothing_was_written(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        first = await ledger.consult(lambda books: books.positions())
        with reads_of(ledger) as read:
            assert await ledger.consult(lambda books: books.positions()) is first
            assert read == []
            await ledger.record_decisions([decision()])
            await ledger.consult(lambda books: books.positions())
            assert read == ["epochs", "positions"]


async def test_what_another_process_has_written_is_seen(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await ledger.consult(lambda books: books.positions())
        assert not await ledger.consult(lambda books: books.is_paused())
        number = commands.place(ledger.path, CommandKind.PAUSE, requested_by="a test", requested_wall_ms=1)
        with reads_of(ledger) as read:
            await ledger.consult(lambda books: books.positions())
            assert read == ["epochs", "positions"]
        await commands.answer(ledger, number, CommandState.DONE, "paused", 1)
        assert await ledger.consult(lambda books: books.is_paused())
        commands.place(ledger.path, CommandKind.KILL, requested_by="a test", requested_wall_ms=2)
        assert await ledger.consult(lambda books: books.is_killed())


async def test_what_is_found_as_it_was_is_given_as_it_was(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:

        async def seen():
            return await ledger.consult(lambda books: (books.positions(), books.wallet(), books.unsettled_orders()))

        await ledger.commit_intent(decision(), intent(), 1_000)
        before = await seen()
        await ledger.record_decisions([decision(2_000)])
        assert all(now is then for now, then in zip(await seen(), before, strict=True))
        await ledger.commit_intent(decision(3_000), intent("bta-BTCUSDT-2", tick_ms=3_000), 3_000)
        positions, wallet, orders = await seen()
        assert (positions is before[0], wallet is before[1], orders[0] is before[2][0]) == (True, True, True)
        assert [entry.order.client_order_id for entry in orders] == ["bta-BTCUSDT-1", "bta-BTCUSDT-2"]


def test_no_statement_is_left_open_behind_which_nobody_else_is_seen(tmp_path):
    with World.opened(tmp_path / "ledger.db") as world:
        latest = LatestView()
        world.trade(bought(1, "a", 100, NOON_MS, "20"))
        for number in range(2, 12):
            world.trade(sold(number, f"s{number}", 99, NOON_MS + number))
        exits = latest.of(world.connection).exits_backwards()
        assert next(exits).client_order_id == "bta-s11"
        commands.place(world.path, CommandKind.KILL, requested_by="a test", requested_wall_ms=1)
        assert latest.of(world.connection).is_killed()


def answers(books: SqlView, now_ms: int) -> str:
    """Everything that is remembered, to the last digit."""
    equity = [Decimal(5), Decimal("5.00"), Decimal(7)]
    return repr(
        [
            [books.positions(asset) for asset in (None, "USDT", "BTC")],
            books.wallet(),
            books.unsettled_orders(),
            list(islice(books.exits_backwards(), 3)),
            list(books.exits_backwards()),
            [books.entries_since(now_ms - HOUR_MS), books.entries_since(now_ms)],
            [books.external_sum(asset) for asset in ("USDT", "BTC")],
            [books.peak_now("USDT", now_ms, worth) for worth in equity],
            books.day_start("USDT", now_ms),
            books.active_pauses(now_ms),
            [books.last_pause_end_ms(rule, now_ms) for rule in ("drawdown", "consecutive_losses")],
            [books.is_paused(), books.pause_scope(), books.is_killed()],
            [
                (
                    books.holding(symbol, rules),
                    books.position(symbol),
                    books.unsettled_orders(symbol),
                    books.last_entry_fill_ms(symbol),
                )
                for symbol, rules in RULES.items()
            ],
        ]
    )


steps = st.tuples(st.sampled_from(["buy", "sell", "worth", "pause", "kill", "other buys"]), st.integers(0, 9))


@settings(max_examples=60, deadline=None)
@given(happened=st.lists(steps, max_size=25), is_asked=st.lists(st.booleans(), min_size=25, max_size=25))
def test_it_is_never_older_than_the_last_write(happened, is_asked):
    with TemporaryDirectory() as folder, World.opened(Path(folder) / "ledger.db") as world:
        latest = LatestView()
        with closing(open_or_create(world.path)) as other:
            for number, ((what, size), asks) in enumerate(zip(happened, is_asked, strict=False), start=1):
                at_ms, symbol = NOON_MS + number * HOUR_MS // 4, list(ASSETS)[size % 2]
                if what == "buy":
                    world.trade(bought(number, f"b{number // 2}", 10 + size, at_ms, str(1 + size), symbol))
                elif what == "sell":
                    world.trade(sold(number, f"s{number}", 10 + size, at_ms, "1.50", symbol))
                elif what == "worth":
                    world.worth(at_ms, 90 + size, cycle=number)
                elif what == "pause":
                    world.pause(Pause(["drawdown", "consecutive_losses"][size % 2], at_ms, at_ms + HOUR_MS, ""))
                elif what == "kill":
                    commands.place(world.path, CommandKind.KILL, requested_by="a test", requested_wall_ms=number)
                else:  # as no other process may
                    mine, world.connection = world.connection, other
                    world.trade(bought(number, f"o{number}", 10 + size, at_ms, "2", symbol))
                    world.connection = mine
                if asks:
                    assert answers(latest.of(world.connection), at_ms) == answers(SqlView(world.connection), at_ms)
                    assert answers(latest.of(world.connection), at_ms) == answers(SqlView(world.connection), at_ms)
