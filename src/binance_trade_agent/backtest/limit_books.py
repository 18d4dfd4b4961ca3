"""What limits count and measure, kept in memory: entries, exits, pauses, and the marks of the equity curve.

Each gives what the ledger works out from its rows (ledger/exits.py, pauses.py, equity.py), without looking back: what
happens in the order of time costs the same after a million candles as at the first.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.orders import Fill
from binance_trade_agent.ledger.equity import Key, Mark
from binance_trade_agent.ledger.pauses import DRAWDOWN
from binance_trade_agent.risk.state import ExitResult, Pause

_NONE: Mapping[str, Pause] = {}
_until_ms = itemgetter(0)


class Entries:
    """BUY orders that have filled, by their last fill."""

    def __init__(self) -> None:
        self._times_ms: list[int] = []
        self._entries: list[tuple[str, int]] = []
        self._order_ids: list[str] = []

    def note(self, fill: Fill, *, is_first: bool) -> None:
        """A BUY has filled; `is_first` says whether it is the order's first fill."""
        filled_ms = fill.traded_ms
        if not is_first:
            filled_ms = max(filled_ms, self._taken_out(fill.client_order_id))
        place = len(self._times_ms)
        if place and filled_ms < self._times_ms[-1]:
            place = bisect_right(self._times_ms, filled_ms)
        self._times_ms.insert(place, filled_ms)
        self._entries.insert(place, (fill.symbol, filled_ms))
        self._order_ids.insert(place, fill.client_order_id)

    def since(self, since_ms: int) -> Sequence[tuple[str, int]]:
        """Symbol and last fill of those that have filled after `since_ms`."""
        times_ms = self._times_ms
        if not times_ms or times_ms[-1] <= since_ms:
            return ()
        return self._entries[bisect_right(times_ms, since_ms) :]

    def _taken_out(self, order_id: str) -> int:
        place = next(place for place in reversed(range(len(self._order_ids))) if self._order_ids[place] == order_id)
        del self._entries[place], self._order_ids[place]
        return self._times_ms.pop(place)


class Exits:
    """SELL orders that have filled, with what each realised."""

    def __init__(self) -> None:
        self._sales: list[tuple[ExitResult, int]] = []  # with the trade id of its last fill; the newest last

    def note(self, fill: Fill, pnl_quote: Decimal, cost_quote: Decimal, *, is_first: bool) -> None:
        """A SELL has filled and realised `pnl_quote` of what had cost `cost_quote`; for `is_first` see Entries."""
        closed = (fill.traded_ms, fill.trade_id)
        if not is_first:
            known, trade_id = self._taken_out(fill.client_order_id)
            pnl_quote, cost_quote = known.pnl_quote + pnl_quote, known.cost_quote + cost_quote
            closed = max(closed, (known.closed_ms, trade_id))
        sale = ExitResult(fill.client_order_id, fill.symbol, pnl_quote, cost_quote, closed[0]), closed[1]
        sales, place = self._sales, len(self._sales)
        while place and _is_newer(sales[place - 1], sale):
            place -= 1
        sales.insert(place, sale)

    def forget(self, symbol: str) -> None:
        """Its fills are noted anew."""
        self._sales = [sale for sale in self._sales if sale[0].symbol != symbol]

    def backwards(self) -> Iterator[ExitResult]:
        """Newest first."""
        return map(itemgetter(0), reversed(self._sales))

    def _taken_out(self, order_id: str) -> tuple[ExitResult, int]:
        place = len(self._sales) - 1
        while self._sales[place][0].client_order_id != order_id:
            place -= 1
        return self._sales.pop(place)


def _is_newer(one: tuple[ExitResult, int], other: tuple[ExitResult, int]) -> bool:
    """Whether a sale comes before another, newest first: of one moment by symbol, of one symbol the later trade."""
    (first, first_trade), (second, second_trade) = one, other
    if first.closed_ms != second.closed_ms:
        return first.closed_ms > second.closed_ms
    return (first.symbol, -first_trade) < (second.symbol, -second_trade)


