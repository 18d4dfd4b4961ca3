"""What the ledger keeps beyond the values of the domain."""

from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Order, OrderState
from binance_trade_agent.domain.values import Value


@dataclass(frozen=True, slots=True)
class Epoch:
    """One life of the exchange's books; a reset of the testnet or a new simulated market begins the next.

    Attributes:
        epoch: from 1.
        closed_ms: None while it is the current one.
        reason: why it was opened.
        market: name of the exchange's market, None when it was not noted.
    """

    epoch: int
    opened_ms: int
    closed_ms: int | None
    reason: str
    market: str | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One start of the daemon.

    Attributes:
        settings_json: the effective settings, secrets masked.
        exchange: address of the exchange.
        started_ms, ended_ms: market time; started_wall_ms, ended_wall_ms: the machine's.
        end_reason: None while it runs, and for ever when it was killed.
        number: 1 for the ledger's first run; epoch: the one it began in. Both are given by the ledger.
        fence: generation of the daemon on its account; it stands in the client order ids.
        thinned_ms: up to which tick its decisions were thinned out (ledger/thinning.py); None: none of them.
    """

    run_id: str
    mode: str
    strategy: str
    symbols: tuple[str, ...]
    settings_json: str
    exchange: str
    started_ms: int
    started_wall_ms: int
    pid: int
    ended_ms: int | None = None
    ended_wall_ms: int | None = None
    end_reason: str | None = None
    number: int = 0
    epoch: int = 0
    fence: int = 0
    thinned_ms: int | None = None


class EquityPoint(Value, frozen=True):
    """What everything was worth at a tick, in quote asset, at the bid.

    Attributes:
        equity_quote: the whole wallet in the traded assets, whoever bought them; the others are the bot's own.
        external_quote: what had come from outside in the quote asset since the epoch began, less what went there.
        quote_asset: what all of it is counted in; empty in points from before this was noted.
    """

    run_id: str
    tick_ms: int
    cycle: int
    equity_quote: Decimal
    cash_quote: Decimal
    positions_quote: Decimal
    realised_pnl_quote: Decimal
    unrealised_pnl_quote: Decimal
    external_quote: Decimal = ZERO
    quote_asset: str = ""


class OrderEntry(Value, frozen=True):
    """An order with what only the ledger knows of it.

    Attributes:
        filled_base, filled_quote: sums of the fills in the ledger; `order.executed_base` is what the exchange claims.
    """

    order: Order
    epoch: int
    run_id: str
    filled_base: Decimal
    filled_quote: Decimal

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to come: the state is terminal and the fills add up to the executed quantity."""
        return self.order.is_terminal and self.filled_base == self.order.executed_base


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One step in an order's life; `sequence` counts from 1 for each order."""

    client_order_id: str
    sequence: int
    state: str
    at_ms: int
    executed_base: Decimal
    detail: str


class AppliedReport(Value, frozen=True):
    """What a report of the exchange changed.

    Attributes:
        before: the order's state before the report.
        order: the order after it.
        new_fills: the fills that the ledger did not know.
        is_changed: whether state or executed quantity moved.
        is_settled: see OrderEntry.
        repeated_fills: how many of the report's fills the ledger knew already.
        is_after_end: a fill came in for an order that was over and settled; worth an alarm.
        is_revived: the order had been given up as refused, not sent or absent, and the exchange has it after all.
        is_number_out_of_order: the report changed something, and an earlier order on the symbol has an id of the
            exchange that is not lower: they only rise.
    """

    before: OrderState
    order: Order
    new_fills: tuple[Fill, ...]
    is_changed: bool
    is_settled: bool
    repeated_fills: int
    is_after_end: bool
    is_revived: bool
    is_number_out_of_order: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person has to look at.

    Attributes:
        kind: what is wrong, such as `late_fill`; `subject`: a symbol, an asset, an order, or empty for everything.
        raised_ms, last_ms: market time when it was raised and when it was found again last; `times`: how often.
        blocks: whether it keeps its subject from entering positions.
        cleared_ms: when it was over, None while it stands.
    """

    kind: str
    subject: str
    raised_ms: int
    last_ms: int
    times: int
    blocks: bool
    text: str
    cleared_ms: int | None = None
