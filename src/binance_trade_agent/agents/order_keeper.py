"""OrderKeeper: asks the exchange about our orders, and books what it says through the ledger's one door.

Answers, queries, the user stream and the account's trades all come through here. Whatever happens to the orders of a
symbol happens one at a time, under the symbol's `turn`: an event that overtakes an answer waits for it, so the ledger
says the same whichever came first.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import Fill, Order, OrderReport, OrderState, Role
from binance_trade_agent.domain.strangers import Stranger, strangers
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import changed
from binance_trade_agent.exchange.gateway import TradingGateway
from binance_trade_agent.exchange.payloads import execution_report
from binance_trade_agent.ledger.books import Books, BooksView
from binance_trade_agent.ledger.errors import ContradictoryFill, UnknownOrder
from binance_trade_agent.ledger.records import AppliedReport, OrderEntry
from binance_trade_agent.ops import crash_points

# An order that the exchange does not know may still be on its way for so long: recvWindow and the engine's own 10 s
# (binance-protocol.md 2.7).
QUIET_MS = 5_000 + 10_000

# Statuses of an order that has ended before all of it was filled (binance-protocol.md 4.1). A tuple compares only.
_CUT_SHORT = ("CANCELED", "EXPIRED", "EXPIRED_IN_MATCH")

LATE_FILL = "late_fill"
STRANGER = "stranger"
UNKNOWN_OUTCOME = "unknown_outcome"

log = logging.getLogger(__name__)


class OrderKeeper:
    """Keeps the ledger's orders equal to the exchange's.

    Args:
        rules: of the traded symbols, and of others that the ledger holds something of.
        instance: name of this daemon; orders of others are foreign.

    Attributes:
        counts: what was seen so far: `repeated_fill`, `late_fill`, `foreign_order`, `stranger`.
        suspects_reset: whether the exchange said something that only an exchange says that has forgotten us.
        heard_of_balance: whether the stream told of a deposit or withdrawal that nobody has looked for yet.
    """

    def __init__(
        self,
        gateway: TradingGateway,
        books: Books,
        clock: Clock,
        rules: Mapping[str, SymbolRules],
        alarms: Alarms,
        *,
        instance: str,
    ) -> None:
        self.rules = rules
        self.counts: Counter[str] = Counter()
        self.suspects_reset = False
        self.heard_of_balance = False
        self._gateway = gateway
        self._books = books
        self._clock = clock
        self._alarms = alarms
        self._instance = instance
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._foreign: set[tuple[str, int]] = set()

    def turn(self, symbol: str) -> asyncio.Lock:
        """To be held while an order of `symbol` is asked about or moved: nobody else does so meanwhile."""
        return self._turns[symbol]

    async def apply(self, report: OrderReport) -> AppliedReport | None:
        """Book a report on one of our orders, under the symbol's turn; None for an order that the ledger lacks.

        Raises:
            LedgerError: it could not be booked, or contradicts what was booked before.
        """
        try:
            (applied,) = await self.apply_all([report])
        except UnknownOrder:
            return None
        return applied

    async def apply_all(self, reports: Sequence[OrderReport]) -> list[AppliedReport]:
        """Book reports on orders of ours on one symbol, all of them or none, under its turn.

        Raises:
            LedgerError: see apply; UnknownOrder when the ledger lacks one.
        """
        rules = self.rules[reports[0].symbol]
        try:
            booked = await self._books.apply_reports(
                reports, base_asset=rules.base_asset, quote_asset=rules.quote_asset
            )
        except ContradictoryFill:
            self.suspects_reset = True
            raise
        for applied in booked:
            await self._note_booked(applied)
        return booked

    async def _note_booked(self, applied: AppliedReport) -> None:
        """What follows from a report that was booked, beside the books."""
        order = applied.order
        if applied.is_number_out_of_order:  # the exchange counts from a lower number than it had reached: a reset
            self.suspects_reset = True
        if applied.repeated_fills:
            self.counts["repeated_fill"] += applied.repeated_fills
        if applied.is_after_end or applied.is_revived:
            self.counts["late_fill"] += 1
            await self._alarms.sound(
                LATE_FILL, order.client_order_id, "it lived on after it was thought dead; what it did is booked"
            )
        if applied.new_fills and (order.role.is_protective or order.is_persons_to_rest):
            _say_traded(applied)
        if self._alarms.stands(UNKNOWN_OUTCOME, order.client_order_id) and order.state is not OrderState.UNKNOWN:
            await self._alarms.clear(UNKNOWN_OUTCOME, order.client_order_id)

    async def on_event(self, event: Mapping[str, Any]) -> None:
        """Handle one event of the user data stream (binance-protocol.md 4.5).

        Raises:
            LedgerError: it could not be booked; what it said has to be asked for again.
        """
        if event["e"] == "executionReport" and event["s"] in self.rules:
            report = execution_report(event)
            crash_points.passed("event.received")
            async with self.turn(report.symbol):
                applied = await self.apply(report)
            crash_points.passed("event.booked")
            if applied is None:
                await self._note_foreign(report)
        elif event["e"] == "balanceUpdate":
            # A reconciliation may have seen the new balance before this was read, so the event itself is not booked.
            self.heard_of_balance = True

    async def ask(self, order: Order) -> OrderEntry:
        """Ask about `order`, under its symbol's turn, and book the answer; returns what the ledger says then.

        An order that the exchange does not know is absent only when the quiet time is over and the account has no trade
        of it. 'Could not ask' changes nothing.

        Raises:
            ExchangeError: the exchange could not be asked.
            LedgerError: its answer could not be booked.
        """
        asked_ms = self._clock.now_ms()  # a slow answer is as old as its question
        report = await asked_about(self._gateway, order)
        crash_points.passed("recovery.asked")
        if report is not None:
            await self.book(order, report)
        elif order.exchange_order_id is not None:
            self.suspects_reset = True  # it knew the order once
        elif order.state is OrderState.INTENT:
            await self._move(order, OrderState.DENIED, "never sent")
        elif order.state is OrderState.SENT:
            await self._move(order, OrderState.UNKNOWN, "the exchange does not know it yet")
        elif order.state is OrderState.UNKNOWN:
            await self._prove_absent(order, asked_ms)
        entry = await self._books.order(order.client_order_id)
        assert entry is not None, "an order never leaves the ledger"
        return entry

    async def conclude(self, orders: Sequence[Order], told: Sequence[OrderReport]) -> None:
        """Book the ends of orders on one symbol by what the answers to their cancels have `told`. Under its turn.

        Whatever that leaves open is asked about (see end_told), unless the ledger knows the order's end by now.

        Raises:
            ExchangeError, LedgerError: see ask.
        """
        symbol = orders[0].symbol
        entries = await self._books.consult(lambda books: list(books.unsettled_orders(symbol)))
        names = {order.client_order_id for order in orders}
        ends = [(entry.order, end_told(entry, told)) for entry in entries if entry.order.client_order_id in names]
        if reports := [report for _, report in ends if report is not None]:
            await self.apply_all(reports)
            crash_points.passed("recovery.booked")
        for order, report in ends:
            if report is None:
                await self.ask(order)

    async def book(self, order: Order, report: OrderReport) -> None:
        """Book what the exchange said of `order`, with every trade that it has made. Under the symbol's turn."""
        name = order.client_order_id
        trades = [] if not report.executed_base else await self._trades_of(order, report)
        fills = tuple(changed(trade, client_order_id=name) for trade in trades)
        await self.apply(changed(report, client_order_id=name, fills=fills))
        crash_points.passed("recovery.booked")

    async def _trades_of(self, order: Order, report: OrderReport) -> list[Fill]:
        entry = await self._books.order(order.client_order_id)
        if entry is not None and entry.filled_base == report.executed_base:
            return []  # they are all in the ledger
        return await self._gateway.trades_of_order(order.symbol, report.exchange_order_id)

    async def _prove_absent(self, order: Order, asked_ms: int) -> None:
        """Give up an order that the exchange did not know at `asked_ms`, when that says enough; else say it is late."""
        try:
            if asked_ms - order.updated_ms > QUIET_MS and await self._has_no_trade(order):
                await self._move(order, OrderState.NOT_PLACED, "the exchange does not know it and has no trade of it")
                await self._alarms.clear(UNKNOWN_OUTCOME, order.client_order_id)
        finally:
            await self._say_late(order.client_order_id)

    async def _say_late(self, client_order_id: str) -> None:
        """Sound the alarm for an outcome that is still unknown after its deadline."""
        entry = await self._books.order(client_order_id)
        if entry is None or entry.order.deadline_ms is None or self._clock.now_ms() <= entry.order.deadline_ms:
            return
        text = f"{entry.order.side} on {entry.order.symbol}: what became of it is still not known"
        await self._alarms.sound(UNKNOWN_OUTCOME, client_order_id, text)

    async def _has_no_trade(self, order: Order) -> bool:
        """Whether the account surely has no trade of `order`; it is booked by one that is found.

        A trade of an order that the exchange does not tell about may be of this one, so it proves nothing.
        """
        cursor = await self._books.consult(lambda books: books.trade_cursor(order.symbol))
        trades = await self._gateway.trades_since(order.symbol, 0 if cursor is None else cursor + 1)
        for exchange_order_id in sorted({trade.exchange_order_id for trade in trades}):
            if await self._books.consult(partial(_is_known, symbol=order.symbol, exchange_order_id=exchange_order_id)):
                continue
            report = await self._gateway.order_by_exchange_id(order.symbol, exchange_order_id)
            if report is None:
                return False
            if report.client_order_id == order.client_order_id:
                await self.book(order, report)
                return False
        return True

    async def _move(self, order: Order, state: OrderState, detail: str) -> None:
        await self._books.transition(order.client_order_id, state, self._clock.now_ms(), detail=detail)

    async def _note_foreign(self, report: OrderReport) -> None:
        """An order of somebody else on the account: left alone, said once."""
        key = (report.symbol, report.exchange_order_id)
        if key in self._foreign:
            return
        self._foreign.add(key)
        if found := strangers([report], ()):
            await self.sound_stranger(found[0])
            return
        self.counts["foreign_order"] += 1
        log.warning("order %s on %s is not ours; left alone", report.client_order_id, report.symbol)

    async def sound_stranger(self, stranger: Stranger) -> None:
        """Raise the alarm for an order that this program made and that the ledger does not know."""
        self.counts["stranger"] += 1
        symbol = stranger.report.symbol
        await self._alarms.sound(STRANGER, symbol, stranger.told(self._instance), blocks=symbol)


