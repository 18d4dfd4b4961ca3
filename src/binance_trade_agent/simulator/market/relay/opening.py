"""The start of a relay: everything that the exchange there has, read once by REST."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.simulator.market.history import joined
from binance_trade_agent.simulator.market.relay.feed import INTERVAL, RelayFeed, Snapshot
from binance_trade_agent.simulator.market.relay.upstream import (
    MOST_ROWS,
    NONSENSE,
    Place,
    ServerTime,
    Upstream,
    UpstreamError,
)

_TRY_SECONDS = 20.0
_FIRST_BACK_OFF_SECONDS, _LAST_BACK_OFF_SECONDS = 0.5, 4.0
# The market here runs behind the one there, so that a trade is told before its time has come, and in its own minute.
_DELAY_MS = 300
_COARSE_INTERVALS = ("5m", "15m", "1h", "1d")  # so that every interval up to a day has some hundred candles
# What the relayed exchange offers and this one does not (binance-protocol.md 1.0).
_NOT_HERE = dict.fromkeys(("amendAllowed", "opoAllowed", "pegInstructionsAllowed", "isMarginTradingAllowed"), False)
_NO_TRANSFERS = "TRANSFER"

log = logging.getLogger(__name__)


async def open_relay(place: Place, symbols: Sequence[str], *, start_ms: int | None) -> RelayFeed:
    """The market of `symbols` at `place` as it is now.

    Args:
        place: the exchange that is relayed.
        symbols: upper-case names.
        start_ms: when a continued session began; now by default.

    Raises:
        FeedError: a symbol is not listed there, or its time does not run as ours does.
        UpstreamError: it could not be asked within some twenty seconds.
    """
    give_up_seconds = monotonic_seconds() + _TRY_SECONDS
    back_off = _FIRST_BACK_OFF_SECONDS
    async with Upstream(place) as upstream:
        while True:
            try:
                return await _opened(upstream, symbols, start_ms)
            except UpstreamError as failure:
                back_off = max(back_off, failure.retry_after_seconds)
                if monotonic_seconds() + back_off >= give_up_seconds:
                    raise
                log.warning("%s; trying again", failure)
            except NONSENSE as failure:
                raise UpstreamError(f"{place.rest} does not answer as Binance does: {failure!r}") from failure
            await sleep_seconds(back_off)
            back_off = min(2 * back_off, _LAST_BACK_OFF_SECONDS)


async def _opened(upstream: Upstream, symbols: Sequence[str], start_ms: int | None) -> RelayFeed:
    _check_pace(upstream.place, await upstream.time())
    listings = await upstream.listings(symbols)
    reading = [_snapshot(upstream, symbol, listings[symbol]) for symbol in symbols]
    snapshots = dict(zip(symbols, await asyncio.gather(*reading), strict=True))
    resume_ms = (await upstream.time()).now_ms - _DELAY_MS
    return RelayFeed(
        snapshots,
        start_ms=resume_ms if start_ms is None else start_ms,
        resume_ms=resume_ms,
        behind_wall_ms=wall_ms() - resume_ms,
    )


async def _snapshot(upstream: Upstream, symbol: str, listing: dict[str, Any]) -> Snapshot:
    last_trades = await upstream.trades(symbol)
    bids, asks = await upstream.book(symbol)
    minutes = await upstream.candles(symbol, INTERVAL)
    if not minutes:
        raise FeedError(f"symbol {symbol} has never traded on {upstream.place.rest}, so there is nothing to relay")
    earlier = await upstream.candles(symbol, INTERVAL, limit=MOST_ROWS // 2, before_ms=minutes[0].open_time_ms)
    coarse = [await upstream.candles(symbol, interval) for interval in _COARSE_INTERVALS]
    return Snapshot(
        listing=_listing(listing),
        candles=joined(earlier + minutes, *coarse),
        bids=bids,
        asks=asks,
        last_trade_id=last_trades[-1].trade_id if last_trades else -1,
    )


def _listing(listing: dict[str, Any]) -> dict[str, Any]:
    """The entry there, less what is not done here."""
    modes = [mode for mode in listing.get("allowedSelfTradePreventionModes", []) if mode != _NO_TRANSFERS]
    return {**listing, **_NOT_HERE, "allowedSelfTradePreventionModes": modes}


def _check_pace(place: Place, time: ServerTime) -> None:
    if time.speed != "1":
        raise FeedError(
            f"{place.rest} is a simulated exchange at speed {time.speed}; only one at speed 1 can be relayed"
        )
