"""The matching engine: orders in, transactions out (binance-protocol.md 4.2 to 4.5).

Each method is one transaction: it happens as a whole, or raises a `Refused` and nothing has changed.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_UP, Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.admission import check_admission, check_list, check_position
from binance_trade_agent.matching.book import OPPOSITE, Level, is_better
from binance_trade_agent.matching.commission import CommissionRates, CommissionSchedule
from binance_trade_agent.matching.errors import MARKET_CLOSED, UNKNOWN_ORDER, CancelRefused
from binance_trade_agent.matching.execution import Execution
from binance_trade_agent.matching.listing import Listing
from binance_trade_agent.matching.lists import Contingency, OrderList, OrderListRequest
from binance_trade_agent.matching.orders import STOP_TYPES, ExchangeOrder, OrderRequest, Status
from binance_trade_agent.matching.state import ExchangeLimits, ExchangeState
from binance_trade_agent.matching.transactions import Transaction

Levels = tuple[Sequence[Level], Sequence[Level]]

_LOCK_UNIT = Decimal("0.00000001")
_BIPS = 10_000
_CANCELS_ACCEPTED = frozenset({"TRADING", "CANCEL_ONLY", "BREAK"})


class MatchingEngine(ExchangeState):
    """Symbols, accounts, orders and trades of one exchange.

    A symbol takes new orders while its status is TRADING, and cancels while it is TRADING, CANCEL_ONLY or BREAK, not in
    HALT or any other [I].
    """

    def __init__(
        self, rates: CommissionRates | CommissionSchedule | None = None, limits: ExchangeLimits | None = None
    ) -> None:
        """Nothing is listed and nobody has an account.

        Args:
            rates: what trading costs; standard rates alone are a schedule without tax, special rates and discount.
            limits: filters over all symbols; none by default.
        """
        schedule = rates if isinstance(rates, CommissionSchedule) else CommissionSchedule(rates)
        super().__init__(schedule, limits or ExchangeLimits())

    def list_symbol(self, rules: SymbolRules, last_price: Decimal | None = None) -> None:
        """Open trading on a symbol that last traded at `last_price`, quote per base, as far as known."""
        self.add_listing(Listing(rules, last_price=last_price))

    def set_status(self, symbol: str, status: str) -> None:
        """Change a symbol's status, such as TRADING, CANCEL_ONLY, BREAK or HALT; open orders stay."""
        listing = self.listings[symbol]
        listing.rules = replace(listing.rules, status=status)

    def open_account(self, name: str, balances: Mapping[str, Decimal]) -> None:
        """Open an account with these free amounts per asset."""
        self.accounts[name] = Account(balances)
        for asset, amount in balances.items():
            self.deposits[asset] = self.deposits.get(asset, ZERO) + amount

    def deposit(self, account: str, asset: str, amount: Decimal, at_ms: int) -> Transaction:
        """Bring `amount` of an asset to an account from outside.

        Raises:
            KeyError: unknown account.
            ValueError: the amount is not positive.
        """
        if amount <= 0:
            raise ValueError(f"a deposit of {amount} {asset} is not positive")
        self.accounts[account].credit(asset, amount)
        self.deposits[asset] = self.deposits.get(asset, ZERO) + amount
        return Transaction(at_ms, assets={account: {asset}}, deposits={account: {asset: amount}})

    def withdraw(self, account: str, asset: str, amount: Decimal, at_ms: int) -> Transaction:
        """Take `amount` of an asset away from an account, to the outside.

        Raises:
            KeyError: unknown account.
            ValueError: the amount is not positive, or more than is free.
        """
        free = self.accounts[account].free(asset)
        if not 0 < amount <= free:
            raise ValueError(f"a withdrawal of {amount} {asset} is not possible: {free} {asset} is free")
        self.accounts[account].credit(asset, -amount)
        self.deposits[asset] = self.deposits.get(asset, ZERO) - amount
        return Transaction(at_ms, assets={account: {asset}}, deposits={account: {asset: -amount}})

    def place(self, request: OrderRequest, at_ms: int) -> Transaction:
        """Accept an order and match it.

        Raises:
            OrderRefused: no such order now; the text is Binance's for -2010.
            KeyError: unknown account or symbol.
        """
        listing = self.listings[request.symbol]
        check_admission(self, listing.rules, (request,))
        order = _new_order(request, listing, at_ms)
        execution = Execution(self, listing, at_ms)
        plans = execution.plan((order,))
        order.quantity = plans[0].quantity
        check_position(self, listing.rules, (order,))
        execution.fund((order,), plans)
        execution.transaction.order = order
        execution.accept(order)
        execution.start(order, plans[0])
        return execution.finish()

    def place_list(self, request: OrderListRequest, at_ms: int) -> Transaction:
        """Accept an OCO, an OTO or an OTOCO and match what works of it.

        A list is accepted as a whole: an OCO whose limit leg would take is refused like a LIMIT_MAKER alone. Each leg,
        pending ones too, counts in the filters that count orders.

        Raises:
            OrderRefused: no such list now; the text is Binance's for -2010.
            KeyError: unknown account or symbol.
        """
        listing = self.listings[request.symbol]
        check_admission(self, listing.rules, request.legs)
        check_list(self, listing.rules, request)
        orders = [_new_order(leg, listing, at_ms) for leg in request.legs]
        arriving = orders if request.contingency is Contingency.OCO else orders[:1]
        execution = Execution(self, listing, at_ms)
        plans = execution.plan(arriving)
        check_position(self, listing.rules, orders)
        execution.fund(arriving, plans)

        order_list = self._new_list(request, orders, at_ms)
        execution.transaction.order_list = order_list
        for order in orders:
            order.order_list_id = order_list.list_id
            if order not in arriving:
                order.status, order.working_ms = Status.PENDING_NEW, None
            execution.accept(order)
        self.history.add_list(order_list)
        execution.report_list(order_list)
        for order, plan in zip(arriving, plans, strict=True):
            execution.start(order, plan)
        return execution.finish()

    def cancel(self, order: ExchangeOrder, at_ms: int, *, cancel_id: str | None) -> Transaction:
        """Cancel an open order, and with a leg its whole list.

        `cancel_id` takes the place of the client order id; None leaves that as it is.

        Raises:
            CancelRefused: the order is not open, or its symbol takes no cancels.
        """
        if not order.is_open:
            raise CancelRefused(UNKNOWN_ORDER)
        if order.order_list_id is not None:
            order_list = self.history.find_list(order.account, order.order_list_id)
            assert order_list is not None, "the list of an open order is never forgotten"
            transaction = self.cancel_list(order_list, at_ms, cancel_id=cancel_id)
        else:
            transaction = self._cancel_all((order,), at_ms, cancel_id).finish()
        transaction.order = order
        return transaction

    def cancel_list(self, order_list: OrderList, at_ms: int, *, cancel_id: str | None) -> Transaction:
        """Cancel the open legs of a list. `cancel_id` takes the place of each one's client order id.

        Raises:
            CancelRefused: no leg is open, or the symbol takes no cancels.
        """
        if not order_list.is_open:
            raise CancelRefused(UNKNOWN_ORDER)
        open_legs = [order for order in order_list.orders if order.is_open]
        execution = self._cancel_all(open_legs, at_ms, cancel_id)
        execution.transaction.order_list = order_list
        return execution.finish()

    def apply_trade(
        self, symbol: str, price: Decimal, quantity: Decimal, taker_side: Side, at_ms: int, book: Levels | None = None
    ) -> Transaction:
        """The outside market traded. Resting orders fill through whose price it went, or whose turn it was.

        Those that it went through trade before it, as a taker who walks the book meets them.

        Args:
            symbol: of the trade.
            price: in quote per base.
            quantity: in base asset.
            taker_side: who took.
            at_ms: when.
            book: bids and asks that the trade leaves behind, if it is known; stop orders that the trade triggers meet
                these and not what was there before.
        """
        listing = self.listings[symbol]
        execution = Execution(self, listing, at_ms)
        _fill_through(execution, listing, Side.BUY, price)
        _fill_through(execution, listing, Side.SELL, price)
        execution.publish(price, quantity, taker_side)
        _fill_queue(execution, listing, OPPOSITE[taker_side], price, quantity)
        if book is not None:
            _requote(execution, listing, book)
        return execution.finish()

    def apply_book(self, symbol: str, bids: Sequence[Level], asks: Sequence[Level], at_ms: int) -> Transaction:
        """The outside market's levels are new. Resting orders fill through whose price it quotes."""
        listing = self.listings[symbol]
        execution = Execution(self, listing, at_ms)
        _requote(execution, listing, (bids, asks))
        return execution.finish()

    def _new_list(self, request: OrderListRequest, orders: list[ExchangeOrder], at_ms: int) -> OrderList:
        self.last_list_id += 1
        return OrderList(
            list_id=self.last_list_id,
            account=request.account,
            symbol=request.symbol,
            contingency=request.contingency,
            client_list_id=request.client_list_id,
            orders=orders,
            created_ms=at_ms,
            updated_ms=at_ms,
        )

    def _cancel_all(self, orders: Sequence[ExchangeOrder], at_ms: int, cancel_id: str | None) -> Execution:
        listing = self.listings[orders[0].symbol]
        if listing.rules.status not in _CANCELS_ACCEPTED:
            raise CancelRefused(MARKET_CLOSED)
        execution = Execution(self, listing, at_ms)
        for order in orders:
            placed_as = order.client_order_id
            if cancel_id is not None:
                self.history.rename(order, cancel_id)
            execution.end(order, Status.CANCELED, original_client_order_id=placed_as)
        return execution


