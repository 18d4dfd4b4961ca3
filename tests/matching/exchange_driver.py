"""A seeded crowd that uses a matching engine in every way it offers, and checks it after each step."""

import random
from collections.abc import Callable
from decimal import Decimal

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.book import OPPOSITE, is_better
from binance_trade_agent.matching.commission import CommissionRates, CommissionSchedule
from binance_trade_agent.matching.engine import MatchingEngine
from binance_trade_agent.matching.errors import Refused
from binance_trade_agent.matching.invariants import account_violations, violations
from binance_trade_agent.matching.lists import Contingency, OrderListRequest
from binance_trade_agent.matching.orders import (
    ExchangeOrder,
    ExecutionType,
    OrderRequest,
    SelfTradePrevention,
    Status,
    TimeInForce,
)
from binance_trade_agent.matching.self_trade import prevents
from binance_trade_agent.matching.snapshot import restore_snapshot, take_snapshot
from binance_trade_agent.matching.transactions import Transaction

SYMBOL = "BNBUSDT"
ACCOUNTS = ("alice", "bob", "carol")
RULES = SymbolRules(
    SYMBOL,
    "BNB",
    "USDT",
    tick_size=Decimal("0.1"),
    step_size=Decimal("0.001"),
    max_orders=12,
    max_algo_orders=6,
    max_iceberg_orders=4,
    max_order_lists=4,
)
BALANCES = {"USDT": Decimal(1_000), "BNB": Decimal(10)}
FULL_CHECK_EVERY = 50

