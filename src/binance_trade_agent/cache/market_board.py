"""The market board: what the trader tells other processes about the market, and what they want to be told.

The trader puts up what it has read from the exchange, each note with the time of its reading; the dashboard and the MCP
server take it from there and never ask the exchange themselves. They in turn put up which symbols somebody looks at:
for these the trader reads prices, book and candles more often than its ticks need. All of it may be lost at any time.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar

import msgspec

from binance_trade_agent.cache.cache import Cache
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import Level
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value
from binance_trade_agent.ops.clock import wall_ms

KEEP_SECONDS = 86_400.0
WANTED_SECONDS = 20.0  # a wish that is not repeated is over after so long
READERS = ("dashboard", "mcp", "cli")

T = TypeVar("T")


class Quote(Value, frozen=True):
    """Best bid and ask with their sizes, and the last trade's price where it was read; quote per base, base asset.

    Attributes:
        read_ms: market time of the reading; read_wall_ms: the machine's, by which its age is told.
    """

    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    last_price: Decimal | None
    read_ms: int
    read_wall_ms: int


class BookSeen(Value, frozen=True):
    """The order book near the best prices, best first on both sides. Times: see Quote."""

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    read_ms: int
    read_wall_ms: int


class DayFigures(Value, frozen=True):
    """The exchange's rolling 24 hours. Prices in quote per base. Times: see Quote."""

    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    change_pct: Decimal
    volume_base: Decimal
    volume_quote: Decimal
    trades: int
    read_ms: int
    read_wall_ms: int


class CandlesSeen(Value, frozen=True):
    """Candles in time order; the last one runs still where its close time is after `read_ms`. Times: see Quote."""

    symbol: str
    interval: str
    candles: tuple[Candle, ...]
    read_ms: int
    read_wall_ms: int


class IndicatorsSeen(Value, frozen=True):
    """What the strategy in use makes of the newest closed candles. Times: see Quote.

    Attributes:
        parameters: the strategy's numbers by name, its thresholds among them.
        open_times_ms: of the candles, in time order.
        columns: by the indicator's name a value for each of these candles, None where it has none.
        trouble: why there are no columns; empty where there are some.
    """

    symbol: str
    interval: str
    strategy: str
    parameters: dict[str, float]
    open_times_ms: tuple[int, ...]
    columns: dict[str, tuple[float | None, ...]]
    trouble: str
    read_ms: int
    read_wall_ms: int


class RulesSeen(Value, frozen=True):
    """The symbol's filters and state. Times: see Quote."""

    rules: SymbolRules
    read_ms: int
    read_wall_ms: int


class Wish(Value, frozen=True):
    """Somebody looks at `symbol` in candles of `interval` (empty: at its prices only), by `wall_ms`."""

    symbol: str
    interval: str
    wall_ms: int


Note = Quote | BookSeen | DayFigures | CandlesSeen | IndicatorsSeen | RulesSeen


class MarketBoard:
    """The notes of one daemon.

    Args:
        cache: shared by the processes (`cache.shared`).
        namespace: tells this daemon's notes from those of others (`cache.shared.board_namespace`).
    """

    def __init__(self, cache: Cache, namespace: str) -> None:
        self._cache = cache
        self._namespace = namespace

    async def put(self, note: Note) -> None:
        """Put a note up in place of the one before."""
        await self._put(_name(note), note, KEEP_SECONDS)

    async def quote(self, symbol: str) -> Quote | None:
        """The last quote, None when there is none."""
        return await self._get(f"quote:{symbol}", Quote)

    async def book(self, symbol: str) -> BookSeen | None:
        """The last order book, None when there is none."""
        return await self._get(f"book:{symbol}", BookSeen)

    async def day(self, symbol: str) -> DayFigures | None:
        """The last 24 h figures, None when there are none."""
        return await self._get(f"day:{symbol}", DayFigures)

    async def candles(self, symbol: str, interval: str) -> CandlesSeen | None:
        """The last candles of an interval, None when there are none."""
        return await self._get(f"candles:{symbol}:{interval}", CandlesSeen)

    async def indicators(self, symbol: str, interval: str) -> IndicatorsSeen | None:
        """The last indicators over candles of an interval, None when there are none."""
        return await self._get(f"indicators:{symbol}:{interval}", IndicatorsSeen)

    async def rules(self, symbol: str) -> SymbolRules | None:
        """The symbol's rules as last read, None when they were not."""
        seen = await self._get(f"rules:{symbol}", RulesSeen)
        return seen.rules if seen else None

    async def want(self, reader: str, wishes: Iterable[Wish], *, process: str = "") -> None:
        """Say what is looked at now, in place of what this process said before.

        Args:
            reader: one of READERS.
            wishes: all of them.
            process: tells apart the processes of one reader. Where two of them say so at the same moment, the wishes
                of one may be lost until it repeats them.
        """
        oldest_ms = wall_ms() - WANTED_SECONDS * 1000
        others = {
            name: kept
            for name, kept in (await self._wishes(reader)).items()
            if name != process and any(wish.wall_ms >= oldest_ms for wish in kept)
        }
        await self._put(f"wishes:{reader}", {**others, process: list(wishes)}, WANTED_SECONDS)

    async def wanted(self) -> list[Wish]:
        """What the readers look at; some may be over already, see their times."""
        return [wish for reader in READERS for kept in (await self._wishes(reader)).values() for wish in kept]

    async def _wishes(self, reader: str) -> dict[str, list[Wish]]:
        """By process."""
        return await self._get(f"wishes:{reader}", dict[str, list[Wish]]) or {}

    async def _put(self, name: str, note: object, ttl_seconds: float) -> None:
        await self._cache.put(f"{self._namespace}:{name}", msgspec.msgpack.encode(note), ttl_seconds)

    async def _get(self, name: str, kind: type[T]) -> T | None:
        value = await self._cache.get(f"{self._namespace}:{name}")
        if value is None:
            return None
        try:
            return msgspec.msgpack.decode(value, type=kind)
        except ValueError:  # msgspec's own is one: somebody else's, or an older program's
            return None


def _name(note: Note) -> str:
    match note:
        case Quote():
            return f"quote:{note.symbol}"
        case BookSeen():
            return f"book:{note.symbol}"
        case DayFigures():
            return f"day:{note.symbol}"
        case CandlesSeen():
            return f"candles:{note.symbol}:{note.interval}"
        case IndicatorsSeen():
            return f"indicators:{note.symbol}:{note.interval}"
        case RulesSeen():
            return f"rules:{note.rules.symbol}"
