"""The outside book: what other traders offer around the price of the last trade."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate, repeat
from random import Random

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level

LEVELS = 20

_SIZES = 1_024
_SPREAD_OF_RANGE = 0.02  # of the price range of a minute; about 0.0015 % of the price in a calm BTCUSDT market
_LEAST_LEVEL_SHARE = 0.05


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
        most_steps = max(1, int(largest_level // step))
        drawn = [
            step * max(1, int(most_steps * (_LEAST_LEVEL_SHARE + (1 - _LEAST_LEVEL_SHARE) * random.random() ** 2)))
            for _ in range(_SIZES)
        ]
        self._sizes = drawn + drawn[: 2 * LEVELS]  # so that any run of levels is one slice

    def spread_ticks(self, minute_range: Decimal) -> int:
        """The spread in ticks when prices move by `minute_range` (quote per base) in a minute: at least 1."""
        return max(1, round(float(minute_range / self._tick) * _SPREAD_OF_RANGE))

    def around(
        self, price: Decimal, taker_side: Side, spread_ticks: int, draw: int
    ) -> tuple[Sequence[Level], Sequence[Level]]:
        """Bids and asks, best first; fewer bids than 20 where prices would not be positive.

        Args:
            price: of the last trade; rounded to the tick on the side of the book that it stands for.
            taker_side: who took in the last trade.
            spread_ticks: distance from best bid to best ask; the levels behind them lie half as far apart.
            draw: chooses the sizes of the levels; the same number gives the same sizes.
        """
        tick, gap_ticks = self._tick, max(1, spread_ticks // 2)
        at = int(price // tick)
        if taker_side is Side.BUY:
            best_ask = at if at * tick == price else at + 1
            best_bid = best_ask - spread_ticks
        else:
            best_bid = at
            best_ask = best_bid + spread_ticks
        gap, first = tick * gap_ticks, draw % _SIZES
        bid_count = min(LEVELS, max(0, (best_bid - 1) // gap_ticks + 1))
        bid_prices = accumulate(repeat(-gap, LEVELS - 1), initial=tick * best_bid)
        ask_prices = accumulate(repeat(gap, LEVELS - 1), initial=tick * best_ask)
        bids = list(zip(bid_prices, self._sizes[first : first + bid_count], strict=False))
        asks = list(zip(ask_prices, self._sizes[first + LEVELS : first + 2 * LEVELS], strict=True))
        return bids, asks