def _say_traded(applied: AppliedReport) -> None:
    """What has traded at its price while nobody decided anything deserves a line of its own.

    Its id is what `trade-agent why --order` takes: no decision leads to it.
    """
    order, sold = applied.order, sum((fill.quantity for fill in applied.new_fills), start=ZERO)
    worth = sum((fill.quote_quantity for fill in applied.new_fills), start=ZERO)
    name, price = (order.exit or order.role).replace("_", "-").lower(), plain(round(worth / sold, 8))
    if order.is_persons_to_rest:
        log.info(
            "%s: a person's %s traded %s at %s (%s)",
            order.symbol,
            order.side,
            plain(sold),
            price,
            order.client_order_id,
        )
        return
    level = logging.INFO if order.role is Role.TAKE_PROFIT else logging.WARNING
    log.log(level, "%s: its %s sold %s at %s (%s)", order.symbol, name, plain(sold), price, order.client_order_id)


async def asked_about(gateway: TradingGateway, order: Order) -> OrderReport | None:
    """What the exchange says of `order`: by its own id once known, since a cancel replaces ours."""
    if order.exchange_order_id is not None:
        report = await gateway.order_by_exchange_id(order.symbol, order.exchange_order_id)
        return None if report is not None and is_another(order, report) else report
    return await gateway.order(order.symbol, order.client_order_id)


