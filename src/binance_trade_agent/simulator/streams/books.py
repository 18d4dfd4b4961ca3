"""Book streams: `s@bookTicker`, `s@depth` and `s@depth5`, `10`, `20`."""

from collections.abc import Sequence
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level, OrderBook
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.market.payloads import amount, level_rows
from binance_trade_agent.simulator.payloads import Json
from binance_trade_agent.simulator.streams.channel import FAST_MS, REAL_TIME_MS, SECOND_MS, QuietChannel

_WHOLE_BOOK = 5_000  # levels a side, which is as many as GET depth gives
_NO_LEVEL: Level = (ZERO, ZERO)
_DELETED = amount(ZERO)  # python-binance's DepthCache deletes a level for exactly this text (binance-protocol.md 5.1)


class BookTickerChannel(QuietChannel):
    """`s@bookTicker`: the best bid and ask when they have changed."""

    period_ms = REAL_TIME_MS

    def __init__(self, symbol: str) -> None:
        self.symbol: str | None = symbol
        self._update_id = -1
        self._shown: tuple[Level, Level] | None = None

    def messages(self, exchange: Exchange) -> list[Json | list[Json]]:
        """See Channel."""
        book = exchange.engine.listings[str(self.symbol)].book
        if book.update_id == self._update_id:
            return []
        self._update_id = book.update_id
        best = best_level(book, Side.BUY), best_level(book, Side.SELL)
        if best == self._shown:
            return []
        self._shown = best
        (bid, bid_quantity), (ask, ask_quantity) = best
        return [
            {
                "u": book.update_id,
                "s": self.symbol,
                "b": amount(bid),
                "B": amount(bid_quantity),
                "a": amount(ask),
                "A": amount(ask_quantity),
            }
        ]


class PartialDepthChannel(QuietChannel):
    """`s@depth5`, `10`, `20`: the best levels at each beat, whether they have changed or not."""

    def __init__(self, symbol: str, levels: int, *, is_fast: bool) -> None:
        self.symbol: str | None = symbol
        self.period_ms = FAST_MS if is_fast else SECOND_MS
        self._levels = levels
        self._message: Json = {"lastUpdateId": -1}

    def messages(self, exchange: Exchange) -> list[Json | list[Json]]:
        """See Channel."""
        book = exchange.engine.listings[str(self.symbol)].book
        if book.update_id != self._message["lastUpdateId"]:
            self._message = {
                "lastUpdateId": book.update_id,
                "bids": level_rows(book.depth(Side.BUY, self._levels)),
                "asks": level_rows(book.depth(Side.SELL, self._levels)),
            }
        return [self._message]


class DiffDepthChannel(QuietChannel):
    """`s@depth`: the levels that have changed since the last message.

    A level that came and went between two messages is in neither of them. That is right as long as nobody sees a book
    from in between: so a snapshot that is taken (GET depth) lets the running diff end before it, see `Streams`.
    """

    def __init__(self, symbol: str, exchange: Exchange, *, is_fast: bool) -> None:
        """Begin with the book of now."""
        self.symbol: str | None = symbol
        self.period_ms = FAST_MS if is_fast else SECOND_MS
        book = exchange.engine.listings[symbol].book
        self._update_id = book.update_id
        self._bids = dict(book.depth(Side.BUY, _WHOLE_BOOK))
        self._asks = dict(book.depth(Side.SELL, _WHOLE_BOOK))

    def messages(self, exchange: Exchange) -> list[Json | list[Json]]:
        """See Channel."""
        book = exchange.engine.listings[str(self.symbol)].book
        if book.update_id == self._update_id:
            return []
        first_id = self._update_id + 1
        self._update_id = book.update_id
        bids, asks = dict(book.depth(Side.BUY, _WHOLE_BOOK)), dict(book.depth(Side.SELL, _WHOLE_BOOK))
        message = {
            "e": "depthUpdate",
            "E": exchange.now_ms,
            "s": self.symbol,
            "U": first_id,
            "u": book.update_id,
            "b": _changes(self._bids, bids),
            "a": _changes(self._asks, asks),
        }
        self._bids, self._asks = bids, asks
        return [message]


def best_level(book: OrderBook, side: Side) -> Level:
    """The best price of a side and its quantity; zeros when nothing is there."""
    return next(iter(book.depth(side, 1)), _NO_LEVEL)


def _changes(before: dict[Decimal, Decimal], after: dict[Decimal, Decimal]) -> Sequence[list[str]]:
    changed = [[amount(price), amount(quantity)] for price, quantity in after.items() if before.get(price) != quantity]
    changed += [[amount(price), _DELETED] for price in before if price not in after]
    return changed
