"""What a shared feed and its readers tell each other: small structs by MessagePack, candles as raw arrays."""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np

from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value
from binance_trade_agent.feed.candles import Key, LastTrade
from binance_trade_agent.feed.ring import Row

_ROW = np.dtype([("times", "<i8", 2), ("numbers", "<f8", 5)])  # as the columns of CandleWindow
_ROW_FIELDS = struct.Struct("<2q5d")  # the same for single candles
ROW_BYTES = _ROW.itemsize

BellRow = tuple[str, str, bytes]  # symbol, interval, candles

T = TypeVar("T")


class Wish(Value, frozen=True):
    """What a daemon wants to be told: candles of these symbols and intervals, `history` of each; quotes and rules."""

    keys: tuple[Key, ...]
    history: int


class Beat(Value, frozen=True):
    """A sign of life of the feed.

    Attributes:
        feed: which one. What it has written is under its name only.
        number: counts up with each sign.
        bells: number of its last bell; what that and those before have told is written.
        history: candles that it keeps of each symbol and interval, where there were as many.
        proofs: of each of its connections for quotes, the market time (ms) until which what it told is known to hold;
            None while it does not live.
        symbols, daemons: how many it follows, and for how many.
        since_wall_ms: when it began to serve, by its machine's clock; 0 of a program that did not tell.
    """

    feed: str
    number: int
    bells: int
    history: int
    proofs: tuple[int | None, ...]
    symbols: int = 0
    daemons: int = 0
    since_wall_ms: int = 0


class Bell(Value, frozen=True):
    """Candles have closed.

    Attributes:
        feed, number: see Beat; they are numbered without a gap.
        rows: candles behind those before.
        reread: of what more than that has changed; it has to be read anew.
    """

    feed: str
    number: int
    rows: tuple[BellRow, ...]
    reread: tuple[Key, ...]


class QuoteNote(Value, frozen=True, array_like=True):
    """A symbol's best prices, as the exchange writes them.

    Attributes:
        link: number of the connection that has told them, among `Beat.proofs`.
    """

    link: int
    bid: str
    bid_quantity: str
    ask: str
    ask_quantity: str


class ToldTrades(Value, frozen=True, array_like=True):
    """The last trades that one connection for candles tells.

    Attributes:
        until_ms: the exchange's time (ms) of its newest event: until then they are known to hold.
        trades: by symbol.
    """

    until_ms: int
    trades: dict[str, LastTrade]


class TradesNote(Value, frozen=True, array_like=True):
    """The last trades of all symbols, of each connection that the feed was sure of."""

    told: tuple[ToldTrades, ...]

    def of(self, symbol: str) -> tuple[LastTrade, int] | None:
        """The symbol's last trade, and until when a connection that tells of it was heard; None when none does."""
        told = [each for each in self.told if symbol in each.trades]
        newest = max(told, key=lambda each: each.until_ms, default=None)
        return None if newest is None else (newest.trades[symbol], newest.until_ms)


class RulesNote(Value, frozen=True):
    """Rules of all followed symbols, read at this market time."""

    read_ms: int
    rules: tuple[SymbolRules, ...]


def packed(note: object) -> bytes:
    """A note as bytes."""
    return msgspec.msgpack.encode(note)


def unpacked(value: bytes | None, kind: type[T]) -> T | None:
    """The note; None when there is none, or something else."""
    if value is None:
        return None
    try:
        return msgspec.msgpack.decode(value, type=kind)
    except ValueError:  # msgspec's own is one
        return None


def rows_of(window: CandleWindow) -> bytes:
    """Candles as bytes, ROW_BYTES each."""
    rows = np.empty(len(window), dtype=_ROW)
    rows["times"], rows["numbers"] = window.times, window.numbers
    return rows.tobytes()


def window_of_rows(value: bytes | None) -> CandleWindow | None:
    """The candles; None when there are none, or something else."""
    if not value or len(value) % ROW_BYTES:
        return None
    rows = np.frombuffer(value, dtype=_ROW)
    return CandleWindow(np.ascontiguousarray(rows["times"]), np.ascontiguousarray(rows["numbers"]))


def single_rows(value: bytes) -> Iterator[Row]:
    """Each candle by itself; nothing where it is something else."""
    return map(_row, _ROW_FIELDS.iter_unpack(value)) if len(value) % ROW_BYTES == 0 else iter(())


def _row(fields: tuple[Any, ...]) -> Row:
    opened_ms, closed_ms, opened, high, low, close, volume = fields
    return opened_ms, closed_ms, opened, high, low, close, volume


def union(wishes: Sequence[Wish]) -> Wish:
    """What fulfils all of them."""
    keys = dict.fromkeys(key for wish in wishes for key in wish.keys)
    return Wish(tuple(keys), max((wish.history for wish in wishes), default=0))
