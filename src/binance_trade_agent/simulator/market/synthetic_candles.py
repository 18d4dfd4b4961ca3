"""One synthetic symbol's candles: a walk of its own and the one that all symbols share, on the symbol's grid."""

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from binance_trade_agent.domain.candles import INTERVAL_MS, MINUTE_MS, Candle, interval_open_ms
from binance_trade_agent.domain.symbols import symbol_rules
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.columns import to_units
from binance_trade_agent.simulator.market.walk import BLOCK_MINUTES, Block, Floats, uniform, walk_block
from binance_trade_agent.simulator.market.whole_numbers import scaled
from binance_trade_agent.simulator.symbols import listing, minute_turnover, split_symbol, typical_price

_FEWEST_STEPS = 24  # of volume in a minute, so that each of its trades has one
_PULL = 1 / 5_000  # of the distance from the typical price, each minute
_PAST_BLOCKS = 60  # 42 days
_FINE_PAST_MS = 9 * INTERVAL_MS["1d"]  # in candles of five minutes; hours before that

CommonFactor = Callable[[int], Block]
_Ticks = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Temper:
    """How a symbol moves and trades.

    Attributes:
        deviation: standard deviation of a usual minute's change without trend, as a fraction of the price.
        common_share: how much of its changes follows the factor that all symbols share, 0 to 1.
        turnover: what it trades, as a fraction of what BTCUSDT does.
        spacing_ms: from one trade to the next.
    """

    deviation: float
    common_share: float
    turnover: float
    spacing_ms: int


_TEMPERS = {
    "BTC": Temper(0.0006, 0.85, 1.0, 5_000),
    "ETH": Temper(0.0008, 0.75, 0.7, 5_000),
    "BNB": Temper(0.0007, 0.65, 0.3, 5_000),
    "SOL": Temper(0.0011, 0.65, 0.4, 5_000),
}


def temper_of(symbol: str) -> Temper:
    """The base asset's temper: tabled, or drawn from a hash of its name."""
    asset, _ = split_symbol(symbol)
    if asset in _TEMPERS:
        return _TEMPERS[asset]
    first, second, third = hashlib.blake2b(f"temper of {asset}".encode(), digest_size=3).digest()
    return Temper(0.0008 + 0.0006 * first / 255, 0.4 + 0.3 * second / 255, 0.02 + 0.18 * third / 255, 15_000)


def common_factor(seed: int) -> CommonFactor:
    """The walk that all symbols of a market share; its blocks are made once."""
    return cache(lambda number: walk_block(f"{seed}/common factor", number))


