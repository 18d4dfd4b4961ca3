"""Every order and trade that the exchange has seen, findable by id, by client id, and by being open."""

from collections import defaultdict
from collections.abc import Iterator

from binance_trade_agent.matching.orders import ExchangeOrder, Trade


class History:
    """Orders and trades of all accounts, in the order of their ids."""

    def __init__(self) -> None:
        self._orders: defaultdict[tuple[str, str], dict[int, ExchangeOrder]] = defaultdict(dict)
        self._by_client_id: dict[tuple[str, str, str], ExchangeOrder] = {}
        self._open: defaultdict[str, dict[tuple[str, int], ExchangeOrder]] = defaultdict(dict)
        self._trades: defaultdict[tuple[str, str], list[Trade]] = defaultdict(list)

    def add(self, order: ExchangeOrder) -> None:
        """Remember a new order."""
        self._orders[order.account, order.symbol][order.order_id] = order
        self._by_client_id[order.account, order.symbol, order.client_order_id] = order
        if order.is_open:
            self._open[order.account][order.symbol, order.order_id] = order

    def close(self, order: ExchangeOrder) -> None:
        """An order has ended; it stays findable."""
        self._open[order.account].pop((order.symbol, order.order_id), None)

    def rename(self, order: ExchangeOrder, client_order_id: str) -> None:
        """Find the order by `client_order_id` from now on, and no longer by its former client id."""
        key = (order.account, order.symbol, order.client_order_id)
        if self._by_client_id.get(key) is order:
            del self._by_client_id[key]
        order.client_order_id = client_order_id
        self._by_client_id[order.account, order.symbol, client_order_id] = order

    def add_trade(self, trade: Trade) -> None:
        """Remember an account's trade."""
        self._trades[trade.account, trade.symbol].append(trade)

    def find(self, account: str, symbol: str, order_id: int) -> ExchangeOrder | None:
        """The order with that id."""
        return self._orders[account, symbol].get(order_id)

    def find_by_client_id(self, account: str, symbol: str, client_order_id: str) -> ExchangeOrder | None:
        """The last order with that client id."""
        return self._by_client_id.get((account, symbol, client_order_id))

    def orders(self, account: str, symbol: str) -> list[ExchangeOrder]:
        """All orders of an account on a symbol by ascending id."""
        return list(self._orders[account, symbol].values())

    def open_orders(self, account: str, symbol: str | None = None) -> list[ExchangeOrder]:
        """Open orders of an account, on one symbol or on all."""
        orders = self._open[account].values()
        return [order for order in orders if symbol is None or order.symbol == symbol]

    def trades(self, account: str, symbol: str) -> list[Trade]:
        """Trades of an account on a symbol by ascending id."""
        return self._trades[account, symbol]

    def all_orders(self) -> Iterator[ExchangeOrder]:
        """Every order of every account."""
        for orders in self._orders.values():
            yield from orders.values()

    def all_trades(self) -> Iterator[Trade]:
        """Every trade of every account."""
        for trades in self._trades.values():
            yield from trades
