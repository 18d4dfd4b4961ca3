"""Where each missing piece of a symbol's candles is to be had: the archive's months and days, and GET klines."""

from collections.abc import Sequence
from dataclasses import dataclass

from binance_trade_agent.domain.candles import DAY_MS, INTERVAL_MS
from binance_trade_agent.history.archive import ArchiveFile
from binance_trade_agent.history.klines import MOST_ROWS
from binance_trade_agent.history.spans import Span, pages

_FEW_DAYS = 5  # so many days of a month are fetched day by day


@dataclass(frozen=True, slots=True)
class Piece:
    """What is fetched in one go: a file of the archive, or a page of GET klines where `file` is None."""

    span: Span
    file: ArchiveFile | None = None


def pieces_of(symbol: str, interval: str, missing: Sequence[Span], now_ms: int, *, has_archive: bool) -> list[Piece]:
    """Pieces that together hold all of `missing`, in time order.

    A span that one page of GET klines holds is asked there. Of others the archive has the months and days that are
    over; a month is fetched whole, however much of it is missing. Candles longer than a day are in no daily file.
    """
    length_ms = INTERVAL_MS[interval]
    pieces: dict[Span, Piece] = {}
    for span in missing:
        if not has_archive or length_ms > DAY_MS or span[1] - span[0] <= MOST_ROWS * length_ms:
            found = rest_pieces(span, length_ms)
        else:
            found = _archive_pieces(symbol, interval, span, now_ms)
        pieces.update({piece.span: piece for piece in found})
    return [pieces[span] for span in sorted(pieces)]


def rest_pieces(span: Span, length_ms: int) -> list[Piece]:
    """The pages of GET klines that hold a span."""
    return [Piece(page) for page in pages(span, MOST_ROWS * length_ms)]


def day_pieces(symbol: str, interval: str, span: Span, now_ms: int) -> list[Piece]:
    """The daily files that hold a span, and pages of GET klines for the day that is not over."""
    found: list[Piece] = []
    at_ms = span[0]
    while at_ms < span[1]:
        file = ArchiveFile.of_day(symbol, interval, at_ms)
        until_ms = min(file.span[1], span[1])
        if file.span[1] <= now_ms:
            found.append(Piece(file.span, file))
        else:
            found += rest_pieces((at_ms, until_ms), INTERVAL_MS[interval])
        at_ms = until_ms
    return found


def _archive_pieces(symbol: str, interval: str, span: Span, now_ms: int) -> list[Piece]:
    found: list[Piece] = []
    at_ms = span[0]
    while at_ms < span[1]:
        file = ArchiveFile.of_month(symbol, interval, at_ms)
        until_ms = min(file.span[1], span[1])
        if file.span[1] <= now_ms and until_ms - at_ms > _FEW_DAYS * DAY_MS:
            found.append(Piece(file.span, file))
        else:
            found += day_pieces(symbol, interval, (at_ms, until_ms), now_ms)
        at_ms = until_ms
    return found
