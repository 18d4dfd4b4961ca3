"""The exchange whose market is relayed, asked by REST. Only public endpoints are used, and no key is ever sent."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from binance_trade_agent.domain.candles import INTERVAL_MS, Candle
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.book import Level
from binance_trade_agent.simulator.market.feed import FeedError, OutsideTrade

_ANSWER_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
_AT_ONCE = 8  # requests under way, so that the weight of many symbols is spread
_UNKNOWN_SYMBOL = -1121
MOST_ROWS = 1000  # of klines and aggTrades, binance-protocol.md 1.2


class UpstreamError(Exception):
    """The relayed exchange could not be asked, or answered nonsense. The text is one sentence.

    Attributes:
        retry_after_seconds: how long it wants to be left alone.
    """

    def __init__(self, message: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Place:
    """Where an exchange is: base addresses of its REST (without `/api/v3`) and of its streams (without `/stream`)."""

    rest: str
    streams: str


# binance-protocol.md 5.4
_PLACES = {
    "mainnet": Place("https://api.binance.com", "wss://stream.binance.com:9443"),
    "testnet": Place("https://testnet.binance.vision", "wss://stream.testnet.binance.vision"),
}


def place_of(name: str) -> Place:
    """The place that a user names: `mainnet`, `testnet`, or the address of an exchange with all on one port.

    Raises:
        FeedError: it is none of these.
    """
    if name in _PLACES:
        return _PLACES[name]
    parts = urlsplit(name)
    is_address = parts.scheme in {"http", "https"} and parts.hostname and not parts.query and "@" not in parts.netloc
    if not is_address or parts.path not in {"", "/"}:
        near = nearest(name, _PLACES)
        hint = f"; the nearest is {near}" if near else ""
        raise FeedError(
            f"relay {name!r} is not allowed: it must be mainnet, testnet or an address "
            f"such as http://127.0.0.1:8090{hint}"
        )
    scheme = "wss" if parts.scheme == "https" else "ws"
    return Place(f"{parts.scheme}://{parts.netloc}", f"{scheme}://{parts.netloc}")


@dataclass(frozen=True, slots=True)
class ServerTime:
    """The exchange's time in ms; `speed` is what a simulated one says of its own, `1` on a real one."""

    now_ms: int
    speed: str


@dataclass(frozen=True, slots=True)
class AggregateTrade:
    """One row of aggTrades with its id."""

    trade_id: int
    trade: OutsideTrade


class Upstream:
    """Asks one exchange. An async context manager; every method raises UpstreamError when it cannot be asked."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, sock_connect=_CONNECT_SECONDS)
        self.http = aiohttp.ClientSession(timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def time(self) -> ServerTime:
        """What time it is there."""
        answer, headers = await self._ask("time")
        return ServerTime(int(answer["serverTime"]), headers.get("x-simulated-speed", "1"))

    async def listings(self, symbols: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The symbols' entries in exchangeInfo.

        Raises:
            FeedError: it does not list one of them.
        """
        names = orjson.dumps(list(symbols)).decode()
        try:
            answer, _ = await self._ask("exchangeInfo", symbols=names)
        except _RefusedError as refusal:
            if refusal.code != _UNKNOWN_SYMBOL:
                raise
            everything, _ = await self._ask("exchangeInfo")
            raise _not_listed(symbols, [entry["symbol"] for entry in everything["symbols"]], self.place) from None
        return {entry["symbol"]: entry for entry in answer["symbols"]}

    async def candles(
        self, symbol: str, interval: str, *, limit: int = MOST_ROWS, before_ms: int | None = None
    ) -> list[Candle]:
        """The newest candles, the open one too, or the newest that open before `before_ms`; at most MOST_ROWS."""
        until = {} if before_ms is None else {"endTime": before_ms - 1}
        rows, _ = await self._ask("klines", symbol=symbol, interval=interval, limit=limit, **until)
        length_ms = INTERVAL_MS[interval]
        return [Candle(row[0], row[0] + length_ms - 1, *map(Decimal, row[1:6])) for row in rows]

    async def book(self, symbol: str) -> tuple[list[Level], list[Level]]:
        """The best 20 bids and asks."""
        answer, _ = await self._ask("depth", symbol=symbol, limit=20)
        return levels(answer["bids"]), levels(answer["asks"])

    async def trades(self, symbol: str, *, from_id: int | None = None) -> list[AggregateTrade]:
        """The last aggregate trade, or those from an id on, oldest first; at most MOST_ROWS."""
        wanted = {"limit": 1} if from_id is None else {"limit": MOST_ROWS, "fromId": from_id}
        rows, _ = await self._ask("aggTrades", symbol=symbol, **wanted)
        return [aggregate_trade(symbol, row) for row in rows]

    async def _ask(self, path: str, **parameters: Any) -> tuple[Any, Mapping[str, str]]:
        try:
            async with (
                self._turns,
                self.http.get(f"{self.place.rest}/api/v3/{path}", params=parameters) as answer,
            ):
                body = await answer.read()
                if not answer.ok:
                    raise _refusal(self.place, path, answer, body)
                return orjson.loads(body), answer.headers
        except (aiohttp.ClientError, OSError) as failure:
            reason = getattr(failure, "strerror", None) or str(failure) or type(failure).__name__
            raise UpstreamError(f"{self.place.rest} cannot be reached: {reason}") from failure
        except orjson.JSONDecodeError as failure:
            raise UpstreamError(f"{self.place.rest} answered {path} with something else than JSON") from failure


class _RefusedError(UpstreamError):
    """An error of the exchange's own; `code` is Binance's, 0 when it gave none."""

    def __init__(self, message: str, code: int, retry_after_seconds: float) -> None:
        super().__init__(message, retry_after_seconds)
        self.code = code


def aggregate_trade(symbol: str, row: Mapping[str, Any]) -> AggregateTrade:
    """A row of GET aggTrades or an event of the stream (binance-protocol.md 1.2, 5.1); `m`: the buyer was the maker."""
    side = Side.SELL if row["m"] else Side.BUY
    return AggregateTrade(row["a"], OutsideTrade(symbol, row["T"], Decimal(row["p"]), Decimal(row["q"]), side))


def levels(rows: Sequence[Sequence[str]]) -> list[Level]:
    """One side of a book."""
    return [(Decimal(price), Decimal(quantity)) for price, quantity in rows]


NONSENSE = (KeyError, TypeError, ValueError, IndexError, InvalidOperation)  # what a payload of another shape raises


def _refusal(place: Place, path: str, answer: aiohttp.ClientResponse, body: bytes) -> _RefusedError:
    try:
        error = orjson.loads(body)
        code, text = int(error["code"]), str(error["msg"])
    except (orjson.JSONDecodeError, *NONSENSE):
        code, text = 0, answer.reason or "no reason given"
    waiting = answer.headers.get("Retry-After", "0")
    seconds = float(waiting) if waiting.isdigit() else 0.0
    return _RefusedError(f"{place.rest} answered {path} with {answer.status}: {text}", code, seconds)


def _not_listed(wanted: Sequence[str], listed: Sequence[str], place: Place) -> FeedError:
    missing = next((symbol for symbol in wanted if symbol not in listed), wanted[0])
    near = nearest(missing, listed)
    hint = f"; the nearest that it lists is {near}" if near else ""
    return FeedError(f"symbol {missing} is not listed on {place.rest}{hint}")
