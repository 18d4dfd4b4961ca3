"""What has changed on an exchange since its state was last saved."""

from dataclasses import dataclass, field

from binance_trade_agent.matching.lists import OrderList
from binance_trade_agent.matching.orders import ExchangeOrder, PreventedMatch, Trade
from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.simulator.exchange import Exchange


@dataclass(slots=True)
class StateChanges:
    """Collected from the exchange's transactions.

    Attributes:
        symbols: those that traded, or on which ids were given out.
        balances: (account, asset) whose amounts may be others.
    """

    orders: dict[tuple[str, int], ExchangeOrder] = field(default_factory=dict)
    lists: dict[int, OrderList] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    prevented: list[PreventedMatch] = field(default_factory=list)
    symbols: set[str] = field(default_factory=set)
    balances: set[tuple[str, str]] = field(default_factory=set)

    def note(self, transaction: Transaction) -> None:
        """Collect what a transaction has changed."""
        for report in transaction.reports:
            order = report.order
            if order.order_id <= 0:  # refused before it became one
                continue
            self.orders[order.symbol, order.order_id] = order
            self.symbols.add(order.symbol)
            if report.trade is not None:
                self.trades.append(report.trade)
            if report.prevented is not None:
                self.prevented.append(report.prevented)
        for list_report in transaction.list_reports:
            self.lists[list_report.order_list.list_id] = list_report.order_list
        self.symbols.update(trade.symbol for trade in transaction.trades)
        self.balances.update((account, asset) for account, assets in transaction.assets.items() for asset in assets)

    def add_waiting(self, exchange: Exchange) -> None:
        """Add the open orders that changed without being reported: the market went on behind them, or before them."""
        for account in exchange.engine.accounts:
            for order in exchange.engine.history.open_orders(account):
                if order.symbol in self.symbols:
                    self.orders[order.symbol, order.order_id] = order
