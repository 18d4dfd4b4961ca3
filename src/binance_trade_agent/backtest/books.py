"""MemoryBooks: the books of a backtest, kept in memory.

They give the agents what the ledger gives them (ledger/books.py) by the same rules, postings and order life, without a
file: tests/backtest/test_books.py holds both against each other, step by step. They are of one epoch, one run and one
generation of the daemon, so the same decision has the same client order id. Times come in order as far as the equity
is concerned; late fills and repeated reports are taken as the ledger takes them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from binance_trade_agent.backtest.memory_view import MemoryView
from binance_trade_agent.backtest.symbol_book import SymbolBook
from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.order_states import (
    GIVEN_UP_STATES,
    STATE_OF_STATUS,
    TERMINAL_STATES,
    TRANSITIONS,
    OrderState,
)
from binance_trade_agent.domain.orders import Fill, Order, OrderIntent, OrderReport, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger.accounting import Account, Move, fill_moves
from binance_trade_agent.ledger.errors import DuplicateIntent, LedgerError, UnknownOrder
from binance_trade_agent.ledger.fills import refuse_contradiction
from binance_trade_agent.ledger.orders import deadline_after, order_of
from binance_trade_agent.ledger.pauses import DRAWDOWN
from binance_trade_agent.ledger.records import Alarm, AppliedReport, EquityPoint, OrderEntry
from binance_trade_agent.risk.state import Pause

T = TypeVar("T")

_EPOCH = 1
_changed = msgspec.structs.replace
# To look a member up by its name takes longer than to compare it.
_BUY, _WALLET, _MARKET = Side.BUY, Account.WALLET, Account.MARKET
_INTENT, _SENT, _UNKNOWN = OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN


class MemoryBooks(MemoryView):
    """`Books`, and the view of this moment.

    Args:
        quote_asset: what `mark` counts the equity in.
        balances: free and locked at the beginning, by asset.

    Attributes:
        accounts: sums by account and asset (ledger/accounting.py).
    """

    def __init__(self, quote_asset: str, balances: Mapping[str, Decimal]) -> None:
        super().__init__()
        self.accounts: dict[Account, dict[str, Decimal]] = {
            account: self._wallet if account is Account.WALLET else {} for account in Account
        }
        self._market = self.accounts[_MARKET]
        self._quote_asset = quote_asset
        self._newest = (0, "", "")  # the age of the newest order that is not settled
        self._alarms: dict[tuple[str, str], Alarm] = {}
        self._post((asset, amount, Account.EXTERNAL) for asset, amount in balances.items())

    def check(self) -> None:
        """See that what has moved has moved from one account to another.

        Raises:
            LedgerError: the accounts of an asset do not add up to zero.
        """
        for asset in {asset for sums in self.accounts.values() for asset in sums}:
            total = sum((sums.get(asset, ZERO) for sums in self.accounts.values()), ZERO)
            if total:
                raise LedgerError(f"the accounts of {asset} add up to {total}, not to 0")

    async def consult(self, work: Callable[[MemoryView], T]) -> T:
        """What `work` makes of the books at this moment."""
        return work(self)

    async def held(self, symbol: str, rules: SymbolRules) -> Holding | None:
        """What is held of the symbol, more than dust."""
        return self.holding(symbol, rules)

    async def order(self, client_order_id: str) -> OrderEntry | None:
        """An order, None when there is none."""
        return self._orders.get(client_order_id)

    async def open_orders(self) -> list[Order]:
        """Orders that are not settled, oldest first."""
        return [entry.order for entry in self._unsettled.values()]

    async def commit_intent(
        self, decision: Decision, intent: OrderIntent, at_ms: int, *, is_sending: bool = False
    ) -> Order:
        """Keep the order; the decision is whoever's who made it.

        Raises:
            DuplicateIntent: the client order id is known.
        """
        order = self._fresh(decision.run_id, intent, at_ms, is_sending=is_sending)
        self._keep_new(order, decision.run_id)
        return order

    async def commit_protection(
        self,
        run_id: str,
        intents: Sequence[OrderIntent],
        at_ms: int,
        command_id: int | None = None,  # noqa: ARG002 (nobody commands a backtest)
        *,
        is_sending: bool = False,
    ) -> list[Order]:
        """Keep the orders, all or none.

        Raises:
            DuplicateIntent: one of the client order ids is known.
        """
        return self._commit(run_id, intents, at_ms, is_sending=is_sending)

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

        Raises:
            DuplicateIntent, UnknownOrder: see commit_protection and request_cancel.
        """
        for client_order_id in cancelled_ids:
            self._required(client_order_id)
        orders = self._commit(run_id, intents, at_ms, is_sending=is_sending)
        await self.request_cancel(cancelled_ids, at_ms)
        return orders

    async def request_cancel(self, client_order_ids: Sequence[str], at_ms: int) -> None:
        """Note that these orders are to be cancelled.

        Raises:
            UnknownOrder: one of them is not in the books; nothing was changed.
        """
        for entry in [self._required(client_order_id) for client_order_id in client_order_ids]:
            if entry.order.cancel_requested_ms is None:
                self._update(entry, _changed(entry.order, cancel_requested_ms=at_ms))

    async def withdraw_cancel(self, client_order_id: str) -> None:
        """Take the wish back.

        Raises:
            UnknownOrder: the order is not in the books.
        """
        entry = self._required(client_order_id)
        self._update(entry, _changed(entry.order, cancel_requested_ms=None))

    async def transition(self, client_order_id: str, state: OrderState, at_ms: int, *, detail: str = "") -> bool:
        """Move an order; False, and nothing changed, when the news is late or repeated.

        Raises:
            UnknownOrder: no such order.
        """
        return self._move(self._required(client_order_id), state, at_ms, detail)

    async def apply_report(self, report: OrderReport, *, base_asset: str, quote_asset: str) -> AppliedReport:
        """Book what the exchange says of an order: its fills, then its state.

        Raises:
            UnknownOrder: no order with the report's client order id.
            ContradictoryFill: a trade id is known with other numbers; nothing was changed.
        """
        before = entry = self._required(report.client_order_id)
        new_fills = self._unknown_of(report.fills) if report.fills else ()
        base, quote = before.filled_base, before.filled_quote
        for fill in new_fills:
            if fill.client_order_id == report.client_order_id:
                self._book_fill(fill, base_asset, quote_asset, is_first=not base)
                base, quote = base + fill.quantity, quote + fill.quote_quantity
            else:
                self._book_of_another(fill, base_asset, quote_asset)
        state = before.order.state
        if state is _INTENT:
            self._move(before, _SENT, report.at_ms)
            entry = self._orders[report.client_order_id]
        if new_fills:
            entry = OrderEntry(entry.order, _EPOCH, entry.run_id, base, quote)
        is_changed = self._hear(entry, report, STATE_OF_STATUS.get(report.status, state))
        after = self._orders[report.client_order_id]
        return AppliedReport(
            state,
            after.order,
            new_fills,
            is_changed or bool(new_fills),
            report.client_order_id not in self._unsettled,
            len(report.fills) - len(new_fills),
            bool(new_fills) and before.is_settled,
            state in GIVEN_UP_STATES and after.order.state is not state,
            (is_changed or bool(new_fills)) and self._is_number_out_of_order(after.order),
        )

    async def apply_reports(
        self, reports: Sequence[OrderReport], *, base_asset: str, quote_asset: str
    ) -> list[AppliedReport]:
        """The same of several, one after the other; what came before one that is refused stays."""
        return [await self.apply_report(report, base_asset=base_asset, quote_asset=quote_asset) for report in reports]

    async def record_equity(self, point: EquityPoint) -> None:
        """Keep the worth at a tick.

        Raises:
            ValueError: an earlier tick than the last.
        """
        adjusted = point.cash_quote + point.positions_quote - point.external_quote
        self._marks_in(point.quote_asset).note(
            (point.tick_ms, point.cycle, point.run_id), adjusted, point.external_quote
        )

    def mark(self, tick_ms: int, equity_quote: Decimal) -> None:
        """The same for whoever values spans of ticks at once: equity as limits see it, cash and positions at the bid.

        Of a stretch of ticks that no midnight (UTC) and no end of a pause for drawdown parts, only the first, the
        highest and the last have to be told, in their order: the answers are as if each was told.

        Raises:
            ValueError: an earlier tick than the last.
        """
        self._marks_in(self._quote_asset).note((tick_ms, 0, ""), equity_quote, ZERO)

    async def begin_pauses(self, pauses: Sequence[Pause]) -> None:
        """Keep pauses that begin; one of a rule that began at the same time is known already."""
        for pause in pauses:
            if self._pauses.begin(pause) and pause.rule == DRAWDOWN:
                for marks in self._marks.values():
                    marks.begin_new_peak(pause.until_ms)

    async def raise_alarm(self, kind: str, subject: str, text: str, at_ms: int, *, blocks: bool = False) -> bool:
        """Raise an alarm, or count one more time that stands already; True when it is new."""
        known = self._alarms.get((kind, subject))
        raised_ms, times = (known.raised_ms, known.times + 1) if known else (at_ms, 1)
        self._alarms[kind, subject] = Alarm(kind, subject, raised_ms, at_ms, times, blocks, text)
        return known is None

    async def clear_alarm(self, kind: str, subject: str, at_ms: int) -> bool:  # noqa: ARG002
        """Note that an alarm is over; False when it did not stand."""
        return self._alarms.pop((kind, subject), None) is not None

    async def alarms(self) -> list[Alarm]:
        """Alarms that are not over, oldest first."""
        return sorted(self._alarms.values(), key=lambda alarm: (alarm.raised_ms, alarm.kind, alarm.subject))

    def _commit(self, run_id: str, intents: Sequence[OrderIntent], at_ms: int, *, is_sending: bool) -> list[Order]:
        orders = [self._fresh(run_id, intent, at_ms, is_sending=is_sending) for intent in intents]
        if len({order.client_order_id for order in orders}) < len(orders):
            raise DuplicateIntent("two orders have the same client order id; neither is sent")
        for order in orders:
            self._keep_new(order, run_id)
        return orders

    def _fresh(self, run_id: str, intent: OrderIntent, at_ms: int, *, is_sending: bool) -> Order:
        if intent.client_order_id in self._orders:
            raise DuplicateIntent(f"order {intent.client_order_id} is in the books already; it is not sent again")
        return order_of(run_id, intent, at_ms, is_sending=is_sending)

    def _keep_new(self, order: Order, run_id: str) -> None:
        entry = self._orders[order.client_order_id] = OrderEntry(order, _EPOCH, run_id, ZERO, ZERO)
        self._add_unsettled(entry)

    def _required(self, client_order_id: str) -> OrderEntry:
        entry = self._orders.get(client_order_id)
        if entry is None:
            raise UnknownOrder(f"order {client_order_id} is not in the books")
        return entry

    def _move(self, entry: OrderEntry, state: OrderState, at_ms: int, detail: str = "") -> bool:
        """Another state, if it may follow."""
        order = entry.order
        if state not in TRANSITIONS[order.state]:
            return False
        deadline_ms = deadline_after(order, state, at_ms) if state is _UNKNOWN else None
        news = _changed(order, state=state, updated_ms=at_ms, deadline_ms=deadline_ms)
        self._update(entry, _changed(news, detail=detail) if detail else news)
        return True

    def _hear(self, entry: OrderEntry, report: OrderReport, state: OrderState) -> bool:
        """Keep `entry`, whose sums of fills may be new, moved on by a report as in ledger/orders.py, transition."""
        order, number = entry.order, report.exchange_order_id
        before, base, quote = order.state, order.executed_base, order.executed_quote
        if state is not before and state not in TRANSITIONS[before]:
            state = before
        base = max(base, entry.filled_base)
        quote = max(quote, entry.filled_quote)
        is_numbered = number != order.exchange_order_id
        if not (is_numbered or state is not before or report.executed_base > base or report.executed_quote > quote):
            self._update(entry, _changed(order, executed_base=base, executed_quote=quote))
            return False
        news = _changed(
            order,
            state=state,
            updated_ms=report.at_ms,
            exchange_order_id=number,
            executed_base=max(base, report.executed_base),
            executed_quote=max(quote, report.executed_quote),
            deadline_ms=deadline_after(order, state, report.at_ms) if state is _UNKNOWN else None,
        )
        self._update(entry, _changed(news, detail=report.detail) if report.detail else news)
        if is_numbered:
            self._note_number(order, news)
        return True

    def _note_number(self, before: Order, order: Order) -> None:
        """The exchange has given an order its number, or another one than before."""
        book = self._book_of(order.symbol)
        if before.exchange_order_id is None:
            book.note_number(order)
        else:
            same = (each for each in self.orders if each.symbol == order.symbol)
            book.renumber(each for each in same if each.exchange_order_id is not None)

    def _update(self, entry: OrderEntry, order: Order) -> None:
        self._put(OrderEntry(order, _EPOCH, entry.run_id, entry.filled_base, entry.filled_quote))

    def _put(self, entry: OrderEntry) -> None:
        order = entry.order
        order_id = order.client_order_id
        self._orders[order_id] = entry
        if order.state in TERMINAL_STATES and entry.filled_base == order.executed_base:  # it is settled
            self._unsettled.pop(order_id, None)
        elif order_id in self._unsettled:
            self._unsettled[order_id] = entry
        else:
            self._add_unsettled(entry)

    def _add_unsettled(self, entry: OrderEntry) -> None:
        unsettled, age = self._unsettled, _age(entry)
        unsettled[entry.order.client_order_id] = entry
        if len(unsettled) > 1 and age < self._newest:
            self._unsettled = {each.order.client_order_id: each for each in sorted(unsettled.values(), key=_age)}
        else:
            self._newest = age

    def _unknown_of(self, fills: Sequence[Fill]) -> tuple[Fill, ...]:
        """The fills that are not in the books, each once."""
        found: dict[tuple[str, int], Fill] = {}
        for fill in fills:
            symbol, trade_id = fill.symbol, fill.trade_id
            known = self._book_of(symbol).trades.get(trade_id) or found.get((symbol, trade_id))
            if known is not None:
                refuse_contradiction(known, fill)
                continue
            self._required(fill.client_order_id)
            found[symbol, trade_id] = fill
        return tuple(found.values())

    def _book_fill(self, fill: Fill, base_asset: str, quote_asset: str, *, is_first: bool) -> None:
        """Book a fill, the order's first or not, as in ledger/fills.py; the order's sums are the caller's."""
        symbol, book = fill.symbol, self._book_of(fill.symbol)
        book.base_asset, book.quote_asset = base_asset, quote_asset
        self.fills.append(fill)
        self._post(fill_moves(fill, base_asset=base_asset, quote_asset=quote_asset))
        self._note_limits(book, fill, is_first=is_first)
        self._positions[symbol] = self._positions_in.setdefault(quote_asset, {})[symbol] = book.position

    def _book_of_another(self, fill: Fill, base_asset: str, quote_asset: str) -> None:
        """Book a fill of another order than the one that is reported."""
        entry = self._required(fill.client_order_id)
        self._book_fill(fill, base_asset, quote_asset, is_first=not entry.filled_base)
        base, quote = entry.filled_base + fill.quantity, entry.filled_quote + fill.quote_quantity
        executed = max(entry.order.executed_base, base), max(entry.order.executed_quote, quote)
        order = _changed(entry.order, executed_base=executed[0], executed_quote=executed[1])
        self._put(OrderEntry(order, _EPOCH, entry.run_id, base, quote))

    def _note_limits(self, book: SymbolBook, fill: Fill, *, is_first: bool) -> None:
        """Take a fill into the position, and into what limits count; `is_first` of its order."""
        realised = book.trade(fill)
        if realised is None:
            self._exits.forget(fill.symbol)
            seen: set[str] = set()
            for each, realised in book.trade_late(fill):
                if each.side is not _BUY:
                    self._exits.note(each, *realised, is_first=each.client_order_id not in seen)
                    seen.add(each.client_order_id)
        elif fill.side is not _BUY:
            self._exits.note(fill, *realised, is_first=is_first)
        if fill.side is _BUY:
            self._entries.note(fill, is_first=is_first)
            book.last_entry_ms = max(book.last_entry_ms or fill.traded_ms, fill.traded_ms)

    def _post(self, moves: Iterable[Move]) -> None:
        accounts, wallet, market = self.accounts, self._wallet, self._market
        for asset, amount, source in moves:
            if amount:
                sums = market if source is _MARKET else accounts[source]
                wallet[asset] = wallet.get(asset, ZERO) + amount
                sums[asset] = sums.get(asset, ZERO) - amount

    def _book_of(self, symbol: str) -> SymbolBook:
        book = self._books.get(symbol)
        if book is None:
            book = self._books[symbol] = SymbolBook(symbol)
        return book


def _age(entry: OrderEntry) -> tuple[int, str, str]:
    order = entry.order
    return order.created_ms, order.symbol, order.client_order_id
