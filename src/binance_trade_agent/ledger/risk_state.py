"""Where the limits stand, from the ledger alone: a restart, a crash or another process finds the same.

The work does not grow with the ledger's age: entries are counted over the last 24 hours, exits are worked out from the
newest back and no farther than they are asked for, and the peak stands with the last point of the equity curve.

Written once for every keeper of books (ledger/books.py).
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain, islice

from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger.books import BooksView
from binance_trade_agent.ledger.pauses import CONSECUTIVE_LOSSES
from binance_trade_agent.risk.state import ExitResult, RiskState

HOUR_MS = 60 * MINUTE_MS


def risk_state(
    books: BooksView,
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
    entries = books.entries_since(now_ms - DAY_MS)
    unseen = _entries_without_fill(books)
    day = [name for name, _ in entries] + unseen
    hour = [name for name, filled_ms in entries if filled_ms > now_ms - HOUR_MS] + unseen
    newest_first = books.exits_backwards()
    latest = tuple(islice(newest_first, exits))
    external = books.external_sum(quote_asset)
    peak = books.peak_now(quote_asset, now_ms, equity_quote - external)
    day_start = books.day_start(quote_asset, now_ms)
    return RiskState(
        entries_hour=len(hour),
        entries_day=len(day),
        symbol_entries_hour=hour.count(symbol),
        symbol_entries_day=day.count(symbol),
        losses_in_row=len(_losses(books, now_ms, chain(latest, newest_first), losses)),
        exits=latest,
        equity_quote=equity_quote,
        peak_quote=None if peak is None else peak + external,
        day_quote=None if day_start is None else day_start + external,
        pauses=books.active_pauses(now_ms),
    )


def losses_in_row(books: BooksView, now_ms: int, most: int) -> list[ExitResult]:
    """Exits at a loss since the last one at a profit, or since the last pause for losses ended; newest first.

    An exit at neither changes nothing. At most `most` are looked for.
    """
    return _losses(books, now_ms, books.exits_backwards(), most)


def _losses(books: BooksView, now_ms: int, newest_first: Iterator[ExitResult], most: int) -> list[ExitResult]:
    found: list[ExitResult] = []
    if not most:
        return found
    ended_ms = books.last_pause_end_ms(CONSECUTIVE_LOSSES, now_ms)
    for result in newest_first:
        if result.pnl_quote > 0 or (ended_ms is not None and result.closed_ms < ended_ms):
            break
        if result.pnl_quote < 0:
            found.append(result)
            if len(found) == most:
                break
    return found


def _entries_without_fill(books: BooksView) -> list[str]:
    """Symbols of the BUY orders that may fill, or have and are not booked."""
    unsettled = books.unsettled_orders()
    return [entry.order.symbol for entry in unsettled if entry.order.side is Side.BUY and not entry.filled_base]
