"""Market streams: what each kind sends, and when (binance-protocol.md 5.1).

A channel exists while somebody listens. It is asked for its messages after each advance of the market; periodic kinds
answer only when their period of market time is over, and at most ten times a real second, so that a fast market does
not flood its listeners. Trades and the closing message of a candle are always sent.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from binance_trade_agent.domain.candles import INTERVAL_MS, interval_open_ms
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.market.klines import Kline
from binance_trade_agent.simulator.market.payloads import amount, level_rows
from binance_trade_agent.simulator.payloads import Json

_KLINE_PERIOD_MS = 2000
_SECOND_MS = 1000
_LEAST_REAL_SECONDS = 0.1
_NAME = re.compile(
    r"(?P<symbol>[^@]+)@(?:(?P<plain>trade|aggTrade|bookTicker|miniTicker)|kline_(?P<interval>\w+)"
    r"|depth(?P<levels>5|10|20)(?P<fast>@100ms)?)"
)


class Channel(Protocol):
    """One market stream."""

    def on_trade(self, trade: PublicTrade) -> None:
        """A trade has happened on some symbol."""
        ...

    def messages(self, exchange: Exchange, real_seconds: float) -> list[Json]:
        """What is to be sent now."""
        ...


def open_channel(name: str, exchange: Exchange) -> Channel | None:
    """The channel of a stream's name; None when there is no such stream."""
    parsed = _NAME.fullmatch(name)
    if not parsed or (symbol := parsed["symbol"].upper()) not in exchange.listings:
        return None
    if (interval := parsed["interval"]) is not None:
        return KlineChannel(symbol, interval, exchange.now_ms) if interval in INTERVAL_MS else None
    if parsed["levels"]:
        return DepthChannel(symbol, int(parsed["levels"]), 100 if parsed["fast"] else _SECOND_MS)
    match parsed["plain"]:
        case "bookTicker":
            return BookTickerChannel(symbol)
        case "miniTicker":
            return MiniTickerChannel(symbol)
        case kind:
            return TradeChannel(symbol, is_aggregate=kind == "aggTrade")


@dataclass(slots=True)
class _Pace:
    """When a periodic channel is due: by market time, and not too often by real time."""

    period_ms: int
    sent_ms: int | None = None
    sent_real_seconds: float = 0.0

    def is_due(self, exchange: Exchange, real_seconds: float, *, at_once: bool = False) -> bool:
        """Whether to send now, which is taken as done; `at_once` is for what cannot wait."""
        now_ms = exchange.now_ms
        if self.sent_ms is not None and not at_once:
            too_soon = not exchange.clock.is_stepped and real_seconds - self.sent_real_seconds < _LEAST_REAL_SECONDS
            if too_soon or now_ms - self.sent_ms < self.period_ms:
                return False
        self.sent_ms, self.sent_real_seconds = now_ms, real_seconds
        return True


class _QuietChannel:
    """A channel to which trades mean nothing."""

    def on_trade(self, trade: PublicTrade) -> None:
        """Nothing to do."""


class KlineChannel(_QuietChannel):
    """`s@kline_i`: the open candle every two seconds, and each candle once as closed."""

    def __init__(self, symbol: str, interval: str, now_ms: int) -> None:
        self._symbol = symbol
        self._interval = interval
        self._next_open_ms = interval_open_ms(interval, now_ms)
        self._pace = _Pace(_KLINE_PERIOD_MS)

    def messages(self, exchange: Exchange, real_seconds: float) -> list[Json]:
        """See Channel."""
        now_ms = exchange.now_ms
        if not self._pace.is_due(exchange, real_seconds, at_once=self._has_closed(now_ms)):
            return []
        klines = exchange.market.klines(self._symbol, self._interval, start_ms=self._next_open_ms, limit=1_000_000)
        closed = [kline for kline in klines if kline.close_time_ms < now_ms]
        if closed:
            self._next_open_ms = closed[-1].close_time_ms + 1
        return [self._message(kline, now_ms) for kline in klines]

    def _has_closed(self, now_ms: int) -> bool:
        return now_ms >= self._next_open_ms + INTERVAL_MS[self._interval]

    def _message(self, kline: Kline, now_ms: int) -> Json:
        return {
            "e": "kline",
            "E": now_ms,
            "s": self._symbol,
            "k": {
                "t": kline.open_time_ms,
                "T": kline.close_time_ms,
                "s": self._symbol,
                "i": self._interval,
                "f": kline.first_trade_id,
                "L": kline.last_trade_id,
                "o": amount(kline.open),
                "c": amount(kline.close),
                "h": amount(kline.high),
                "l": amount(kline.low),
                "v": amount(kline.volume),
                "n": kline.trades,
                "x": kline.close_time_ms < now_ms,
                "q": amount(kline.quote_volume),
                "V": amount(kline.taker_buy_base),
                "Q": amount(kline.taker_buy_quote),
                "B": "0",
            },
        }


