"""Which feed a daemon has: one of its own, or the one of the feed process; and what both are made of."""

import random
from contextlib import AsyncExitStack

from binance_trade_agent.exchange.connect import Connection
from binance_trade_agent.feed.candles import Key
from binance_trade_agent.feed.market_feed import MarketFeed
from binance_trade_agent.feed.notes import Wish
from binance_trade_agent.feed.shared_feed import SharedFeed
from binance_trade_agent.feed.store import Store
from binance_trade_agent.feed.streams import Streams
from binance_trade_agent.settings import Settings

AnyFeed = MarketFeed | SharedFeed


def streams_of(connection: Connection, name: str) -> Streams:
    """The market streams of an exchange; `name` spreads the reconnections of whoever follows them."""
    return Streams(
        connection.endpoints.market_streams,
        jitter=random.Random(f"feed {name}"),  # noqa: S311 (spreads reconnections)
        before_connecting=connection.gateway.refuse_while_silent,
        connector=connection.connector,
    )


def wanted_of(settings: Settings, history: int) -> Wish:
    """What the settings have traded: each symbol, with the candles that are decided on and those that confirm."""
    intervals = dict.fromkeys(filter(None, [settings.trading_candle_interval, settings.trading_confirm_interval]))
    keys: tuple[Key, ...] = tuple((symbol, interval) for symbol in settings.trading_symbols for interval in intervals)
    return Wish(keys, history)


def redis_store(settings: Settings, connection: Connection) -> Store:
    """Where the feed process of an exchange's market writes."""
    from binance_trade_agent.feed.redis_store import RedisStore  # slow to import, and not needed without a Redis

    assert settings.redis_url is not None, "TRADING_FEED=shared and `trade-agent feed` need one"
    return RedisStore(settings.redis_url.get_secret_value(), connection.market)


def feed_of(stack: AsyncExitStack, settings: Settings, connection: Connection, run_id: str, history: int) -> AnyFeed:
    """The feed of a daemon, as TRADING_FEED says.

    Args:
        stack: closes at its end what the feed does not.
        settings: see `wanted_of`.
        connection: to the exchange.
        run_id: of the daemon.
        history: candles that are kept of each symbol and interval.
    """
    streams, wanted = streams_of(connection, run_id), wanted_of(settings, history)
    if settings.trading_feed == "shared":
        store = redis_store(settings, connection)
        stack.push_async_callback(store.close)
        return SharedFeed(connection.gateway, connection.clock, streams, store, daemon=run_id, wanted=wanted)
    feed = MarketFeed(connection.gateway, connection.clock, streams)
    feed.follow(wanted.keys, history=wanted.history)
    return feed
