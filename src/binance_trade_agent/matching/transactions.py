"""What one step of the engine did."""

from decimal import Decimal

import msgspec

from binance_trade_agent.matching.lists import ListReport, OrderList
from binance_trade_agent.matching.orders import ExchangeOrder, ExecutionReport, PublicTrade


class Transaction(msgspec.Struct):
    """All that one step of the engine did, in order.

    What it changed, for whoever keeps the state: the orders, trades and prevented matches of `reports`, the lists of
    `list_reports`, the balances in `assets`. Besides these only open orders change, and without a report: their place
    in the queue, and the price that a trailing stop follows.

    Attributes:
        order: the order that was placed or cancelled.
        order_list: the list that was placed or cancelled.
        list_reports: what happened to lists; they come after the execution reports.
        assets: per account, the assets whose balances may have changed.
        deposits: per account, what came from outside, per asset.
        trades: public trades in order; each report with a trade has its public trade here.
    """

    at_ms: int
    order: ExchangeOrder | None = None
    order_list: OrderList | None = None
    list_reports: list[ListReport] = []
    reports: list[ExecutionReport] = []
    trades: list[PublicTrade] = []
    assets: dict[str, set[str]] = {}
    deposits: dict[str, dict[str, Decimal]] = {}
