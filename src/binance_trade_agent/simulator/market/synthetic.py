"""The synthetic feed: a market from a seed, for any symbols, without an end."""

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from binance_trade_agent.domain.candles import MINUTE_MS, Candle
from binance_trade_agent.domain.symbols import symbol_rules
from binance_trade_agent.simulator.market.candle_feed import CandleFeed
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.simulator.market.printer import Printer
from binance_trade_agent.simulator.market.walk import Walk
from binance_trade_agent.simulator.symbols import (
    UnknownSymbolError,
    check_synthetic,
    listing,
    minute_turnover,
    typical_price,
)

DEFAULT_HISTORY_MINUTES = 1_500

_INTERVAL = "1m"
_COMMON_FACTOR = "common factor"
_FEWEST_STEPS = 24  # of volume in a minute, so that each of its trades has one


@dataclass(frozen=True, slots=True)
class Temper:
    """How a symbol moves.

    Attributes:
        deviation: standard deviation of a calm minute's change without trend, as a fraction of the price.
        common_share: how much of its changes follows the factor that all symbols share, 0 to 1.
    """

    deviation: float
    common_share: float


_TEMPERS = {
    "BTC": Temper(0.0006, 0.85),
    "ETH": Temper(0.0008, 0.75),
    "BNB": Temper(0.0007, 0.65),
    "SOL": Temper(0.0011, 0.65),
}


class SyntheticCandles:
    """One symbol's candles from a genesis on: a function of seed, symbol, genesis and minute, however asked for."""

    interval = _INTERVAL

    def __init__(self, symbol: str, *, seed: int, genesis_ms: int) -> None:
        rules = symbol_rules(listing(symbol))
        price = typical_price(symbol)
        self._genesis_ms = genesis_ms
        self._tick = rules.tick_size
        self._step = rules.step_size
        self._temper = _temper(rules.base_asset)
        self._common = iter(Walk(f"{seed}/{_COMMON_FACTOR}"))
        self._own = iter(Walk(f"{seed}/{symbol}"))
        self._shape = Random(f"{seed}/{symbol}/shape")  # noqa: S311 - a reproducible market, not a secret
        self._turnover_steps = int(minute_turnover(rules.quote_asset) / price / self._step)
        self._price_ticks = float(price / self._tick)
        self._closes = array("q", [round(self._price_ticks)])  # the close before minute i; ticks
        self._highs = array("q")
        self._lows = array("q")
        self._volumes = array("q")  # steps

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
        while len(self._volumes) <= index:
            self._append_minute()
        open_time_ms = self._genesis_ms + index * MINUTE_MS
        return Candle(
            open_time_ms,
            open_time_ms + MINUTE_MS - 1,
            self._closes[index] * self._tick,
            self._highs[index] * self._tick,
            self._lows[index] * self._tick,
            self._closes[index + 1] * self._tick,
            self._volumes[index] * self._step,
        )

    def _append_minute(self) -> None:
        temper, draw = self._temper, self._shape.random
        common_change, common_volatility = next(self._common)
        own_change, own_volatility = next(self._own)
        change = temper.common_share * common_change + (1 - temper.common_share) * own_change
        volatility = temper.common_share * common_volatility + (1 - temper.common_share) * own_volatility
        self._price_ticks = max(1.0, self._price_ticks * (1 + temper.deviation * change))
        open_ticks, close_ticks = self._closes[-1], round(self._price_ticks)
        wick_ticks = self._price_ticks * temper.deviation * volatility
        self._highs.append(max(open_ticks, close_ticks) + int(wick_ticks * draw() * draw()))
        self._lows.append(max(1, min(open_ticks, close_ticks) - int(wick_ticks * draw() * draw())))
        activity = (0.5 * volatility + 0.5 * abs(change)) * (0.4 + 1.2 * draw())
        self._volumes.append(max(_FEWEST_STEPS, int(self._turnover_steps * activity)))
        self._closes.append(close_ticks)


class SyntheticFeed(CandleFeed):
    """A market from a seed: regimes, clusters of volatility, rare jumps, and a factor that all symbols share.

    A symbol's candles depend on the seed, its name and the genesis (start less history), not on the other symbols.
    Rates between symbols (BTCUSDT, ETHUSDT, ETHBTC) are not tied to each other.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        seed: int,
        start_ms: int,
        history_minutes: int = DEFAULT_HISTORY_MINUTES,
        resume_ms: int | None = None,
    ) -> None:
        """Make the market.

        Args:
            symbols: upper-case names, each once.
            seed: any integer.
            start_ms: when the session begins; minutes before its own are history.
            history_minutes: how many candles there are before the start.
            resume_ms: where a continued session goes on; its start by default.

        Raises:
            FeedError: no symbol, an unknown one, or one named twice.
        """
        _check_symbols(symbols)
        genesis_ms = (start_ms // MINUTE_MS - history_minutes) * MINUTE_MS
        listings = {symbol: listing(symbol) for symbol in symbols}
        super().__init__(
            {symbol: SyntheticCandles(symbol, seed=seed, genesis_ms=genesis_ms) for symbol in symbols},
            {symbol: Printer(listings[symbol], seed=seed, price=typical_price(symbol)) for symbol in symbols},
            listings,
            start_ms=start_ms,
            resume_ms=resume_ms,
            ends_ms=None,
        )


def _check_symbols(symbols: Sequence[str]) -> None:
    if not symbols:
        raise FeedError("a market needs at least one symbol, such as BTCUSDT")
    for symbol in symbols:
        try:
            check_synthetic(symbol)
        except UnknownSymbolError as error:
            raise FeedError(str(error)) from None
        if symbols.count(symbol) > 1:
            raise FeedError(f"symbol {symbol} is named twice; name each symbol once")


def _temper(asset: str) -> Temper:
    """The asset's temper: tabled, or drawn from a hash of its name."""
    if asset in _TEMPERS:
        return _TEMPERS[asset]
    first, second = hashlib.blake2b(f"temper of {asset}".encode(), digest_size=2).digest()
    return Temper(0.0008 + 0.0006 * first / 255, 0.4 + 0.3 * second / 255)
