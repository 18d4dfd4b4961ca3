"""What one step of the engine did."""

from dataclasses import dataclass, field

from binance_trade_agent.matching.lists import ListReport, OrderList
from binance_trade_agent.matching.orders import ExchangeOrder, ExecutionReport, PublicTrade


@dataclass(slots=True)
class Transaction:
    """All that one step of the engine did, in order.

    Attributes:
        order: the order that was placed or cancelled alone.
        order_list: the list that was placed or cancelled.
        list_reports: what happened to lists; they come after the execution reports.
        assets: per account, the assets whose balances may have changed.
        trades: public trades in order; each report with a trade has its public trade here.
    """

    at_ms: int
    order: ExchangeOrder | None = None
    order_list: OrderList | None = None
    list_reports: list[ListReport] = field(default_factory=list)
    reports: list[ExecutionReport] = field(default_factory=list)
    trades: list[PublicTrade] = field(default_factory=list)
    assets: dict[str, set[str]] = field(default_factory=dict)
