"""Old decisions are thinned out, so that the ledger does not grow without end.

Of decisions that are older than LEDGER_KEEP_DECISIONS_DAYS those go that no order came of, but for one of each symbol
in each half hour: by their prices charts compare with holding on. Orders, fills and money stay as they are. It goes in
small pieces, each a transaction of some milliseconds between two ticks; SQLite fills the room again.
"""

import logging
import sqlite3

from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger

KEPT_EACH_MS = 30 * MINUTE_MS
PIECE = 200  # decisions that are looked at in one transaction, and the rest of the last one's tick
_LOOK_EVERY_MS = 10 * MINUTE_MS
_NO_ORDER = (Outcome.HELD, Outcome.SKIPPED, Outcome.REFUSED, Outcome.NO_DATA, Outcome.FAILED)

log = logging.getLogger(__name__)


class Thinning:
    """Looks between ticks whether there is something to thin out.

    Args:
        keep_days: so long all decisions are kept, market time; 0: for ever.
    """

    def __init__(self, ledger: Ledger, clock: Clock, keep_days: int) -> None:
        self._ledger = ledger
        self._clock = clock
        self._keep_ms = keep_days * DAY_MS
        self._next_ms = 0

    async def look(self) -> None:
        """Thin a piece out where there is one; a ledger that cannot be written is left for the next look."""
        now_ms = self._clock.now_ms()
        if not self._keep_ms or now_ms < self._next_ms:
            return
        try:
            is_left = await self._ledger.write(lambda connection: thin(connection, now_ms - self._keep_ms))
        except LedgerError as failure:
            log.warning("old decisions were not thinned out: %s", failure)
            is_left = False
        if not is_left:
            self._next_ms = now_ms + _LOOK_EVERY_MS


def thin(connection: sqlite3.Connection, before_ms: int, piece: int = PIECE) -> bool:
    """Thin out a piece of the oldest decisions from before a time (market ms); False when there are none left."""
    run = connection.execute(
        "SELECT run_id, coalesce(thinned_ms, -1) AS done_ms FROM runs WHERE EXISTS (SELECT 1 FROM decisions"
        " WHERE decisions.run_id = runs.run_id AND tick_ms > coalesce(thinned_ms, -1) AND tick_ms < ?)"
        " ORDER BY number LIMIT 1",
        (before_ms,),
    ).fetchone()
    if run is None:
        return False
    span = {"run": run["run_id"], "after": run["done_ms"], "before": before_ms, "piece": piece}
    last = connection.execute(
        "SELECT tick_ms FROM decisions WHERE run_id = :run AND tick_ms > :after AND tick_ms < :before"
        " ORDER BY tick_ms LIMIT 1 OFFSET :piece",
        span,
    ).fetchone()
    span["last"] = last["tick_ms"] if last else before_ms - 1
    old = connection.execute(_TO_GO, span | {"each": KEPT_EACH_MS}).fetchall()
    keys = [(row["run_id"], row["tick_ms"], row["symbol"]) for row in old]
    for table in ("decisions", "decisions_again"):
        connection.executemany(f"DELETE FROM {table} WHERE run_id = ? AND tick_ms = ? AND symbol = ?", keys)  # noqa: S608
    connection.executemany(
        "INSERT INTO thinned_decisions VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET times = times + excluded.times",
        [(row["run_id"], row["symbol"], row["outcome"], row["decided"]) for row in old],
    )
    connection.execute("UPDATE runs SET thinned_ms = :last WHERE run_id = :run", span)
    return True


_TO_GO = f"""
SELECT run_id, tick_ms, symbol, outcome, 1 + coalesce(times, 0) AS decided
FROM decisions AS old LEFT JOIN decisions_again USING (run_id, tick_ms, symbol)
WHERE run_id = :run AND tick_ms > :after AND tick_ms <= :last AND client_order_id IS NULL
    AND outcome IN ({", ".join(f"'{outcome}'" for outcome in _NO_ORDER)})
    AND (bid IS NULL OR EXISTS (
        SELECT 1 FROM decisions AS kept INDEXED BY decisions_by_symbol
        WHERE kept.symbol = old.symbol AND kept.tick_ms >= old.tick_ms - old.tick_ms % :each
            AND kept.tick_ms < old.tick_ms AND kept.run_id = :run AND kept.bid IS NOT NULL))
"""  # noqa: S608 (nothing from outside)
