"""What a simulated exchange can be asked to be, and the building of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.matching.commission import CommissionRates
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.simulator.clock import MarketClock
from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT, Exchange
from binance_trade_agent.simulator.fixtures import FIXTURES, FixtureFeed
from binance_trade_agent.simulator.keys import ApiKey, HmacSecret, Permission
from binance_trade_agent.simulator.market.feed import Feed
from binance_trade_agent.simulator.market.relay.opening import open_relay
from binance_trade_agent.simulator.market.relay.upstream import place_of
from binance_trade_agent.simulator.market.replay import ReplayFeed
from binance_trade_agent.simulator.market.synthetic import SyntheticFeed
from binance_trade_agent.simulator.opening import ExchangeSetup
from binance_trade_agent.simulator.state_file import SavedState, StateFile

DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT")
DEFAULT_START = "2026-01-05T00:00:00Z"
NOW = "now"
FIXTURE_SESSION = "fixture-"  # begins the session id of a fixture

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
        relay: whose market to relay instead: `mainnet`, `testnet` or the address of an exchange.
        fixture: `F0`, `F1` or `F2`: a fixed market of binance-protocol.md Appendix A on the wall clock.
        start: ISO time, UTC unless it says otherwise, or `now`; None is the market's own default.
        speed: market seconds per real second; None: stepped, time moves only through the control port.
        faults: file with the faults to be met; see simulator/faults/schedule.py.
        state: keeps accounts, orders and market time over restarts: a file, or a folder with one file a market in it.
        balances: free amounts at the first start, per asset.
        history_minutes: candles of a synthetic market before its start; see SyntheticFeed.
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
    relay: str | None = None
    fixture: str | None = None
    start: str | None = None
    speed: Decimal | None = Decimal(1)
    faults: Path | None = None
    state: Path | None = None
    balances: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    history_minutes: int | None = None
    exit_when_idle_seconds: float | None = None
    commission_rate: Decimal = Decimal("0.001")
    announce: Path | None = None


async def open_exchange(options: ExchangeOptions) -> Exchange:
    """The exchange that the options describe, after asking the one that it relays; see `build_exchange`.

    Raises:
        UpstreamError: the relayed exchange could not be asked within some twenty seconds.
    """
    if options.relay is None:
        return build_exchange(options)
    place = place_of(options.relay)
    saved = _saved(options)
    feed = await open_relay(place, options.symbols, start_ms=saved.start_ms if saved else None)
    clock = MarketClock(wall_ms() - feed.behind_wall_ms, Decimal(1))
    return _exchange(options, feed, clock, saved, is_strict=True)


def build_exchange(options: ExchangeOptions) -> Exchange:
    """The exchange that the options describe, with a market of its own, going on where its state file stopped.

    Raises:
        OptionsError: start or fixture cannot be understood.
        FeedError, UnknownSymbolError: the market cannot be made.
        StateFileError: the state file cannot be used.
        ValueError: the speed is not positive.
    """
    if options.fixture is not None:
        return fixture_exchange(options.fixture, options.commission_rate)
    saved = _saved(options)
    feed = _feed(options, saved)
    resumed_ms = feed.start_ms if saved is None else saved.market_ms
    # A market that ran ahead at a higher speed must not be set back to the wall clock.
    is_wall_time = options.start == NOW and options.speed == 1 and resumed_ms <= wall_ms()
    clock = MarketClock.at_wall_time() if is_wall_time else MarketClock(resumed_ms, options.speed)
    return _exchange(options, feed, clock, saved, is_strict=is_wall_time)


def _saved(options: ExchangeOptions) -> SavedState | None:
    kept = state_file(options)
    return kept.load(_session_id(options)) if kept else None


def _exchange(
    options: ExchangeOptions, feed: Feed, clock: MarketClock, saved: SavedState | None, *, is_strict: bool
) -> Exchange:
    return Exchange(
        ExchangeSetup(
            session_id=_session_id(options),
            feed=feed,
            clock=clock,
            balances=_balances(options.balances, feed),
            rates=CommissionRates(options.commission_rate, options.commission_rate),
            keys=(TRADING_KEY, READING_KEY),
            is_strict=is_strict,
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


def fixture_exchange(
    name: str, commission_rate: Decimal = Decimal("0.001"), clock: MarketClock | None = None
) -> Exchange:
    """A fresh exchange with a fixed market, on the wall clock unless another is given.

    Raises:
        OptionsError: there is no fixture of that name.
    """
    if name not in FIXTURES:
        near = nearest(name, FIXTURES)
        hint = f"; did you mean {near}?" if near else ""
        raise OptionsError(f"fixture {name!r} is unknown, known are {', '.join(FIXTURES)}{hint}")
    fixture = FIXTURES[name]
    clock = clock or MarketClock.at_wall_time()
    feed = FixtureFeed(fixture, clock.now_ms())
    exchange = Exchange(
        ExchangeSetup(
            session_id=f"{FIXTURE_SESSION}{name}",
            feed=feed,
            clock=clock,
            balances=fixture.balances,
            rates=CommissionRates(commission_rate, commission_rate),
            keys=(TRADING_KEY, READING_KEY),
            is_strict=True,
            wall_ms=wall_ms,
        )
    )
    if fixture.has_bnb_discount:
        exchange.engine.settlement.commissions.discount.accounts.add(MAIN_ACCOUNT)
    return exchange


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
    if options.relay is not None:
        parts = ["relay", place_of(options.relay).rest, *options.symbols]
    elif options.replay:
        parts = [options.start or "default"]
    else:
        seeded = (str(options.seed), str(options.history_minutes))
        parts = [options.start or "default", *options.symbols, *seeded]
    for part in parts:
        digest.update(part.encode() + b"\0")
    for path in options.replay:
        digest.update(path.name.encode() + b"\0")
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
