"""The BTCUSDT market of fixture F0 (binance-protocol.md Appendix A), for tests of single situations."""

from decimal import Decimal

from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.engine import MatchingEngine
from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.matching.lists import Contingency, OrderListRequest
from binance_trade_agent.matching.orders import ExchangeOrder, OrderRequest
from binance_trade_agent.matching.transactions import Transaction

RULES = SymbolRules(
    "BTCUSDT",
    "BTC",
    "USDT",
    tick_size=Decimal("0.01"),
    min_quantity=Decimal("0.00001"),
    step_size=Decimal("0.00001"),
    market_max_quantity=Decimal(100),
    min_notional=Decimal(5),
    bid_multiplier_up=Decimal(5),
    bid_multiplier_down=Decimal("0.2"),
    ask_multiplier_up=Decimal(5),
    ask_multiplier_down=Decimal("0.2"),
)
BIDS = [(Decimal(99_990), Decimal(1)), (Decimal(99_980), Decimal(2)), (Decimal(99_970), Decimal(3))]
ASKS = [(Decimal(100_000), Decimal(1)), (Decimal(100_010), Decimal(2)), (Decimal(100_020), Decimal(3))]

_AMOUNTS = ("price", "quote_quantity", "stop_price", "iceberg_quantity")


def new_engine(rules: SymbolRules = RULES) -> MatchingEngine:
    """One account, main, with 100,000 USDT and 1 BTC; the last price is 100,000."""
    engine = MatchingEngine()
    engine.list_symbol(rules, Decimal(100_000))
    engine.open_account("main", {"USDT": Decimal(100_000), "BTC": Decimal(1)})
    engine.apply_book("BTCUSDT", BIDS, ASKS, 0)
    return engine


def request(side: str, kind: str, quantity: str | None = None, **fields) -> OrderRequest:
    """An order request; amounts are given as text."""
    amounts = {name: Decimal(fields.pop(name)) for name in _AMOUNTS if name in fields}
    return OrderRequest(
        fields.pop("account", "main"),
        "BTCUSDT",
        Side(side),
        OrderType(kind),
        fields.pop("client_order_id", "c-1"),
        None if quantity is None else Decimal(quantity),
        **amounts,
        **fields,
    )


def place(engine: MatchingEngine, *args, **fields) -> ExchangeOrder:
    """Place an order at 1 ms."""
    order = engine.place(request(*args, **fields), 1).order
    assert order is not None
    assert violations(engine) == []
    return order


def place_list(engine: MatchingEngine, contingency: str, *legs: OrderRequest) -> Transaction:
    """Place a list, l-1, at 1 ms."""
    transaction = engine.place_list(OrderListRequest("main", "BTCUSDT", Contingency(contingency), "l-1", legs), 1)
    assert violations(engine) == []
    return transaction


def trade(engine: MatchingEngine, price: str, quantity: str = "1", taker: str = "SELL", at_ms: int = 2) -> Transaction:
    """The outside market trades."""
    transaction = engine.apply_trade("BTCUSDT", Decimal(price), Decimal(quantity), Side(taker), at_ms)
    assert violations(engine) == []
    return transaction


def quote(engine: MatchingEngine, bid: str, ask: str, quantity: str = "5") -> Transaction:
    """The outside market quotes one bid and one ask."""
    transaction = engine.apply_book(
        "BTCUSDT", [(Decimal(bid), Decimal(quantity))], [(Decimal(ask), Decimal(quantity))], 2
    )
    assert violations(engine) == []
    return transaction


def balances(engine: MatchingEngine, asset: str, account: str = "main") -> tuple[Decimal, Decimal]:
    """Free and locked."""
    return engine.accounts[account].free(asset), engine.accounts[account].locked(asset)


def told(transaction: Transaction) -> list[tuple[int, str, str]]:
    """Order id, execution and status of each report."""
    return [(report.order.order_id, report.execution, report.status) for report in transaction.reports]