STOP_TYPES = (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)
WITH_LIMIT = frozenset({OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


def new_engine() -> MatchingEngine:
    """One symbol; alice pays commission in BNB, as far as she has some."""
    schedule = CommissionSchedule(
        CommissionRates(Decimal("0.001"), Decimal("0.0015"), seller=Decimal("0.0002")),
        tax=CommissionRates(Decimal(0), Decimal("0.0001")),
    )
    schedule.discount.accounts.add("alice")
    engine = MatchingEngine(schedule)
    engine.list_symbol(RULES, Decimal(100))
    return engine


class Crowd:
    """Three accounts and an outside market around a price of 100."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.engine = new_engine()
        for name in ACCOUNTS:
            self.engine.open_account(name, BALANCES)
        self.now_ms = 0
        self.middle = 1_000
        self.counts: dict[str, int] = {}
        self._ways: list[Callable[[], Transaction | None]] = [
            *[self.new_book] * 4,
            *[self.outside_trade] * 5,
            *[self.place_limit] * 5,
            *[self.place_market] * 2,
            *[self.place_stop] * 4,
            *[self.place_oco] * 2,
            *[self.place_oto] * 2,
            *[self.cancel] * 6,
            self.deposit,
        ]

    def step(self) -> None:
        """Do one thing at random and check what it did."""
        self.now_ms += 1
        before = self._balances() if self.now_ms % 4 == 0 else None
        try:
            transaction = self.random.choice(self._ways)()
        except Refused:
            self._count("refused")
            assert before is None or self._balances() == before, "a refusal has changed balances"
            return
        if transaction is None:
            return
        self.check(transaction)
        if self.now_ms % FULL_CHECK_EVERY == 0:
            assert violations(self.engine) == []
            check_priorities(self.engine)

    def check(self, transaction: Transaction) -> None:
        """What holds of every transaction by itself, and the balances of whom it touched."""
        assert account_violations(self.engine, transaction.assets) == []
        check_turns(self.engine, transaction)
        ids = [trade.trade_id for trade in transaction.trades]
        assert ids == sorted(set(ids))
        for report in transaction.reports:
            self._count(f"{report.execution} {report.order.type}")
            order = report.order
            if report.trade is not None:
                check_price(order, report.trade.price)
            if not order.is_open:
                assert order.locked == 0
            assert order.remaining >= 0
            if order.time_in_force is TimeInForce.FOK:
                assert order.executed_base in {0, order.quantity} or order.is_open
            is_by_amount = bool(order.quote_quantity) and order.status is Status.EXPIRED  # its quantity is what it got
            assert (order.status is Status.FILLED) is (order.executed_base == order.quantity) or is_by_amount
        for list_report in transaction.list_reports:
            self._count(f"list {list_report.status_type}")

    def new_book(self) -> Transaction:
        """The outside quotes anew."""
        self.middle += self.random.randint(-2, 2)
        bids, asks = (
            [
                ((self.middle + sign * (level + 1)) * RULES.tick_size, self._quantity())
                for level in range(self.random.randint(0, 4))
            ]
            for sign in (-1, 1)
        )
        transaction = self.engine.apply_book(SYMBOL, bids, asks, self.now_ms)
        check_outside_fills(
            transaction, asks[0][0] if asks else Decimal("Infinity"), bids[0][0] if bids else Decimal(0)
        )
        return transaction

    def outside_trade(self) -> Transaction:
        """The outside trades, and may leave another book behind."""
        price, quantity = (self.middle + self.random.randint(-3, 3)) * RULES.tick_size, self._quantity()
        book = None
        if self.random.random() < 0.5:
            tick = RULES.tick_size
            book = [(price - tick, self._quantity())], [(price + tick, self._quantity())]
        transaction = self.engine.apply_trade(SYMBOL, price, quantity, self._side(), self.now_ms, book)
        bid, ask = (price - RULES.tick_size, price + RULES.tick_size) if book else (price, price)
        check_outside_fills(transaction, min(price, ask), max(price, bid))
        return transaction

    def place_limit(self) -> Transaction:
        """A LIMIT or LIMIT_MAKER order near the price."""
        kind = self.random.choice([OrderType.LIMIT, OrderType.LIMIT, OrderType.LIMIT_MAKER])
        return self.engine.place(self.request(kind), self.now_ms)

    def place_market(self) -> Transaction:
        """A MARKET order by quantity or by quote amount."""
        request = self.request(OrderType.MARKET)
        if self.random.random() < 0.5:
            return self.engine.place(request, self.now_ms)
        amount = Decimal(self.random.randint(1, 30_000)) / 100
        by_quote = OrderRequest(
            request.account,
            SYMBOL,
            request.side,
            OrderType.MARKET,
            request.client_order_id,
            quote_quantity=amount,
            self_trade_prevention=request.self_trade_prevention,
        )
        transaction = self.engine.place(by_quote, self.now_ms)
        assert transaction.order is not None
        assert transaction.order.executed_quote <= amount
        return transaction

    def place_stop(self) -> Transaction:
        """A stop order of any kind."""
        return self.engine.place(self.request(self.random.choice(STOP_TYPES)), self.now_ms)

    def place_oco(self) -> Transaction:
        """An OCO around the last price."""
        account, side = self.random.choice(ACCOUNTS), self._side()
        legs = self._oco_legs(account, side, self._quantity())
        return self.engine.place_list(
            OrderListRequest(account, SYMBOL, Contingency.OCO, f"l{self.now_ms}", legs), self.now_ms
        )

    def place_oto(self) -> Transaction:
        """An OTO, or an OTOCO, whose pending side is the other one."""
        account, side = self.random.choice(ACCOUNTS), self._side()
        working = self.request(OrderType.LIMIT, account=account, side=side)
        other = Side.SELL if side is Side.BUY else Side.BUY
        if self.random.random() < 0.5:
            pending = self._oco_legs(account, other, self._quantity())
        else:
            kind = self.random.choice([OrderType.LIMIT, OrderType.MARKET, OrderType.LIMIT_MAKER, *STOP_TYPES])
            pending = (self.request(kind, account=account, side=other, suffix="p"),)
        legs = (working, *pending)
        return self.engine.place_list(
            OrderListRequest(account, SYMBOL, Contingency.OTO, f"l{self.now_ms}", legs), self.now_ms
        )

    def cancel(self) -> Transaction | None:
        """Cancel any open order, and its list with it."""
        orders = self.engine.history.open_orders(self.random.choice(ACCOUNTS))
        if not orders:
            return None
        order = self.random.choice(orders)
        transaction = self.engine.cancel(order, self.now_ms, cancel_id=f"x{self.now_ms}")
        assert order.status is Status.CANCELED
        return transaction

    def deposit(self) -> Transaction:
        """Money comes in, so that nobody is ruined by commissions."""
        account, asset = self.random.choice(ACCOUNTS), self.random.choice(["USDT", "BNB"])
        amount = Decimal(50) if asset == "USDT" else Decimal("0.5")
        return self.engine.deposit(account, asset, amount, self.now_ms)

    def stop_and_go_on(self) -> None:
        """Put the state into another engine, which goes on with it."""
        book = self.engine.listings[SYMBOL].book
        restored = new_engine()
        restore_snapshot(restored, take_snapshot(self.engine))
        restored.apply_book(SYMBOL, book.outside(Side.BUY), book.outside(Side.SELL), self.now_ms)
        self.engine = restored
        assert violations(restored) == []
        check_priorities(restored)

    def request(
        self, kind: OrderType, account: str | None = None, side: Side | None = None, suffix: str = ""
    ) -> OrderRequest:
        """An order of a type with everything that belongs to it, at random."""
        side = side or self._side()
        quantity = self._quantity()
        with_limit = kind in WITH_LIMIT
        time_in_force = TimeInForce.GTC
        if with_limit and kind is not OrderType.LIMIT_MAKER:
            time_in_force = self.random.choice([TimeInForce.GTC, TimeInForce.GTC, *TimeInForce])
        iceberg = None
        if with_limit and time_in_force is TimeInForce.GTC and self.random.random() < 0.2:
            iceberg = max(Decimal("0.001"), (quantity / self.random.randint(1, 9)).quantize(Decimal("0.001")))
        stop_price, delta = None, None
        if kind in STOP_TYPES:
            trails, has_stop = self.random.choice([(False, True), (False, True), (True, True), (True, False)])
            delta = self.random.randint(10, 300) if trails else None
            stop_price = self._price() if has_stop else None
        return OrderRequest(
            account or self.random.choice(ACCOUNTS),
            SYMBOL,
            side,
            kind,
            f"c{self.now_ms}{suffix}",
            quantity,
            price=self._price() if with_limit else None,
            time_in_force=time_in_force,
            stop_price=stop_price,
            trailing_delta=delta,
            iceberg_quantity=iceberg,
            self_trade_prevention=self.random.choice([SelfTradePrevention.NONE, *SelfTradePrevention]),
        )

    def _oco_legs(self, account: str, side: Side, quantity: Decimal) -> tuple[OrderRequest, OrderRequest]:
        last = self.engine.listings[SYMBOL].last_price or Decimal(100)
        sign = 1 if side is Side.SELL else -1
        near, far = (Decimal(self.random.randint(-2, 20)) / 10 for _ in range(2))
        common = (account, SYMBOL, side)
        stop = OrderRequest(
            *common,
            self.random.choice([OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT]),
            f"c{self.now_ms}s",
            quantity,
            stop_price=last - sign * far,
        )
        if stop.type is OrderType.STOP_LOSS_LIMIT:
            stop = OrderRequest(
                *common, stop.type, stop.client_order_id, quantity, price=self._price(), stop_price=stop.stop_price
            )
        kind = self.random.choice([OrderType.LIMIT_MAKER, OrderType.LIMIT_MAKER, OrderType.TAKE_PROFIT])
        price = last + sign * near
        profit = OrderRequest(
            *common,
            kind,
            f"c{self.now_ms}p",
            quantity,
            price=price if kind is OrderType.LIMIT_MAKER else None,
            stop_price=price if kind is OrderType.TAKE_PROFIT else None,
            self_trade_prevention=self.random.choice(list(SelfTradePrevention)),
        )
        return stop, profit

    def _price(self) -> Decimal:
        """Near the outside's middle, so that many orders stand at one price."""
        return (self.middle + self.random.randint(-8, 8)) * RULES.tick_size

    def _quantity(self) -> Decimal:
        return Decimal(self.random.randint(1, 4_000)) / 1_000

    def _side(self) -> Side:
        return self.random.choice([Side.BUY, Side.SELL])

    def _balances(self) -> dict[str, list[tuple[Decimal, Decimal]]]:
        return {
            name: [(account.free(asset), account.locked(asset)) for asset in account.assets]
            for name, account in self.engine.accounts.items()
        }

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def check_price(order: ExchangeOrder, price: Decimal) -> None:
    """No trade is worse for an order than its limit."""
    if order.price:
        assert price <= order.price if order.side is Side.BUY else price >= order.price


def check_turns(engine: MatchingEngine, transaction: Transaction) -> None:
    """Who has rested longer at a price trades first, and no taker passes a better offer by.

    A taker does not meet orders of its own account that it prevents from trading with itself.
    """
    book = engine.listings[SYMBOL].book
    takers = {
        report.trade.trade_id: report.order
        for report in transaction.reports
        if report.trade is not None and not report.trade.is_maker
    }
    for report in transaction.reports:
        maker, trade = report.order, report.trade
        if trade is None or not trade.is_maker or maker.iceberg_quantity:
            continue
        taker = takers.get(trade.trade_id)
        for other in book.resting(maker.side).at(maker.price):
            passed_by = other.queue_number < maker.queue_number
            assert not passed_by or _prevented_from_meeting(taker, other), "a later order traded before an earlier one"
    placed = transaction.order
    if placed is None or sum(report.execution is ExecutionType.NEW for report in transaction.reports) != 1:
        return
    prices = [
        report.trade.price for report in transaction.reports if report.trade is not None and report.order is placed
    ]
    assert prices == sorted(prices, reverse=placed.side is Side.SELL), "a taker traded at a better price later"
    if prices:
        left = [level[0] for level in book.outside(OPPOSITE[placed.side])[:1]]
        left += [
            order.price for order in book.resting(OPPOSITE[placed.side]) if not _prevented_from_meeting(placed, order)
        ][:1]
        assert not any(is_better(OPPOSITE[placed.side], price, prices[-1]) for price in left), "a better offer is left"


def _prevented_from_meeting(taker: ExchangeOrder | None, maker: ExchangeOrder) -> bool:
    return taker is not None and prevents(taker, maker)


def check_outside_fills(transaction: Transaction, lowest: Decimal, highest: Decimal) -> None:
    """The outside market takes from those only whose price it reached: bids down to `lowest`, asks up to `highest`."""
    takers = {
        report.trade.trade_id
        for report in transaction.reports
        if report.trade is not None and not report.trade.is_maker
    }
    for report in transaction.reports:
        trade = report.trade
        if trade is not None and trade.trade_id not in takers:
            assert trade.price >= lowest if trade.side is Side.BUY else trade.price <= highest


def check_priorities(engine: MatchingEngine) -> None:
    """The users' queues stand by price, and at one price by the time of their arrival."""
    book = engine.listings[SYMBOL].book
    for side in Side:
        sign = -1 if side is Side.BUY else 1
        queue = [(sign * order.price, order.queue_number) for order in book.resting(side)]
        assert queue == sorted(queue)
        waits = [(sign * order.price, order.queue_ahead) for order in book.resting(side)]
        assert waits == sorted(waits)


def check_list_laws(engine: MatchingEngine) -> None:
    """What holds of lists at any time.

    Of an OCO at most one leg fills, and no leg is open beside one that has filled. Pending orders live only after their
    working order has filled, and end with it otherwise. A list is done just when no leg is open.
    """
    for order_list in engine.history.all_lists():
        assert (order_list.order_status == "ALL_DONE") is not order_list.is_open
        pair = order_list.pending or order_list.orders
        if len(pair) > 1:
            filled = [leg for leg in pair if leg.executed_base]
            assert len(filled) <= 1
            assert not filled or not any(leg.is_open for leg in pair if leg is not filled[0])
        working = order_list.working
        if working is None:
            continue
        for leg in order_list.pending:
            if working.is_open:
                assert leg.status is Status.PENDING_NEW
            if leg.status is not Status.PENDING_NEW and (leg.executed_base or leg.is_open):
                assert working.status is Status.FILLED


def reports_of(transaction: Transaction, order: ExchangeOrder) -> list[ExecutionType]:
    """What was reported of one order, in order."""
    return [report.execution for report in transaction.reports if report.order is order]
