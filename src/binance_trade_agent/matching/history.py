"""Every order, list and trade of the exchange's accounts, findable by id, by client id, and by being open.

Memory stays bounded: of an account's ended orders, lists, trades and prevented matches the oldest are forgotten once
there are more than `HISTORY_KEPT` of them on a symbol. Open ones are never forgotten.
"""

from collections import deque
from collections.abc import Iterator

from binance_trade_agent.matching.lists import OrderList
from binance_trade_agent.matching.orders import ExchangeOrder, PreventedMatch, Trade

HISTORY_KEPT = 20_000


class Blotter:
    """One account's orders and trades on one symbol, in the order of their ids."""

    __slots__ = ("_ended", "by_client_id", "kept", "open", "orders", "prevented", "trades")

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.orders: dict[int, ExchangeOrder] = {}
        self.by_client_id: dict[str, ExchangeOrder] = {}
        self.open: dict[int, ExchangeOrder] = {}
        self.trades: deque[Trade] = deque(maxlen=kept)
        self.prevented: deque[PreventedMatch] = deque(maxlen=kept)
        self._ended: deque[ExchangeOrder] = deque()

    def add(self, order: ExchangeOrder) -> None:
        """Remember a new order."""
        self.orders[order.order_id] = order
        self.by_client_id[order.client_order_id] = order
        if order.is_open:
            self.open[order.order_id] = order
        else:
            self._keep_ended(order)

    def close(self, order: ExchangeOrder) -> None:
        """An open order has ended."""
        if self.open.pop(order.order_id, None) is not None:
            self._keep_ended(order)

    def rename(self, order: ExchangeOrder, client_order_id: str) -> None:
        """Find the order under another client id."""
        if self.by_client_id.get(order.client_order_id) is order:
            del self.by_client_id[order.client_order_id]
        order.client_order_id = client_order_id
        self.by_client_id[client_order_id] = order

    def _keep_ended(self, order: ExchangeOrder) -> None:
        self._ended.append(order)
        if len(self._ended) > self.kept:
            oldest = self._ended.popleft()
            del self.orders[oldest.order_id]
            if self.by_client_id.get(oldest.client_order_id) is oldest:
                del self.by_client_id[oldest.client_order_id]


class History:
    """Orders, lists and trades of all accounts."""

    def __init__(self, kept: int = HISTORY_KEPT) -> None:
        """Know nothing yet.

        Args:
            kept: how many ended orders, trades and prevented matches of an account are kept on each symbol, and how
                many ended lists of an account.
        """
        self._kept = kept
        self._blotters: dict[str, dict[str, Blotter]] = {}
        self._lists: dict[str, dict[int, OrderList]] = {}
        self._open_lists: dict[str, dict[int, OrderList]] = {}
        self._ended_lists: deque[OrderList] = deque()

    def blotter(self, account: str, symbol: str) -> Blotter:
        """What an account has done on a symbol."""
        of_account = self._blotters.get(account)
        if of_account is None:
            of_account = self._blotters[account] = {}
        blotter = of_account.get(symbol)
        if blotter is None:
            blotter = of_account[symbol] = Blotter(self._kept)
        return blotter

    def add(self, order: ExchangeOrder) -> None:
        """Remember a new order."""
        self.blotter(order.account, order.symbol).add(order)

    def close(self, order: ExchangeOrder) -> None:
        """An order has ended; it stays findable."""
        self.blotter(order.account, order.symbol).close(order)

    def rename(self, order: ExchangeOrder, client_order_id: str) -> None:
        """Find the order by `client_order_id` from now on, and no longer by its former client id."""
        self.blotter(order.account, order.symbol).rename(order, client_order_id)

    def add_trade(self, trade: Trade) -> None:
        """Remember an account's trade."""
        self.blotter(trade.account, trade.symbol).trades.append(trade)

    def add_prevented(self, prevented: PreventedMatch) -> None:
        """Remember a match that self-trade prevention stopped."""
        self.blotter(prevented.account, prevented.symbol).prevented.append(prevented)

    def find(self, account: str, symbol: str, order_id: int) -> ExchangeOrder | None:
        """The order with that id."""
        return self.blotter(account, symbol).orders.get(order_id)

    def find_by_client_id(self, account: str, symbol: str, client_order_id: str) -> ExchangeOrder | None:
        """The last order with that client id."""
        return self.blotter(account, symbol).by_client_id.get(client_order_id)

    def orders(self, account: str, symbol: str) -> list[ExchangeOrder]:
        """All orders of an account on a symbol by ascending id."""
        return list(self.blotter(account, symbol).orders.values())

    def open_orders(self, account: str, symbol: str | None = None) -> list[ExchangeOrder]:
        """Open orders of an account, on one symbol or on all."""
        if symbol is not None:
            return list(self.blotter(account, symbol).open.values())
        blotters = self._blotters.get(account, {}).values()
        return [order for blotter in blotters for order in blotter.open.values()]

    def trades(self, account: str, symbol: str) -> list[Trade]:
        """Trades of an account on a symbol by ascending id."""
        return list(self.blotter(account, symbol).trades)

    def prevented_matches(self, account: str, symbol: str) -> list[PreventedMatch]:
        """Prevented matches of an account on a symbol by ascending id."""
        return list(self.blotter(account, symbol).prevented)

    def add_list(self, order_list: OrderList) -> None:
        """Remember a new list."""
        self._lists.setdefault(order_list.account, {})[order_list.list_id] = order_list
        if order_list.is_open:
            self._open_lists.setdefault(order_list.account, {})[order_list.list_id] = order_list
        else:
            self._keep_ended_list(order_list)

    def close_list(self, order_list: OrderList) -> None:
        """A list has no open leg any more; it stays findable."""
        del self._open_lists[order_list.account][order_list.list_id]
        self._keep_ended_list(order_list)

    def find_list(self, account: str, list_id: int) -> OrderList | None:
        """The list with that id."""
        return self._lists.get(account, {}).get(list_id)

    def find_list_by_client_id(self, account: str, client_list_id: str) -> OrderList | None:
        """The last list with that client id; an open one first."""
        for lists in (self.open_lists(account), self.lists(account)):
            for order_list in reversed(lists):
                if order_list.client_list_id == client_list_id:
                    return order_list
        return None

    def lists(self, account: str) -> list[OrderList]:
        """All lists of an account by ascending id."""
        return list(self._lists.get(account, {}).values())

    def open_lists(self, account: str) -> list[OrderList]:
        """Lists of an account that have an open leg, by ascending id."""
        return list(self._open_lists.get(account, {}).values())

    def all_orders(self) -> Iterator[ExchangeOrder]:
        """Every order of every account."""
        for blotter in self._all():
            yield from blotter.orders.values()

    def all_trades(self) -> Iterator[Trade]:
        """Every trade of every account."""
        for blotter in self._all():
            yield from blotter.trades

    def all_prevented(self) -> Iterator[PreventedMatch]:
        """Every prevented match of every account."""
        for blotter in self._all():
            yield from blotter.prevented

    def all_lists(self) -> Iterator[OrderList]:
        """Every list of every account."""
        for lists in self._lists.values():
            yield from lists.values()

    def _all(self) -> Iterator[Blotter]:
        for of_account in self._blotters.values():
            yield from of_account.values()

    def _keep_ended_list(self, order_list: OrderList) -> None:
        self._ended_lists.append(order_list)
        if len(self._ended_lists) > self._kept:
            oldest = self._ended_lists.popleft()
            del self._lists[oldest.account][oldest.list_id]
