"""Candle streams: `s@kline_i` and `s@kline_i@+08:00`."""

from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.market.klines import Kline
from binance_trade_agent.simulator.market.payloads import amount
from binance_trade_agent.simulator.payloads import Json
from binance_trade_agent.simulator.streams.channel import KLINE_MS, NEVER_MS, SECOND_MS, QuietChannel

_ANY_NUMBER = 1_000_000


class KlineChannel(QuietChannel):
    """The open candle once in its period, and each candle exactly once as closed: the klines of REST."""

    def __init__(self, symbol: str, interval: str, zone_ms: int, exchange: Exchange) -> None:
        """Begin with the candle that is open now, or is the next to open."""
        self.symbol: str | None = symbol
        self.period_ms = SECOND_MS if interval == "1s" else KLINE_MS
        self._interval = interval
        self._zone_ms = zone_ms
        newest = exchange.market.klines(symbol, interval, limit=1, zone_ms=zone_ms)
        self._next_open_ms = exchange.now_ms
        if newest:
            is_closed = newest[0].close_time_ms < exchange.now_ms
            self._next_open_ms = newest[0].close_time_ms + 1 if is_closed else newest[0].open_time_ms
            self.wakes_ms = NEVER_MS if is_closed else newest[0].close_time_ms + 1

    def messages(self, exchange: Exchange) -> list[Json | list[Json]]:
        """See Channel."""
        now_ms = exchange.now_ms
        klines = exchange.market.klines(
            str(self.symbol), self._interval, start_ms=self._next_open_ms, limit=_ANY_NUMBER, zone_ms=self._zone_ms
        )
        self.wakes_ms = NEVER_MS
        for kline in klines:
            if kline.close_time_ms < now_ms:
                self._next_open_ms = kline.close_time_ms + 1
            else:
                self.wakes_ms = kline.close_time_ms + 1
        return [self._message(kline, now_ms) for kline in klines]

    def _message(self, kline: Kline, now_ms: int) -> Json:
        return {
            "e": "kline",
            "E": now_ms,
            "s": self.symbol,
            "k": {
                "t": kline.open_time_ms,
                "T": kline.close_time_ms,
                "s": self.symbol,
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
