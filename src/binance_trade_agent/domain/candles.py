"""Candles (klines) and their intervals."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from binance_trade_agent.domain.values import Value

MINUTE_MS = 60_000
DAY_MS = 1_440 * MINUTE_MS
MONTH = "1M"
_INFINITE = Decimal("Infinity")

# binance-protocol.md 1.2; `1M` is left out: it has no fixed length and no daemon trades on it.
INTERVAL_MS: dict[str, int] = {
    "1s": 1_000,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": 1_440 * MINUTE_MS,
    "3d": 3 * 1_440 * MINUTE_MS,
    "1w": 7 * 1_440 * MINUTE_MS,
}

BINANCE_INTERVALS = (*INTERVAL_MS, MONTH)

_MONDAY_OFFSET_MS = 4 * 1_440 * MINUTE_MS  # the epoch was a Thursday; weekly candles open on Monday 00:00 UTC


def interval_open_ms(interval: str, at_ms: int) -> int:
    """Open time of the candle of `interval` that contains `at_ms`.

    Raises:
        KeyError: unknown interval.
    """
    length = INTERVAL_MS[interval]
    offset = _MONDAY_OFFSET_MS if interval == "1w" else 0
    return (at_ms - offset) // length * length + offset


def candle_span_ms(interval: str, at_ms: int, zone_ms: int = 0) -> tuple[int, int]:
    """Open time of the candle that contains `at_ms`, and that of the next one (binance-protocol.md 1.2).

    Args:
        interval: one of BINANCE_INTERVALS.
        at_ms: a time of the years 1971 to 9998.
        zone_ms: offset from UTC of the time zone in which days, weeks and months begin.

    Raises:
        KeyError: unknown interval.
    """
    if interval == MONTH:
        month = datetime.fromtimestamp((at_ms + zone_ms) // 1000, UTC)
        opened = datetime(month.year, month.month, 1, tzinfo=UTC)
        following = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
        return int(opened.timestamp()) * 1000 - zone_ms, int(following.timestamp()) * 1000 - zone_ms
    open_ms = interval_open_ms(interval, at_ms + zone_ms) - zone_ms
    return open_ms, open_ms + INTERVAL_MS[interval]


class Candle(Value, frozen=True):
    """One closed or open candle. Prices in quote asset per base asset, volume in base asset, times in ms UTC."""

    open_time_ms: int
    close_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def is_sound(self) -> bool:
        """Prices positive and in order, volume not negative, everything finite."""
        try:
            return (
                0 < self.low <= self.open <= self.high
                and self.low <= self.close <= self.high < _INFINITE
                and 0 <= self.volume < _INFINITE
            )
        except InvalidOperation:  # NaN can be compared with nothing
            return False