class TradeChannel:
    """`s@trade` and `s@aggTrade`: every trade; each is an aggregate of its own, with the same id."""

    def __init__(self, symbol: str, *, is_aggregate: bool) -> None:
        self._symbol = symbol
        self._is_aggregate = is_aggregate
        self._waiting: list[PublicTrade] = []

    def on_trade(self, trade: PublicTrade) -> None:
        """See Channel."""
        if trade.symbol == self._symbol:
            self._waiting.append(trade)

    def messages(self, exchange: Exchange, real_seconds: float) -> list[Json]:  # noqa: ARG002 (Channel)
        """See Channel."""
        trades, self._waiting = self._waiting, []
        return [self._message(trade, exchange.now_ms) for trade in trades]

    def _message(self, trade: PublicTrade, now_ms: int) -> Json:
        if self._is_aggregate:
            head: Json = {"e": "aggTrade", "E": now_ms, "s": trade.symbol, "a": trade.trade_id}
            ids: Json = {"f": trade.trade_id, "l": trade.trade_id}
        else:
            head, ids = {"e": "trade", "E": now_ms, "s": trade.symbol, "t": trade.trade_id}, {}
        return {
            **head,
            "p": amount(trade.price),
            "q": amount(trade.quantity),
            **ids,
            "T": trade.at_ms,
            "m": trade.taker_side is Side.SELL,
            "M": True,
        }


class BookTickerChannel(_QuietChannel):
    """`s@bookTicker`: the best bid and ask when they have changed."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._shown: tuple[Level, Level] | None = None

    def messages(self, exchange: Exchange, real_seconds: float) -> list[Json]:  # noqa: ARG002 (Channel)
        """See Channel."""
        book = exchange.engine.listings[self._symbol].book
        nothing = (ZERO, ZERO)
        bid = next(iter(book.depth(Side.BUY, 1)), nothing)
        ask = next(iter(book.depth(Side.SELL, 1)), nothing)
        if (bid, ask) == self._shown:
            return []
        self._shown = (bid, ask)
        return [
            {
                "u": book.update_id,
                "s": self._symbol,
                "b": amount(bid[0]),
                "B": amount(bid[1]),
                "a": amount(ask[0]),
                "A": amount(ask[1]),
            }
        ]


class DepthChannel(_QuietChannel):
    """`s@depth5`, `10`, `20`: the best levels once a second or ten times."""

    def __init__(self, symbol: str, levels: int, period_ms: int) -> None:
        self._symbol = symbol
        self._levels = levels
        self._pace = _Pace(period_ms)

    def messages(self, exchange: Exchange, real_seconds: float) -> list[Json]:
        """See Channel."""
        if not self._pace.is_due(exchange, real_seconds):
            return []
        book = exchange.engine.listings[self._symbol].book
        return [
            {
                "lastUpdateId": book.update_id,
                "bids": level_rows(book.depth(Side.BUY, self._levels)),
                "asks": level_rows(book.depth(Side.SELL, self._levels)),
            }
        ]


class MiniTickerChannel(_QuietChannel):
    """`s@miniTicker`: the last 24 hours once a second, when they have changed."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._pace = _Pace(_SECOND_MS)
        self._shown: tuple[Decimal, int] | None = None

    def messages(self, exchange: Exchange, real_seconds: float) -> list[Json]:
        """See Channel."""
        if not self._pace.is_due(exchange, real_seconds):
            return []
        ticker = exchange.market.ticker_24hr(self._symbol)
        if ticker is None or (ticker.last, ticker.last_trade_id) == self._shown:
            return []
        self._shown = (ticker.last, ticker.last_trade_id)
        return [
            {
                "e": "24hrMiniTicker",
                "E": exchange.now_ms,
                "s": self._symbol,
                "c": amount(ticker.last),
                "o": amount(ticker.open),
                "h": amount(ticker.high),
                "l": amount(ticker.low),
                "v": amount(ticker.volume),
                "q": amount(ticker.quote_volume),
            }
        ]
