"""Buy and hold: the same money in the same symbols, in equal parts, bought when each of them begins and never sold."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.history.table import CandleTable, FloatArray, IntArray

_MONEY_UNIT = Decimal("0.00000001")


def hold_growth(
    candles: Mapping[str, CandleTable], last_prices: Mapping[str, Decimal], fee_fraction: Decimal
) -> dict[str, Decimal]:
    """What became of one unit of quote asset in each symbol, from the open of its first candle to its last price."""
    return {
        symbol: (1 - fee_fraction) * last_price(symbol, table, last_prices) / table.price(table.open[0])
        for symbol, table in candles.items()
        if len(table)
    }


def hold_final(opening_quote: Decimal, growth: Mapping[str, Decimal]) -> Decimal:
    """What the money is worth at the end, when each symbol got the same part of it."""
    return (opening_quote * sum(growth.values(), ZERO) / len(growth)).quantize(_MONEY_UNIT, ROUND_HALF_EVEN)


def hold_curve(
    times_ms: IntArray, candles: Mapping[str, CandleTable], opening_quote: Decimal, fee_fraction: Decimal
) -> FloatArray:
    """What it is worth at each of the times, by the open of the candle that begins then or began last.

    The part of a symbol stays in quote asset until its first candle.
    """
    tables = [table for table in candles.values() if len(table)]
    worth = np.zeros(len(times_ms))
    for table in tables:
        rows = np.searchsorted(table.open_times_ms, times_ms, side="right") - 1
        bought = float(1 - fee_fraction) * table.open[np.maximum(rows, 0)] / table.open[0]
        worth += np.where(rows >= 0, bought, 1.0)
    return worth * (float(opening_quote) / len(tables))


def last_price(symbol: str, table: CandleTable, last_prices: Mapping[str, Decimal]) -> Decimal:
    """The symbol's last bid, or else its last close."""
    price = last_prices.get(symbol)
    return table.price(table.close[-1]) if price is None else price
