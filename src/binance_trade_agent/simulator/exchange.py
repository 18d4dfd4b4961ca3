"""The exchange itself, without any protocol: a feed drives the market and the matching engine along the market clock.

Everything that happens is a transaction of the engine, in the order of market time. Whoever wants to know of it (user
streams, market streams, the state file) is a listener.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.matching.book import Level, OrderBook
from binance_trade_agent.matching.engine import MatchingEngine
from binance_trade_agent.matching.errors import OrderRefused
from binance_trade_agent.matching.lists import OrderList, OrderListRequest
from binance_trade_agent.matching.orders import ExchangeOrder, OrderRequest
from binance_trade_agent.matching.reset import begin_anew
from binance_trade_agent.matching.snapshot import restore_snapshot
from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.simulator.access import Access, TimestampPolicy
from binance_trade_agent.simulator.admission import check_admission
from binance_trade_agent.simulator.customers import Customers
from binance_trade_agent.simulator.limits import OrderCount
from binance_trade_agent.simulator.listings import Listings
from binance_trade_agent.simulator.market.feed import Event, OutsideTrade, Quote
from binance_trade_agent.simulator.market.state import Market
from binance_trade_agent.simulator.opening import ExchangeSetup, open_symbols, record_preludes
from binance_trade_agent.simulator.rejections import rejection
from binance_trade_agent.simulator.switches import Switches

MAIN_ACCOUNT = "main"
_CLIENT_ID_LENGTH = 22
_LONGEST_ADVANCE_SECONDS = 0.05
_GIVEN_BACK_FOR_TAKER_FILL = 1
_GIVEN_BACK_FOR_MAKER_FILL = 5


class Exchange:
    """Market, matching and accounts at one market time.

    Attributes:
        customers: who holds the accounts.
        switches: how it behaves where there are two ways.
        listeners: called with each transaction right after it happened.
        snapshot_listeners: called with a symbol before somebody is shown its book with the book's update id.
        changed: whether a user's order or balance has changed since the state was last saved.
    """

    def __init__(self, setup: ExchangeSetup) -> None:
        saved = setup.saved
        self.session_id = setup.session_id
        self.clock = setup.clock
        self.feed = setup.feed
        self.listings = Listings({symbol: setup.feed.listings[symbol] for symbol in setup.feed.symbols})
        self.market = Market(setup.feed)
        self.engine = MatchingEngine(setup.rates)
        self.timestamps = TimestampPolicy(
            session_start_ms=setup.feed.start_ms, is_strict=setup.is_strict, wall_ms=setup.wall_ms
        )
        self.access = Access(setup.keys, self.timestamps)
        self.listeners: list[Callable[[Transaction], None]] = []
        self.snapshot_listeners: list[Callable[[str], None]] = []
        self.changed = saved is None
        self._wall_ms = setup.wall_ms
        self._session_start_ms = setup.feed.start_ms
        self.customers = Customers()
        self.switches = Switches()
        self._opening_balances = {MAIN_ACCOUNT: setup.balances}
        self._open(setup)

    @property
    def now_ms(self) -> int:
        """Market time of the last advance."""
        return self.market.now_ms

    @property
    def server_ms(self) -> int:
        """Market time as the exchange shows it, with the fault of its clock if it has one."""
        return self.now_ms + self.timestamps.skew_ms

    def limits_now_ms(self) -> int:
        """The time on which rate limits run: market time; that of a stepped market passes with wall time as well.

        A market that stands still must not shut a busy client out for ever, nor one that leaps ahead count what a day
        of its time has asked for as one minute's. On a clock that is set by hand for a check they run on that clock.
        """
        if not self.clock.is_stepped or self.timestamps.is_strict:
            return self.now_ms
        return self._wall_ms() + self.now_ms - self._session_start_ms

    @property
    def speed_label(self) -> str:
        """The clock's speed as text: a multiple of real time, or `stepped`."""
        return "stepped" if self.clock.speed is None else plain(self.clock.speed)

    def rules(self, symbol: str) -> SymbolRules:
        """Filters of a listed symbol."""
        return self.engine.listings[symbol].rules

    def set_status(self, symbol: str, status: str) -> None:
        """Open a symbol's trading (TRADING) or close it (BREAK, HALT, ...; binance-protocol.md 1.1)."""
        listing = self.engine.listings[symbol]
        listing.rules = replace(listing.rules, status=status)
        self.listings[symbol] = {**self.listings[symbol], "status": status}

    def advance(self, until_ms: int | None = None) -> int:
        """Let everything happen that the market has until the clock's now, or `until_ms`; returns market time.

        A market that runs by itself does so for a bounded time, so that requests and signals are heard at any speed:
        one that is faster than the machine is slowed down, one that is behind by little catches up with the next call.
        """
        now_ms = self.clock.now_ms() if until_ms is None else until_ms
        began_seconds = monotonic_seconds()
        for item in self.feed.prints_until(now_ms):
            self._apply(item)
            if not self.clock.is_stepped and monotonic_seconds() - began_seconds > _LONGEST_ADVANCE_SECONDS:
                now_ms = max(item.at_ms, self.now_ms)
                self.clock.slow_down_to(now_ms)
                break
        self.market.advance_to(now_ms)
        return now_ms

    def open_account(self, name: str, balances: Mapping[str, Decimal]) -> None:
        """Open an account with these free amounts per asset.

        Raises:
            ValueError: there is an account of that name already.
        """
        if name in self.engine.accounts:
            raise ValueError(f"account {name!r} exists already")
        self.engine.open_account(name, balances)
        self._opening_balances[name] = balances
        self.customers.add(name, self.now_ms)
        self.changed = True

    def monthly_reset(self) -> None:
        """Forget all orders and trades, count order ids anew, refill the balances; keys stay (binance-protocol.md 5.4).

        An account that was opened in an earlier process of the session is refilled like the main one.
        """
        refill = self._opening_balances[MAIN_ACCOUNT]
        begin_anew(self.engine, {name: self._opening_balances.get(name, refill) for name in self.engine.accounts})
        self.changed = True

    def deposit(self, account: str, asset: str, amount: Decimal) -> None:
        """Credit an amount from outside now, or debit it when it is below 0; see MatchingEngine for what is refused."""
        engine = self.engine
        move = engine.deposit if amount > 0 else engine.withdraw
        self._announce(move(account, asset, abs(amount), self.now_ms))

    def admit(self, request: OrderRequest) -> None:
        """Refuse what the symbol or the account does not allow; see admission.py.

        Raises:
            OrderRefused: with the engine's text.
        """
        check_admission(request, self.listings[request.symbol], self.customers[request.account].permissions)

    def place(self, request: OrderRequest) -> Transaction:
        """Place an order now; see MatchingEngine.place for what it raises."""
        return self._place((request,), lambda: self.engine.place(request, self.now_ms))

    def place_list(self, request: OrderListRequest) -> Transaction:
        """Place a list now; see MatchingEngine.place_list for what it raises."""
        return self._place(request.legs, lambda: self.engine.place_list(request, self.now_ms))

    def cancel(self, order: ExchangeOrder, cancel_id: str | None) -> Transaction:
        """Cancel an order now, a leg with its list; a missing `cancel_id` is made up. See MatchingEngine.cancel."""
        new_id = cancel_id or self.generated_id("cancel", order.symbol, order.order_id)
        return self._cancelled(self.engine.cancel(order, self.now_ms, cancel_id=new_id))

    def cancel_list(self, order_list: OrderList, cancel_id: str | None) -> Transaction:
        """Cancel a list now; a missing `cancel_id` is made up. See MatchingEngine.cancel_list for its errors."""
        new_id = cancel_id or self.generated_id("cancel list", order_list.list_id)
        return self._cancelled(self.engine.cancel_list(order_list, self.now_ms, cancel_id=new_id))

    def replace_book(self, symbol: str, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Set the outside market's levels by hand, best first."""
        transaction = self.engine.apply_book(symbol, bids, asks, self.now_ms)
        self._record_trades(transaction)
        self._announce(transaction)

    def print_trade(self, symbol: str, price: Decimal, quantity: Decimal, taker_side: Side) -> None:
        """Let the outside market trade by hand; its book stays as it is."""
        transaction = self.engine.apply_trade(symbol, price, quantity, taker_side, self.now_ms)
        self._record_trades(transaction)
        self._announce(transaction)

    def book_snapshot(self, symbol: str) -> OrderBook:
        """The book of a symbol for somebody who wants to follow its changes from there on by a stream."""
        for tell in self.snapshot_listeners:
            tell(symbol)
        return self.engine.listings[symbol].book

    def order_count(self, account: str) -> OrderCount:
        """The account's unfilled order count."""
        return self.customers[account].order_count

    def count_orders(self, account: str, number: int) -> None:
        """Add to the account's unfilled order count; less than 0 gives back."""
        self.order_count(account).add(number, self.limits_now_ms())

    def generated_id(self, *parts: str | int) -> str:
        """A client id for an order or a cancel that came without one: the same in each run of the same session."""
        text = "/".join((self.session_id, *map(str, parts)))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()[:_CLIENT_ID_LENGTH]

    def _open(self, setup: ExchangeSetup) -> None:
        preludes = open_symbols(self.engine, self.feed, self.listings)
        if setup.saved is None:
            self.open_account(MAIN_ACCOUNT, setup.balances)
        else:
            restore_snapshot(self.engine, setup.saved)
            for name in self.engine.accounts:
                self.customers.add(name, self.now_ms)
        record_preludes(self.engine, self.market, preludes)

    def _apply(self, item: Event) -> None:
        """One event. Stop orders that a trade triggers meet the book that it leaves, where the event tells it."""
        if isinstance(item, Quote):
            transaction = self.engine.apply_book(item.symbol, item.bids, item.asks, item.at_ms)
        else:
            book = None if isinstance(item, OutsideTrade) else (item.bids, item.asks)
            transaction = self.engine.apply_trade(
                item.symbol, item.price, item.quantity, item.taker_side, item.at_ms, book
            )
        self._record_trades(transaction)
        self._announce(transaction)

    def _record_trades(self, transaction: Transaction) -> None:
        for trade in transaction.trades:
            self.market.record(trade)

    def _place(self, legs: Sequence[OrderRequest], place: Callable[[], Transaction]) -> Transaction:
        """Let orders of one account on one symbol be placed together, and count them."""
        account, symbol = legs[0].account, legs[0].symbol
        book = None if self.switches.liquidity_is_consumed else self._outside_levels(symbol)
        try:
            for leg in legs:
                self.admit(leg)
            transaction = place()
        except OrderRefused as refusal:
            self._announce_rejections(legs, refusal)
            raise
        self.count_orders(account, len(legs))
        self._record_trades(transaction)
        self._announce(transaction)
        if book is not None:
            self.replace_book(symbol, *book)
        return transaction

    def _outside_levels(self, symbol: str) -> tuple[Sequence[Level], Sequence[Level]]:
        """Bids and asks of the outside book."""
        book = self.engine.listings[symbol].book
        return tuple(book.outside(Side.BUY)), tuple(book.outside(Side.SELL))

    def _cancelled(self, transaction: Transaction) -> Transaction:
        if not self.switches.cancel_replaces_client_id:
            for report in transaction.reports:
                if report.original_client_order_id:
                    self.engine.history.rename(report.order, report.original_client_order_id)
        self._announce(transaction)
        return transaction

    def _announce(self, transaction: Transaction) -> None:
        for account in transaction.assets:
            self.changed = True
            self.customers[account].updated_ms = transaction.at_ms
        for report in transaction.reports:
            if report.is_first_fill and report.trade is not None:
                given_back = _GIVEN_BACK_FOR_MAKER_FILL if report.trade.is_maker else _GIVEN_BACK_FOR_TAKER_FILL
                self.count_orders(report.order.account, -given_back)
        for listener in self.listeners:
            listener(transaction)

    def _announce_rejections(self, legs: Sequence[OrderRequest], refusal: OrderRefused) -> None:
        if not self.switches.report_rejected_orders:
            return
        for leg in legs:
            self.engine.last_execution_id += 1
            self._announce(rejection(leg, refusal, self.engine.last_execution_id, self.now_ms))
