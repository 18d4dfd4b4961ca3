"""What the limits have counted and measured so far. All of it is in the ledger, so every process sees the same."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.values import Value


class Pause(Value, frozen=True):
    """A time in which no position is entered because a limit was passed. Times are market ms."""

    rule: str
    since_ms: int
    until_ms: int
    detail: str


class ExitResult(Value, frozen=True):
    """A sale that closed a position or part of it.

    Attributes:
        pnl_quote: what it realised at average cost, after fees in base and quote, in quote asset.
        cost_quote: what was sold had cost, in quote asset.
        closed_ms: time of its last fill, market ms.
    """

    client_order_id: str
    symbol: str
    pnl_quote: Decimal
    cost_quote: Decimal
    closed_ms: int


class RiskState(Value, frozen=True):
    """Where the limits stand for one symbol and for the account.

    Attributes:
        entries_hour, entries_day: filled entries of the last hour and 24 hours, all symbols together, and those
            under way without a known fill.
        symbol_entries_hour, symbol_entries_day: those on this symbol.
        losses_in_row: exits at a loss since the last one at a profit, or since the last pause for losses ended.
        exits: latest exits of all symbols, newest first.
        equity_quote: the quote asset in the wallet and the bot's own positions at the bid.
        peak_quote: highest equity, comparable with it: what came from outside since is counted in. None: no point yet.
        day_quote: equity when the UTC day began, comparable with it; None: no point yet.
        pauses: those that last, by rule.
    """

    entries_hour: int = 0
    entries_day: int = 0
    symbol_entries_hour: int = 0
    symbol_entries_day: int = 0
    losses_in_row: int = 0
    exits: tuple[ExitResult, ...] = ()
    equity_quote: Decimal = ZERO
    peak_quote: Decimal | None = None
    day_quote: Decimal | None = None
    pauses: Mapping[str, Pause] = msgspec.field(default_factory=dict)

    @property
    def drawdown_pct(self) -> Decimal:
        """Fall from the highest equity in percent of it; 0 without a peak above 0."""
        return _fall_pct(self.peak_quote, self.equity_quote)

    @property
    def daily_loss_pct(self) -> Decimal:
        """Loss since the UTC day began in percent of its equity then; 0 without one above 0."""
        return _fall_pct(self.day_quote, self.equity_quote)


def _fall_pct(high: Decimal | None, now: Decimal) -> Decimal:
    if high is None or high <= 0 or now >= high:
        return ZERO
    return (high - now) * 100 / high