class Pauses:
    """Times in which nothing is entered.

    Attributes:
        begun: all of them, in the order in which they were begun.
    """

    def __init__(self) -> None:
        self.begun: list[Pause] = []
        self._by_rule: dict[str, list[tuple[int, int, Pause]]] = {}  # by end, then by beginning

    def begin(self, pause: Pause) -> bool:
        """Keep a pause; False when one of this rule that began at that time is known."""
        known = self._by_rule.setdefault(pause.rule, [])
        if any(since_ms == pause.since_ms for _, since_ms, _ in known):
            return False
        insort(known, (pause.until_ms, pause.since_ms, pause))
        self.begun.append(pause)
        return True

    def active(self, now_ms: int) -> Mapping[str, Pause]:
        """Those that are not over, by rule; of one rule the one that lasts longest, and began last."""
        if not self.begun:
            return _NONE
        return {rule: ends[-1][2] for rule, ends in self._by_rule.items() if ends[-1][0] > now_ms}

    def lasts_at(self, rule: str, at_ms: int) -> bool:
        """Whether one of this rule lasts, or lasted, at that time."""
        for until_ms, since_ms, _ in reversed(self._by_rule.get(rule, ())):
            if until_ms <= at_ms:
                break
            if since_ms <= at_ms:
                return True
        return False

    def last_end_ms(self, rule: str, now_ms: int) -> int | None:
        """When the last of this rule ended that is over; None when none is."""
        ends = self._by_rule.get(rule)
        place = bisect_right(ends, now_ms, key=_until_ms) if ends else 0
        return ends[place - 1][0] if ends and place else None


class Marks:
    """Points of the equity curve in one quote asset, told in the order of time; the last one may be told again."""

    def __init__(self, pauses: Pauses) -> None:
        self.latest: Mark | None = None
        self._before: Mark | None = None
        self._days: dict[int, tuple[Mark, Mark]] = {}  # first and last of each UTC day
        self._pauses = pauses

    def note(self, key: Key, adjusted_quote: Decimal, external_quote: Decimal) -> None:
        """Keep a point; its peak is worked out.

        Raises:
            ValueError: it is older than the last one.
        """
        last = self.latest
        if last is not None and key < last.key:
            raise ValueError(f"a point of the equity curve at {key[0]} ms came after one at {last.tick_ms} ms")
        if last is None or key != last.key:
            self._before = last
        peak_quote = self._peak_after(self._before, key[0], adjusted_quote)
        mark = self.latest = Mark(key, adjusted_quote, external_quote, peak_quote)
        first = self._days.get(key[0] // DAY_MS, (mark, mark))[0]
        self._days[key[0] // DAY_MS] = (mark if first.key == key else first), mark

    def begin_new_peak(self, ended_ms: int) -> None:
        """A pause for drawdown has begun that ends at `ended_ms`.

        Raises:
            ValueError: it ends before points whose peaks are not known any more.
        """
        last = self.latest
        if last is None or ended_ms > last.tick_ms:
            return
        if self._before is not None and ended_ms <= self._before.tick_ms:
            raise ValueError(f"a pause that ended at {ended_ms} ms began after points of the equity curve since")
        self.latest = Mark(last.key, last.adjusted_quote, last.external_quote, last.adjusted_quote)

    def peak_now(self, now_ms: int, adjusted_quote: Decimal) -> Decimal | None:
        """The peak by the last point; what equity is now where a pause for drawdown has ended since."""
        last = self.latest
        if last is None:
            return None
        return adjusted_quote if self._has_ended(last.tick_ms, now_ms) else last.peak_quote

    def day_start(self, now_ms: int) -> Decimal | None:
        """Equity when the UTC day began: the last point of the day before, else the first of the day."""
        day = now_ms // DAY_MS
        if yesterday := self._days.get(day - 1):
            return yesterday[1].adjusted_quote
        today = self._days.get(day)
        return today[0].adjusted_quote if today else None

    def _peak_after(self, before: Mark | None, at_ms: int, adjusted_quote: Decimal) -> Decimal:
        if before is None or self._has_ended(before.tick_ms, at_ms):
            return adjusted_quote
        return max(before.peak_quote, adjusted_quote)

    def _has_ended(self, after_ms: int, until_ms: int) -> bool:
        """Whether a pause for drawdown has ended in this time."""
        ended_ms = self._pauses.last_end_ms(DRAWDOWN, until_ms)
        return ended_ms is not None and ended_ms > after_ms
