"""The matching engine: orders in, transactions out (binance-protocol.md 4.2 to 4.5).

Each method is one transaction: it happens as a whole, or raises a `Refused` and nothing has changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.book import Level, Offer, OrderBook, is_better, opposite
from binance_trade_agent.matching.commission import CommissionRates
from binance_trade_agent.matching.errors import (
    DUPLICATE_ORDER,
    MARKET_CLOSED,
    UNKNOWN_ORDER,
    CancelRefused,
    OrderRefused,
)
from binance_trade_agent.matching.history import History
from binance_trade_agent.matching.order_types import Plan, behaviour_of
from binance_trade_agent.matching.orders import (
    ExchangeOrder,
    ExecutionReport,
    ExecutionType,
    OrderRequest,
    PublicTrade,
    Status,
    Trade,
)
from binance_trade_agent.matching.settlement import Settlement, pay_and_receive
from binance_trade_agent.matching.transactions import Transaction


@dataclass(slots=True)
class Listing:
    """A symbol on the exchange: its rules, its book, and the last ids given out."""

    rules: SymbolRules
    book: OrderBook = field(default_factory=OrderBook)
    last_order_id: int = 0
    last_trade_id: int = 0

    def next_trade_id(self) -> int:
        """A new trade id, larger than all before it on this symbol."""
        self.last_trade_id += 1
        return self.last_trade_id


class MatchingEngine:
    """Symbols, accounts, orders and trades of one exchange."""

    def __init__(self, rates: CommissionRates | None = None) -> None:
        self.listings: dict[str, Listing] = {}
        self.accounts: dict[str, Account] = {}
        self.history = History()
        self.settlement = Settlement(rates or CommissionRates())
        self.deposits: dict[str, Decimal] = {}
        self.last_execution_id = 0

    def list_symbol(self, rules: SymbolRules) -> None:
        """Open trading on a symbol."""
        self.listings[rules.symbol] = Listing(rules)

    def open_account(self, name: str, balances: Mapping[str, Decimal]) -> None:
        """Open an account with these free amounts per asset."""
        self.accounts[name] = Account(balances)
        for asset, amount in balances.items():
            self.deposits[asset] = self.deposits.get(asset, ZERO) + amount

    def place(self, request: OrderRequest, at_ms: int) -> Transaction:
        """Accept an order and match it.

        Raises:
            OrderRefused: no such order now; the text is Binance's for -2010.
            KeyError: unknown account or symbol.
        """
        listing = self.listings[request.symbol]
        account = self.accounts[request.account]
        self._check_admission(request, listing.rules)
        plan = behaviour_of(request).plan(request, listing.book, listing.rules)
        self._check_position(request, plan.quantity, listing.rules)
        account.lock(pay_and_receive(request.side, listing.rules)[0], plan.requirement)

        order = self._accept(request, plan, listing, at_ms)
        transaction = Transaction(at_ms, order)
        self._touch(transaction, order)
        self._report(transaction, order, ExecutionType.NEW)
        for match in plan.matches:
            self._match(transaction, listing, order, match)
        if order.is_open and plan.expiry:
            order.expiry_reason = plan.expiry
            self._end(transaction, order, Status.EXPIRED)
        elif order.is_open:
            listing.book.rest(order)
        return transaction

    def cancel(self, order: ExchangeOrder, at_ms: int, *, cancel_id: str | None) -> Transaction:
        """Cancel an open order. `cancel_id` takes the place of its client order id; None leaves that as it is.

        Raises:
            CancelRefused: the order is not open.
        """
        if not order.is_open:
            raise CancelRefused(UNKNOWN_ORDER)
        placed_as = order.client_order_id
        if cancel_id is not None:
            self.history.rename(order, cancel_id)
        transaction = Transaction(at_ms, order)
        self._touch(transaction, order)
        self._end(transaction, order, Status.CANCELED, original_client_order_id=placed_as)
        return transaction

    def apply_trade(self, symbol: str, price: Decimal, quantity: Decimal, taker_side: Side, at_ms: int) -> Transaction:
        """The outside market traded. Resting orders fill whose turn it was, or through whose price it went."""
        listing = self.listings[symbol]
        transaction = Transaction(at_ms)
        transaction.trades.append(
            PublicTrade(listing.next_trade_id(), symbol, price, quantity, taker_side, at_ms),
        )
        self._fill_through(transaction, listing, Side.BUY, price)
        self._fill_through(transaction, listing, Side.SELL, price)
        self._fill_queue(transaction, listing, opposite(taker_side), price, quantity)
        return transaction

    def apply_book(self, symbol: str, bids: Sequence[Level], asks: Sequence[Level], at_ms: int) -> Transaction:
        """The outside market's levels are new. Resting orders fill through whose price it quotes."""
        listing = self.listings[symbol]
        transaction = Transaction(at_ms)
        listing.book.replace_outside(bids, asks)
        if asks:
            self._fill_through(transaction, listing, Side.BUY, asks[0][0])
        if bids:
            self._fill_through(transaction, listing, Side.SELL, bids[0][0])
        return transaction

    def _check_admission(self, request: OrderRequest, rules: SymbolRules) -> None:
        if rules.status != "TRADING":
            raise OrderRefused(MARKET_CLOSED)
        namesake = self.history.find_by_client_id(request.account, request.symbol, request.client_order_id)
        if namesake is not None and namesake.is_open:
            raise OrderRefused(DUPLICATE_ORDER)
        if rules.max_orders and len(self.history.open_orders(request.account, request.symbol)) >= rules.max_orders:
            raise OrderRefused("Filter failure: MAX_NUM_ORDERS")

    def _check_position(self, request: OrderRequest, quantity: Decimal, rules: SymbolRules) -> None:
        if request.side is Side.SELL or not rules.max_position:
            return
        held = self.accounts[request.account].total(rules.base_asset)
        open_orders = self.history.open_orders(request.account, request.symbol)
        bought = sum((order.quantity for order in open_orders if order.side is Side.BUY), ZERO)
        if held + bought + quantity > rules.max_position:
            raise OrderRefused("Filter failure: MAX_POSITION")

    def _accept(self, request: OrderRequest, plan: Plan, listing: Listing, at_ms: int) -> ExchangeOrder:
        listing.last_order_id += 1
        order = ExchangeOrder(
            order_id=listing.last_order_id,
            account=request.account,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            client_order_id=request.client_order_id,
            quantity=plan.quantity,
            quote_quantity=request.quote_quantity or ZERO,
            price=request.price or ZERO,
            created_ms=at_ms,
            updated_ms=at_ms,
            locked=plan.requirement,
            strategy_id=request.strategy_id,
            strategy_type=request.strategy_type,
        )
        self.history.add(order)
        return order

    def _match(self, transaction: Transaction, listing: Listing, taker: ExchangeOrder, match: Offer) -> None:
        """Trade between an arriving order and what it meets."""
        trade = PublicTrade(
            listing.next_trade_id(), taker.symbol, match.price, match.quantity, taker.side, transaction.at_ms
        )
        transaction.trades.append(trade)
        self._fill(transaction, listing, taker, trade, is_maker=False)
        if match.maker is not None:
            self._fill(transaction, listing, match.maker, trade, is_maker=True)
        else:
            self.settlement.trade_outside(taker.side, listing.rules, match.price, match.quantity)
            listing.book.consume_outside(opposite(taker.side), match.quantity)

    def _fill_through(self, transaction: Transaction, listing: Listing, side: Side, price: Decimal) -> None:
        for order in list(listing.book.resting(side)):
            if not is_better(side, order.price, price):
                return
            self._fill_outside(transaction, listing, order, order.remaining)

    def _fill_queue(
        self, transaction: Transaction, listing: Listing, side: Side, price: Decimal, quantity: Decimal
    ) -> None:
        """An outside trade of `quantity` at `price` uses up what stands before each resting order there, then fills."""
        to_users = ZERO
        for order in [resting for resting in listing.book.resting(side) if resting.price == price]:
            reached = quantity - to_users - order.queue_ahead
            order.queue_ahead = max(ZERO, -reached)
            if reached > 0:
                filled = min(reached, order.remaining)
                to_users += filled
                self._fill_outside(transaction, listing, order, filled)

    def _fill_outside(
        self, transaction: Transaction, listing: Listing, order: ExchangeOrder, quantity: Decimal
    ) -> None:
        """The outside market takes from a resting order."""
        trade = PublicTrade(
            listing.next_trade_id(), order.symbol, order.price, quantity, opposite(order.side), transaction.at_ms
        )
        transaction.trades.append(trade)
        self._touch(transaction, order)
        self._fill(transaction, listing, order, trade, is_maker=True)
        self.settlement.trade_outside(order.side, listing.rules, order.price, quantity)

    def _fill(
        self, transaction: Transaction, listing: Listing, order: ExchangeOrder, trade: PublicTrade, *, is_maker: bool
    ) -> None:
        is_first = not order.executed_base
        own_trade = self.settlement.fill(
            order,
            self.accounts[order.account],
            listing.rules,
            price=trade.price,
            quantity=trade.quantity,
            trade_id=trade.trade_id,
            is_maker=is_maker,
            at_ms=transaction.at_ms,
        )
        self.history.add_trade(own_trade)
        self._touch(transaction, order)
        self._report(transaction, order, ExecutionType.TRADE, trade=own_trade, is_first_fill=is_first)
        if not order.is_open:
            self._settle_ended(order, listing)

    def _end(
        self, transaction: Transaction, order: ExchangeOrder, status: Status, *, original_client_order_id: str = ""
    ) -> None:
        order.status = status
        order.updated_ms = transaction.at_ms
        self._settle_ended(order, self.listings[order.symbol])
        self._report(transaction, order, ExecutionType(status), original_client_order_id=original_client_order_id)

    def _settle_ended(self, order: ExchangeOrder, listing: Listing) -> None:
        self.settlement.release(order, self.accounts[order.account], listing.rules)
        self.history.close(order)
        listing.book.remove(order)

    def _touch(self, transaction: Transaction, order: ExchangeOrder) -> None:
        rules = self.listings[order.symbol].rules
        transaction.assets.setdefault(order.account, set()).update((rules.base_asset, rules.quote_asset))

    def _report(
        self,
        transaction: Transaction,
        order: ExchangeOrder,
        execution: ExecutionType,
        *,
        original_client_order_id: str = "",
        trade: Trade | None = None,
        is_first_fill: bool = False,
    ) -> None:
        self.last_execution_id += 1
        report = ExecutionReport(
            order=order,
            execution=execution,
            status=order.status,
            client_order_id=order.client_order_id,
            executed_base=order.executed_base,
            executed_quote=order.executed_quote,
            execution_id=self.last_execution_id,
            at_ms=transaction.at_ms,
            original_client_order_id=original_client_order_id,
            trade=trade,
            is_first_fill=is_first_fill,
        )
        transaction.reports.append(report)
