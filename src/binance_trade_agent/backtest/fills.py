"""Fill rules: at what price, and how much of an order, a recorded market would have filled.

Candles do not say what stood in the order book, so these are assumptions, each with a setting. Where a candle leaves it
open what happened, the rules take what is worse for the account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol

import numpy as np

from binance_trade_agent.backtest.book_levels import BookLevels
from binance_trade_agent.domain.market import Level
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.history.table import CandleTable, FloatArray, IntArray

_HUNDRED = Decimal(100)
_LARGEST_INT64 = 2**63 - 1
_IMPACT_CANDLES = 100  # over which the square-root rule measures volatility and volume
_NO_BOUND_BASE = Decimal(10**9)  # offered where it is not known how much
SLIPPAGES = ("none", "fixed", "sqrt", "book")
RULES = ("candles", "simulated")


@dataclass(frozen=True, slots=True)
class FillSettings:
    """Assumptions about fills; percentages are 0 to 100.

    Attributes:
        fee_pct: commission of each fill, maker or taker, of the received amount.
        spread_pct: distance from best bid to best ask, of the price between them.
        slippage: `none`; `fixed`, slippage_pct beyond the best price; `sqrt`, impact * volatility * sqrt(quantity /
            volume), both of a candle over the last 100; `book`, through the levels of the simulated exchange's book.
        impact: factor of the square-root rule; about 1 is what large studies of markets find (Toth et al., Anomalous
            price impact and the critical nature of liquidity in financial markets, 2011).
        volume_share_pct: of a candle's volume that one order may fill of; 0 has no bound.
        rules: `candles`, all of the above; `simulated`, as on the simulated exchange that replays the same candles,
            with its book and of the above the commission only.
    """

    fee_pct: Decimal = Decimal("0.1")
    spread_pct: Decimal = Decimal("0.02")
    slippage: str = "sqrt"
    slippage_pct: Decimal = Decimal("0.02")
    impact: Decimal = Decimal(1)
    volume_share_pct: Decimal = Decimal(10)
    rules: str = "candles"

    def __str__(self) -> str:
        """`fee 0.1 %, spread 0.02 %, slippage sqrt (impact 1), at most 10 % of a candle's volume`."""
        if self.rules == "simulated":
            return f"as on the simulated exchange, fee {plain(self.fee_pct)} %"
        how = {"fixed": f" ({plain(self.slippage_pct)} %)", "sqrt": f" (impact {plain(self.impact)})"}
        parts = [
            f"fee {plain(self.fee_pct)} %",
            f"spread {plain(self.spread_pct)} %",
            f"slippage {self.slippage}{how.get(self.slippage, '')}",
        ]
        if self.volume_share_pct:
            parts.append(f"at most {plain(self.volume_share_pct)} % of a candle's volume")
        return ", ".join(parts)


class Quote(NamedTuple):
    """Best prices at a tick of the market, quote per base, and between them the price that they are made of."""

    bid: Decimal
    ask: Decimal
    middle: Decimal


class Part(NamedTuple):
    """A part of an order that fills: quote per base, base asset, market time; None for the time of the visit."""

    price: Decimal
    quantity: Decimal
    at_ms: int | None = None


class Barriers(NamedTuple):
    """Where the orders that rest on a symbol sell.

    Attributes:
        stop: a stop's trigger, None without one; target: a target's limit, None without one.
        since_row: of the candle at whose opening they were placed.
    """

    stop: Decimal | None
    target: Decimal | None
    since_row: int = 0


class Hit(NamedTuple):
    """What a candle does to resting orders.

    Attributes:
        is_stop: the stop was hit first, or else the target.
        parts: what of it fills, at its quantity at most.
    """

    is_stop: bool
    parts: tuple[Part, ...]


class FillRules(Protocol):
    """How orders of one symbol fill. Rows are those of the symbol's table."""

    def quote(self, row: int) -> Quote:
        """Best prices at the moment the candle of `row` opens."""
        ...

    def bid(self, row: int) -> Decimal:
        """The best bid alone."""
        ...

    def last_bid(self) -> Decimal:
        """Best bid after the last candle, by its close."""
        ...

    def bids(self, rows: IntArray) -> FloatArray:
        """Best bids at the moments the candles of `rows` open, quote per base; the row after the last is the end."""
        ...

    def depth(self, row: int) -> tuple[Sequence[Level], Sequence[Level]]:
        """Bids and asks at the moment the candle of `row` opens, best first."""
        ...

    def market(self, row: int, side: Side, quantity: Decimal) -> tuple[Part, ...]:
        """How a MARKET order fills that is placed at that moment; nothing where there is no volume."""
        ...

    def rows_hit(self, barriers: Barriers, first: int, stop: int) -> Sequence[int]:
        """Rows in [first, stop) whose candle may hit a barrier, lowest first; none that does may be missing."""
        ...

    def resting(self, row: int, barriers: Barriers, quantity: Decimal) -> Hit | None:
        """What the candle of `row` does to sell orders of `quantity` that rest from its opening on."""
        ...


