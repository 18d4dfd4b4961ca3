"""The way of a candle: trades from its open over its low and high to its close, which add up to it exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from random import Random

import numpy as np

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.columns import to_units
from binance_trade_agent.simulator.market.whole_numbers import Column

TRADE_SPACING_MS = 5_000

_FEWEST_TRADES = 4  # open, low, high, close
_STRAIGHT_SHARE = 0.8  # candles that touch the extreme behind them first: a rising one its low, a falling one its high
_WIGGLE = 0.15  # of the candle's range


@dataclass(frozen=True, slots=True)
class PathTrade:
    """One trade of a candle's path: market time ms, quote per base, base asset."""

    at_ms: int
    price: Decimal
    quantity: Decimal
    taker_side: Side


def trade_count(candle: Candle, step: Decimal, spacing_ms: int = TRADE_SPACING_MS) -> int:
    """How many trades the candle's path has: one in each spacing, fewer when its volume has not that many steps."""
    if not candle.volume:
        return 0
    by_time = (candle.close_time_ms + 1 - candle.open_time_ms) // spacing_ms
    return max(_FEWEST_TRADES, min(by_time, int(candle.volume // step)))


def trade_counts(candles: CandleColumns, step: Decimal, spacing_ms: int = TRADE_SPACING_MS) -> Column:
    """`trade_count` of each candle."""
    counts = np.minimum(candles.lengths_ms // spacing_ms, candles.volumes // to_units(step))
    return np.where(candles.volumes == 0, 0, np.maximum(_FEWEST_TRADES, counts)).astype(np.int64)


def path_of(
    candle: Candle, *, tick: Decimal, step: Decimal, random: Random, spacing_ms: int = TRADE_SPACING_MS
) -> Iterator[PathTrade]:
    """Trades whose first, highest, lowest and last price and total quantity are those of `candle`, to the last digit.

    Prices between the candle's four lie on its low plus whole ticks. Quantities are whole steps, but for the last,
    which takes what remains; a volume of fewer than four steps is split in quarters. A candle without volume has no
    trades.

    Args:
        candle: a sound candle.
        tick: grid of prices.
        step: grid of quantities.
        random: decides the way; the same state gives the same path.
        spacing_ms: from one trade to the next.
    """
    count = trade_count(candle, step, spacing_ms)
    if not count:
        return
    spacing_ms = (candle.close_time_ms + 1 - candle.open_time_ms) // count
    previous = candle.open
    prices = _prices(candle, count, tick, random)
    quantities = _quantities(candle.volume, count, step, random)
    for index, (price, quantity) in enumerate(zip(prices, quantities, strict=True)):
        rising = price > previous if price != previous else random.random() < 0.5
        yield PathTrade(candle.open_time_ms + index * spacing_ms, price, quantity, Side.BUY if rising else Side.SELL)
        previous = price


def _prices(candle: Candle, count: int, tick: Decimal, random: Random) -> list[Decimal]:
    rising = candle.close >= candle.open
    low_first = rising == (random.random() < _STRAIGHT_SHARE)
    first_turn = 1 + int(random.random() * (count - 3))
    second_turn = first_turn + 1 + int(random.random() * (count - 2 - first_turn))
    extremes = (candle.low, candle.high) if low_first else (candle.high, candle.low)
    turns = {0: candle.open, first_turn: extremes[0], second_turn: extremes[1], count - 1: candle.close}
    span = candle.high - candle.low
    span_ticks = int(span // tick)
    prices: list[Decimal] = []
    for start, end in pairwise(sorted(turns)):
        begin, finish = (float((turns[turn] - candle.low) / span) if span else 0.0 for turn in (start, end))
        prices.append(turns[start])
        for index in range(start + 1, end):
            straight = begin + (finish - begin) * (index - start) / (end - start)
            fraction = straight + (random.random() - 0.5) * _WIGGLE
            prices.append(candle.low + int(min(max(fraction, 0.0), 1.0) * span_ticks) * tick)
    prices.append(candle.close)
    return prices


def _quantities(volume: Decimal, count: int, step: Decimal, random: Random) -> list[Decimal]:
    spare_steps = int(volume // step) - count
    if spare_steps < 0:
        quarter = volume / _FEWEST_TRADES
        return [quarter] * (_FEWEST_TRADES - 1) + [volume - quarter * (_FEWEST_TRADES - 1)]
    weights = [512 + random.getrandbits(10) for _ in range(count)]
    total = sum(weights)
    quantities = [(1 + spare_steps * weight // total) * step for weight in weights[:-1]]
    quantities.append(volume - sum(quantities))
    return quantities
