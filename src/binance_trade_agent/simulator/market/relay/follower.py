"""Following the relayed exchange: its streams, for ever, and after each gap what was missed.

Of each symbol aggTrade and depth20@100ms are heard (binance-protocol.md 5.1). After a gap the missed trades are read by
REST, from the last id that was seen, so that no candle and no fill is lost; prices stand still meanwhile, and when the
gap is long the market is closed until it is over: an order must not fill at a price that nobody sees.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from random import Random

import aiohttp
import orjson

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.simulator.market.relay.feed import RelayFeed
from binance_trade_agent.simulator.market.relay.upstream import (
    MOST_ROWS,
    NONSENSE,
    AggregateTrade,
    Place,
    Upstream,
    UpstreamError,
    aggregate_trade,
    levels,
)

_SILENT_SECONDS = 60.0  # a connection that lives is pinged every 20 s (binance-protocol.md 5.1)
_BLIND_SECONDS = 10.0
_FIRST_BACK_OFF_SECONDS, _LAST_BACK_OFF_SECONDS = 0.2, 30.0
_LASTING_SECONDS = 20.0  # after a connection that lasted, the next one is made soon
_NAMES_A_MESSAGE = 200
_MESSAGES_APART_SECONDS = 0.25  # five messages a second are allowed (binance-protocol.md 2.8)
_MOST_PAGES = 20  # of missed trades of one symbol, a thousand each; what is beyond them is left out

log = logging.getLogger(__name__)


class Follower:
    """Tells a feed what happens at `place`.

    Args:
        place: the exchange that is relayed.
        feed: of its symbols.
        jitter: spreads the reconnections of many relays.
        on_open: called with False when the market has not been seen for ten seconds, with True when it is seen again.
    """

    def __init__(self, place: Place, feed: RelayFeed, jitter: Random, on_open: Callable[[bool], None]) -> None:
        self.status = feed.status
        self._place = place
        self._feed = feed
        self._jitter = jitter
        self._on_open = on_open
        self._last_ids = dict(feed.last_trade_ids)

    async def run(self) -> None:
        """Follow until cancelled. A lost connection is made again for ever, with growing pauses."""
        back_off = pause = _FIRST_BACK_OFF_SECONDS
        while True:
            began_seconds = monotonic_seconds()
            try:
                async with Upstream(self._place) as upstream:
                    await self._follow(upstream)
            except (UpstreamError, aiohttp.ClientError, OSError, *NONSENSE) as failure:
                if self.status.is_connected:
                    log.warning("relay of %s lost: %s", self._place.streams, str(failure) or type(failure).__name__)
                if monotonic_seconds() - began_seconds > _LASTING_SECONDS:
                    back_off = _FIRST_BACK_OFF_SECONDS
                pause = failure.retry_after_seconds if isinstance(failure, UpstreamError) else 0.0
            self.status.is_connected = False
            self._close_when_blind()
            await sleep_seconds(max(pause, back_off * (0.5 + self._jitter.random())))
            self._close_when_blind()
            back_off = min(2 * back_off, _LAST_BACK_OFF_SECONDS)

    async def _follow(self, upstream: Upstream) -> None:
        """One connection, until it fails."""
        limits = aiohttp.ClientWSTimeout(ws_close=1.0)
        async with upstream.http.ws_connect(f"{self._place.streams}/stream", autoping=False, timeout=limits) as socket:
            await self._subscribe(socket)
            # What the streams say meanwhile waits in the socket.
            await asyncio.gather(*(self._catch_up(upstream, symbol) for symbol in self._feed.symbols))
            self._connected()
            while True:
                self._take(await self._heard(socket))

    async def _subscribe(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        names = list(_stream_names(self._feed.symbols))
        for number, first in enumerate(range(0, len(names), _NAMES_A_MESSAGE)):
            await sleep_seconds(_MESSAGES_APART_SECONDS if number else 0.0)
            params = names[first : first + _NAMES_A_MESSAGE]
            await socket.send_str(orjson.dumps({"method": "SUBSCRIBE", "params": params, "id": number}).decode())

    async def _catch_up(self, upstream: Upstream, symbol: str) -> None:
        """Tell the trades since the last one that was seen, and the book as it is now."""
        newest = await upstream.trades(symbol)
        if newest and newest[-1].trade_id < self._last_ids[symbol]:
            log.warning("%s: the exchange there has begun anew", symbol)
            self._last_ids[symbol] = newest[-1].trade_id - 1
        for _ in range(_MOST_PAGES):
            trades = await upstream.trades(symbol, from_id=self._last_ids[symbol] + 1)
            for trade in trades:
                self._tell_trade(symbol, trade)
            if len(trades) < MOST_ROWS:
                break
        else:
            self._leave_out(symbol, (await upstream.trades(symbol))[-1])
        bids, asks = await upstream.book(symbol)
        self._feed.tell_book(symbol, bids, asks)

    def _leave_out(self, symbol: str, newest: AggregateTrade) -> None:
        missed = newest.trade_id - self._last_ids[symbol] - 1
        log.warning("%s: %d trades of the gap are left out", symbol, missed)
        self.status.missed_trades += missed
        self._tell_trade(symbol, newest)

    def _connected(self) -> None:
        self.status.is_connected = True
        self.status.connections += 1
        self.status.heard_seconds = monotonic_seconds()
        log.info("relaying %s from %s", " ".join(self._feed.symbols), self._place.streams)
        if not self.status.is_open:
            self.status.is_open = True
            self._on_open(True)

    def _close_when_blind(self) -> None:
        if self.status.is_open and monotonic_seconds() - self.status.heard_seconds > _BLIND_SECONDS:
            log.warning("the market has not been seen for %d s: it is closed until it is seen again", _BLIND_SECONDS)
            self.status.is_open = False
            self._on_open(False)

    async def _heard(self, socket: aiohttp.ClientWebSocketResponse) -> str | None:
        """The next text; None for a ping, which is answered.

        Raises:
            UpstreamError: the connection is over, or silent for too long.
        """
        try:
            message = await socket.receive(timeout=_SILENT_SECONDS)
        except TimeoutError:
            raise UpstreamError(f"silent for {_SILENT_SECONDS:.0f} s") from None
        self.status.heard_seconds = monotonic_seconds()
        if message.type is aiohttp.WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        elif message.type is not aiohttp.WSMsgType.PONG:
            raise UpstreamError(f"closed by the other side ({socket.close_code})")
        return None

    def _take(self, text: str | None) -> None:
        if text is None:
            return
        message = orjson.loads(text)
        if "code" in message:
            raise UpstreamError(f"a subscription was refused: {message.get('msg')}")
        symbol, _, kind = str(message.get("stream", "")).partition("@")
        data, symbol = message.get("data"), symbol.upper()
        if kind == "aggTrade":
            self._tell_trade(symbol, aggregate_trade(symbol, data))
        elif kind.startswith("depth"):
            self._feed.tell_book(symbol, levels(data["bids"]), levels(data["asks"]))

    def _tell_trade(self, symbol: str, trade: AggregateTrade) -> None:
        """Tell a trade once, however often it comes."""
        if trade.trade_id > self._last_ids[symbol]:
            self._last_ids[symbol] = trade.trade_id
            self._feed.tell_trade(trade.trade)


def _stream_names(symbols: tuple[str, ...]) -> Iterator[str]:
    for symbol in symbols:
        yield f"{symbol.lower()}@aggTrade"
        yield f"{symbol.lower()}@depth20@100ms"
