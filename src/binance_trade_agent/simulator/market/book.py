"""The outside book: what other traders offer around the price of the last trade."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, repeat
from random import Random

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level

LEVELS = 20

_SIZES = 256
_LEAST_LEVEL_SHARE = 0.05
_SPREAD_OF_RANGE = 0.02  # of the price range of a minute; about 0.0015 % of the price in a calm BTCUSDT market
# From such a range of a minute on, as a fraction of the price, makers offer half as much, and a quarter.
_THIN_RANGES = (0.002, 0.004)


@dataclass(frozen=True, slots=True)
class Liquidity:
    """What makers offer while prices move as they do.

    Attributes:
        spread_ticks: distance from best bid to best ask; the levels behind them lie half as far apart.
        halvings: how often the sizes of the levels are halved.
    """

    spread_ticks: int
    halvings: int


class OutsideBook:
    """Makes the book around a trade: the traded price is the best ask after a buy, the best bid after a sell."""

    def __init__(self, *, tick: Decimal, step: Decimal, largest_level: Decimal, random: Random) -> None:
        """Draw the sizes of the levels.

        Args:
            tick: grid of prices.
            step: grid of quantities.
            largest_level: most that a level offers, in base asset.
            random: decides the sizes.
        """
        self._tick = tick
        self._step = step
        most_steps = max(1, int(largest_level // step))
        drawn = [
            int(most_steps * (_LEAST_LEVEL_SHARE + (1 - _LEAST_LEVEL_SHARE) * random.random() ** 2))
            for _ in range(_SIZES)
        ]
        self._steps = drawn + drawn[: 2 * LEVELS]  # so that any run of levels is one slice
        self._sizes: dict[int, Sequence[Decimal]] = {}

    def liquidity(self, price: Decimal, minute_range: Decimal) -> Liquidity:
        """What is offered when prices around `price` move by `minute_range` (both quote per base) in a minute."""
        spread_ticks = max(1, round(float(minute_range / self._tick) * _SPREAD_OF_RANGE))
        return Liquidity(spread_ticks, sum(float(minute_range / price) >= least for least in _THIN_RANGES))

    def around(
        self, price: Decimal, taker_side: Side, liquidity: Liquidity, draw: int
    ) -> tuple[Sequence[Level], Sequence[Level]]:
        """Bids and asks, best first; fewer bids than 20 where prices would not be positive.

        Args:
            price: of the last trade; rounded to the tick on the side of the book that it stands for.
            taker_side: who took in the last trade.
            liquidity: how wide and how deep the book is.
            draw: chooses the sizes of the levels; the same number gives the same sizes.
        """
        tick, spread_ticks = self._tick, liquidity.spread_ticks
        gap_ticks = max(1, spread_ticks // 2)
        at = int(price // tick)
        if taker_side is Side.BUY:
            best_ask = at if at * tick == price else at + 1
            best_bid = best_ask - spread_ticks
        else:
            best_bid = at
            best_ask = best_bid + spread_ticks
        sizes = self._sizes.get(liquidity.halvings) or self._halved(liquidity.halvings)
        gap, first = tick * gap_ticks, draw % _SIZES
        bid_count = min(LEVELS, max(0, (best_bid - 1) // gap_ticks + 1))
        bid_prices = accumulate(repeat(-gap, LEVELS - 1), initial=tick * best_bid)
        ask_prices = accumulate(repeat(gap, LEVELS - 1), initial=tick * best_ask)
        bids = list(zip(bid_prices, sizes[first : first + bid_count], strict=False))
        asks = list(zip(ask_prices, sizes[first + LEVELS : first + 2 * LEVELS], strict=True))
        return bids, asks

    def _halved(self, halvings: int) -> Sequence[Decimal]:
        sizes = [self._step * max(1, steps >> halvings) for steps in self._steps]
        self._sizes[halvings] = sizes
        return sizes