def walked(levels: Sequence[Level], quantity: Decimal, at_ms: int | None = None) -> tuple[Part, ...]:
    """What a taker of `quantity` gets of these levels, best price first; less where they do not hold so much."""
    parts = []
    for price, offered in levels:
        taken = min(offered, quantity)
        parts.append(Part(price, taken, at_ms))
        quantity -= taken
        if not quantity:
            break
    return tuple(parts)


class CandleFills:
    """Fills by candles alone.

    The book at a tick is the open of the candle that begins then, with half of the spread on each side. A stop is
    triggered by a trade at its price or under it (binance-protocol.md 2.6), and sells at the bid there, or at that of
    the open when the candle opens beyond it; it slips as a market order does. A target fills at its price when the best
    bid comes to it. When a candle touches both, the stop is taken to be first, unless candles of a shorter interval
    (`detail`) say which.
    """

    def __init__(
        self, table: CandleTable, rules: SymbolRules, settings: FillSettings, detail: CandleTable | None = None
    ) -> None:
        self._table = table
        self._rules = rules
        self._settings = settings
        self._half_spread = settings.spread_pct / _HUNDRED / 2
        self._share = settings.volume_share_pct / _HUNDRED
        self._detail = detail
        self._impact = _Impact(table, settings) if settings.slippage == "sqrt" else None
        self._levels = BookLevels(table, rules) if settings.slippage == "book" else None
        self._bid_factor = 1.0 - float(self._half_spread)
        unit = Decimal(1).scaleb(-table.price_digits)
        self._is_exact = not self._half_spread and (not rules.tick_size or not unit % rules.tick_size)
        self._quoted: tuple[int, Quote] = (-1, Quote(ZERO, ZERO, ZERO))

    def quote(self, row: int) -> Quote:
        """See FillRules."""
        if self._quoted[0] == row:
            return self._quoted[1]
        price = self._table.price(self._table.open[row])
        quote = Quote(self._bid(price), self._ask(price), price)
        self._quoted = (row, quote)
        return quote

    def bid(self, row: int) -> Decimal:
        """See FillRules."""
        return self._bid(self._table.price(self._table.open[row]))

    def last_bid(self) -> Decimal:
        """See FillRules."""
        return self._bid(self._table.price(self._table.close[-1]))

    def bids(self, rows: IntArray) -> FloatArray:
        """See FillRules. In whole numbers, so that each is the float next to the exact bid."""
        prices = np.append(self._table.open, self._table.close[-1])[rows]
        if self._is_exact:
            return prices
        unit = Decimal(1).scaleb(-self._table.price_digits)
        tick = self._rules.tick_size or unit * (1 - self._half_spread)
        per_tick = unit * (1 - self._half_spread) / tick
        numerator, denominator = per_tick.as_integer_ratio()
        whole = np.rint(prices / float(unit)).astype(np.int64)
        if len(whole) and int(whole.max()) * numerator >= _LARGEST_INT64:
            whole = whole.astype(object)
        return (whole * numerator // denominator).astype(np.float64) * float(tick)

    def depth(self, row: int) -> tuple[Sequence[Level], Sequence[Level]]:
        """See FillRules. Without a book any quantity is offered at the best price."""
        quote = self.quote(row)
        if self._levels is None:
            return ((quote.bid, _NO_BOUND_BASE),), ((quote.ask, _NO_BOUND_BASE),)
        return self._levels.offered(row, Side.SELL, quote.bid), self._levels.offered(row, Side.BUY, quote.ask)

    def market(self, row: int, side: Side, quantity: Decimal) -> tuple[Part, ...]:
        """See FillRules."""
        quote = self.quote(row)
        best = quote.ask if side is Side.BUY else quote.bid
        return self._taken(row, side, quantity, best)

    def rows_hit(self, barriers: Barriers, first: int, stop: int) -> Sequence[int]:
        """See FillRules. The bound for a target is a hair lower than the exact one, as prices are floats here."""
        hit = None
        if barriers.stop is not None:
            hit = self._table.low[first:stop] <= float(barriers.stop)
        if barriers.target is not None:
            reached = self._table.high[first:stop] * self._bid_factor >= float(barriers.target) * (1 - 1e-12)
            hit = reached if hit is None else hit | reached
        return () if hit is None else (np.flatnonzero(hit) + first).tolist()

    def resting(self, row: int, barriers: Barriers, quantity: Decimal) -> Hit | None:
        """See FillRules."""
        candle = self._table.candle(row)
        if not candle.volume:
            return None
        is_stopped = barriers.stop is not None and candle.low <= barriers.stop
        is_reached = barriers.target is not None and self._bid(candle.high) >= barriers.target
        if is_stopped and is_reached:
            is_stopped = self._stop_is_first(row, barriers)
        if is_stopped:
            assert barriers.stop is not None
            best = self._bid(min(barriers.stop, candle.open))
            return Hit(is_stop=True, parts=self._taken(row, Side.SELL, quantity, best))
        if is_reached:
            assert barriers.target is not None
            return Hit(is_stop=False, parts=self._shared(row, Part(barriers.target, quantity)))
        return None

    def _stop_is_first(self, row: int, barriers: Barriers) -> bool:
        """Whether the stop comes first in a candle that touches both barriers: yes, unless finer candles deny it."""
        assert barriers.stop is not None
        assert barriers.target is not None
        open_price = self._table.price(self._table.open[row])
        if open_price <= barriers.stop or self._bid(open_price) >= barriers.target:
            return open_price <= barriers.stop
        if self._detail is None:
            return True
        open_ms = int(self._table.open_times_ms[row])
        finer = self._detail.between(open_ms, open_ms + self._table.interval_ms)
        for index in range(len(finer)):
            if finer.price(finer.low[index]) <= barriers.stop:
                return True
            if self._bid(finer.price(finer.high[index])) >= barriers.target:
                return False
        return True

    def _taken(self, row: int, side: Side, quantity: Decimal, best: Decimal) -> tuple[Part, ...]:
        """A taker's fill of the candle of `row`, from the best price on."""
        settings = self._settings
        if settings.slippage == "none":
            return self._shared(row, Part(best, quantity))
        if self._levels is not None:
            shared = self._shared(row, Part(best, quantity))
            return tuple(
                part for each in shared for part in walked(self._levels.offered(row, side, best), each.quantity)
            )
        if settings.slippage == "fixed":
            fraction = settings.slippage_pct / _HUNDRED
        else:
            assert self._impact is not None, "made for the square-root rule"
            fraction = self._impact.fraction(row, quantity)
        price = self._up(best * (1 + fraction)) if side is Side.BUY else self._down(best * (1 - fraction))
        return self._shared(row, Part(price, quantity))

    def _shared(self, row: int, part: Part) -> tuple[Part, ...]:
        """As much of it as the share of the candle's volume allows."""
        if not self._share:
            return (part,)
        allowed = self._table.quantity(self._table.volume[row]) * self._share
        if part.quantity <= allowed:
            return (part,)
        quantity = self._rules.round_market_quantity(allowed)
        return (Part(part.price, quantity),) if quantity else ()

    def _bid(self, price: Decimal) -> Decimal:
        return price if self._is_exact else self._down(price * (1 - self._half_spread))

    def _ask(self, price: Decimal) -> Decimal:
        return price if self._is_exact else self._up(price * (1 + self._half_spread))

    def _down(self, price: Decimal) -> Decimal:
        return self._rules.round_price(price)

    def _up(self, price: Decimal) -> Decimal:
        below = self._rules.round_price(price)
        return below if below == price else below + self._rules.tick_size


class _Impact:
    """The square-root rule: how far an order moves the price against itself."""

    def __init__(self, table: CandleTable, settings: FillSettings) -> None:
        self._factor = float(settings.impact)
        self._volatility = _rolling_volatility(table)
        self._volume = _rolling_mean(table.volume)

    def fraction(self, row: int, quantity: Decimal) -> Decimal:
        """Of the price, from the candles before `row`; 0 where they say nothing."""
        volatility, volume = self._volatility[row], self._volume[row]
        if not volume > 0 or not np.isfinite(volatility):
            return ZERO
        fraction = self._factor * volatility * (float(quantity) / volume) ** 0.5
        return Decimal(f"{min(fraction, 0.5):.8f}")


def _rolling_volatility(table: CandleTable) -> FloatArray:
    """Standard deviation of the returns from close to close of the candles before each row, as a fraction."""
    returns = np.zeros(len(table))
    returns[1:] = np.diff(np.log(table.close))
    mean, square = _rolling_mean(returns), _rolling_mean(returns**2)
    return np.sqrt(np.maximum(square - mean**2, 0.0))


def _rolling_mean(values: FloatArray) -> FloatArray:
    """Mean of up to 100 values before each row; NaN at the first."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    stop = np.arange(len(values))
    start = np.maximum(0, stop - _IMPACT_CANDLES)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: FloatArray = (sums[stop] - sums[start]) / (stop - start)
    return mean
