"""The data of the chart: bars, the strategy's lines, marks of fills and levels, as arrays of floats for the browser.

This is the one place of the page where prices become floats: a chart has pixels, not cents. What is written in numbers
on the page is written from decimals.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from binance_trade_agent.cache.market_board import CandlesSeen, IndicatorsSeen
from binance_trade_agent.dashboard.market.books import SymbolBooks
from binance_trade_agent.dashboard.market.indicators import PRICE, Drawing, Line, drawing
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Order, Role, Side
from binance_trade_agent.domain.symbols import SymbolRules

MOST_BARS = 500
TAIL_BARS = 3  # what changes with a look: the running candle, and the one that it closed
_SIGNIFICANT_DIGITS = 6  # of what is no price

Json = dict[str, Any]


def chart(
    candles: CandlesSeen | None,
    indicators: IndicatorsSeen | None,
    books: SymbolBooks,
    rules: SymbolRules | None,
    *,
    bars: int = MOST_BARS,
) -> Json:
    """What the browser draws, with the newest `bars` candles.

    `shape` and `fills` change when the whole chart is to be asked for again; times are seconds UTC of market time.
    """
    shown = list(candles.candles[-bars:]) if candles else []
    drawn = drawing(indicators, _closes(candles)) if indicators else Drawing((), ())
    times, digits = [candle.open_time_ms // 1000 for candle in shown], _digits(rules, shown)
    first_ms = shown[0].open_time_ms if shown else 0
    marks = [fill for fill in books.fills if shown and fill.traded_ms >= first_ms]
    return {
        "times": times,
        **{
            name: [_float(getattr(each, name)) for each in shown] for name in ("open", "high", "low", "close", "volume")
        },
        "digits": digits,
        "lines": _lines(drawn, indicators, times, digits),
        "panes": [asdict(pane) for pane in drawn.panes],
        "shape": f"{indicators.strategy} {sorted(indicators.parameters.items())}" if indicators else "",
        "marks": _marks(marks, times),
        "fills": books.fills[-1].trade_id if books.fills else 0,
        "levels": levels(books, rules),
        "read_wall_ms": candles.read_wall_ms if candles else None,
        "read_ms": candles.read_ms if candles else None,
    }


def levels(books: SymbolBooks, rules: SymbolRules | None) -> list[Json]:
    """Lines across the chart: the average entry, what protects it, and orders that wait for their price."""
    found: list[Json] = []
    quantity, entry = books.position.quantity, books.position.average_price
    if entry is not None and quantity > 0 and not (rules and rules.is_dust(quantity, entry)):
        found.append({"kind": "entry", "price": _float(entry), "label": "entry"})
    return found + [level for order in books.open_orders for level in _order_levels(order)]


def _order_levels(order: Order) -> Iterable[Json]:
    if order.role is Role.STOP_LOSS and order.stop_price is not None:
        yield {"kind": "stop", "price": _float(order.stop_price), "label": "stop"}
    elif order.role is Role.TAKE_PROFIT and order.price is not None:
        yield {"kind": "target", "price": _float(order.price), "label": "target"}
    else:
        if order.stop_price is not None:
            yield {"kind": "order", "price": _float(order.stop_price), "label": f"{order.side.lower()} stop"}
        if order.price is not None:
            yield {"kind": "order", "price": _float(order.price), "label": order.side.lower()}


def _lines(drawn: Drawing, indicators: IndicatorsSeen | None, times: Sequence[int], digits: int) -> list[Json]:
    """The lines, a value for each of `times`, None where there is none: the running candle has no indicators yet."""
    if indicators is None:
        return []
    places = {open_ms // 1000: place for place, open_ms in enumerate(indicators.open_times_ms)}
    found = []
    for line in drawn.lines:
        known = [None if (place := places.get(time)) is None else line.values[place] for time in times]
        values = [None if value is None else _rounded(value, line, digits) for value in known]
        found.append({**asdict(replace(line, values=())), "values": values})
    return found


def _rounded(value: float, line: Line, digits: int) -> float:
    return round(value, digits) if line.pane == PRICE else float(f"{value:.{_SIGNIFICANT_DIGITS}g}")


def _marks(fills: Sequence[Fill], times: Sequence[int]) -> list[Json]:
    """One mark for all fills of a side in a candle: its time, how many they were, what was traded at which average."""
    groups: dict[tuple[int, Side], list[Fill]] = {}
    for fill in fills:
        groups.setdefault((_bar_of(fill, times), fill.side), []).append(fill)
    return [_mark(time, side, together) for (time, side), together in sorted(groups.items())]


def _mark(time: int, side: Side, fills: Sequence[Fill]) -> Json:
    quantity = sum((fill.quantity for fill in fills), ZERO)
    price = sum((fill.quote_quantity for fill in fills), ZERO) / quantity
    return {"time": time, "side": side, "count": len(fills), "quantity": _float(quantity), "price": _float(price)}


def _bar_of(fill: Fill, times: Sequence[int]) -> int:
    """Open time of the candle in which it traded: the last one that begins before it."""
    return times[bisect_right(times, fill.traded_ms // 1000) - 1]


def _digits(rules: SymbolRules | None, candles: Sequence[Candle]) -> int:
    """Decimals of a price: those of the tick size; of the prices themselves where that is not known."""
    steps = [rules.tick_size] if rules and rules.tick_size else [candle.close for candle in candles[-TAIL_BARS:]]
    return max((max(0, -int(step.normalize().as_tuple().exponent)) for step in steps), default=2)


def _closes(candles: CandlesSeen | None) -> list[float]:
    return [_float(candle.close) for candle in candles.candles[-TAIL_BARS:]] if candles else []


def _float(value: Decimal) -> float:
    return float(value)