def _new_order(request: OrderRequest, listing: Listing, at_ms: int) -> ExchangeOrder:
    """The order that a request asks for, without an id yet; a stop order does not work before its trigger."""
    order = ExchangeOrder.of(request, 0, at_ms)
    order.lock_price = _lock_price(request, listing)
    order.working_ms = None if request.type in STOP_TYPES else at_ms
    return order


def _lock_price(request: OrderRequest, listing: Listing) -> Decimal | None:
    """At which price a BUY holds its funds (binance-protocol.md 4.4).

    A stop that buys at the market holds its stop price. One that only trails has none yet: it holds the last price with
    its delta on top [I], which it will pay if the price turns at once.
    """
    if request.type is OrderType.MARKET:
        return None
    if request.price is not None or request.stop_price is not None:
        return request.price or request.stop_price
    assert request.trailing_delta is not None, "a stop order has a stop price or a delta"
    last_price = listing.last_price or ZERO
    return (last_price * (_BIPS + request.trailing_delta) / _BIPS).quantize(_LOCK_UNIT, ROUND_UP)


def _requote(execution: Execution, listing: Listing, book: Levels) -> None:
    bids, asks = book
    listing.book.replace_outside(bids, asks)
    if asks:
        _fill_through(execution, listing, Side.BUY, asks[0][0])
    if bids:
        _fill_through(execution, listing, Side.SELL, bids[0][0])


def _fill_through(execution: Execution, listing: Listing, side: Side, price: Decimal) -> None:
    """The outside market went through to `price`: all that rests before it on `side` fills."""
    best = listing.book.resting(side).best()
    if best is None or not is_better(side, best, price):
        return
    for order in list(listing.book.resting(side)):
        if not is_better(side, order.price, price):
            return
        execution.fill_from_outside(order, order.remaining)


def _fill_queue(execution: Execution, listing: Listing, side: Side, price: Decimal, quantity: Decimal) -> None:
    """An outside trade of `quantity` at `price` uses up what stands before each resting order there, then fills.

    The next slice of an iceberg order joins the end of the queue.
    """
    to_users = ZERO
    queue = list(listing.book.resting(side).at(price))
    for order in queue:
        reached = quantity - to_users - order.queue_ahead
        order.queue_ahead = max(ZERO, -reached)
        if reached <= 0:
            continue
        filled = min(reached, order.visible)
        to_users += filled
        slice_number = order.queue_number
        execution.fill_from_outside(order, filled)
        if order.is_open and order.queue_number != slice_number:
            queue.append(order)
