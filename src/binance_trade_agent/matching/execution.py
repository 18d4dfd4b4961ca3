"""One transaction under way on one symbol: orders arrive, trade, trigger and end, and everything is reported.

Consequences wait until the order at hand has had its turn: stop orders that its trades triggered and pending orders
whose working order filled come due, and take their turns by ascending order id, until none is left.
"""

import heapq
from collections.abc import Sequence
from decimal import Decimal

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.admission import check_oco_prices
from binance_trade_agent.matching.book import OPPOSITE, Offer
from binance_trade_agent.matching.errors import OrderRefused
from binance_trade_agent.matching.listing import Listing
from binance_trade_agent.matching.lists import ListOrderStatus, ListReport, ListStatusType, OrderList
from binance_trade_agent.matching.order_types import MARKET_STOPS, Plan, plan_arrival, plan_triggered
from binance_trade_agent.matching.orders import (
    STOP_TYPES,
    ExchangeOrder,
    ExecutionReport,
    ExecutionType,
    ExpiryReason,
    PreventedMatch,
    PublicTrade,
    Status,
    Trade,
)
from binance_trade_agent.matching.self_trade import NO_TRADE_GROUP, Prevention
from binance_trade_agent.matching.settlement import paid_asset
from binance_trade_agent.matching.state import ExchangeState
from binance_trade_agent.matching.transactions import Transaction


