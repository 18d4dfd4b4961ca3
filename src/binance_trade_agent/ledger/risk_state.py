"""Where the limits stand, from the ledger alone: a restart, a crash or another process finds the same.

The work does not grow with the ledger's age: entries are counted over the last 24 hours, exits are worked out from the
newest back and no farther than they are asked for, and the peak stands with the last point of the equity curve.

The functions take the SQLite connection and only read, save `begin_pause`.
"""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice, tee

from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger import equity, queries
from binance_trade_agent.ledger.equity import Series
from binance_trade_agent.ledger.exits import exits_backwards, latest_exits
from binance_trade_agent.ledger.external_sums import external_sum
from binance_trade_agent.ledger.pauses import CONSECUTIVE_LOSSES, active_pauses, begin_pause, last_end_ms
from binance_trade_agent.risk.state import ExitResult, RiskState

__all__ = ["active_pauses", "begin_pause", "entries_since", "latest_exits", "risk_state"]

HOUR_MS = 60 * MINUTE_MS


def risk_state(
    connection: sqlite3.Connection,
    epoch: int,
    symbol: str,
    now_ms: int,
    equity_quote: Decimal,
    *,
    quote_asset: str,
    exits: int = 20,
    losses: int = 100,
) -> RiskState:
    """Where the limits stand for `symbol` and the account at market time `now_ms`.

    What came after `now_ms` counts too: a late tick is older than what happened since. So does an entry of which no
    fill is known yet, such as one of unknown outcome: it may have filled. `equity_quote` is equity now, in
    `quote_asset`. So many of the latest `exits` are worked out, and up to so many `losses` in a row are counted.
    """
    entries = entries_since(connection, epoch, now_ms - DAY_MS)
    unseen = _entries_without_fill(connection, epoch)
    day = [name for name, _ in entries] + unseen
    hour = [name for name, filled_ms in entries if filled_ms > now_ms - HOUR_MS] + unseen
    first, again = tee(exits_backwards(connection, epoch))
    peak, day_start = _marks(connection, Series(epoch, quote_asset), now_ms, equity_quote)
    return RiskState(
        entries_hour=len(hour),
        entries_day=len(day),
        symbol_entries_hour=hour.count(symbol),
        symbol_entries_day=day.count(symbol),
        losses_in_row=len(_losses(connection, epoch, now_ms, first, losses)),
        exits=tuple(islice(again, exits)),
        equity_quote=equity_quote,
        peak_quote=peak,
        day_quote=day_start,
        pauses=active_pauses(connection, epoch, now_ms),
    )


def losses_in_row(connection: sqlite3.Connection, epoch: int, now_ms: int, most: int) -> list[ExitResult]:
    """Exits at a loss since the last one at a profit, or since the last pause for losses ended; newest first.

    An exit at neither changes nothing. At most `most` are looked for.
    """
    return _losses(connection, epoch, now_ms, exits_backwards(connection, epoch), most)


def _losses(
    connection: sqlite3.Connection, epoch: int, now_ms: int, newest_first: Iterator[ExitResult], most: int
) -> list[ExitResult]:
    ended_ms = last_end_ms(connection, epoch, CONSECUTIVE_LOSSES, now_ms)
    found: list[ExitResult] = []
    while len(found) < most and (result := next(newest_first, None)):
        if result.pnl_quote > 0 or (ended_ms is not None and result.closed_ms < ended_ms):
            break
        if result.pnl_quote < 0:
            found.append(result)
    return found


def entries_since(connection: sqlite3.Connection, epoch: int, since_ms: int) -> list[tuple[str, int]]:
    """Symbol and last fill (market ms) of each BUY order that has filled after `since_ms`."""
    rows = connection.execute(
        "SELECT fills.symbol, max(traded_ms) FROM positions CROSS JOIN fills INDEXED BY fills_by_time"
        " USING (epoch, symbol) WHERE epoch = ? AND side = ? AND traded_ms > ? GROUP BY client_order_id",
        (epoch, Side.BUY, since_ms),
    )
    return [(symbol, filled_ms) for symbol, filled_ms in rows]


def _entries_without_fill(connection: sqlite3.Connection, epoch: int) -> list[str]:
    """Symbols of the BUY orders that may fill, or have and are not booked."""
    unsettled = queries.unsettled_orders(connection, epoch)
    return [entry.order.symbol for entry in unsettled if entry.order.side is Side.BUY and not entry.filled_base]


def _marks(
    connection: sqlite3.Connection, series: Series, now_ms: int, equity_quote: Decimal
) -> tuple[Decimal | None, Decimal | None]:
    """Peak and beginning of the day, with what came from outside since counted in; None where there is no point."""
    external = external_sum(connection, series.epoch, series.quote_asset)
    peak = equity.peak_now(connection, series, now_ms, equity_quote - external)
    day_start = equity.day_start(connection, series, now_ms)
    return (None if peak is None else peak + external), (None if day_start is None else day_start + external)
