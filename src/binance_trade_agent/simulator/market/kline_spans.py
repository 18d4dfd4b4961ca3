"""Which klines a request is about: the rules of selection of GET klines (binance-protocol.md 1.2)."""

from typing import Protocol

from binance_trade_agent.domain.candles import candle_span_ms

Span = tuple[int, int]


class Timeline(Protocol):
    """The moments at which there is a market, as far back as it is known.

    Attributes:
        oldest_ms: the first one.
        newest_ms: the last one.
        has_forgotten: whether there was a market before `oldest_ms`, so that a kline around it would be incomplete.
    """

    @property
    def oldest_ms(self) -> int: ...  # noqa: D102 (see the class)

    @property
    def newest_ms(self) -> int: ...  # noqa: D102

    @property
    def has_forgotten(self) -> bool: ...  # noqa: D102

    def first_from(self, at_ms: int) -> int | None:
        """The first moment at `at_ms` or later."""
        ...

    def last_before(self, at_ms: int) -> int | None:
        """The last moment before `at_ms`."""
        ...


def select_spans(
    timeline: Timeline, interval: str, *, start_ms: int | None, end_ms: int | None, limit: int, zone_ms: int
) -> list[Span]:
    """Open times, each with that of the next, of the klines whose open time lies in [start_ms, end_ms]; ascending.

    The oldest `limit` of them when `start_ms` is given, else the newest. Where the timeline has a gap there are none.

    Raises:
        KeyError: unknown interval.
    """
    low, following = candle_span_ms(interval, timeline.oldest_ms, zone_ms)
    if timeline.has_forgotten and low < timeline.oldest_ms:
        low = following
    high = timeline.newest_ms + 1
    if (start_ms is not None and start_ms >= high) or (end_ms is not None and end_ms < low):
        return []
    if end_ms is not None and end_ms < timeline.newest_ms:
        high = candle_span_ms(interval, end_ms, zone_ms)[1]
    if start_ms is None:
        return _newest(timeline, interval, low, high, limit, zone_ms)
    if start_ms > low:
        low, following = candle_span_ms(interval, start_ms, zone_ms)
        low = low if low == start_ms else following
    return _oldest(timeline, interval, low, high, limit, zone_ms)


def _oldest(timeline: Timeline, interval: str, low: int, high: int, limit: int, zone_ms: int) -> list[Span]:
    spans: list[Span] = []
    at_ms = timeline.first_from(low)
    while at_ms is not None and at_ms < high and len(spans) < limit:
        spans.append(candle_span_ms(interval, at_ms, zone_ms))
        at_ms = timeline.first_from(spans[-1][1])
    return spans


def _newest(timeline: Timeline, interval: str, low: int, high: int, limit: int, zone_ms: int) -> list[Span]:
    spans: list[Span] = []
    at_ms = timeline.last_before(high)
    while at_ms is not None and at_ms >= low and len(spans) < limit:
        spans.append(candle_span_ms(interval, at_ms, zone_ms))
        at_ms = timeline.last_before(spans[-1][0])
    return spans[::-1]
