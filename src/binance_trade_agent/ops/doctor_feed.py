"""What `trade-agent doctor` finds of the feed process that several daemons may share."""

from binance_trade_agent.domain.checks import Checked, Verdict
from binance_trade_agent.exchange.connect import Connection
from binance_trade_agent.feed.choice import redis_store
from binance_trade_agent.feed.notes import Beat
from binance_trade_agent.feed.store import Store, StoreError
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.reports.wording import duration
from binance_trade_agent.settings import Settings

_ALONE = "the daemon follows the market by itself"


async def feed_line(settings: Settings, connection: Connection) -> Checked | None:
    """Which feed serves the market of the settings; None where none is asked for and none serves."""
    if settings.redis_url is None:
        return None
    store = redis_store(settings, connection)
    try:
        return await found_feed(store, connection, is_shared=settings.trading_feed == "shared")
    finally:
        await store.close()


async def found_feed(store: Store, connection: Connection, *, is_shared: bool) -> Checked | None:
    """The same of a store; `is_shared`: TRADING_FEED=shared."""
    if connection.is_stepped:
        said = "TRADING_FEED=shared has no effect: this market stands still between ticks, and is read by REST"
        return Checked("feed", Verdict.OK, said) if is_shared else None
    try:
        beat = await store.beat()
    except StoreError as failure:
        return Checked("feed", Verdict.WARNING, f"{failure}; {_ALONE}") if is_shared else None
    if beat is not None:
        use = "" if is_shared else "; not used by this daemon, as TRADING_FEED=own"
        return Checked("feed", Verdict.OK, f"{_said(beat)}{use}")
    if not is_shared:
        return None
    advice = f"{_ALONE}, by connections and request weight of its own, until `trade-agent feed` is started"
    return Checked("feed", Verdict.WARNING, f"no feed serves the market {connection.market}: {advice}")


def _said(beat: Beat) -> str:
    """`host:4711 serves since 3 h 2 min; 27 symbols for 2 daemons`. The store forgets its sign of life in 3 seconds."""
    name = beat.feed.rpartition("-")[0] or beat.feed
    age = duration(max(0, wall_ms() - beat.since_wall_ms))
    since = f" since {age}" if beat.since_wall_ms else ""
    silent = sum(proof is None for proof in beat.proofs)
    away = f"; {silent} of its {len(beat.proofs)} connections for prices do not live" if silent else ""
    return f"{name} serves{since}; {beat.symbols} symbols for {beat.daemons} daemons{away}"
