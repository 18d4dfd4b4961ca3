"""The gateway: what the daemon may ask of an exchange, in the project's own values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import BookTicker, DayTicker, Depth
from binance_trade_agent.domain.orders import Fill, OrderIntent, OrderReport
from binance_trade_agent.domain.placed_orders import PlacedOrder
from binance_trade_agent.domain.symbols import SymbolRules


@dataclass(frozen=True, slots=True)
class Account:
    """The account as the exchange states it.

    Attributes:
        balances: free plus locked, by asset; `free` alone too.
        can_trade: whether the keys may trade.
        uid: the account's own number, empty where the exchange states none.
    """

    balances: Mapping[str, Decimal]
    can_trade: bool
    free: Mapping[str, Decimal] = field(default_factory=dict)
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Replaced:
    """What the answer to a replacement says.

    Attributes:
        placed: the new order.
        cancelled: see TradingGateway.cancel_order; of what the new one has taken the place of.
    """

    placed: OrderReport
    cancelled: tuple[OrderReport, ...] = ()


class TradingGateway(Protocol):
    """What deciding, executing and protecting ask for; a backtest answers it from recorded candles.

    Every method may raise an ExchangeError; those that change something may raise UnknownOutcomeError.
    """

    async def book_ticker(self, symbol: str) -> BookTicker:
        """Best bid and ask now."""
        ...

    async def depth(self, symbol: str, limit: int = 100) -> Depth:
        """The `limit` best prices of each side now, fewer where the book holds fewer."""
        ...

    async def last_price(self, symbol: str) -> Decimal:
        """Price of the latest trade of the market, quote per base."""
        ...

    async def place_order(self, intent: OrderIntent) -> OrderReport:
        """Send the order, once. Fills that the answer brings are in the report."""
        ...

    async def place_list(self, intents: Sequence[OrderIntent], list_id: str) -> list[OrderReport]:
        """Send two orders of which one cancels the other (OCO), once; first the one that waits above the price."""
        ...

    async def cancel_order(
        self, symbol: str, exchange_order_id: int, cancel_id: str | None = None
    ) -> tuple[OrderReport, ...]:
        """Cancel an open order; of a leg, its whole list. `cancel_id` is shown in place of the order's id from then on.

        None lets the exchange make one up. What the answer says of each order that it tells of is returned, without
        the fills; what it does not tell of, or what cannot be read, has to be asked for.

        Raises RejectedError (-2011) when it is not open any more, or was never known.
        """
        ...

    async def replace_order(
        self, symbol: str, exchange_order_id: int, intent: OrderIntent, cancel_id: str | None = None
    ) -> Replaced:
        """Cancel an open order and place `intent`, in one request that is sent once.

        The new order is tried only when the old one is cancelled. Filters are looked at before anything happens, and a
        RejectedError of another kind than these says that nothing did. Of a leg the whole list is cancelled.

        Raises:
            ReplaceRefusedError: the old order is cancelled and the new one refused, or neither was done.
            UnknownOutcomeError: nobody knows what became of either: both are to be asked about.
        """
        ...

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """The order by our id, None when the exchange does not know it (yet)."""
        ...

    async def order_by_exchange_id(self, symbol: str, exchange_order_id: int) -> OrderReport | None:
        """The order by the exchange's id, None when the exchange does not know it."""
        ...

    async def trades_of_order(self, symbol: str, exchange_order_id: int) -> list[Fill]:
        """The trades of one order; their client order id is empty."""
        ...

    async def trades_since(self, symbol: str, first_trade_id: int) -> list[Fill]:
        """All trades of the account from `first_trade_id` on, in order; their client order id is empty."""
        ...


class Gateway(TradingGateway, Protocol):
    """All that the daemon asks; see TradingGateway for what may be raised."""

    async def symbol_rules(self, symbols: Sequence[str]) -> dict[str, SymbolRules]:
        """Rules of each symbol, a request for some hundred. Raises RejectedError (-1121) when one does not exist."""
        ...

    async def all_symbols(self) -> tuple[str, ...]:
        """Names of all symbols that are traded there."""
        ...

    async def candles(self, symbol: str, interval: str, limit: int) -> list[Candle]:
        """The most recent candles in time order; the last one is usually still open."""
        ...

    async def book_tickers(self, symbols: Sequence[str]) -> dict[str, BookTicker]:
        """Best bid and ask of each symbol now, in one request for some hundred."""
        ...

    async def day_figures(self, symbol: str) -> DayTicker:
        """The symbol's rolling 24 hours."""
        ...

    @property
    def has_leisure(self) -> bool:
        """Whether what no decision needs may be asked: nobody waits, and most of the minute's weight is left."""
        ...

    async def account(self) -> Account:
        """Balances and permissions."""
        ...

    async def open_orders(self, symbol: str | None = None) -> list[OrderReport]:
        """Open orders of the account on `symbol`, or on all, foreign ones too."""
        ...

    async def latest_orders(self, symbol: str, limit: int) -> list[OrderReport]:
        """The account's latest orders on `symbol`, of whatever status, foreign ones too; oldest first."""
        ...

    async def orders_since(self, symbol: str, first_exchange_order_id: int) -> list[PlacedOrder]:
        """The account's orders from the exchange's `first_exchange_order_id` on, foreign ones too; oldest first."""
        ...

    async def list_client_id(self, list_id: str) -> str:
        """Our id of an order list by the exchange's number; it stays when the list is cancelled."""
        ...

    async def latest_trade_id(self, symbol: str) -> int | None:
        """Id of the account's latest trade on `symbol`, None when it has none."""
        ...
