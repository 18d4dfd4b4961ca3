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
    hour = day = symbol_hour = symbol_day = 0
    for name, filled_ms in _entries(books, now_ms):
        is_recent, is_same = filled_ms > now_ms - HOUR_MS, name == symbol
        day += 1
        hour += is_recent
        symbol_day += is_same
        symbol_hour += is_recent and is_same
    newest_first = books.exits_backwards()
    latest = tuple(islice(newest_first, exits))
    external = books.external_sum(quote_asset)
    peak = books.peak_now(quote_asset, now_ms, equity_quote - external)
    day_start = books.day_start(quote_asset, now_ms)
    return RiskState(
        entries_hour=hour,
        entries_day=day,
        symbol_entries_hour=symbol_hour,
        symbol_entries_day=symbol_day,
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
    while len(found) < most and (result := next(newest_first, None)):
        if result.pnl_quote > 0 or (ended_ms is not None and result.closed_ms < ended_ms):
            break
        if result.pnl_quote < 0:
            found.append(result)
    return found


def _entries(books: BooksView, now_ms: int) -> Iterator[tuple[str, int]]:
    """Symbol and last fill of the entries of the last 24 hours, and of those that may fill, or have and are not booked.

    The latter count as of now.
    """
    yield from books.entries_since(now_ms - DAY_MS)
    for entry in books.unsettled_orders():
        if entry.order.side is Side.BUY and not entry.filled_base:
            yield entry.order.symbol, now_ms
