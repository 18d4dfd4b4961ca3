"""Trade streams: `s@trade` and `s@aggTrade`."""

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.market.payloads import aggregate_trade_row, amount
from binance_trade_agent.simulator.market.tape import AggregateTrade, is_same_taking
from binance_trade_agent.simulator.payloads import Json
from binance_trade_agent.simulator.streams.channel import NEVER_MS, REAL_TIME_MS


class TradeChannel:
    """`s@trade`: every trade."""

    period_ms = REAL_TIME_MS
    wakes_ms = NEVER_MS

    def __init__(self, symbol: str) -> None:
        self.symbol: str | None = symbol
        self._waiting: list[PublicTrade] = []

    def on_trade(self, trade: PublicTrade) -> None:
        """See Channel."""
        self._waiting.append(trade)

    def messages(self, exchange: Exchange) -> list[Json | list[Json]]:
        """See Channel."""
        trades, self._waiting = self._waiting, []
        return [self._message(trade, exchange.now_ms) for trade in trades]

    def _message(self, trade: PublicTrade, now_ms: int) -> Json:
        return {
            "e": "trade",
            "E": now_ms,
            "s": trade.symbol,
            "t": trade.trade_id,
            "p": amount(trade.price),
            "q": amount(trade.quantity),
            "T": trade.at_ms,
            "m": trade.taker_side is Side.SELL,
            "M": True,
        }


class AggregateTradeChannel:
    """`s@aggTrade`: the rows of GET aggTrades."""

    period_ms = REAL_TIME_MS
    wakes_ms = NEVER_MS

    def __init__(self, symbol: str, exchange: Exchange) -> None:
        """Begin behind the last one of now."""
        self.symbol: str | None = symbol
        self._next_id = exchange.market.next_aggregate_id(symbol)
        self._last: PublicTrade | None = None
        self._waiting: list[AggregateTrade] = []

    def on_trade(self, trade: PublicTrade) -> None:
        """See Channel."""
        if self._waiting and self._last is not None and is_same_taking(trade, self._last):
            self._waiting[-1] = self._waiting[-1].with_trade(trade)
        else:
            self._waiting.append(AggregateTrade.of(trade, self._next_id))
            self._next_id += 1
        self._last = trade

    def messages(self, exchange: Exchange) -> list[Json | list[Json]]:
        """See Channel."""
        aggregates, self._waiting = self._waiting, []
        head = {"e": "aggTrade", "E": exchange.now_ms, "s": self.symbol}
        return [{**head, **aggregate_trade_row(aggregate)} for aggregate in aggregates]
