"""TradeExecutionAgent: the intent is committed, then sent, once; what comes of it is booked by the OrderKeeper."""

import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal

from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.agents.reservations import NoReservations, Reservations
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.decisions import Decision, Outcome, Refusal
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.order_ids import cancel_id
from binance_trade_agent.domain.orders import Fill, Order, OrderIntent, OrderReport, OrderState
from binance_trade_agent.domain.values import Value, changed
from binance_trade_agent.domain.words import words_of
from binance_trade_agent.exchange.errors import (
    AuthError,
    ExchangeError,
    RejectedError,
    ReplaceRefusedError,
    UnknownOutcomeError,
)
from binance_trade_agent.exchange.gateway import TradingGateway
from binance_trade_agent.ledger.books import Books
from binance_trade_agent.ledger.errors import DuplicateIntent, LedgerError
from binance_trade_agent.ops import crash_points

log = logging.getLogger(__name__)

# To look a member up by its name takes longer than to compare it.
_ACCEPTED = OrderState.ACCEPTED
_ORDERED, _EXECUTED = Outcome.ORDERED, Outcome.EXECUTED


class Sent(Value, frozen=True):
    """What came of sending.

    Attributes:
        state: as far as the answer told; UNKNOWN when it was not seen.
        reports: what the exchange answered, empty unless it took the orders.
        orders: what the ledger said of each then.
        failure: why it did not take them, or why the answer was not seen.
    """

    state: OrderState
    reports: tuple[OrderReport, ...] = ()
    orders: tuple[Order, ...] = ()
    failure: ExchangeError | None = None


