"""Buy and hold beside the equity curve: the same money in equal parts of what was traded, left alone.

It begins where every one of the symbols had been seen, with the equity of that moment, at the bids that decisions saw:
nothing is interpolated and no price comes from elsewhere. Fees are left out. Where a bid is missing there is no value.
"""

import sqlite3
from collections.abc import Sequence

from binance_trade_agent.ledger.equity import Series
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports.equity_curve import EquityCurve

_BID = (
    "SELECT bid, tick_ms FROM decisions INDEXED BY decisions_by_symbol WHERE symbol = ? AND bid IS NOT NULL"
    " AND run_id IN (SELECT run_id FROM runs WHERE epoch = ?)"
)
_STALE_MS = 3_600_000  # a bid that is older says nothing of the moment


class HoldLine:
    """The line of one epoch in one quote asset. What was looked up is kept: a chart asks for the same points again."""

    def __init__(self, reader: LedgerReader, series: Series) -> None:
        self._reader = reader
        self._series = series
        self._symbols: tuple[str, ...] = ()
        self._begin: tuple[int, dict[str, float]] | None = None  # the first moment, and the bids of then
        self._known: dict[int, float | None] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is held."""
        return self._symbols

    def values(self, curve: EquityCurve, times_ms: Sequence[int]) -> list[float | None]:
        """What it would be worth at these times, in quote asset; None where no bids say it.

        Raises:
            LedgerError: the ledger could not be read.
        """
        return self._reader.snapshot(lambda connection: self._values(connection, curve, times_ms))

    def _values(
        self, connection: sqlite3.Connection, curve: EquityCurve, times_ms: Sequence[int]
    ) -> list[float | None]:
        self._look_at_symbols(connection)
        worth = curve.value_at(self._begin[0]) if self._begin else None
        if worth is None or self._begin is None:
            return [None] * len(times_ms)
        last_ms = times_ms[-1] if times_ms else None
        for at_ms in times_ms:
            if at_ms not in self._known or at_ms == last_ms:  # the last tick may still be decided on
                self._known[at_ms] = self._growth(connection, at_ms)
        grown = [self._known[at_ms] for at_ms in times_ms]
        return [None if growth is None else worth * growth for growth in grown]

    def _look_at_symbols(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT symbol FROM positions WHERE epoch = ? AND quote_asset = ? ORDER BY symbol",
            (self._series.epoch, self._series.quote_asset),
        )
        symbols = tuple(row["symbol"] for row in rows)
        if symbols != self._symbols:
            self._symbols, self._known = symbols, {}
            self._begin = self._first(connection)

    def _first(self, connection: sqlite3.Connection) -> tuple[int, dict[str, float]] | None:
        """The first moment at which each of the symbols had been seen."""
        begin_ms = None
        for symbol in self._symbols:
            row = connection.execute(f"{_BID} ORDER BY tick_ms LIMIT 1", (symbol, self._series.epoch)).fetchone()
            if row is None:
                return None
            begin_ms = max(row["tick_ms"], begin_ms or row["tick_ms"])
        if begin_ms is None:
            return None
        bids = {symbol: self._bid(connection, symbol, begin_ms) for symbol in self._symbols}
        known = {symbol: bid for symbol, bid in bids.items() if bid}
        return (begin_ms, known) if len(known) == len(bids) else None

    def _growth(self, connection: sqlite3.Connection, at_ms: int) -> float | None:
        """What one unit of quote asset has become by then, in equal parts."""
        assert self._begin is not None, "asked for before it begins"
        begin_ms, first = self._begin
        if at_ms < begin_ms:
            return None
        grown = 0.0
        for symbol, before in first.items():
            bid = self._bid(connection, symbol, at_ms)
            if bid is None:
                return None
            grown += bid / before
        return grown / len(first)

    def _bid(self, connection: sqlite3.Connection, symbol: str, at_ms: int) -> float | None:
        row = connection.execute(
            f"{_BID} AND tick_ms <= ? AND tick_ms >= ? ORDER BY tick_ms DESC LIMIT 1",
            (symbol, self._series.epoch, at_ms, at_ms - _STALE_MS),
        ).fetchone()
        return float(row["bid"]) if row else None
