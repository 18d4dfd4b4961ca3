"""Whatever clients and the market do, money is conserved, nothing is negative, and locks equal the open orders' needs."""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.engine import MatchingEngine
from binance_trade_agent.matching.errors import Refused
from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.matching.orders import OrderRequest, Status, TimeInForce
from binance_trade_agent.matching.snapshot import restore_snapshot, take_snapshot

RULES = SymbolRules("BTCUSDT", "BTC", "USDT", tick_size=Decimal("0.01"), step_size=Decimal("0.00001"))
BALANCES = {"USDT": Decimal(1000), "BTC": Decimal(5)}

prices = st.integers(9_500, 10_500).map(lambda cents: Decimal(cents) / 100)
quantities = st.integers(1, 300_000).map(lambda steps: Decimal(steps) / 100_000)
sides = st.sampled_from(list(Side))
accounts = st.sampled_from(["alice", "bob"])


def new_engine() -> MatchingEngine:
    engine = MatchingEngine()
    engine.list_symbol(RULES)
    return engine


class Exchange(RuleBasedStateMachine):
    """Two accounts trade with each other and with an outside market."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = new_engine()
        self.now_ms = 0

    @initialize()
    def open_accounts(self) -> None:
        for name in ("alice", "bob"):
            self.engine.open_account(name, BALANCES)

    def place(self, request: OrderRequest) -> None:
        self.now_ms += 1
        before = len(list(self.engine.history.all_orders()))
        try:
            transaction = self.engine.place(request, self.now_ms)
        except Refused:
            assert len(list(self.engine.history.all_orders())) == before
            return
        order = transaction.order
        assert order is not None
        own = [report.trade for report in transaction.reports if report.trade and report.order is order]
        assert sum((trade.quantity for trade in own), Decimal(0)) == order.executed_base
        assert sum((trade.quote_quantity for trade in own), Decimal(0)) == order.executed_quote
        if order.price:
            worst = max if order.side is Side.BUY else min
            assert all(worst(trade.price, order.price) == order.price for trade in own)

    @rule(
        account=accounts,
        side=sides,
        price=prices,
        quantity=quantities,
        tif=st.sampled_from(list(TimeInForce)),
        kind=st.sampled_from([OrderType.LIMIT, OrderType.LIMIT, OrderType.LIMIT_MAKER]),
    )
    def limit_order(self, account, side, price, quantity, tif, kind) -> None:
        tif = TimeInForce.GTC if kind is OrderType.LIMIT_MAKER else tif
        client_id = f"c{self.now_ms}"
        self.place(OrderRequest(account, "BTCUSDT", side, kind, client_id, quantity, price=price, time_in_force=tif))

    @rule(account=accounts, side=sides, quantity=quantities)
    def market_order(self, account, side, quantity) -> None:
        self.place(OrderRequest(account, "BTCUSDT", side, OrderType.MARKET, f"c{self.now_ms}", quantity))

    @rule(account=accounts, side=sides, amount=st.integers(1, 50_000).map(lambda cents: Decimal(cents) / 100))
    def market_order_by_quote(self, account, side, amount) -> None:
        request = OrderRequest(account, "BTCUSDT", side, OrderType.MARKET, f"c{self.now_ms}", quote_quantity=amount)
        self.place(request)
        placed = self.engine.history.find_by_client_id(account, "BTCUSDT", request.client_order_id)
        if placed is not None and placed.quote_quantity == amount:
            assert placed.executed_quote <= amount
            assert placed.executed_base % RULES.step_size == 0

    @rule(account=accounts, data=st.data())
    def cancel(self, account, data) -> None:
        orders = self.engine.history.open_orders(account)
        if not orders:
            return
        order = data.draw(st.sampled_from(orders))
        self.now_ms += 1
        self.engine.cancel(order, self.now_ms, cancel_id=f"x{self.now_ms}")
        assert order.status is Status.CANCELED
        assert order.locked == 0

    @rule(middle=prices, sizes=st.lists(quantities, max_size=4))
    def new_outside_book(self, middle, sizes) -> None:
        cent = Decimal("0.01")
        bids = [(middle - cent * (level + 1), size) for level, size in enumerate(sizes)]
        asks = [(middle + cent * (level + 1), size) for level, size in enumerate(sizes)]
        self.engine.apply_book("BTCUSDT", bids, asks, self.now_ms)

    @rule(price=prices, quantity=quantities, side=sides)
    def outside_trade(self, price, quantity, side) -> None:
        transaction = self.engine.apply_trade("BTCUSDT", price, quantity, side, self.now_ms)
        ids = [trade.trade_id for trade in transaction.trades]
        assert ids == sorted(set(ids))

    @rule()
    def stop_and_go_on(self) -> None:
        book = self.engine.listings["BTCUSDT"].book
        restored = new_engine()
        restore_snapshot(restored, take_snapshot(self.engine))
        restored.apply_book("BTCUSDT", book.outside(Side.BUY), book.outside(Side.SELL), self.now_ms)
        self.engine = restored

    @invariant()
    def everything_adds_up(self) -> None:
        assert violations(self.engine) == []

    @invariant()
    def queues_keep_price_time_priority(self) -> None:
        book = self.engine.listings["BTCUSDT"].book
        bids = [(-order.price, order.order_id) for order in book.resting(Side.BUY)]
        asks = [(order.price, order.order_id) for order in book.resting(Side.SELL)]
        assert bids == sorted(bids)
        assert asks == sorted(asks)


Exchange.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestExchange = Exchange.TestCase
