"""What a simulated exchange can be asked to be, and the building of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from binance_trade_agent.matching.commission import CommissionRates
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.simulator.clock import MarketClock
from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT, Exchange, ExchangeSetup
from binance_trade_agent.simulator.fixtures import FIXTURE_BALANCES, FixtureFeed
from binance_trade_agent.simulator.keys import ApiKey, HmacSecret, Permission
from binance_trade_agent.simulator.market.feed import Feed
from binance_trade_agent.simulator.market.replay import ReplayFeed
from binance_trade_agent.simulator.market.synthetic import DEFAULT_HISTORY_MINUTES, SyntheticFeed
from binance_trade_agent.simulator.state_file import SavedState, StateFile

DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT")
DEFAULT_START = "2026-01-05T00:00:00Z"
NOW = "now"

SECRET = "S" * 64
TRADING_KEY = ApiKey("K" * 64, HmacSecret(SECRET), MAIN_ACCOUNT)
READING_KEY = ApiKey(
    "R" * 64, HmacSecret(SECRET), MAIN_ACCOUNT, frozenset({Permission.USER_DATA, Permission.USER_STREAM})
)


class OptionsError(Exception):
    """Options that make no exchange; the message is one sentence for the person who gave them."""


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """A simulated exchange as a user asks for it.

    Attributes:
        host: address to listen on; the control port listens on the loopback only.
        port, control_port: 0 takes a free one.
        symbols: of a synthetic market.
        seed: of a synthetic market.
        replay: candle files to play instead of a synthetic market.
        fixture: `F0`: the fixed market of binance-protocol.md Appendix A on the wall clock, without prints.
        start: ISO time, UTC unless it says otherwise, or `now`; None is the market's own default.
        speed: market seconds per real second; None: stepped, time moves only through the control port.
        state: keeps accounts, orders and market time over restarts: a file, or a folder with one file a market in it.
        balances: free amounts at the first start, per asset.
        history_minutes: candles of a synthetic market before its start.
        exit_when_idle_seconds: end when no client came for so long; None: never.
        commission_rate: fraction of what is received, for maker and taker.
        announce: file to write process id and addresses to once connections are accepted.
    """

    host: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    seed: int = 7
    replay: tuple[Path, ...] = ()
    fixture: str | None = None
    start: str | None = None
    speed: Decimal | None = Decimal(1)
    state: Path | None = None
    balances: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    history_minutes: int = DEFAULT_HISTORY_MINUTES
    exit_when_idle_seconds: float | None = None
    commission_rate: Decimal = Decimal("0.001")
    announce: Path | None = None


def build_exchange(options: ExchangeOptions) -> Exchange:
    """The exchange that the options describe, going on where its state file stopped.

    Raises:
        OptionsError: start or fixture cannot be understood.
        FeedError, UnknownSymbolError: the market cannot be made.
        StateFileError: the state file cannot be used.
        ValueError: the speed is not positive.
    """
    if options.fixture is not None:
        return fixture_exchange(options.fixture, options.commission_rate)
    session_id = _session_id(options)
    kept = state_file(options)
    saved = kept.load(session_id) if kept else None
    feed = _feed(options, saved)
    resumed_ms = feed.start_ms if saved is None else saved.market_ms
    # A market that ran ahead at a higher speed must not be set back to the wall clock.
    is_wall_time = options.start == NOW and options.speed == 1 and resumed_ms <= wall_ms()
    return Exchange(
        ExchangeSetup(
            session_id=session_id,
            feed=feed,
            clock=MarketClock.at_wall_time() if is_wall_time else MarketClock(resumed_ms, options.speed),
            balances=_balances(options.balances, feed),
            rates=CommissionRates(options.commission_rate, options.commission_rate),
            keys=(TRADING_KEY, READING_KEY),
            is_wall_time=is_wall_time,
            wall_ms=wall_ms,
            saved=saved.engine if saved else None,
        )
    )


def state_file(options: ExchangeOptions) -> StateFile | None:
    """Where the exchange of these options is kept, None when nowhere; a fixture always starts anew."""
    if options.state is None or options.fixture is not None:
        return None
    if options.state.is_dir():
        return StateFile(options.state / f"exchange-{_session_id(options)}.state")
    return StateFile(options.state)


def fixture_exchange(name: str, commission_rate: Decimal = Decimal("0.001")) -> Exchange:
    """A fresh exchange with a fixed market.

    Raises:
        OptionsError: there is no fixture of that name.
    """
    if name != "F0":
        raise OptionsError(f"fixture {name!r} is unknown: the only fixture is F0")
    clock = MarketClock.at_wall_time()
    feed = FixtureFeed(clock.now_ms())
    return Exchange(
        ExchangeSetup(
            session_id=f"fixture-{name}",
            feed=feed,
            clock=clock,
            balances=FIXTURE_BALANCES,
            rates=CommissionRates(commission_rate, commission_rate),
            keys=(TRADING_KEY, READING_KEY),
            is_wall_time=True,
            wall_ms=wall_ms,
        )
    )


def iso_time(at_ms: int) -> str:
    """A market time for people: UTC to the second."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _feed(options: ExchangeOptions, saved: SavedState | None) -> Feed:
    start_ms = saved.start_ms if saved else _start_ms(options)
    resume_ms = saved.market_ms + 1 if saved else None
    if options.replay:
        return ReplayFeed(options.replay, start_ms=start_ms, resume_ms=resume_ms)
    assert start_ms is not None, "a synthetic market has a default start"
    return SyntheticFeed(
        options.symbols,
        seed=options.seed,
        start_ms=start_ms,
        history_minutes=options.history_minutes,
        resume_ms=resume_ms,
    )


def _start_ms(options: ExchangeOptions) -> int | None:
    """Market time of the start; None leaves it to a replay."""
    if options.start == NOW:
        return wall_ms()
    if options.start is None and options.replay:
        return None
    text = options.start or DEFAULT_START
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise OptionsError(
            f"start {text!r} is not a time: use 'now' or ISO 8601 in UTC, such as {DEFAULT_START}"
        ) from None
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)


def _balances(balances: Mapping[str, Decimal], feed: Feed) -> dict[str, Decimal]:
    """The start balances, with zeros for every other asset of the market."""
    assets = {feed.listings[symbol][name] for symbol in feed.symbols for name in ("baseAsset", "quoteAsset")}
    return {asset: balances.get(asset, Decimal(0)) for asset in sorted(assets | balances.keys())}


def _session_id(options: ExchangeOptions) -> str:
    """A name for the market: a digest of all that it depends on."""
    digest = hashlib.blake2b(digest_size=8)
    parts = [*options.symbols, str(options.seed), str(options.history_minutes)]
    for part in [options.start or "default", *([] if options.replay else parts)]:
        digest.update(part.encode() + b"\0")
    for path in options.replay:
        digest.update(path.name.encode() + b"\0")
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
