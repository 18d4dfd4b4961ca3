"""What the decisions of a run came to, those among them that were thinned out since (thinning.py)."""

import sqlite3

from binance_trade_agent.ledger.rows import DECIDED


def cycle_count(connection: sqlite3.Connection, run_id: str) -> int:
    """Number of the run's last tick; what is decided as a candle closes belongs to the tick before."""
    row = connection.execute(
        "SELECT max(coalesce((SELECT cycle FROM decisions WHERE run_id = :run ORDER BY tick_ms DESC LIMIT 1), 0),"
        " coalesce((SELECT max(last_cycle) FROM decisions_again WHERE run_id = :run), 0),"
        " coalesce((SELECT cycle FROM equity WHERE run_id = :run ORDER BY tick_ms DESC, cycle DESC LIMIT 1), 0))",
        {"run": run_id},
    ).fetchone()
    return int(row[0])


def outcome_counts(connection: sqlite3.Connection, run_id: str) -> list[tuple[str, str, int]]:
    """How many decisions of the run ended how: (symbol, outcome, count)."""
    rows = connection.execute(
        f"SELECT symbol, outcome, sum(1 + coalesce(times, 0)) AS decided FROM {DECIDED} WHERE run_id = :run"  # noqa: S608
        " GROUP BY symbol, outcome"
        " UNION ALL SELECT symbol, outcome, times FROM thinned_decisions WHERE run_id = :run",
        {"run": run_id},
    )
    counts: dict[tuple[str, str], int] = {}
    for symbol, outcome, decided in rows:
        counts[symbol, outcome] = counts.get((symbol, outcome), 0) + decided
    return [(symbol, outcome, count) for (symbol, outcome), count in sorted(counts.items())]
