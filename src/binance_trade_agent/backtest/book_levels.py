"""BookLevels: the levels of the simulated exchange's book, for candles alone."""

from collections.abc import Sequence
from decimal import Decimal
from math import sqrt
from random import Random

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.market import Level
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.simulator.market.book import OutsideBook
from binance_trade_agent.simulator.symbols import split_symbol, typical_level


class BookLevels:
    """What makers offer from a best price on, as deep as the simulated exchange has it (simulator/market/book.py).

    A level offers up to about 40,000 dollars at the symbol's first price, and less while prices move a lot; how much
    they move is seen from the candle before. Sizes follow from the symbol and the candle: a run can be repeated.

    Raises:
        ValueError: nothing typical is known of the symbol's quote asset.
    """

    def __init__(self, table: CandleTable, rules: SymbolRules) -> None:
        split_symbol(rules.symbol)
        self._table = table
        self._book = OutsideBook(
            tick=rules.tick_size or Decimal(1).scaleb(-table.price_digits),
            step=rules.step_size or Decimal(1).scaleb(-table.volume_digits),
            largest_level=typical_level(rules.quote_asset) / table.price(table.open[0]),
            random=Random(f"{table.symbol}/book"),  # noqa: S311 (a backtest that can be repeated, not a secret)
        )

    def offered(self, row: int, taker: Side, best: Decimal) -> Sequence[Level]:
        """What a taker meets during the candle of `row`, best price first; the first level is at `best`."""
        before = self._table.candle(max(row - 1, 0))
        minutes = self._table.interval_ms / MINUTE_MS
        liquidity = self._book.liquidity(before.close, (before.high - before.low) / Decimal(sqrt(minutes)))
        draw = Random(f"{self._table.symbol}/{self._table.open_times_ms[row]}")  # noqa: S311 (as above)
        bids, asks = self._book.around(best, taker, liquidity, draw.getrandbits(16))
        return asks if taker is Side.BUY else bids