class Execution:
    """Carries out one transaction."""

    __slots__ = ("_at_ms", "_due", "_listing", "_state", "_touched_lists", "transaction")

    def __init__(self, state: ExchangeState, listing: Listing, at_ms: int) -> None:
        self.transaction = Transaction(at_ms)
        self._state = state
        self._listing = listing
        self._at_ms = at_ms
        self._due: list[tuple[int, ExchangeOrder]] = []
        self._touched_lists: dict[int, OrderList] = {}

    def plan(self, legs: Sequence[ExchangeOrder]) -> list[Plan]:
        """Plan the arrival of an order, or of the two legs of an OCO.

        Raises:
            OrderRefused: it cannot arrive.
        """
        if len(legs) > 1:
            check_oco_prices(legs, self._listing.last_price)
        return [plan_arrival(leg, self._listing) for leg in legs]

    def fund(self, legs: Sequence[ExchangeOrder], plans: Sequence[Plan]) -> None:
        """Lock what the planned orders need; the legs of an OCO hold the larger of their needs together.

        Raises:
            OrderRefused: too little is free; nothing has changed.
        """
        holder, plan = legs[0], plans[0]
        if len(legs) > 1 and plans[1].requirement > plan.requirement:
            holder, plan = legs[1], plans[1]
        asset = paid_asset(holder.side, self._listing.rules)
        self._state.accounts[holder.account].lock(asset, plan.requirement)
        holder.locked = plan.requirement

    def accept(self, order: ExchangeOrder) -> None:
        """Give an order its id and its place in the history, and report it."""
        order.order_id = self._listing.next_order_id()
        self._state.history.add(order)
        self._touched(order.account)
        self.report(order, ExecutionType.NEW)

    def start(self, order: ExchangeOrder, plan: Plan) -> None:
        """Let an accepted order do what was planned for it."""
        for match in plan.matches:
            if isinstance(match, Offer):
                self._trade(order, match)
            else:
                self._prevent(order, match)
        if not order.is_open:
            return
        if plan.awaits_trigger:
            self._listing.stops.add(order)
        elif plan.expiry is not None:
            if order.quote_quantity:
                order.quantity -= order.remaining  # an order by amount is of what it got (binance-protocol.md 1.3)
            self.end(order, Status.EXPIRED, plan.expiry)
        else:
            self._listing.book.rest(order)

    def finish(self) -> Transaction:
        """Let everything that came due take its turn, and say which lists are done."""
        while self._due:
            _, order = heapq.heappop(self._due)
            if order.status is Status.PENDING_NEW:
                self._open_pending(self._list_of(order))
            elif order.is_open:
                self._trigger(order)
        for order_list in self._touched_lists.values():
            if not order_list.is_open:
                order_list.status_type = ListStatusType.ALL_DONE
                order_list.order_status = ListOrderStatus.ALL_DONE
                order_list.updated_ms = self._at_ms
                self._state.history.close_list(order_list)
                self.report_list(order_list)
        return self.transaction

    def publish(
        self, price: Decimal, quantity: Decimal, taker_side: Side, taker_order_id: int | None = None
    ) -> PublicTrade:
        """Print a trade: it makes the last price, and the stop orders that it triggers come due."""
        listing = self._listing
        trade = PublicTrade(
            listing.next_trade_id(), listing.rules.symbol, price, quantity, taker_side, self._at_ms, taker_order_id
        )
        self.transaction.trades.append(trade)
        listing.last_price = price
        for order in listing.stops.after_trade(price, self._at_ms):
            heapq.heappush(self._due, (order.order_id, order))
        return trade

    def fill_from_outside(self, order: ExchangeOrder, quantity: Decimal) -> None:
        """The outside market takes from a resting order."""
        trade = self.publish(order.price, quantity, OPPOSITE[order.side])
        self._fill(order, trade, is_maker=True)
        self._state.settlement.trade_outside(order.side, self._listing.rules, trade)

    def end(
        self,
        order: ExchangeOrder,
        status: Status,
        reason: ExpiryReason | None = None,
        *,
        original_client_order_id: str = "",
        reject_reason: str = "NONE",
    ) -> None:
        """An open order fills no further."""
        order.status = status
        order.expiry_reason = reason
        order.updated_ms = self._at_ms
        self._touched(order.account)
        self.report(
            order,
            ExecutionType(status),
            original_client_order_id=original_client_order_id,
            reject_reason=reject_reason,
        )
        self._close(order)

    def report(
        self,
        order: ExchangeOrder,
        execution: ExecutionType,
        *,
        original_client_order_id: str = "",
        trade: Trade | None = None,
        is_first_fill: bool = False,
        prevented: PreventedMatch | None = None,
        reject_reason: str = "NONE",
    ) -> None:
        """Say what has just happened to an order."""
        self._state.last_execution_id += 1
        self.transaction.reports.append(
            ExecutionReport(
                order=order,
                execution=execution,
                status=order.status,
                client_order_id=order.client_order_id,
                executed_base=order.executed_base,
                executed_quote=order.executed_quote,
                execution_id=self._state.last_execution_id,
                at_ms=self._at_ms,
                original_client_order_id=original_client_order_id,
                trade=trade,
                is_first_fill=is_first_fill,
                prevented=prevented,
                working_ms=order.working_ms,
                prevented_base=order.prevented_base,
                reject_reason=reject_reason,
            )
        )

    def report_list(self, order_list: OrderList) -> None:
        """Say where a list stands."""
        report = ListReport(order_list, order_list.status_type, order_list.order_status, self._at_ms)
        self.transaction.list_reports.append(report)

    def _trade(self, taker: ExchangeOrder, offer: Offer) -> None:
        trade = self.publish(offer.price, offer.quantity, taker.side, taker.order_id)
        self._fill(taker, trade, is_maker=False)
        if offer.maker is not None:
            self._fill(offer.maker, trade, is_maker=True)
        else:
            self._state.settlement.trade_outside(taker.side, self._listing.rules, trade)
            self._listing.book.consume_outside(OPPOSITE[taker.side], offer.quantity)

    def _fill(self, order: ExchangeOrder, trade: PublicTrade, *, is_maker: bool) -> None:
        is_first = not order.executed_base
        if is_first and order.order_list_id is not None:
            self._end_rival(order)
        account = self._state.accounts[order.account]
        own = self._state.settlement.fill(order, account, self._listing.rules, trade, is_maker=is_maker)
        self._state.history.add_trade(own)
        self._touched(order.account).add(own.commission_asset)
        self.report(order, ExecutionType.TRADE, trade=own, is_first_fill=is_first)
        if not order.is_open:
            self._close(order)
            return
        self._release_surplus(order)
        if is_maker:
            self._listing.book.note_smaller()
            if order.iceberg_quantity:
                self._use_slice(order, trade.quantity)

    def _prevent(self, taker: ExchangeOrder, match: Prevention) -> None:
        """Take the quantities of a prevented match off the orders; who has nothing left ends."""
        maker = match.maker
        record = PreventedMatch(
            prevented_match_id=self._listing.next_prevented_match_id(),
            account=taker.account,
            symbol=taker.symbol,
            taker_order_id=taker.order_id,
            maker_order_id=maker.order_id,
            trade_group_id=NO_TRADE_GROUP,
            mode=taker.self_trade_prevention,
            price=match.price,
            quantity=match.quantity,
            taker_prevented=match.taker_quantity,
            maker_prevented=match.maker_quantity,
            at_ms=self._at_ms,
        )
        self._state.history.add_prevented(record)
        for order, quantity in ((maker, match.maker_quantity), (taker, match.taker_quantity)):
            if not quantity:
                continue
            order.prevented_base += quantity
            order.prevented_match_id = record.prevented_match_id
            order.updated_ms = self._at_ms
            if not order.remaining:
                order.status = Status.EXPIRED_IN_MATCH
            self._touched(order.account)
            self.report(order, ExecutionType.TRADE_PREVENTION, prevented=record)
            if not order.is_open:
                self._close(order)
                continue
            self._release_surplus(order)
            if order is maker:
                self._listing.book.note_smaller()
                if order.iceberg_quantity:
                    self._use_slice(order, quantity)

    def _use_slice(self, order: ExchangeOrder, quantity: Decimal) -> None:
        """The book shows an iceberg order's next slice when one is used up; it stands last at its price."""
        order.shown -= quantity
        if not order.shown:
            self._listing.book.rest(order)

    def _trigger(self, order: ExchangeOrder) -> None:
        """A stop order works from now on: reported a second time as new, it acts as MARKET or LIMIT."""
        order.working_ms = order.updated_ms = self._at_ms
        self._touched(order.account)
        self.report(order, ExecutionType.NEW)
        if order.order_list_id is not None:
            self._end_rival(order)
        account = self._state.accounts[order.account]
        asset = paid_asset(order.side, self._listing.rules)
        plan = plan_triggered(order, self._listing, order.locked + account.free(asset))
        if order.type in MARKET_STOPS:
            order.lock_price = None
            if plan.requirement > order.locked:
                account.lock(asset, plan.requirement - order.locked)
                order.locked = plan.requirement
        self.start(order, plan)

    def _open_pending(self, order_list: OrderList) -> None:
        """The working order has filled: its pending orders arrive, or expire as REJECTED when they cannot."""
        legs = order_list.pending
        try:
            plans = self.plan(legs)
            self.fund(legs, plans)
        except OrderRefused as refusal:
            for leg in legs:
                self.end(leg, Status.EXPIRED, ExpiryReason.REJECTED, reject_reason=refusal.reject_reason)
            return
        for leg in legs:
            leg.status = Status.NEW
            leg.updated_ms = self._at_ms
            leg.working_ms = None if leg.type in STOP_TYPES else self._at_ms
            self._touched(leg.account)
            self.report(leg, ExecutionType.NEW)
        for leg, plan in zip(legs, plans, strict=True):
            self.start(leg, plan)

    def _close(self, order: ExchangeOrder) -> None:
        """An order has ended: give back what it holds, take it out of where it stood, think of its list."""
        if order.locked:
            asset = paid_asset(order.side, self._listing.rules)
            self._state.accounts[order.account].release(asset, order.locked)
            order.locked -= order.locked
        self._state.history.close(order)
        if order.queue_number:
            self._listing.book.remove(order)
        elif order.waits_for_trigger:
            self._listing.stops.remove(order)
        if order.order_list_id is not None:
            self._leg_ended(order)

    def _leg_ended(self, order: ExchangeOrder) -> None:
        """What the end of a leg means for the others; a cancel and an OCO_TRIGGER end all legs that they mean to."""
        order_list = self._list_of(order)
        self._touched_lists[order_list.list_id] = order_list
        if order.status is Status.CANCELED or order.expiry_reason is ExpiryReason.OCO_TRIGGER:
            return
        if order is not order_list.working:
            self._end_rival(order)
        elif order.status is Status.FILLED:
            first = order_list.pending[0]
            heapq.heappush(self._due, (first.order_id, first))
        else:
            for pending in order_list.pending:
                self.end(pending, Status.EXPIRED, ExpiryReason.OTO_PHASE_ONE_EXPIRED)

    def _end_rival(self, order: ExchangeOrder) -> None:
        """A leg of an OCO fills, triggers or ends: the other one expires, and leaves the funds that it held to it."""
        rival = self._list_of(order).rival_of(order)
        if rival is None or not rival.is_open or rival.status is Status.PENDING_NEW:
            return
        if order.is_open:
            order.locked += rival.locked
            rival.locked -= rival.locked
        self.end(rival, Status.EXPIRED, ExpiryReason.OCO_TRIGGER)
        if order.is_open:
            self._release_surplus(order)

    def _release_surplus(self, order: ExchangeOrder) -> None:
        """Give back what an open order, or an OCO together, holds beyond its need."""
        if order.lock_price is None:
            return
        needed, holder = order.needed, order
        rival = None if order.order_list_id is None else self._list_of(order).rival_of(order)
        if rival is not None and rival.is_open:
            needed = max(needed, rival.needed)
            holder = max(order, rival, key=lambda leg: leg.locked)
        if holder.locked > needed:
            asset = paid_asset(order.side, self._listing.rules)
            self._state.accounts[order.account].release(asset, holder.locked - needed)
            holder.locked = needed

    def _list_of(self, order: ExchangeOrder) -> OrderList:
        assert order.order_list_id is not None, "the order is not a leg of a list"
        order_list = self._state.history.find_list(order.account, order.order_list_id)
        assert order_list is not None, "an open list is never forgotten"
        return order_list

    def _touched(self, account: str) -> set[str]:
        """The assets of an account whose balances this transaction may change."""
        assets = self.transaction.assets.get(account)
        if assets is None:
            rules = self._listing.rules
            assets = self.transaction.assets[account] = {rules.base_asset, rules.quote_asset}
        return assets
