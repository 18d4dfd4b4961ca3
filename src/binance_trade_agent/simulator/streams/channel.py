"""What a channel is: the source of one stream's messages.

A channel exists while somebody listens to its stream. Real-time channels (trades, best prices) are asked whenever the
market or a user has changed their symbol; periodic ones when their period of market time is over, counted from its
whole multiples, and at most ten times a real second, so that a market at many times the speed does not flood its
listeners: of a market at 60 times the speed they hear ten books a real second, 6 s of the market apart. What must not
be skipped never is, however far a stepped market has been moved: every trade (of aggregates as many as GET aggTrades
keeps), every change of the book (in fewer and longer diffs), and the closing of every candle. `E` is market time.
"""

from typing import Protocol

from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.payloads import Json

REAL_TIME_MS = 0
FAST_MS = 100
SECOND_MS = 1_000
KLINE_MS = 2_000
NEVER_MS = 1 << 62


class Channel(Protocol):
    """One stream's messages.

    Attributes:
        symbol: whose market it tells of; None for all symbols.
        period_ms: market time from one message to the next; REAL_TIME_MS for channels that tell of each change.
        wakes_ms: market time from which on it has something to say in spite of its period.
    """

    symbol: str | None
    period_ms: int
    wakes_ms: int

    def on_trade(self, trade: PublicTrade) -> None:
        """A trade of the channel's symbol has happened."""
        ...

    def messages(self, exchange: Exchange) -> list[Json | list[Json]]:
        """What is to be sent at the exchange's present market time."""
        ...


class QuietChannel:
    """A base for channels that only look at the market when they are asked."""

    wakes_ms: int = NEVER_MS
    period_ms: int = SECOND_MS

    def on_trade(self, trade: PublicTrade) -> None:
        """Nothing to do."""
