"""What this process has written to the ledger, counted after the commit: for metrics."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Order, OrderState
from binance_trade_agent.ops.durations import Durations


class LedgerCounts:
    """Counts of the writer's process; read by any thread, changed on the one that writes.

    Attributes:
        orders: how often an order came to a state, by (symbol, side, role, state).
        fills: fills that were booked, by (symbol, side).
        volume_quote: what they traded, by (symbol, quote asset).
        fees: commissions, by asset.
        begun: orders that are new, of all symbols.
        commits: from asking for a transaction until it is on disk; what was refused or failed is not among them.
    """

    def __init__(self) -> None:
        self.orders: Counter[tuple[str, str, str, str]] = Counter()
        self.fills: Counter[tuple[str, str]] = Counter()
        self.volume_quote: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        self.fees: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self.begun = 0
        self.commits = Durations()

    def made(self, *orders: Order) -> None:
        """These orders are new: intents, some of which were sent with the same step."""
        self.begun += len(orders)
        for order in orders:
            self._note(order, OrderState.INTENT)
            if order.state is not OrderState.INTENT:
                self._note(order, order.state)

    def moved(self, order: Order, before: OrderState, after: OrderState) -> None:
        """An order went from one state to another. What is reported of an intent proves that it was sent first."""
        if before is OrderState.INTENT and after not in {OrderState.INTENT, OrderState.SENT, OrderState.DENIED}:
            self._note(order, OrderState.SENT)
        if after is not before:
            self._note(order, after)

    def booked(self, fills: Iterable[Fill], quote_asset: str) -> None:
        """These fills are in the ledger now, and were not before."""
        for fill in fills:
            self.fills[fill.symbol, fill.side.value] += 1
            self.volume_quote[fill.symbol, quote_asset] += fill.quote_quantity
            self.fees[fill.commission_asset] += fill.commission

    def _note(self, order: Order, state: OrderState) -> None:
        self.orders[order.symbol, order.side.value, order.role.value, state.value] += 1
