"""From a symbol's candles to its prints: the path of each candle, and the book after each trade."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import sqrt
from random import Random
from typing import Any

from binance_trade_agent.domain.candles import MINUTE_MS, Candle
from binance_trade_agent.domain.symbols import symbol_rules
from binance_trade_agent.simulator.market.book import OutsideBook
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.feed import Print
from binance_trade_agent.simulator.market.path import TRADE_SPACING_MS, path_of, trade_counts
from binance_trade_agent.simulator.market.whole_numbers import Column
from binance_trade_agent.simulator.symbols import typical_level


class Printer:
    """Makes a symbol's prints. A candle's prints depend on the seed, the symbol and the candle, and on nothing else."""

    def __init__(
        self, listing: Mapping[str, Any], *, seed: int, price: Decimal, spacing_ms: int = TRADE_SPACING_MS
    ) -> None:
        """Prepare for one symbol.

        Args:
            listing: the symbol's entry in exchangeInfo.
            seed: of the market.
            price: about what the symbol trades at; sets how much the levels of the book hold.
            spacing_ms: from one trade to the next.
        """
        rules = symbol_rules(listing)
        self.symbol = rules.symbol
        self._tick = rules.tick_size
        self._step = rules.step_size
        self._seed = seed
        self._spacing_ms = spacing_ms
        self._book = OutsideBook(
            tick=rules.tick_size,
            step=rules.step_size,
            largest_level=typical_level(rules.quote_asset) / price,
            random=Random(f"{seed}/{rules.symbol}/book"),  # noqa: S311 - a reproducible market, not a secret
        )

    def counts(self, candles: CandleColumns) -> Column:
        """How many prints each candle has."""
        return trade_counts(candles, self._step, self._spacing_ms)

    def prints(self, candle: Candle) -> Iterator[Print]:
        """The candle's prints in time order; none when its volume is 0."""
        random = Random(f"{self._seed}/{self.symbol}/{candle.open_time_ms}")  # noqa: S311 - as above
        minutes = (candle.close_time_ms + 1 - candle.open_time_ms) / MINUTE_MS
        minute_range = (candle.high - candle.low) / Decimal(sqrt(minutes))
        liquidity = self._book.liquidity(candle.close, minute_range)
        way = path_of(candle, tick=self._tick, step=self._step, random=random, spacing_ms=self._spacing_ms)
        for trade in way:
            bids, asks = self._book.around(trade.price, trade.taker_side, liquidity, random.getrandbits(16))
            yield Print(self.symbol, trade.at_ms, trade.price, trade.quantity, trade.taker_side, bids, asks)