class TradeExecutionAgent:
    """Sends orders, each at most once, and never before its intent is on disk.

    Args:
        run_id: the run that answers for the orders.
        may_send: why nothing may be sent now, such as a lease that another daemon has taken; None when it may.
        refused: told of each order that the exchange refused, with its reason.
        begin: told of the symbol before an intent on it is committed; nothing is committed when it raises.
        others_first: waited for, a moment, before an answer is booked: orders that are not on the wire yet go before.
        reservations: asked before each purchase whether all daemons of the account may hold so much.
    """

    def __init__(
        self,
        gateway: TradingGateway,
        books: Books,
        clock: Clock,
        keeper: OrderKeeper,
        *,
        run_id: str,
        may_send: Callable[[], str | None],
        refused: Callable[[OrderIntent, RejectedError], Awaitable[None]],
        begin: Callable[[str], Awaitable[None]] | None = None,
        others_first: Callable[[], Awaitable[None]] | None = None,
        reservations: Reservations | None = None,
    ) -> None:
        self._reservations = reservations or NoReservations()
        self._gateway = gateway
        self._books = books
        self._clock = clock
        self._keeper = keeper
        self._run_id = run_id
        self._may_send = may_send
        self._refused = refused
        self._begin = begin
        self._others_first = others_first

    def reserved(self, intents: Sequence[OrderIntent]) -> AbstractAsyncContextManager[Refusal | None]:
        """See Reservations; `execute` sees to it by itself, `place` does not."""
        return self._reservations.reserved(intents)

    def objection(self) -> str | None:
        """Why no order may be sent now; None when one may."""
        return self._may_send()

    async def prepare(self, symbol: str) -> None:
        """Ask beforehand what has to be known before the first order on a symbol; what fails now `execute` will say."""
        if self._begin is not None:
            async with self._keeper.turn(symbol):
                with contextlib.suppress(ExchangeError, LedgerError):
                    await self._begin(symbol)

    async def execute(
        self, decision: Decision, intent: OrderIntent, committed: Callable[[], None] | None = None
    ) -> Decision:
        """Place the approved order, once, and say how the decision ended. `committed` is told that its intent is kept.

        Raises:
            LedgerError: the intent could not be committed, and nothing was sent.
            ExchangeError: what has to be known before the first order on a symbol could not be asked; the same.
        """
        decision = changed(decision, outcome=_ORDERED, client_order_id=intent.client_order_id)
        crash_points.passed("decision.approved")
        async with self._reservations.reserved((intent,)) as refusal, self._keeper.turn(intent.symbol):
            if refusal is not None:
                detail = words_of(refusal, "detail")
                return changed(
                    decision, outcome=Outcome.REFUSED, client_order_id=None, rule=refusal.rule, detail=detail
                )
            if self._begin is not None:
                await self._begin(intent.symbol)
            objection = self._may_send()
            try:
                await self._books.commit_intent(decision, intent, self._clock.now_ms(), is_sending=not objection)
            except DuplicateIntent:
                return changed(decision, outcome=Outcome.SKIPPED, detail="this decision's order was placed already")
            if committed is not None:
                committed()
            crash_points.passed("intent.committed")
            try:
                sent = await self._send((intent,), lambda: self._one(intent), objection)
                return _concluded(decision, sent)
            except LedgerError as failure:
                # The order stays unsettled in the ledger, so it is asked about until its end can be written.
                log.error("order %s: %s", intent.client_order_id, failure)  # noqa: TRY400 (a sentence for the user)
                return changed(decision, detail=f"what came of the order could not be written yet: {failure}")

    async def place(
        self, intents: Sequence[OrderIntent], list_id: str | None = None, command_id: int | None = None
    ) -> Sent:
        """Place what no decision leads to: one order, or the two of a list. Under the symbol's turn.

        It protects a position or closes it, or a person wants it by the command `command_id`.

        Raises:
            LedgerError: the intents could not be committed (nothing was sent), or what came of them could not be.
            ExchangeError: see execute.
        """
        if self._begin is not None:
            await self._begin(intents[0].symbol)
        objection, now_ms = self._may_send(), self._clock.now_ms()
        await self._books.commit_protection(self._run_id, intents, now_ms, command_id, is_sending=not objection)
        crash_points.passed("protection.committed")
        if list_id is None:
            (intent,) = intents
            sent = await self._send(intents, lambda: self._one(intent), objection)
        else:
            sent = await self._send(intents, lambda: self._gateway.place_list(intents, list_id), objection)
        crash_points.passed("protection.answered")
        return sent

    async def cancel(self, orders: Sequence[Order]) -> None:
        """Cancel resting orders and see what became of each: a fill may have been faster. Under the symbol's turn.

        The answers to the cancels say it, or are asked for where they leave anything open (see OrderKeeper.conclude).

        Raises:
            ExchangeError: it could not be asked; the wish is in the ledger, and is carried out or asked about later.
            LedgerError: the wish or the answer could not be written.
        """
        await self._books.request_cancel([order.client_order_id for order in orders], self._clock.now_ms())
        crash_points.passed("cancel.committed")
        told: list[OrderReport] = []
        for together in _by_list(orders):
            told += await self._cancel_one_of(together)
            crash_points.passed("cancel.answered")
        await self._keeper.conclude(orders, told)

    async def replace(self, old: Order, intent: OrderIntent) -> Sent:
        """Put `intent` in the place of `old`, a resting order outside lists, by one request. Under the symbol's turn.

        What became of `old` the answer says, or it is asked then, or later when it cannot be asked now: the ledger
        knows. The wish to cancel it is taken back when the exchange surely did not: it stands, or had ended before (see
        ReplaceRefusedError). While the outcome is UNKNOWN both are asked about.

        Raises:
            LedgerError: the wishes could not be committed (nothing was sent), or what came of them could not be.
        """
        number = old.exchange_order_id
        assert number is not None, "what rests on the exchange has a number there"
        objection, now_ms = self._may_send(), self._clock.now_ms()
        await self._books.commit_replacement(
            self._run_id, [old.client_order_id], [intent], now_ms, is_sending=not objection
        )
        crash_points.passed("replace.committed")
        told: list[OrderReport] = []
        sent = await self._send((intent,), lambda: self._in_place_of(old, number, intent, told), objection)
        crash_points.passed("replace.answered")
        if old.cancel_requested_ms is None and _has_surely_cancelled_nothing(sent):
            await self._books.withdraw_cancel(old.client_order_id)
        try:
            # An answer that was refused is refused as a whole.
            await self._keeper.conclude([old], told if sent.failure is None else ())
        except ExchangeError as failure:
            log.warning("what became of order %s cannot be asked yet: %s", old.client_order_id, failure)
        return sent

    async def _cancel_one_of(self, orders: Sequence[Order]) -> Sequence[OrderReport]:
        """Cancel a list by one of its legs; what the answer says of each, nothing when it was not seen.

        A leg that is over already (-2011) does not take the other one along.
        """
        for order in orders:
            if order.exchange_order_id is None:
                continue
            try:
                # Of a list both legs would show it; they are told by the list's id, which stays.
                shown_as = cancel_id(order.client_order_id) if order.list_id is None else None
                return await self._gateway.cancel_order(order.symbol, order.exchange_order_id, shown_as)
            except RejectedError as failure:
                log.info("cancel of %s: %s", order.client_order_id, failure)
            except UnknownOutcomeError as failure:  # the answer was not seen: asking tells
                log.info("cancel of %s: %s", order.client_order_id, failure)
                break
        return ()

    async def _one(self, intent: OrderIntent) -> list[OrderReport]:
        return [await self._gateway.place_order(intent)]

    async def _in_place_of(
        self, old: Order, number: int, intent: OrderIntent, told: list[OrderReport]
    ) -> list[OrderReport]:
        """The new order's report; what the answer says of the old one is added to `told`."""
        shown_as = cancel_id(old.client_order_id) if old.list_id is None else None
        replaced = await self._gateway.replace_order(intent.symbol, number, intent, shown_as)
        told += replaced.cancelled
        return [replaced.placed]

    async def _send(
        self,
        intents: Sequence[OrderIntent],
        request: Callable[[], Awaitable[list[OrderReport]]],
        objection: str | None,
    ) -> Sent:
        """Send what is committed as SENT, and book the answer; with an objection it was committed as not to be sent."""
        if objection:
            await self._move(intents, OrderState.DENIED, objection)
            return Sent(OrderState.DENIED, failure=ExchangeError(objection))
        crash_points.passed("order.sending")
        try:
            if reason := self._may_send():  # the process may have been frozen while that was written
                raise ExchangeError(reason)  # noqa: TRY301 (as if the exchange had not been reached)
            reports = await request()
            _refuse_other_answer(intents, reports)
        except UnknownOutcomeError as failure:
            await self._move(intents, OrderState.UNKNOWN, str(failure))
            return Sent(OrderState.UNKNOWN, failure=failure)
        except RejectedError as failure:
            await self._move(intents, OrderState.REJECTED, str(failure))
            await self._refused(intents[0], failure)
            return Sent(OrderState.REJECTED, failure=failure)
        except AuthError as failure:
            await self._move(intents, OrderState.REJECTED, str(failure))
            return Sent(OrderState.REJECTED, failure=failure)
        except ExchangeError as failure:  # the exchange was not reached or was not willing to listen
            await self._move(intents, OrderState.DENIED, str(failure))
            return Sent(OrderState.DENIED, failure=failure)
        crash_points.passed("order.answered")
        if self._others_first is not None:
            await self._others_first()
        booked = await self._keeper.apply_all(reports)
        crash_points.passed("order.booked")
        return Sent(_ACCEPTED, tuple(reports), tuple(applied.order for applied in booked))

    async def _move(self, intents: Sequence[OrderIntent], state: OrderState, detail: str = "") -> None:
        for intent in intents:
            await self._books.transition(intent.client_order_id, state, self._clock.now_ms(), detail=detail)


