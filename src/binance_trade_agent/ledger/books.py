"""What the agents of the pipeline need of the books, whoever keeps them: `Ledger` in SQLite, a backtest in memory.

`Books` is where agents write, and where they ask for a `BooksView`: the books at one moment, all of them of the current
epoch. Times are market ms UTC, amounts in base or quote asset.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.orders import Order, OrderIntent, OrderReport, OrderState
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger.equity import Mark
from binance_trade_agent.ledger.records import Alarm, AppliedReport, EquityPoint, OrderEntry
from binance_trade_agent.risk.state import ExitResult, Pause

T = TypeVar("T")


class BooksView(Protocol):
    """The books at one moment. What it gives is for reading, and for that moment only."""

    def positions(self, quote_asset: str | None = None) -> Mapping[str, Position]:
        """Positions by symbol, flat ones included; with `quote_asset` those that are counted in it."""
        ...

    def position(self, symbol: str) -> Position:
        """The symbol's position, flat when it never traded."""
        ...

    def holding(self, symbol: str, rules: SymbolRules) -> Holding | None:
        """What is held of the symbol since it was flat or dust at its average price; None: no more than dust."""
        ...

    def wallet(self) -> Mapping[str, Decimal]:
        """What the exchange should hold for us, free and locked, by asset."""
        ...

    def unsettled_orders(self, symbol: str | None = None) -> Collection[OrderEntry]:
        """Orders, of all symbols or one, that are not terminal or whose fills do not add up yet; oldest first."""
        ...

    def last_order_on_exchange(self, symbol: str) -> Order | None:
        """The symbol's order with the highest id of the exchange, None when it has none."""
        ...

    def is_known(self, symbol: str, exchange_order_id: int) -> bool:
        """Whether the exchange's order with this id is in the books."""
        ...

    def trade_cursor(self, symbol: str) -> int | None:
        """Up to which trade of the account the symbol was read, None when nothing was."""
        ...

    def last_entry_fill_ms(self, symbol: str) -> int | None:
        """Time of the symbol's last fill of a BUY, None when there was none."""
        ...

    def entries_since(self, since_ms: int) -> Collection[tuple[str, int]]:
        """Symbol and last fill of each BUY order that has filled after `since_ms`."""
        ...

    def exits_backwards(self) -> Iterator[ExitResult]:
        """Every sale of all symbols, newest first."""
        ...

    def external_sum(self, asset: str) -> Decimal:
        """What came from outside in `asset` since the epoch began, less what went there."""
        ...

    def latest_mark(self, quote_asset: str) -> Mark | None:
        """The last point of the equity curve in `quote_asset`, None without one."""
        ...

    def peak_now(self, quote_asset: str, now_ms: int, adjusted_quote: Decimal) -> Decimal | None:
        """The highest adjusted equity (ledger/equity.py), `adjusted_quote` being it now; None without points."""
        ...

    def day_start(self, quote_asset: str, now_ms: int) -> Decimal | None:
        """Adjusted equity when the UTC day of `now_ms` began; None where no point says it."""
        ...

    def active_pauses(self, now_ms: int) -> Mapping[str, Pause]:
        """The pauses that are not over, by rule; of one rule the one that lasts longest, and began last."""
        ...

    def is_paused_at(self, rule: str, at_ms: int) -> bool:
        """Whether a pause of this rule lasts, or lasted, at that time."""
        ...

    def last_pause_end_ms(self, rule: str, now_ms: int) -> int | None:
        """When the last pause of this rule ended that is over; None when none is."""
        ...

    def is_paused(self) -> bool:
        """Whether a person has said that nothing is to be entered."""
        ...

    def pause_scope(self) -> PauseScope | None:
        """What the person keeps back by it; None without a pause."""
        ...

    def is_killed(self) -> bool:
        """Whether the kill switch is on."""
        ...


class Books(Protocol):
    """Where the agents write. See `Ledger` for what each raises; after LedgerError nothing was changed."""

    async def consult(self, work: Callable[[BooksView], T]) -> T:
        """What `work`, which only reads, makes of the books at this moment."""
        ...

    async def held(self, symbol: str, rules: SymbolRules) -> Holding | None:
        """What the books' view says of it at this moment (see BooksView); asked of each symbol at each tick."""
        ...

    async def order(self, client_order_id: str) -> OrderEntry | None:
        """An order, None when there is none."""
        ...

    async def open_orders(self) -> list[Order]:
        """Orders that are not terminal, or whose fills do not add up to the executed quantity yet; oldest first."""
        ...

    async def commit_intent(
        self, decision: Decision, intent: OrderIntent, at_ms: int, *, is_sending: bool = False
    ) -> Order:
        """Keep the decision and its order. Only after this may the order be sent, and only with `is_sending`."""
        ...

    async def commit_protection(
        self,
        run_id: str,
        intents: Sequence[OrderIntent],
        at_ms: int,
        command_id: int | None = None,
        *,
        is_sending: bool = False,
    ) -> list[Order]:
        """Keep the orders that protect or close a position, or that a person's command wants, all or none.

        Only after this may they be sent (see commit_intent).
        """
        ...

    async def commit_replacement(
        self,
        run_id: str,
        cancelled_ids: Sequence[str],
        intents: Sequence[OrderIntent],
        at_ms: int,
        *,
        is_sending: bool = False,
    ) -> list[Order]:
        """Keep the wish to cancel orders and those that are to take their place, all or nothing."""
        ...

    async def request_cancel(self, client_order_ids: Sequence[str], at_ms: int) -> None:
        """Note that these orders are to be cancelled. Only after this may the cancel be sent."""
        ...

    async def withdraw_cancel(self, client_order_id: str) -> None:
        """Take the wish back that an order be cancelled, since the exchange surely did not do it."""
        ...

    async def transition(self, client_order_id: str, state: OrderState, at_ms: int, *, detail: str = "") -> bool:
        """Move an order; False, and nothing changed, when the news is late or repeated."""
        ...

    async def apply_reports(
        self, reports: Sequence[OrderReport], *, base_asset: str, quote_asset: str
    ) -> list[AppliedReport]:
        """Book what the exchange says of orders on one symbol, all of it or nothing: its fills, then its state."""
        ...

    async def record_equity(self, point: EquityPoint) -> None:
        """Keep the worth at a tick."""
        ...

    async def begin_pauses(self, pauses: Sequence[Pause]) -> None:
        """Keep pauses that begin; one of a rule that began at the same time is known already."""
        ...

    async def raise_alarm(self, kind: str, subject: str, text: str, at_ms: int, *, blocks: bool = False) -> bool:
        """Raise an alarm, or count one more time that stands already; True when it is new."""
        ...

    async def clear_alarm(self, kind: str, subject: str, at_ms: int) -> bool:
        """Note that an alarm is over; False when it did not stand."""
        ...

    async def alarms(self) -> list[Alarm]:
        """Alarms that are not over, oldest first."""
        ...
