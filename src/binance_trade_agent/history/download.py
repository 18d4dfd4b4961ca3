"""Fetching candles into the store: what it lacks, in parallel, each piece checked, and kept when another fails.

A piece that has arrived is merged into the store soon after, with the span that it covers, so a download that was
killed goes on where it was, and one that is run again asks for nothing that it has asked before.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from binance_trade_agent.domain.candles import DAY_MS, INTERVAL_MS, interval_open_ms
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.history.archive import fetch
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.klines import KlinesSource
from binance_trade_agent.history.merging import joined
from binance_trade_agent.history.plan import Piece, day_pieces, pieces_of, rest_pieces
from binance_trade_agent.history.spans import Span, missing, runs
from binance_trade_agent.history.store import CandleStore, Provenance
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.history.web import UnreachableError
from binance_trade_agent.ops.clock import monotonic_seconds

DEFAULT_DAYS = 365  # that are fetched of a symbol of which nothing is there, unless a start is given

_AT_ONCE = 4  # requests under way
# Fetched candles that a kill may lose: so many, and a quarter of those that are kept, as each keeping writes all anew.
_KEPT_BACK_ROWS, _KEPT_BACK_FRACTION, _KEPT_BACK_SECONDS = 20_000, 0.25, 10.0


class Progress(Protocol):
    """Who shows how far a download is. Counts are candles, as many as fit into a span, whether they exist or not."""

    def expect(self, label: str, count: int) -> None:
        """So many candles more (or fewer, below 0) are to be fetched of a symbol and interval."""

    def advance(self, label: str, piece: str, count: int, found: int) -> None:
        """A piece of `count` candles has come, with `found` of them in it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The candles of a symbol that open in [start_ms, end_ms).

    Without a start: from where an earlier download was to begin, or from the first one in the store on, or those of the
    last year where there is none. Without an end: up to the last closed one.
    """

    symbol: str
    interval: str
    start_ms: int | None = None
    end_ms: int | None = None

    @property
    def label(self) -> str:
        """`BTCUSDT 1m`."""
        return f"{self.symbol} {self.interval}"


@dataclass(slots=True)
class Fetched:
    """What a download of one symbol and interval has brought: new candles, and sentences about what failed."""

    wanted: Wanted
    span: Span
    new: int = 0
    failures: list[str] = field(default_factory=list)


async def download(
    store: CandleStore, source: KlinesSource, archive_url: str | None, wanted: Wanted, progress: Progress
) -> Fetched:
    """Fetch what the store lacks.

    Args:
        store: takes the candles.
        source: the exchange; asked for what the archive does not have.
        archive_url: base address of the archive; None asks the exchange only.
        wanted: which candles.
        progress: is told.

    Raises:
        UnreachableError: a host does not answer; what came before is in the store.
        HistoryError: the store holds candles of another exchange, or cannot be read or written.
    """
    held = store.read(wanted.symbol, wanted.interval)
    known = store.provenance(wanted.symbol, wanted.interval)
    if known.source not in {"", source.name}:
        raise HistoryError(
            f"{store.path_of(wanted.symbol, wanted.interval)} holds candles of {known.source}, which those of "
            f"{source.name} do not continue; choose another folder with --data"
        )
    begins = [known.wanted_from_ms] if known.wanted_from_ms is not None else []
    if held is not None:
        begins.append(int(held.open_times_ms[0]))
    span = _span(wanted, min(begins, default=None), source.clock.now_ms())
    lacking = missing(span, [*known.covered, *(runs(held) if held else [])])
    fetched = Fetched(wanted, span)
    if lacking:
        keeper = _Keeper(store, source.name, fetched)
        await _Run(source, archive_url, wanted, progress, keeper).fetch(lacking)
    return fetched


def _span(wanted: Wanted, begins_ms: int | None, now_ms: int) -> Span:
    """The span of whole, closed candles that is wanted; it begins at `begins_ms` where the user says nothing."""
    length_ms = INTERVAL_MS[wanted.interval]
    last_ms = interval_open_ms(wanted.interval, now_ms)
    end_ms = last_ms if wanted.end_ms is None else min(last_ms, _up(wanted.interval, wanted.end_ms))
    start_ms = wanted.start_ms if wanted.start_ms is not None else begins_ms
    if start_ms is None:
        start_ms = end_ms - max(DEFAULT_DAYS * DAY_MS, length_ms)
    start_ms = _up(wanted.interval, start_ms)
    if wanted.start_ms is not None and start_ms >= end_ms:
        raise HistoryError(
            f"no closed {wanted.interval} candle opens in that period: it ends before it begins, or lies ahead"
        )
    return min(start_ms, end_ms), end_ms


def _up(interval: str, at_ms: int) -> int:
    """The first opening of a candle at `at_ms` or after."""
    opened_ms = interval_open_ms(interval, at_ms)
    return opened_ms if opened_ms == at_ms else opened_ms + INTERVAL_MS[interval]


class _Run:
    """One symbol's and interval's pieces on their way."""

    def __init__(
        self, source: KlinesSource, archive_url: str | None, wanted: Wanted, progress: Progress, keeper: "_Keeper"
    ) -> None:
        self._source = source
        self._archive_url = archive_url
        self._wanted = wanted
        self._progress = progress
        self._keeper = keeper
        self._lacking: Sequence[Span] = ()
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, lacking: Sequence[Span]) -> None:
        """Fetch these spans and keep what comes, also when something fails."""
        symbol, interval = self._wanted.symbol, self._wanted.interval
        first_ms = await self._source.first_open_ms(symbol, interval)
        if first_ms is None:
            raise HistoryError(f"{self._source.name} has no {symbol} {interval} candles")
        self._keeper.covered += [
            (start_ms, min(end_ms, first_ms)) for start_ms, end_ms in lacking if start_ms < first_ms
        ]
        self._lacking = _cut(lacking, (first_ms, lacking[-1][1]))
        now_ms, has_archive = self._source.clock.now_ms(), self._archive_url is not None
        pieces = pieces_of(symbol, interval, self._lacking, now_ms, has_archive=has_archive)
        self._progress.expect(self._wanted.label, self._count(pieces))
        try:
            await self._all(pieces)
        except* UnreachableError as failures:
            raise _first(failures) from None
        finally:
            self._keeper.flush()

    async def _all(self, pieces: Sequence[Piece]) -> None:
        async with asyncio.TaskGroup() as group:
            for piece in pieces:
                group.create_task(self._fetch(piece))

    async def _fetch(self, piece: Piece) -> None:
        """One piece; what is wrong with it is noted, and the others go on."""
        try:
            async with self._room:
                table = await self._ask(piece)
        except UnreachableError:
            raise
        except HistoryError as failure:
            self._keeper.failures.append(str(failure))
            return
        if table is None:
            instead = self._instead(piece)
            self._progress.expect(self._wanted.label, self._count(instead) - self._count([piece]))
            await self._all(instead)
            return
        self._keeper.keep(piece.span, table)
        name = piece.file.period if piece.file else f"from {iso_second(piece.span[0])}"
        self._progress.advance(self._wanted.label, name, self._count([piece]), len(table))

    async def _ask(self, piece: Piece) -> CandleTable | None:
        if piece.file is None:
            return await self._source.candles(self._wanted.symbol, self._wanted.interval, piece.span)
        assert self._archive_url is not None, "without an archive no piece is a file"
        return await fetch(self._source.web, self._archive_url, piece.file)

    def _instead(self, piece: Piece) -> list[Piece]:
        """Where a piece is to be had that the archive does not have: a month's days, a day's pages."""
        assert piece.file is not None, "only the archive lacks a file"
        symbol, interval = self._wanted.symbol, self._wanted.interval
        lacking = _cut(self._lacking, piece.span)
        if piece.file.is_month:
            return [each for span in lacking for each in day_pieces(symbol, interval, span, piece.span[1])]
        return [each for span in lacking for each in rest_pieces(span, INTERVAL_MS[interval])]

    def _count(self, pieces: Sequence[Piece]) -> int:
        return (
            sum(end_ms - start_ms for start_ms, end_ms in (piece.span for piece in pieces))
            // INTERVAL_MS[self._wanted.interval]
        )


class _Keeper:
    """Takes what has come, and puts it into the store now and then."""

    def __init__(self, store: CandleStore, source_name: str, fetched: Fetched) -> None:
        self.covered: list[Span] = []
        self.failures = fetched.failures
        self._store = store
        self._source_name = source_name
        self._fetched = fetched
        self._tables: list[CandleTable] = []
        self._most_rows = float(_KEPT_BACK_ROWS)
        self._flushed_seconds = monotonic_seconds()

    def keep(self, span: Span, table: CandleTable) -> None:
        """Take the candles of a span."""
        self.covered.append(span)
        self._tables.append(table)
        is_late = monotonic_seconds() - self._flushed_seconds > _KEPT_BACK_SECONDS
        if is_late or sum(map(len, self._tables)) >= self._most_rows:
            self.flush()

    def flush(self) -> None:
        """Put all that was taken into the store."""
        if self._tables:
            known = Provenance(self._source_name, tuple(self.covered), self._fetched.span[0])
            merged = self._store.add(joined(self._tables), known)
            self._fetched.new += merged.added
            self._most_rows = _KEPT_BACK_ROWS + _KEPT_BACK_FRACTION * len(merged.table)
        self._tables, self.covered, self._flushed_seconds = [], [], monotonic_seconds()


def _cut(spans: Sequence[Span], bounds: Span) -> list[Span]:
    """What of `spans` lies within `bounds`."""
    cut = [(max(start_ms, bounds[0]), min(end_ms, bounds[1])) for start_ms, end_ms in spans]
    return [(start_ms, end_ms) for start_ms, end_ms in cut if start_ms < end_ms]


def _first(failures: BaseExceptionGroup[UnreachableError]) -> UnreachableError:
    """The first of the failures in a group, which may hold groups."""
    failure = failures.exceptions[0]
    return _first(failure) if isinstance(failure, BaseExceptionGroup) else failure