def _concluded(decision: Decision, sent: Sent) -> Decision:
    if sent.failure is None:
        return concluded(decision, sent.orders[0], sent.reports[0].fills)
    outcome = Outcome.UNKNOWN if sent.state is OrderState.UNKNOWN else Outcome.REJECTED
    return changed(decision, outcome=outcome, detail=str(sent.failure))


def _refuse_other_answer(intents: Sequence[OrderIntent], reports: Sequence[OrderReport]) -> None:
    """Refuse reports that are not about these orders or cannot be true: they are as good as none, and book nothing.

    Raises:
        UnknownOutcomeError: they are so.
    """
    told = {report.client_order_id: report for report in reports}
    is_whole = len(reports) == len(intents)
    for intent in intents:
        if not is_whole or not _is_about(intent, told.get(intent.client_order_id)):
            raise UnknownOutcomeError("the outcome is unknown: the answer does not speak of this order")


def _is_about(intent: OrderIntent, report: OrderReport | None) -> bool:
    if report is None or report.symbol != intent.symbol or report.side != intent.side:
        return False
    base = report.executed_base
    return report.quantity == intent.quantity and base.is_finite() and 0 <= base <= intent.quantity


def _has_surely_cancelled_nothing(sent: Sent) -> bool:
    """Whether a replacement has certainly left the old order as it was."""
    if isinstance(sent.failure, ReplaceRefusedError):
        return not sent.failure.cancelled
    return sent.state in {OrderState.REJECTED, OrderState.DENIED}


def _by_list(orders: Sequence[Order]) -> list[list[Order]]:
    """The orders by their lists: cancelling one leg cancels both (binance-protocol.md 1.3)."""
    lists: defaultdict[str, list[Order]] = defaultdict(list)
    for order in orders:
        lists[order.list_id or order.client_order_id].append(order)
    return list(lists.values())


def concluded(decision: Decision, order: Order, fills: tuple[Fill, ...]) -> Decision:
    """The decision with what the exchange made of its order."""
    if order.executed_base:
        return changed(decision, outcome=_EXECUTED, detail=(execution_text, order, fills))
    if order.is_terminal:
        return changed(decision, outcome=Outcome.UNFILLED, detail=f"order {order.state}: {order.detail}")
    return changed(decision, outcome=_ORDERED, detail=f"order {order.state}")


def execution_text(order: Order, fills: tuple[Fill, ...]) -> str:
    """What was traded: `0.00151 @ 66,120.10, fee 0.00000151 BTC`; prices are averages over the fills."""
    fees: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for fill in fills:
        fees[fill.commission_asset] += fill.commission
    average = order.executed_quote / order.executed_base
    fee = " + ".join(f"{plain(amount)} {asset}" for asset, amount in sorted(fees.items())) or "not stated"
    partly = "" if order.executed_base == order.quantity else f" of {plain(order.quantity)}"
    return f"{plain(order.executed_base)}{partly} @ {_price(average)}, fee {fee}"


def _price(price: Decimal) -> str:
    """Two decimals from 1 on, more for small prices."""
    return f"{price:,.2f}" if price >= 1 else f"{price:,.8f}"
