"""The door to the ledger for the one process that writes it; that of all others is `reader.py`.

Each write is one durable transaction and one hop to the connection's thread. When a write raises LedgerUnavailable,
nothing of it was done. A caller that is cancelled while it waits does not stop the write.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.orders import TRANSITIONS, Fill, Order, OrderIntent, OrderReport, OrderState
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger import alarms, fills, journal, orders, pauses, queries
from binance_trade_agent.ledger.books import BooksView
from binance_trade_agent.ledger.connection import (
    BUSY_TIMEOUT_MS,
    FILE_ERRORS,
    HURRIED_TIMEOUT_MS,
    Work,
    WriterConnection,
    explained,
    in_transaction,
    is_of_the_file,
    open_or_create,
)
from binance_trade_agent.ledger.counts import LedgerCounts
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.integrity import check_at_start
from binance_trade_agent.ledger.order_rows import required_order
from binance_trade_agent.ledger.records import Alarm, AppliedReport, Epoch, EquityPoint, OrderEntry, RunRecord
from binance_trade_agent.ledger.remembered_holdings import Remembered, RememberedHoldings
from binance_trade_agent.ledger.remembered_view import LatestView
from binance_trade_agent.ledger.repeats import Again
from binance_trade_agent.ledger.upgrade import back_up_before_upgrade
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.risk.state import Pause

T = TypeVar("T")


class Ledger:
    """The writer's ledger. Everything about orders, fills, positions and the wallet speaks of the current epoch.

    Attributes:
        counts: what was written since it was opened.
    """

    def __init__(self, path: Path, connection: WriterConnection) -> None:
        self.path = path
        self.counts = LedgerCounts()
        self._connection = connection
        self._latest = LatestView()
        self._holdings = RememberedHoldings()

    @classmethod
    async def open(cls, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Self:
        """Open the ledger at `path`, brought to this program's schema and checked; make it when there is none.

        The folder is made too; the file can be read by its owner only. A write waits for `busy_timeout_ms` (machine
        time) when another process holds the file's lock.

        Raises:
            LedgerError: the file cannot be used: not SQLite, another program's, damaged, of a newer schema, locked,
                or its folder cannot be written.
        """

        def connect() -> sqlite3.Connection:
            back_up_before_upgrade(path)
            connection = open_or_create(path, busy_timeout_ms=busy_timeout_ms)
            try:
                check_at_start(path)
            except LedgerError:
                connection.close()
                raise
            return connection

        # Opened before aiosqlite's thread starts, which does not end cleanly when its connecting fails.
        ready = await asyncio.to_thread(connect)
        connection = WriterConnection(lambda: ready, iter_chunk_size=64)
        await connection
        return cls(path, connection)

    def hurry(self) -> None:
        """Let what is written from now on, also what is queued, wait for another process's lock only shortly.

        For a daemon that is asked to end: what it cannot write any more the next start finds out at the exchange.
        """
        self._connection.busy_timeout_ms = HURRIED_TIMEOUT_MS

    async def close(self) -> None:
        """Finish what is queued and close the file."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def write(
        self,
        work: Work[T],
        counted: Callable[[T], None] = lambda _: None,
        touched: Callable[[T], Collection[str] | None] = lambda _: None,
    ) -> T:
        """Run `work` with the connection as one durable transaction; then `counted` on its result, where it ran.

        `touched` says of the result on which symbols an order or a position may have moved; None: on any.

        Raises:
            LedgerUnavailable: the file could not be written; nothing was changed.
        """
        asked, transaction = monotonic_seconds(), in_transaction(work)

        def commit(connection: sqlite3.Connection) -> T:
            symbols = None
            try:
                result = transaction(connection)
                symbols = touched(result)
            finally:
                self._holdings.touched(symbols)
            self.counts.commits.note(monotonic_seconds() - asked)
            counted(result)  # here, as a caller that was cancelled meanwhile learns nothing of it
            return result

        return await self.read(commit)

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads, with the connection.

        Raises:
            LedgerUnavailable: the file could not be read.
            LedgerError: it is damaged.
        """
        try:
            return await self._connection.run(work)
        except FILE_ERRORS as error:
            if is_of_the_file(error):
                raise explained(error, self.path) from error
            raise

    async def consult(self, work: Callable[[BooksView], T]) -> T:
        """What `work`, which only reads, makes of the books of the current epoch at this moment.

        Raises:
            LedgerError: see read.
        """
        return await self.read(lambda connection: work(self._latest.of(connection)))

    async def held(self, symbol: str, rules: SymbolRules) -> Holding | None:
        """What is held of the symbol since it was flat or dust at its average price; None: no more than dust.

        While no order has moved on the symbol since it was asked last, it is known without a hop to the connection's
        thread: of hundreds of symbols most are flat at most ticks.

        Raises:
            LedgerError: see read.
        """
        known = self._holdings.known(symbol, rules)
        if known is None:

            def look(connection: sqlite3.Connection) -> Remembered:
                version = self._holdings.version(symbol)
                return Remembered(version, rules, self._latest.of(connection).holding(symbol, rules))

            known = await self.read(look)
            self._holdings.keep(symbol, known)
        return known.holding

    async def current_epoch(self) -> Epoch | None:
        """The open epoch, None in a new ledger."""
        return await self.read(queries.current_epoch)

    async def open_epoch(
        self,
        opened_ms: int,
        reason: str,
        balances: Mapping[str, Decimal],
        market: str | None = None,
        trade_cursors: Mapping[str, int | None] | None = None,
    ) -> Epoch:
        """Close the current epoch and begin the next from these balances (free and locked, by asset).

        Trades up to `trade_cursors`, by symbol, were made before it.
        """
        return await self.write(
            lambda connection: journal.open_epoch(connection, opened_ms, reason, balances, market, trade_cursors)
        )

    async def name_market(self, market: str) -> None:
        """Note which market the current epoch is of."""
        await self.write(lambda connection: journal.name_market(connection, market))

    async def next_fence(self) -> int:
        """The generation after the latest that is in the ledger."""
        return await self.read(queries.next_fence)

    async def begin_run(self, run: RunRecord) -> None:
        """Keep a run that starts now.

        Raises:
            LedgerError: no epoch was opened yet.
        """
        await self.write(lambda connection: journal.begin_run(connection, run))

    async def end_run(self, run_id: str, ended_ms: int, ended_wall_ms: int, reason: str) -> None:
        """Note when and why a run ended."""
        await self.write(lambda connection: journal.end_run(connection, run_id, ended_ms, ended_wall_ms, reason))

    async def commit_intent(
        self, decision: Decision, intent: OrderIntent, at_ms: int, *, is_sending: bool = False
    ) -> Order:
        """Keep the decision and its order. Only after this may the order be sent, and only with `is_sending`.

        Raises:
            DuplicateIntent: the client order id is known; nothing was changed.
        """
        return await self.write(
            lambda connection: orders.commit_intent(connection, decision, intent, at_ms, is_sending=is_sending),
            self.counts.made,
            lambda made: (made.symbol,),
        )

    async def commit_protection(
        self,
        run_id: str,
        intents: Sequence[OrderIntent],
        at_ms: int,
        command_id: int | None = None,
        *,
        is_sending: bool = False,
    ) -> list[Order]:
        """Keep orders that come of no decision, all or none. Only after this may they be sent (see commit_intent).

        They are to protect a position or to close it, or a person wants them by the command `command_id`, which is
        told its order in the same transaction.

        Raises:
            DuplicateIntent: one of the client order ids is known; nothing was changed.
        """
        return await self.write(
            lambda connection: orders.commit_protection(
                connection, run_id, intents, at_ms, command_id, is_sending=is_sending
            ),
            lambda made: self.counts.made(*made),
            _symbols_of,
        )

    async def request_cancel(self, client_order_ids: Sequence[str], at_ms: int) -> None:
        """Note that these orders are to be cancelled. Only after this may the cancel be sent.

        Raises:
            UnknownOrder: one of them is not in the ledger; nothing was changed.
        """
        await self.write(lambda connection: orders.request_cancel(connection, client_order_ids, at_ms))

    async def commit_replacement(
        self,
        run_id: str,
        cancelled_ids: Sequence[str],
        intents: Sequence[OrderIntent],
        at_ms: int,
        *,
        is_sending: bool = False,
    ) -> list[Order]:
        """Keep the wish to cancel orders and those that are to take their place, all or nothing.

        Only after this may the replacement be sent (see commit_intent).

        Raises:
            DuplicateIntent: one of the new client order ids is known; nothing was changed.
            UnknownOrder: one of the old orders is not in the ledger; nothing was changed.
        """
        return await self.write(
            lambda connection: orders.commit_replacement(
                connection, run_id, cancelled_ids, intents, at_ms, is_sending=is_sending
            ),
            lambda made: self.counts.made(*made),
            _symbols_of,
        )

    async def withdraw_cancel(self, client_order_id: str) -> None:
        """Take the wish back that an order be cancelled, since the exchange surely did not do it.

        Raises:
            UnknownOrder: it is not in the ledger.
        """
        await self.write(lambda connection: orders.withdraw_cancel(connection, client_order_id))

    async def take_over(self, run_id: str) -> list[str]:
        """Let `run_id` answer for all that is not settled; returns the ids of the orders that it did not own."""
        return await self.write(lambda connection: orders.take_over(connection, run_id))

    async def begin_pauses(self, begun: Sequence[Pause]) -> None:
        """Keep pauses that begin; one of a rule that began at the same time is known already."""

        def write(connection: sqlite3.Connection) -> None:
            epoch = queries.epoch_number(connection)
            for pause in begun:
                pauses.begin_pause(connection, epoch, pause)

        await self.write(write)

    async def raise_alarm(self, kind: str, subject: str, text: str, at_ms: int, *, blocks: bool = False) -> bool:
        """Raise an alarm, or count one more time that stands already; True when it is new."""
        return await self.write(
            lambda connection: alarms.raise_alarm(connection, kind, subject, text, at_ms, blocks=blocks),
            touched=_none,
        )

    async def clear_alarm(self, kind: str, subject: str, at_ms: int) -> bool:
        """Note that an alarm is over; False when it did not stand."""
        return await self.write(lambda connection: alarms.clear_alarm(connection, kind, subject, at_ms), touched=_none)

    async def alarms(self) -> list[Alarm]:
        """Alarms that are not over, oldest first."""
        return await self.read(alarms.standing)

    async def trade_cursor(self, symbol: str) -> int | None:
        """Up to which trade of the account the symbol was read, None when nothing was."""
        return await self.read(
            lambda connection: queries.trade_cursor(connection, queries.epoch_number(connection), symbol)
        )

    async def begin_trades(self, symbol: str, trade_id: int) -> None:
        """Note that no trade of ours on `symbol` is one up to `trade_id`, unless it is known where they begin."""
        await self.write(lambda connection: journal.begin_trades(connection, symbol, trade_id), touched=_none)

    async def move_trade_cursor(self, symbol: str, trade_id: int) -> None:
        """Note that the account's trades on `symbol` up to `trade_id` are read, and booked where they are ours."""
        await self.write(lambda connection: journal.move_trade_cursor(connection, symbol, trade_id), touched=_none)

    async def transition(
        self,
        client_order_id: str,
        state: OrderState,
        at_ms: int,
        *,
        detail: str = "",
        exchange_order_id: int | None = None,
        executed_base: Decimal | None = None,
        executed_quote: Decimal | None = None,
    ) -> bool:
        """Move an order; False, and nothing changed, when the news is late or repeated.

        Raises:
            UnknownOrder: no such order.
        """

        def move(connection: sqlite3.Connection) -> tuple[Order, bool]:
            before = required_order(connection, client_order_id).order
            return before, orders.transition(
                connection,
                client_order_id,
                state,
                at_ms,
                detail=detail,
                exchange_order_id=exchange_order_id,
                executed_base=executed_base,
                executed_quote=executed_quote,
            )

        def count(moved: tuple[Order, bool]) -> None:
            before, _ = moved
            if state in TRANSITIONS[before.state]:
                self.counts.moved(before, before.state, state)

        _, is_changed = await self.write(move, count, lambda moved: (moved[0].symbol,))
        return is_changed

    async def apply_report(self, report: OrderReport, *, base_asset: str, quote_asset: str) -> AppliedReport:
        """Book what the exchange says of an order, from an answer, a query or a stream: its fills, then its state.

        Raises:
            UnknownOrder: no order with the report's client order id.
            ContradictoryFill: a trade id is known with other numbers; nothing was changed.
        """
        (applied,) = await self.apply_reports([report], base_asset=base_asset, quote_asset=quote_asset)
        return applied

    async def apply_reports(
        self, reports: Sequence[OrderReport], *, base_asset: str, quote_asset: str
    ) -> list[AppliedReport]:
        """The same of several on one symbol, all of them or none.

        Raises:
            UnknownOrder, ContradictoryFill: see apply_report.
        """

        def apply(connection: sqlite3.Connection) -> list[AppliedReport]:
            return [
                orders.apply_report(connection, report, base_asset=base_asset, quote_asset=quote_asset)
                for report in reports
            ]

        def count(results: list[AppliedReport]) -> None:
            for applied in results:
                self.counts.moved(applied.order, applied.before, applied.order.state)
                self.counts.booked(applied.new_fills, quote_asset)

        symbols = {report.symbol for report in reports}
        return await self.write(apply, count, lambda _: symbols)

    async def book_fill(self, fill: Fill, *, base_asset: str, quote_asset: str) -> bool:
        """Book a fill in the epoch of its order, whatever the order's state; False when it is known.

        Raises:
            UnknownOrder: no order with the fill's client order id.
            ContradictoryFill: the trade id is known with other numbers.
        """

        def book(connection: sqlite3.Connection) -> bool:
            epoch = required_order(connection, fill.client_order_id).epoch
            return fills.book_fill(connection, epoch, fill, base_asset=base_asset, quote_asset=quote_asset)

        return await self.write(book, lambda is_new: self.counts.booked((fill,) if is_new else (), quote_asset))

    async def post_external(self, asset: str, amount: Decimal, at_ms: int, reference: str) -> bool:
        """Book an amount that came from outside, or went there when negative; False when `reference` is known."""
        return await self.write(lambda connection: journal.post_external(connection, asset, amount, at_ms, reference))

    async def record_decisions(self, decisions: Iterable[Decision], repeats: Iterable[Again] = ()) -> None:
        """Keep the decisions of a tick in one commit; one on the same run, tick and symbol is replaced.

        `repeats` say what is written, and are noted with that.
        """
        rows, more = list(decisions), list(repeats)

        def write(connection: sqlite3.Connection) -> None:
            journal.record_decisions(connection, rows)
            journal.record_repeats(connection, more)

        await self.write(write, touched=_none)

    async def record_equity(self, point: EquityPoint) -> None:
        """Keep the worth at a tick."""
        await self.write(lambda connection: journal.record_equity(connection, point), touched=_none)

    async def order(self, client_order_id: str) -> OrderEntry | None:
        """An order, of any epoch; None when there is none."""
        return await self.read(lambda connection: queries.order_entry(connection, client_order_id))

    async def open_orders(self) -> list[Order]:
        """Orders that are not terminal, or whose fills do not add up to the executed quantity yet; oldest first."""
        entries = await self.read(
            lambda connection: queries.unsettled_orders(connection, queries.epoch_number(connection))
        )
        return [entry.order for entry in entries]

    async def positions(self) -> dict[str, Position]:
        """Positions by symbol, flat ones included; a symbol that never traded is missing."""
        return await self.read(lambda connection: queries.positions(connection, queries.epoch_number(connection)))

    async def wallet(self) -> dict[str, Decimal]:
        """What the exchange should hold for us, free and locked, by asset."""
        return await self.read(lambda connection: queries.wallet(connection, queries.epoch_number(connection)))

    async def fills(self, symbol: str | None = None) -> list[Fill]:
        """Fills by symbol and trade id."""
        return await self.read(
            lambda connection: queries.fills(connection, epoch=queries.epoch_number(connection), symbol=symbol)
        )

    async def last_trade_id(self, symbol: str) -> int | None:
        """The symbol's highest trade id, None when it never traded."""
        return await self.read(
            lambda connection: queries.last_trade_id(connection, queries.epoch_number(connection), symbol)
        )

    async def last_entry_fill_ms(self, symbol: str) -> int | None:
        """Time of the symbol's last fill of a BUY, None when there was none."""
        return await self.read(
            lambda connection: queries.last_entry_fill_ms(connection, queries.epoch_number(connection), symbol)
        )


def _symbols_of(made: Iterable[Order]) -> Collection[str]:
    return {order.symbol for order in made}


def _none(_: object) -> Collection[str]:
    """No order and no position is written there."""
    return ()
