"""Best bid and ask as they change, over one combined market stream (binance-protocol.md 5.1, `<symbol>@bookTicker`).

It makes exits fast and is never needed: what it does not know, or has not heard lately, is asked by REST. Nothing is
connected while no symbol is watched.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp

from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.exchange.sockets import RENEW_SECONDS, Conversation, StreamError, Supervisor, opened
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ops.clock import monotonic_seconds, wall_ms
from binance_trade_agent.ops.tasks import spawn, stop, wait_for_any
from binance_trade_agent.ops.vitals import StreamVitals

STALE_SECONDS = 5.0

_PROBE_SECONDS = 10.0
# A change of the subscription takes two messages. With the pings and pongs of both sides that is less than the five
# a second that the exchange takes (2.8).
_SPACING_SECONDS = 1.0
_SHUTDOWN = "!serverShutdown"

log = logging.getLogger(__name__)

PriceHandler = Callable[[str, Decimal, Decimal], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Price:
    bid: Decimal
    ask: Decimal
    heard_seconds: float  # monotonic


class PriceStream:
    """Keeps the prices of the watched symbols until cancelled.

    Args:
        url: base address of the market streams, without a path.
        on_price: called with symbol, bid and ask (quote per base) after a change, one call at a time. A symbol whose
            price has changed several times meanwhile is told once, as it is now. What it raises is logged, and it is
            called again with the next change.
        jitter: spreads the reconnections of many daemons.
        before_connecting: raises an ExchangeError while the exchange has asked us to be silent.
        connector: opens the connections instead of TCP, as a simulation of the network does; stays open.
        stale_seconds: age on the machine's monotonic clock from which on a price is not told any more.
    """

    def __init__(
        self,
        url: str,
        *,
        on_price: PriceHandler,
        jitter: random.Random,
        before_connecting: Callable[[], None] = lambda: None,
        connector: aiohttp.BaseConnector | None = None,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        self._url = f"{url}/stream"
        self._on_price = on_price
        self._before_connecting = before_connecting
        self._connector = connector
        self._stale_seconds = stale_seconds
        self._supervisor = Supervisor("price stream", jitter)
        self._watched: frozenset[str] = frozenset()
        self._has_changed = asyncio.Event()
        self._prices: dict[str, _Price] = {}
        self._untold: dict[str, None] = {}  # in the order in which they changed
        self._has_untold = asyncio.Event()
        self._cannot_tell = False

    @property
    def is_live(self) -> asyncio.Event:
        """Set while prices come."""
        return self._supervisor.is_live

    def watch(self, symbols: Iterable[str]) -> None:
        """Watch these symbols from now on, and no others."""
        watched = frozenset(symbols)
        if watched != self._watched:
            self._watched = watched
            self._prices = {symbol: price for symbol, price in self._prices.items() if symbol in watched}
            self._has_changed.set()

    def bid(self, symbol: str) -> tuple[Decimal, int] | None:
        """Best bid, quote per base, and its age in ms of the machine's clock.

        Returns:
            None when it is not known: not watched, nothing heard yet, too old, or a side of the book is empty. The
            exchange tells changes only, so of a quiet market nothing is known after a while.
        """
        price = self._prices.get(symbol)
        if price is None:
            return None
        age_seconds = monotonic_seconds() - price.heard_seconds
        return (price.bid, round(age_seconds * 1000)) if age_seconds <= self._stale_seconds else None

    def vitals(self) -> StreamVitals:
        """How the stream is."""
        return self._supervisor.vitals(is_wanted=bool(self._watched))

    async def run(self) -> None:
        """Follow the prices of what is watched; on any trouble back off and start over, for ever."""
        teller = spawn(self._tell(), name="price stream prices")
        try:
            await self._supervisor.run(self._session)
        finally:
            await stop(teller)

    async def _session(self) -> None:
        """Connect once something is watched, and follow it until nothing is, or until the connection is old."""
        while not self._watched:
            await self._has_changed.wait()
            self._has_changed.clear()
        self._before_connecting()
        async with opened(self._url, self._connector) as socket:
            conversation = Conversation(socket, self._hear)
            reader = spawn(conversation.read(), name="price stream reader")
            try:
                await self._follow(conversation, reader)
            finally:
                await stop(reader)

    async def _follow(self, conversation: Conversation, reader: "asyncio.Task[None]") -> None:
        """Subscribe to what is watched as it changes; probe a connection that is left alone."""
        renew_at = monotonic_seconds() + RENEW_SECONDS
        subscribed: frozenset[str] = frozenset()
        while self._watched and monotonic_seconds() < renew_at:
            self._has_changed.clear()
            wanted = self._watched
            if wanted != subscribed:
                await _change(conversation, subscribed, wanted)
                subscribed = wanted
            else:
                await conversation.ask("LIST_SUBSCRIPTIONS", [])
            self._supervisor.works()
            await _ended(conversation, reader, _SPACING_SECONDS)
            await _ended(conversation, reader, _PROBE_SECONDS, self._has_changed)

    def _hear(self, message: Mapping[str, Any]) -> bool:
        if "stream" not in message:
            return False
        if message["stream"] == _SHUTDOWN:
            raise StreamError("the exchange sent serverShutdown")
        self._supervisor.heard_wall_ms = wall_ms()
        told = message["data"]
        symbol, bid, ask = told["s"], Decimal(told["b"]), Decimal(told["a"])
        if symbol not in self._watched:
            return True  # it was on its way when its subscription ended
        if bid and ask:
            self._prices[symbol] = _Price(bid, ask, monotonic_seconds())
            self._untold[symbol] = None
            self._has_untold.set()
        else:
            self._prices.pop(symbol, None)
        return True

    async def _tell(self) -> None:
        while True:
            await self._has_untold.wait()
            self._has_untold.clear()
            while self._untold:
                symbol = next(iter(self._untold))
                del self._untold[symbol]
                if (price := self._prices.get(symbol)) is not None:
                    await self._tell_one(symbol, price)

    async def _tell_one(self, symbol: str, price: _Price) -> None:
        """Call the handler. A trouble that lasts is said once; a mistake of ours each time, with its trace."""
        try:
            await self._on_price(symbol, price.bid, price.ask)
        except (ExchangeError, LedgerError) as failure:
            if not self._cannot_tell:
                log.warning("the price of %s could not be acted on: %s", symbol, failure)
            self._cannot_tell = True
        except Exception:
            log.exception("the price of %s could not be acted on", symbol)
        else:
            self._cannot_tell = False


async def _change(conversation: Conversation, subscribed: frozenset[str], wanted: frozenset[str]) -> None:
    """Subscribe to what is missing, then leave what is not wanted any more."""
    for method, symbols in (("SUBSCRIBE", wanted - subscribed), ("UNSUBSCRIBE", subscribed - wanted)):
        if symbols:
            await conversation.ask(method, [f"{symbol.lower()}@bookTicker" for symbol in sorted(symbols)])


async def _ended(
    conversation: Conversation, reader: "asyncio.Task[None]", seconds: float, sooner: asyncio.Event | None = None
) -> None:
    """Wait for so long, or until `sooner` is set.

    Raises:
        StreamError: the connection has ended meanwhile.
    """
    await wait_for_any([reader], seconds, *() if sooner is None else (sooner,))
    if reader.done():
        raise StreamError(conversation.ended_because)
