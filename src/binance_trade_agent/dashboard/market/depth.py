"""The order book as it is shown: its best levels with their sums, the spread, and the curve of the sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from binance_trade_agent.cache.market_board import BookSeen
from binance_trade_agent.domain.market import Level

ROWS = 12
WIDTH, HEIGHT = 1000, 200  # of the curve's picture; the browser stretches it


@dataclass(frozen=True, slots=True)
class Row:
    """A level: price in quote per base, its quantity and the sum from the best price to here in base asset.

    `quantity_pct` and `sum_pct` are parts of the largest sum shown.
    """

    price: Decimal
    quantity: Decimal
    sum: Decimal
    quantity_pct: Decimal
    sum_pct: Decimal


@dataclass(frozen=True, slots=True)
class Curve:
    """The sums by price, as SVG paths in WIDTH times HEIGHT, as far to both sides as both were read.

    Prices from `low` to `high` in quote per base; `bids_sum` and `asks_sum` in base asset up to there.
    """

    bids: str
    asks: str
    low: Decimal
    high: Decimal
    bids_sum: Decimal
    asks_sum: Decimal

    @property
    def bids_pct(self) -> Decimal:
        """The buyers' part of both sums."""
        return 100 * self.bids_sum / (self.bids_sum + self.asks_sum)


@dataclass(frozen=True, slots=True)
class DepthView:
    """A book with two sides.

    Attributes:
        asks, bids: best first.
        spread_quote, spread_pct: between the best prices, the latter of their middle.
        curve: None where there is but one level on a side.
    """

    asks: Sequence[Row]
    bids: Sequence[Row]
    middle: Decimal
    spread_quote: Decimal
    spread_pct: Decimal
    curve: Curve | None


def depth_view(book: BookSeen, rows: int = ROWS) -> DepthView | None:
    """The view; None where a side is empty."""
    if not (book.bids and book.asks):
        return None
    best_bid, best_ask = book.bids[0][0], book.asks[0][0]
    middle = (best_bid + best_ask) / 2
    most = max(_sums(side[:rows])[-1] for side in (book.bids, book.asks))
    return DepthView(
        _rows(book.asks[:rows], most),
        _rows(book.bids[:rows], most),
        middle,
        best_ask - best_bid,
        100 * (best_ask - best_bid) / middle,
        _curve(book, middle),
    )


def _sums(levels: Sequence[Level]) -> list[Decimal]:
    return list(accumulate(quantity for _, quantity in levels))


def _rows(levels: Sequence[Level], most: Decimal) -> list[Row]:
    return [
        Row(price, quantity, total, _pct(quantity, most), _pct(total, most))
        for (price, quantity), total in zip(levels, _sums(levels), strict=True)
    ]


def _pct(part: Decimal, whole: Decimal) -> Decimal:
    return round(100 * part / whole, 1)


def _curve(book: BookSeen, middle: Decimal) -> Curve | None:
    """A single order far off would squeeze all others together, so the nearer side's reach holds for both."""
    if min(len(book.bids), len(book.asks)) == 1:
        return None
    reach = min(middle - book.bids[-1][0], book.asks[-1][0] - middle)
    low, high = middle - reach, middle + reach
    bids = [level for level in book.bids if level[0] >= low]
    asks = [level for level in book.asks if level[0] <= high]
    if not (bids and asks):
        return None
    bid_sums, ask_sums = _sums(bids), _sums(asks)
    most = max(bid_sums[-1], ask_sums[-1])

    def path(levels: Sequence[Level], sums: Sequence[Decimal], edge: int) -> str:
        """Steps up from the best price to the edge, and down there."""
        steps = [
            (round(WIDTH * (price - low) / (high - low)), round(HEIGHT * (1 - total / most)))
            for (price, _), total in zip(levels, sums, strict=True)
        ]
        return f"M{steps[0][0]} {HEIGHT}" + "".join(f"H{x}V{y}" for x, y in steps) + f"H{edge}V{HEIGHT}Z"

    return Curve(path(bids, bid_sums, 0), path(asks, ask_sums, WIDTH), low, high, bid_sums[-1], ask_sums[-1])
