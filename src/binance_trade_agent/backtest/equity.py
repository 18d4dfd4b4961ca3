"""The equity of a backtest: spans of ticks valued at once, and exactly the points that limits hang on."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import numpy as np

from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.history.table import FloatArray, IntArray
from binance_trade_agent.ledger.books import BooksView
from binance_trade_agent.ledger.pauses import DAILY_LOSS, DRAWDOWN

# A float is off by a part of 1e-15; within this distance of a limit the exact numbers decide.
_NEAR = 1e-9


@dataclass(frozen=True, slots=True)
class LossLimits:
    """Limits on losses in percent, 0 for none."""

    drawdown_pct: Decimal
    daily_pct: Decimal

    @property
    def are_set(self) -> bool:
        """Whether any point of the curve matters to a limit."""
        return bool(self.drawdown_pct or self.daily_pct)


class MarkedBooks(BooksView, Protocol):
    """Books that are told the points of the curve."""

    def mark(self, tick_ms: int, equity_quote: Decimal) -> None:
        """Keep the equity at a tick; ticks come in order."""
        ...


class EquityCurve:
    """What the account is worth at each tick of all symbols.

    Between two changes of holdings the equity follows the bids, so spans are valued as arrays. Of a span only these
    points are told to the books, exactly: the first and the last of each day (UTC), the highest, the last before a
    pause for drawdown ends and before a visit, and each at which a limit on losses may be passed. With those the books
    answer every question about peak and day as if they had been told all points.

    Args:
        times_ms: of the ticks, in order; `bids`: by symbol, float64 at each tick, quote per base.
        exact_bid: of a symbol at a tick.
        look: lets the breakers look at the books at a tick, after its point.
        looks_always: whether they look after each tick, and all points are told.
    """

    def __init__(
        self,
        times_ms: IntArray,
        bids: Mapping[str, FloatArray],
        exact_bid: Callable[[str, int], Decimal],
        books: MarkedBooks,
        limits: LossLimits,
        look: Callable[[int], None],
        *,
        quote_asset: str,
        looks_always: bool = False,
    ) -> None:
        self._times_ms = times_ms
        self._bids = bids
        self._exact_bid = exact_bid
        self._books = books
        self._limits = limits
        self._look = look
        self._quote_asset = quote_asset
        self._looks_always = looks_always
        self._next = 0
        self._cash = ZERO
        self._held: dict[str, Decimal] = {}
        self._changes: list[tuple[int, Decimal, dict[str, Decimal]]] = []
        days = times_ms // DAY_MS
        self._day_firsts = (np.flatnonzero(np.diff(days)) + 1).tolist()
        self._days_begun = frozenset(self._day_firsts)
        self._looks_soon = False

    def hold(self, cash: Decimal, symbol: str = "", quantity: Decimal = ZERO) -> None:
        """From the next tick that is marked on, this is held: quote asset, and base asset of the symbol."""
        self._cash = cash
        self._held = {name: held for name, held in self._held.items() if name != symbol}
        if quantity > 0:
            self._held[symbol] = quantity
        self._changes.append((self._next, self._cash, self._held))

    def look_soon(self) -> None:
        """Something has filled: the breakers look after the next point."""
        self._looks_soon = True

    def mark_until(self, index: int) -> None:
        """Value the ticks before `index` that were not valued yet."""
        if index <= self._next:
            return
        if self._limits.are_set or self._looks_always:
            for start, stop in self._pieces(self._next, index):
                self._mark_piece(start, stop)
        elif self._looks_soon:  # no limit hangs on the equity
            self._looks_soon = False
            self._look(self._next)
        self._next = index

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The span cut at midnights."""
        number = bisect_right(self._day_firsts, start)
        while number < len(self._day_firsts) and (edge := self._day_firsts[number]) < stop:
            yield start, edge
            start, number = edge, number + 1
        yield start, stop

    def _mark_piece(self, start: int, stop: int) -> None:
        """Value ticks [start, stop) of one day, look after by look after."""
        while start < stop:
            suspect, end = self._first_suspect(start, stop)
            if suspect is not None:
                end = suspect + 1
            self._tell(start, end)
            if suspect is not None:
                self._looks_soon = False
                self._look(suspect)
            start = end

    def _first_suspect(self, start: int, stop: int) -> tuple[int | None, int]:
        """The first tick after which the breakers have to look, None when there is none; and how far that is known.

        A pause for drawdown that ends begins a new peak, so nothing is known beyond its end.
        """
        if self._looks_always or self._looks_soon:
            return start, stop
        at_ms = int(self._times_ms[start])
        paused = self._books.active_pauses(at_ms)
        if pause := paused.get(DRAWDOWN):
            stop = min(stop, max(start + 1, int(np.searchsorted(self._times_ms, pause.until_ms))))
        drawdown_pct = ZERO if pause else self._limits.drawdown_pct
        daily_pct = ZERO if DAILY_LOSS in paused else self._limits.daily_pct
        mark = self._books.latest_mark(self._quote_asset) if drawdown_pct else None
        begun = self._books.day_start(self._quote_asset, at_ms) if daily_pct else None
        # Without a holding the equity stays as the last sale has left it: it passes a limit at once or not at all.
        values = self._values(start, stop if self._held else start + 1)
        first = values[0]
        least = values.min()
        suspects = []
        if drawdown_pct:
            peak = float(mark.peak_quote) if mark is not None else first
            part = 1 - float(drawdown_pct) / 100 + _NEAR
            if least <= max(peak, values.max()) * part:
                suspects.append(values <= np.maximum.accumulate(np.maximum(values, peak)) * part)
        if daily_pct:
            base = float(begun) if begun is not None else first
            bound = base * (1 - float(daily_pct) / 100 + _NEAR)
            if least <= bound:
                suspects.append(values <= bound)
        found = [int(each.argmax()) for each in suspects if each.any()]
        return (start + min(found) if found else None), stop

    def _tell(self, start: int, stop: int) -> None:
        """Tell the books the highest and the last of ticks [start, stop), and the first where a day begins with it."""
        told = {stop - 1}
        if self._held and stop - start > 1:
            told.add(self._highest(start, stop))
        if self._looks_always or start == 0 or start in self._days_begun:
            told.add(start)
        for index in sorted(told):
            self._books.mark(int(self._times_ms[index]), self.exact(index))

    def _highest(self, start: int, stop: int) -> int:
        """The first tick with the highest equity."""
        if len(self._held) == 1:  # the higher the bid, the higher the equity
            (symbol,) = self._held
            return start + int(self._bids[symbol][start:stop].argmax())
        values = self._values(start, stop)
        highest = values.max()
        # Floats do not tell apart what is so near; of equal ones the first stands for all.
        near = np.flatnonzero(values >= highest - abs(highest) * _NEAR)
        if len(near) == 1:
            return start + int(near[0])
        _, firsts = np.unique(values[near], return_index=True)
        candidates: list[int] = (start + near[np.sort(firsts)]).tolist()
        return max(candidates, key=self.exact)

    def exact(self, index: int) -> Decimal:
        """The equity at a tick with what is held now."""
        return self._cash + sum(
            (quantity * self._exact_bid(symbol, index) for symbol, quantity in self._held.items()), start=ZERO
        )

    def _values(self, start: int, stop: int) -> FloatArray:
        values = np.full(stop - start, float(self._cash))
        for symbol, quantity in self._held.items():
            values += float(quantity) * self._bids[symbol][start:stop]
        return values

    def whole(self) -> tuple[FloatArray, FloatArray]:
        """Equity and exposure at all ticks that were marked."""
        count = self._next
        starts = [start for start, _, _ in self._changes]
        lengths = np.diff([*starts, count])
        cash = np.repeat([float(money) for _, money, _ in self._changes], lengths)
        exposure = np.zeros(count)
        for symbol, bids in self._bids.items():
            quantities = [float(held.get(symbol, ZERO)) for _, _, held in self._changes]
            if any(quantities):
                exposure += np.repeat(quantities, lengths) * bids[:count]
        return cash + exposure, exposure
