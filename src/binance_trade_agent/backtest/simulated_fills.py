"""SimulatedFills: orders fill as on the simulated exchange that replays the same candles."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from math import sqrt
from random import Random

import numpy as np

from binance_trade_agent.backtest.fills import Barriers, CandleFills, FillRules, FillSettings, Hit, Part, Quote, walked
from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.market import Level
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules, symbol_rules
from binance_trade_agent.history.table import CandleTable, FloatArray, IntArray
from binance_trade_agent.simulator.market.book import OutsideBook
from binance_trade_agent.simulator.market.feed import Print
from binance_trade_agent.simulator.market.path import trade_count
from binance_trade_agent.simulator.market.printer import Printer
from binance_trade_agent.simulator.symbols import listing

_SEED = 0  # of every replay (simulator/market/replay.py)
_BOOKS_KEPT = 64


def fill_rules(
    table: CandleTable, rules: SymbolRules, settings: FillSettings, detail: CandleTable | None = None
) -> FillRules:
    """The rules that the settings ask for.

    Raises:
        ValueError: the simulated exchange cannot list such a symbol; the text is one sentence for a person.
    """
    if settings.rules == "simulated":
        return SimulatedFills(table)
    return CandleFills(table, rules, settings, detail)


class SimulatedFills:
    """Fills as the simulated exchange has them: each candle is a row of trades, and each trade leaves a book.

    The book at a tick is the one after the first trade of the candle that opens then; where nobody trades in that, the
    last one before. An order takes its levels, and what it took is gone until the next trade. What rests sees the
    trades after its tick up to the first one of the next candle, which comes before the next tick: a stop takes the
    book of the first trade at its price or under it; a target fills whole when a trade goes through it, and when one
    reaches it, as far as that leaves something behind what stood at the price before it (matching/engine.py).

    Args:
        table: all candles of the replay from its first one on: its price sets how much the levels of the book hold.

    Raises:
        ValueError: the simulated exchange cannot list such a symbol.
    """

    def __init__(self, table: CandleTable) -> None:
        first_price = table.price(table.open[0])
        entry = listing(table.symbol, first_price)
        self._table = table
        self._printer = Printer(entry, seed=_SEED, price=first_price)
        rules = symbol_rules(entry)
        self._tick, self._step = rules.tick_size, rules.step_size
        self._liquidity = OutsideBook(
            tick=rules.tick_size,
            step=rules.step_size,
            largest_level=first_price,
            random=Random(_SEED),  # noqa: S311
        ).liquidity
        self._first = lru_cache(_BOOKS_KEPT)(self._first_print)
        self._taken_row = -1
        self._left: dict[Side, list[Level]] = {}
        self._queue: tuple[int, Decimal, Decimal] = (-1, ZERO, ZERO)  # since which row, price, what stands before

    # At a tick

    def quote(self, row: int) -> Quote:
        """See FillRules."""
        bids, asks = self.depth(row)
        return Quote(_best(bids), _best(asks), self._first(row).price)

    def bid(self, row: int) -> Decimal:
        """See FillRules."""
        return _best(self._first(row).bids)

    def last_bid(self) -> Decimal:
        """See FillRules."""
        return _best(self._last_print(len(self._table) - 1).bids)

    def bids(self, rows: IntArray) -> FloatArray:
        """See FillRules. Made one by one, but without the books, each of which takes ten times as long.

        While other symbols tick through a hole, or on after the end, a row comes again and again: it is made once.
        """
        count = len(self._table)
        once, places = np.unique(rows, return_inverse=True)
        made = [float(self._best_bid(row) if row < count else self.last_bid()) for row in once.tolist()]
        return np.array(made)[places]

    def depth(self, row: int) -> tuple[Sequence[Level], Sequence[Level]]:
        """See FillRules."""
        if row == self._taken_row:
            return self._left[Side.SELL], self._left[Side.BUY]
        first = self._first(row)
        return first.bids, first.asks

    def market(self, row: int, side: Side, quantity: Decimal) -> tuple[Part, ...]:
        """See FillRules."""
        if row != self._taken_row:
            bids, asks = self.depth(row)
            self._left = {Side.SELL: list(bids), Side.BUY: list(asks)}
            self._taken_row = row
        parts = walked(self._left[side], quantity)
        self._left[side] = _without(self._left[side], parts)
        return parts

    # Within a candle

    def rows_hit(self, barriers: Barriers, first: int, stop: int) -> Sequence[int]:
        """See FillRules."""
        table = self._table
        hit = np.zeros(stop - first, dtype=np.bool_)
        low, high = table.low[first : stop + 1].copy(), table.high[first : stop + 1].copy()
        # The first trade of the next candle is at its open.
        count = len(table.open[first + 1 : stop + 1])
        low[:count] = np.minimum(low[:count], table.open[first + 1 : stop + 1])
        high[:count] = np.maximum(high[:count], table.open[first + 1 : stop + 1])
        if barriers.stop is not None:
            hit |= low[: stop - first] <= float(barriers.stop)
        if barriers.target is not None:
            hit |= high[: stop - first] >= float(barriers.target)
        return (np.flatnonzero(hit) + first).tolist()

    def resting(self, row: int, barriers: Barriers, quantity: Decimal) -> Hit | None:
        """See FillRules."""
        stop, target = barriers.stop, barriers.target
        parts: list[Part] = []
        for trade in self._trades(row, barriers.since_row):
            if target is not None and trade.price >= target:
                # What stands is passed before the trade that goes through it; at its price it waits for its turn.
                sold = quantity if trade.price > target else min(quantity, self._reached(barriers, target, trade))
                if sold:
                    parts.append(Part(target, sold, trade.at_ms))
                    quantity -= sold
                    stop = None  # the first fill of a leg ends the other one
                if not quantity:
                    break
            if stop is not None and trade.price <= stop:
                return Hit(is_stop=True, parts=walked(trade.bids, quantity, trade.at_ms))
        return Hit(is_stop=False, parts=tuple(parts)) if parts else None

    def _trades(self, row: int, since_row: int) -> Iterator[Print]:
        """Trades that meet what rests since the tick of `since_row`, up to and with the one just before the next tick.

        After a hole the first trade of a candle meets what rested before; else it was met with the candle before.
        """
        times_ms, length_ms = self._table.open_times_ms, self._table.interval_ms
        prints = self._printer.prints(self._table.candle(row))
        if row == since_row or times_ms[row] - times_ms[row - 1] == length_ms:
            next(prints, None)
        yield from prints
        if row + 1 < len(self._table) and times_ms[row + 1] - times_ms[row] == length_ms:
            after = next(self._printer.prints(self._table.candle(row + 1)), None)
            if after is not None:
                yield after

    def _reached(self, barriers: Barriers, target: Decimal, trade: Print) -> Decimal:
        """How much of a trade at the target's price is left for it after what stood there before it."""
        if trade.taker_side is not Side.BUY:
            return ZERO
        if self._queue[:2] != (barriers.since_row, target):
            asks = self._first(barriers.since_row).asks
            standing = sum((size for price, size in asks if price == target), ZERO)
            self._queue = (barriers.since_row, target, standing)
        reached = trade.quantity - self._queue[2]
        self._queue = (barriers.since_row, target, max(ZERO, -reached))
        return max(ZERO, reached)

    # The trades of a candle

    def _first_print(self, row: int) -> Print:
        first = next(self._printer.prints(self._table.candle(row)), None)
        return first or self._last_print(row - 1)

    def _last_print(self, row: int) -> Print:
        """The last trade up to the end of the candle of `row`.

        Raises:
            ValueError: nobody has traded until then.
        """
        traded = np.flatnonzero(self._table.volume[: row + 1])
        if not len(traded):
            raise ValueError(
                f"nobody trades in the first candles of {self._table.symbol}: there is no price to begin at"
            )
        *_, last = self._printer.prints(self._table.candle(int(traded[-1])))
        return last

    def _best_bid(self, row: int) -> Decimal:
        """The same as `bid`: of the first trade only the side is drawn, and of its book only the spread is made.

        A candle's path (simulator/market/path.py) draws three numbers for its turns and one for each trade between
        them, of two words of 32 bits each, then a word for each trade's quantity, then the side of the first trade.
        """
        candle, tick = self._table.candle(row), self._tick
        count = trade_count(candle, self._step)
        if not count:
            return self.bid(row)
        random = Random(f"{_SEED}/{self._table.symbol}/{candle.open_time_ms}")  # noqa: S311 (as the exchange draws)
        weights = count if int(candle.volume // self._step) >= count else 0
        random.getrandbits(32 * (2 * (count - 1) + weights))
        if random.random() >= 0.5:  # somebody sold at the best bid
            return candle.open // tick * tick
        minutes = self._table.interval_ms / MINUTE_MS
        spread = self._liquidity(candle.close, (candle.high - candle.low) / Decimal(sqrt(minutes))).spread_ticks
        return max(ZERO, -(-candle.open // tick) - spread) * tick


def _best(levels: Sequence[Level]) -> Decimal:
    return levels[0][0] if levels else ZERO


def _without(levels: Sequence[Level], parts: Sequence[Part]) -> list[Level]:
    """What is left of the levels when the parts were taken, best first."""
    left = list(levels)
    for part in parts:
        price, size = left[0]
        left[0] = (price, size - part.quantity)
        if not left[0][1]:
            del left[0]
    return left