def is_another(order: Order, report: OrderReport) -> bool:
    """Whether the exchange's order under our order's number is not ours: after a reset the numbers begin again.

    A cancel replaces an order's client id (binance-protocol.md 1.3), so a cancelled one is told by what it was.
    """
    if report.status != "CANCELED" and report.client_order_id != order.client_order_id:
        return True
    return (report.side, report.quantity) != (order.side, order.quantity)


def end_told(entry: OrderEntry, told: Iterable[OrderReport]) -> OrderReport | None:
    """The one report of those `told` that says how the order has ended, every fill of which is in the ledger.

    None when the order is not told of, or twice, or is still open, when a fill is missing, and when the report cannot
    be true or be about this order. An end stays one (binance-protocol.md 4.1), so what is told late is as good.
    """
    order = entry.order
    found = [report for report in told if report.exchange_order_id == order.exchange_order_id]
    if len(found) != 1:
        return None
    (report,) = found
    is_of_it = (report.symbol, report.client_order_id, report.side) == (order.symbol, order.client_order_id, order.side)
    amounts = (report.quantity, report.executed_base, report.executed_quote)
    is_over = report.status in _CUT_SHORT and order.executed_base <= report.executed_base < order.quantity
    # The answer to a cancel has no fills; one that has some speaks of something else.
    is_whole = amounts == (order.quantity, entry.filled_base, entry.filled_quote) and not report.fills
    return report if is_of_it and is_over and is_whole else None


def _is_known(books: BooksView, symbol: str, exchange_order_id: int) -> bool:
    return books.is_known(symbol, exchange_order_id)
