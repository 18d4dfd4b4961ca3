"""Names of market streams, such as `btcusdt@kline_1m` (binance-protocol.md 5.1)."""

import re
from dataclasses import dataclass
from enum import StrEnum

from binance_trade_agent.domain.candles import MINUTE_MS

_HOUR_MS = 60 * MINUTE_MS
INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
WINDOWS_MS = {"1h": _HOUR_MS, "4h": 4 * _HOUR_MS, "1d": 24 * _HOUR_MS}
_ZONES_MS = {"": 0, "@+08:00": 8 * _HOUR_MS}


class Kind(StrEnum):
    """What a stream tells; the value is what its name begins with behind the symbol."""

    TRADE = "trade"
    AGGREGATE_TRADE = "aggTrade"
    KLINE = "kline"
    BOOK_TICKER = "bookTicker"
    DEPTH = "depth"
    MINI_TICKER = "miniTicker"
    TICKER = "ticker"
    WINDOW_TICKER = "ticker_"
    AVERAGE_PRICE = "avgPrice"


_PLAIN = (Kind.TRADE, Kind.AGGREGATE_TRADE, Kind.BOOK_TICKER, Kind.MINI_TICKER, Kind.TICKER, Kind.AVERAGE_PRICE)
_OF_SYMBOL = re.compile(
    rf"(?P<symbol>[a-z0-9]+)@(?:(?P<plain>{'|'.join(_PLAIN)})"
    rf"|kline_(?P<interval>{'|'.join(INTERVALS)})(?P<zone>@\+08:00)?"
    rf"|depth(?P<levels>5|10|20)?(?P<fast>@100ms)?"
    rf"|ticker_(?P<window>{'|'.join(WINDOWS_MS)}))"
)
_OF_ALL = re.compile(rf"!(?:(?P<mini>miniTicker)|ticker_(?P<window>{'|'.join(WINDOWS_MS)}))@arr")


@dataclass(frozen=True, slots=True)
class StreamName:
    """A stream's name, taken apart.

    Attributes:
        symbol: upper case; None for a stream of all symbols.
        interval: of klines.
        zone_ms: offset from UTC of the time zone to whose midnight klines are aligned.
        levels: of a partial book; None for a stream of its changes.
        is_fast: ten times a second instead of once.
        window: of a window ticker, one of WINDOWS_MS.
    """

    kind: Kind
    symbol: str | None = None
    interval: str = ""
    zone_ms: int = 0
    levels: int | None = None
    is_fast: bool = False
    window: str = ""


def parse_name(name: str) -> StreamName | None:
    """The name taken apart; None when there is no such stream (any more), of whatever symbol."""
    if of_all := _OF_ALL.fullmatch(name):
        window = of_all["window"]
        return StreamName(Kind.WINDOW_TICKER, window=window) if window else StreamName(Kind.MINI_TICKER)
    parsed = _OF_SYMBOL.fullmatch(name)
    if parsed is None:
        return None
    symbol = parsed["symbol"].upper()
    if parsed["plain"]:
        return StreamName(Kind(parsed["plain"]), symbol)
    if parsed["interval"]:
        return StreamName(Kind.KLINE, symbol, interval=parsed["interval"], zone_ms=_ZONES_MS[parsed["zone"] or ""])
    if parsed["window"]:
        return StreamName(Kind.WINDOW_TICKER, symbol, window=parsed["window"])
    levels = int(parsed["levels"]) if parsed["levels"] else None
    return StreamName(Kind.DEPTH, symbol, levels=levels, is_fast=parsed["fast"] is not None)
