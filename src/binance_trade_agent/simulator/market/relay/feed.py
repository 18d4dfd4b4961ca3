"""The relay as a feed: what the relayed exchange has told so far, given on along the market clock."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from binance_trade_agent.domain.candles import MINUTE_MS, Candle, interval_open_ms
from binance_trade_agent.domain.symbols import SymbolRules, symbol_rules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.matching.book import Level
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.simulator.market.candle_columns import CandleColumns
from binance_trade_agent.simulator.market.feed import OutsideTrade, Print, Quote
from binance_trade_agent.simulator.market.path import path_of, trade_counts
from binance_trade_agent.simulator.market.whole_numbers import Column

INTERVAL = "1m"
_PRELUDE_MS = 5 * MINUTE_MS  # the span of avgPrice, binance-protocol.md 1.2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One symbol at the moment from which it is relayed.

    Attributes:
        listing: its entry in exchangeInfo.
        candles: in time order, the coarser ones first, the open minute last.
        bids, asks: the best levels.
        last_trade_id: of the aggregate trades; -1 when it has never traded.
    """

    listing: Mapping[str, Any]
    candles: Sequence[Candle]
    bids: Sequence[Level]
    asks: Sequence[Level]
    last_trade_id: int


@dataclass(slots=True)
class RelayStatus:
    """How the relay does.

    Attributes:
        is_connected: whether the streams are heard.
        is_open: whether orders are taken.
        heard_seconds: monotonic time of the last sign of life.
        connections: made so far.
        missed_trades: left out, because a gap was too long.
    """

    is_connected: bool = False
    is_open: bool = True
    heard_seconds: float = field(default_factory=monotonic_seconds)
    connections: int = 0
    missed_trades: int = 0

    def row(self) -> dict[str, Any]:
        """As GET /sim/state shows it."""
        return {
            "connected": self.is_connected,
            "open": self.is_open,
            "ageMs": round((monotonic_seconds() - self.heard_seconds) * 1000),
            "connections": self.connections,
            "missedTrades": self.missed_trades,
        }


class RelayFeed:
    """The `Feed` of a relayed market; see there for the attributes. Whoever follows the exchange tells it.

    While it is not heard, no candle opens: what is missing may still be told, and then has its place.

    Attributes:
        last_trade_ids: those of the exchange there, at the moment from which it is relayed.
        behind_wall_ms: how far market time is behind this machine's wall time.
        status: how it goes.
    """

    def __init__(
        self, snapshots: Mapping[str, Snapshot], *, start_ms: int, resume_ms: int, behind_wall_ms: int
    ) -> None:
        self.symbols = tuple(snapshots)
        self.start_ms = start_ms
        self.resume_ms = resume_ms
        self.ends_ms: int | None = None
        self.behind_wall_ms = behind_wall_ms
        self.intervals: Mapping[str, str] = dict.fromkeys(self.symbols, INTERVAL)
        self.listings: Mapping[str, Mapping[str, Any]] = {
            symbol: snapshot.listing for symbol, snapshot in snapshots.items()
        }
        self.last_trade_ids: Mapping[str, int] = {
            symbol: snapshot.last_trade_id for symbol, snapshot in snapshots.items()
        }
        self.status = RelayStatus()
        self._snapshots = snapshots
        self._rules: dict[str, SymbolRules] = {
            symbol: symbol_rules(listing) for symbol, listing in self.listings.items()
        }
        self._last_prices = {symbol: snapshot.candles[-1].close for symbol, snapshot in snapshots.items()}
        self._events: deque[OutsideTrade | Quote] = deque()
        self._told_ms = resume_ms
        self._opened_ms = dict.fromkeys(self.symbols, interval_open_ms(INTERVAL, resume_ms) - MINUTE_MS)

    def tell_trade(self, trade: OutsideTrade) -> None:
        """Take in a trade there. A time before the last one told is set to that."""
        self._told_ms = max(self._told_ms, trade.at_ms)
        self._events.append(trade if trade.at_ms == self._told_ms else replace(trade, at_ms=self._told_ms))

    def tell_book(self, symbol: str, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Take in the book there, which comes without a time: it is as new as what was told last."""
        self._events.append(Quote(symbol, self._told_ms, bids, asks))

    def history(self, symbol: str) -> CandleColumns:
        """Candles that were closed at resume_ms, the coarser ones before the minutes."""
        open_ms = interval_open_ms(INTERVAL, self.resume_ms)
        candles = self._snapshots[symbol].candles
        return CandleColumns.of([candle for candle in candles if candle.open_time_ms < open_ms])

    def print_counts(self, symbol: str, candles: CandleColumns) -> Column:
        """About how many trades each candle had: what the way through it is made of here."""
        return trade_counts(candles, self._rules[symbol].step_size)

    def prelude(self, symbol: str) -> Sequence[Print]:
        """The last five minutes and the open candle as trades that add up to the candles there, the book as it is."""
        snapshot, rules = self._snapshots[symbol], self._rules[symbol]
        random = Random(symbol)  # noqa: S311 - a way through known candles, not a secret
        first_ms = interval_open_ms(INTERVAL, self.resume_ms - _PRELUDE_MS)
        return [
            Print(
                symbol,
                min(trade.at_ms, self.resume_ms - 1),
                trade.price,
                trade.quantity,
                trade.taker_side,
                snapshot.bids,
                snapshot.asks,
            )
            for candle in snapshot.candles
            if candle.open_time_ms >= first_ms
            for trade in path_of(candle, tick=rules.tick_size, step=rules.step_size, random=random)
        ]

    def prints_until(self, until_ms: int) -> Iterator[OutsideTrade | Quote]:
        """What was told and lies at or before `until_ms`."""
        while self._events and self._events[0].at_ms <= until_ms:
            event = self._events.popleft()
            if isinstance(event, OutsideTrade):
                self._last_prices[event.symbol] = event.price
            yield event

    def candles(self, symbol: str, after_ms: int, until_ms: int) -> Sequence[Candle]:  # noqa: ARG002 (Feed)
        """Every minute opens a candle at the last price, as soon as it is sure that nothing from before it is missing.

        So they are given from the last one that was given on, not from `after_ms` on.
        """
        if not self.status.is_connected:
            return []
        first_ms, price = self._opened_ms[symbol] + MINUTE_MS, self._last_prices[symbol]
        self._opened_ms[symbol] = interval_open_ms(INTERVAL, until_ms)
        return [
            Candle(at_ms, at_ms + MINUTE_MS - 1, price, price, price, price, Decimal(0))
            for at_ms in range(first_ms, until_ms + 1, MINUTE_MS)
        ]
