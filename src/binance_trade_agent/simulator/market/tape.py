"""The tape: the last public trades of one symbol, alone, as aggregates, and as klines shorter than the feed's."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.market.columns import Columns, from_units, to_units
from binance_trade_agent.simulator.market.kline_spans import select_spans
from binance_trade_agent.simulator.market.klines import Kline, KlineSeries

TRADES_KEPT = 5_000

_ID, _TIME, _PRICE, _QUANTITY, _IS_SALE, _TAKER_ORDER_ID, _AGGREGATE_ID = range(7)
_OUTSIDE = -1  # in place of a taker's order id


@dataclass(frozen=True, slots=True)
class AggregateTrade:
    """Trades of one taker order at one price and time (a row of GET aggTrades); quantities are summed, base asset."""

    aggregate_id: int
    price: Decimal
    quantity: Decimal
    first_trade_id: int
    last_trade_id: int
    at_ms: int
    taker_side: Side

    @classmethod
    def of(cls, trade: PublicTrade, aggregate_id: int) -> "AggregateTrade":
        """A trade as an aggregate of its own."""
        return cls(
            aggregate_id, trade.price, trade.quantity, trade.trade_id, trade.trade_id, trade.at_ms, trade.taker_side
        )

    def with_trade(self, trade: PublicTrade) -> "AggregateTrade":
        """The aggregate with a further trade of it."""
        return replace(self, quantity=self.quantity + trade.quantity, last_trade_id=trade.trade_id)


class Tape:
    """The newest trades, 5,000 at least.

    A trade that was not made by the order of a user is an aggregate of its own. Aggregates are numbered one by one,
    from the id of the first trade of this process on; so those of a continued session are above all earlier ones.

    Attributes:
        last: the newest trade.
    """

    def __init__(self, symbol: str) -> None:
        self.last: PublicTrade | None = None
        self._symbol = symbol
        self._columns = Columns(7, TRADES_KEPT)

    def add(self, trade: PublicTrade) -> None:
        """Take in the next trade."""
        aggregate_id = trade.trade_id
        if self.last is not None:
            aggregate_id = self.next_aggregate_id - is_same_taking(trade, self.last)
        taker_order_id = _OUTSIDE if trade.taker_order_id is None else trade.taker_order_id
        self._columns.append(
            (
                trade.trade_id,
                trade.at_ms,
                to_units(trade.price),
                to_units(trade.quantity),
                trade.taker_side is Side.SELL,
                taker_order_id,
                aggregate_id,
            )
        )
        self.last = trade

    @property
    def next_aggregate_id(self) -> int:
        """The id of the aggregate that follows the newest; 1 before the first trade."""
        return self._columns[_AGGREGATE_ID][-1] + 1 if self.last is not None else 1

    def recent(self, limit: int) -> list[PublicTrade]:
        """The last `limit` trades, oldest first."""
        count = len(self._columns)
        return [self._trade(index) for index in range(max(0, count - limit), count)]

    def aggregates(
        self,
        *,
        from_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int,
    ) -> list[AggregateTrade]:
        """Aggregates from `from_id` on, or with a time in [start_ms, end_ms]; ascending.

        The oldest `limit` of them when `from_id` or `start_ms` is given, else the newest.
        """
        ids, times = self._columns[_AGGREGATE_ID], self._columns[_TIME]
        low = 0 if from_id is None else bisect_left(ids, from_id)
        low = low if start_ms is None else max(low, bisect_left(times, start_ms))
        high = len(ids) if end_ms is None else bisect_right(times, end_ms)
        if low >= high:
            return []
        first_id, last_id = ids[low], ids[high - 1]
        if from_id is None and start_ms is None:
            first_id = max(first_id, last_id - limit + 1)
        wanted = range(first_id, min(last_id, first_id + limit - 1) + 1)
        bounds = [bisect_left(ids, aggregate_id, low, high) for aggregate_id in (*wanted, wanted.stop)]
        return [self._aggregate(first, beyond) for first, beyond in pairwise(bounds)]

    def klines(
        self,
        series: KlineSeries,
        interval: str,
        now_ms: int,
        *,
        start_ms: int | None,
        end_ms: int | None,
        limit: int,
        zone_ms: int,
    ) -> list[Kline]:
        """Klines of `interval` made of the trades that are kept, as `KlineSeries.select`; flat where there are none.

        They are there where `series` has klines, until `now_ms`.
        """
        if self.last is None:
            return []
        spans = select_spans(
            _Timeline(self._columns, series, now_ms),
            interval,
            start_ms=start_ms,
            end_ms=end_ms,
            limit=limit,
            zone_ms=zone_ms,
        )
        return [self._kline(open_ms, next_ms) for open_ms, next_ms in spans]

    def _trade(self, index: int) -> PublicTrade:
        trade_id, at_ms, price, quantity, is_sale, taker_order_id, _ = self._columns.row(index)
        return PublicTrade(
            trade_id,
            self._symbol,
            from_units(price),
            from_units(quantity),
            Side.SELL if is_sale else Side.BUY,
            at_ms,
            None if taker_order_id == _OUTSIDE else taker_order_id,
        )

    def _aggregate(self, first: int, beyond: int) -> AggregateTrade:
        trade_id, at_ms, price, _, is_sale, _, aggregate_id = self._columns.row(first)
        return AggregateTrade(
            aggregate_id,
            from_units(price),
            from_units(sum(self._columns[_QUANTITY][first:beyond])),
            trade_id,
            self._columns[_ID][beyond - 1],
            at_ms,
            Side.SELL if is_sale else Side.BUY,
        )

    def _kline(self, open_ms: int, next_ms: int) -> Kline:
        times = self._columns[_TIME]
        first, beyond = bisect_left(times, open_ms), bisect_left(times, next_ms)
        price = from_units(self._columns[_PRICE][max(0, first - 1)])
        kline = Kline(open_ms, next_ms - 1, price, price, price, price)
        for index in range(first, beyond):
            trade = self._trade(index)
            kline.add_trade(trade.price, trade.quantity, trade.taker_side, trade.trade_id)
        return kline


class _Timeline:
    """From the oldest trade until now, without the gaps of the feed; see kline_spans.Timeline."""

    def __init__(self, trades: Columns, series: KlineSeries, now_ms: int) -> None:
        self.oldest_ms = trades[_TIME][0]
        self.newest_ms = now_ms
        self.has_forgotten = trades.has_forgotten
        self._series = series

    def first_from(self, at_ms: int) -> int | None:
        return at_ms if self._is_covered(at_ms) else self._series.first_from(at_ms)

    def last_before(self, at_ms: int) -> int | None:
        if self._is_covered(at_ms - 1):
            return at_ms - 1
        open_ms = self._series.last_before(at_ms)
        return None if open_ms is None else open_ms + self._series.length_ms - 1

    def _is_covered(self, at_ms: int) -> bool:
        open_ms = self._series.last_before(at_ms + 1)
        return open_ms is not None and at_ms < open_ms + self._series.length_ms


def is_same_taking(trade: PublicTrade, last: PublicTrade) -> bool:
    """Whether a trade belongs to the aggregate of the one before it."""
    return (
        trade.taker_order_id is not None
        and trade.taker_order_id == last.taker_order_id
        and trade.taker_side is last.taker_side
        and trade.price == last.price
        and trade.at_ms == last.at_ms
    )