class SyntheticCandles:
    """One symbol's candles from a genesis on: a function of seed, symbol, genesis and minute, however asked for."""

    interval = "1m"

    def __init__(
        self, symbol: str, *, seed: int, genesis_ms: int, common: CommonFactor | None = None, has_past: bool = False
    ) -> None:
        rules = symbol_rules(listing(symbol))
        price = typical_price(symbol)
        self._genesis_ms = genesis_ms
        self._has_past = has_past
        self._name = f"{seed}/{symbol}"
        self._tick = rules.tick_size
        self._step = rules.step_size
        self._temper = temper_of(symbol)
        self._common = common or common_factor(seed)
        self._turnover_steps = float(minute_turnover(rules.quote_asset) / price / self._step) * self._temper.turnover
        self._first_ticks = self._price_ticks = float(price / self._tick)
        self._level = 0.0  # how far the changes have carried it from its typical price
        self._closes = array("q", [round(self._price_ticks)])  # the close before minute i; ticks
        self._highs = array("q")
        self._lows = array("q")
        self._volumes = array("q")  # steps

    def history(self, before_ms: int) -> CandleColumns:
        """Candles that open before `before_ms`, with a past also those of before the genesis."""
        count = self._index(before_ms)
        self._make(count)
        closes = np.array(self._closes[: count + 1])
        highs, lows, volumes = (np.array(column[:count]) for column in (self._highs, self._lows, self._volumes))
        minutes = _Minutes(self._genesis_ms, closes[:-1], highs, lows, closes[1:], volumes)
        own = self._joined(minutes, MINUTE_MS, self._genesis_ms, self._genesis_ms + count * MINUTE_MS)
        return CandleColumns.joined([*self._past(), own]) if self._has_past else own

    def _past(self) -> list[CandleColumns]:
        """Before the genesis: hours, then nine days of five minutes, then minutes from the last full hour on."""
        blocks = [self._block(number) for number in range(-_PAST_BLOCKS, 0)]
        growth = self._growth(np.concatenate([block.changes for block in blocks]))
        unscaled = np.cumprod(growth, dtype=np.float64)
        path: Floats = unscaled * (self._first_ticks / float(unscaled[-1]))
        closes = np.rint(path).astype(np.int64)
        opens = np.concatenate((np.rint(path[:1] / growth[:1]).astype(np.int64), closes[:-1]))
        bars = [
            self._bars(number, block, path[span], opens[span], closes[span])
            for number, block, span in zip(range(-_PAST_BLOCKS, 0), blocks, _spans(), strict=True)
        ]
        highs, lows, volumes = (np.concatenate(column) for column in zip(*bars, strict=True))
        minutes = _Minutes(self._genesis_ms - len(closes) * MINUTE_MS, opens, highs, lows, closes, volumes)
        hour_ms = interval_open_ms("1h", self._genesis_ms)
        fine_ms = hour_ms - _FINE_PAST_MS
        first_ms = interval_open_ms("1h", minutes.first_ms) + INTERVAL_MS["1h"]
        return [
            self._joined(minutes, INTERVAL_MS["1h"], first_ms, fine_ms),
            self._joined(minutes, INTERVAL_MS["5m"], fine_ms, hour_ms),
            self._joined(minutes, MINUTE_MS, hour_ms, self._genesis_ms),
        ]

    def between(self, from_ms: int, before_ms: int) -> Sequence[Candle]:
        """Candles that open in [from_ms, before_ms)."""
        return [self._candle(index) for index in range(self._index(from_ms), self._index(before_ms))]

    def since(self, from_ms: int) -> Iterator[Candle]:
        """Candles that open at `from_ms` or later, without an end."""
        index = self._index(from_ms)
        while True:
            yield self._candle(index)
            index += 1

    def _index(self, at_ms: int) -> int:
        """Index of the first candle that opens at `at_ms` or later."""
        return max(0, -((self._genesis_ms - at_ms) // MINUTE_MS))

    def _candle(self, index: int) -> Candle:
        self._make(index + 1)
        open_ms, tick = self._genesis_ms + index * MINUTE_MS, self._tick
        return Candle(
            open_ms,
            open_ms + MINUTE_MS - 1,
            self._closes[index] * tick,
            self._highs[index] * tick,
            self._lows[index] * tick,
            self._closes[index + 1] * tick,
            self._volumes[index] * self._step,
        )

    def _joined(self, minutes: "_Minutes", length_ms: int, from_ms: int, before_ms: int) -> CandleColumns:
        """The candles of that length in [from_ms, before_ms) in units; see `_Minutes.joined`."""
        opens, highs, lows, closes, volumes = minutes.joined(length_ms, from_ms, before_ms)
        tick_units, step_units = to_units(self._tick), to_units(self._step)
        open_times_ms = np.arange(from_ms, before_ms, length_ms, dtype=np.int64)
        return CandleColumns(
            open_times_ms,
            np.full(len(open_times_ms), length_ms),
            scaled(opens, tick_units),
            scaled(highs, tick_units),
            scaled(lows, tick_units),
            scaled(closes, tick_units),
            scaled(volumes, step_units),
        )

    def _make(self, count: int) -> None:
        """Draw the market until there are `count` minutes."""
        while len(self._volumes) < count:
            self._append_block()

    def _append_block(self) -> None:
        number = len(self._volumes) // BLOCK_MINUTES
        block = self._block(number)
        changes = block.changes - _PULL * self._level
        path: Floats = self._price_ticks * np.cumprod(self._growth(changes), dtype=np.float64)
        closes = np.maximum(1, np.rint(path)).astype(np.int64)
        opens = np.concatenate((np.array([self._closes[-1]]), closes[:-1]))
        highs, lows, volumes = self._bars(number, block, path, opens, closes)
        self._level += float(np.cumsum(changes)[-1])
        self._price_ticks = max(1.0, float(path[-1]))
        for column, values in zip(
            (self._closes, self._highs, self._lows, self._volumes), (closes, highs, lows, volumes), strict=True
        ):
            column.extend(values.tolist())

    def _block(self, number: int) -> Block:
        """The symbol's share of the common walk and the rest of its own."""
        common, own, share = self._common(number), walk_block(self._name, number), self._temper.common_share
        return Block(
            share * common.changes + (1 - share) * own.changes,
            share * common.volatilities + (1 - share) * own.volatilities,
        )

    def _growth(self, changes: Floats) -> Floats:
        return np.maximum(0.5, 1 + self._temper.deviation * changes)

    def _bars(
        self, number: int, block: Block, path: Floats, opens: _Ticks, closes: _Ticks
    ) -> tuple[_Ticks, _Ticks, _Ticks]:
        """Highs and lows in ticks, volumes in steps."""
        draw = uniform(f"{self._name}/shape/{number}", 5 * BLOCK_MINUTES).reshape(5, BLOCK_MINUTES)
        wicks = path * self._temper.deviation * block.volatilities
        highs = np.maximum(opens, closes) + (wicks * draw[0] * draw[1]).astype(np.int64)
        lows = np.minimum(opens, closes) - (wicks * draw[2] * draw[3]).astype(np.int64)
        activity = (0.5 * block.volatilities + 0.5 * np.abs(block.changes)) * (0.4 + 1.2 * draw[4])
        volumes = (self._turnover_steps * activity).astype(np.int64)
        return highs, np.maximum(1, lows), np.maximum(_FEWEST_STEPS, volumes)


def _spans() -> Iterator[slice]:
    """Where each block lies in the past."""
    return (slice(n * BLOCK_MINUTES, (n + 1) * BLOCK_MINUTES) for n in range(_PAST_BLOCKS))


@dataclass(frozen=True, slots=True)
class _Minutes:
    """Columns of minutes without a gap; prices in ticks, volumes in steps."""

    first_ms: int
    opens: _Ticks
    highs: _Ticks
    lows: _Ticks
    closes: _Ticks
    volumes: _Ticks

    def joined(self, length_ms: int, from_ms: int, before_ms: int) -> tuple[_Ticks, ...]:
        """Open, high, low, close and volume of the candles in [from_ms, before_ms), a multiple of the length."""
        first, beyond = ((at_ms - self.first_ms) // MINUTE_MS for at_ms in (from_ms, before_ms))

        def candles(column: _Ticks) -> _Ticks:
            return column[first:beyond].reshape(-1, length_ms // MINUTE_MS)

        return (
            candles(self.opens)[:, 0],
            candles(self.highs).max(axis=1),
            candles(self.lows).min(axis=1),
            candles(self.closes)[:, -1],
            candles(self.volumes).sum(axis=1),
        )
