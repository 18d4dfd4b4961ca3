"""Reaching the mode's exchange: where it is, with which keys, on which clock."""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import aiohttp

from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.exchange import embedded
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.endpoints import LIVE, TESTNET, Endpoints, simulated
from binance_trade_agent.exchange.errors import RateLimitedError, UnavailableError
from binance_trade_agent.exchange.limits_store import LimitsFile, RedisLimits, place_of
from binance_trade_agent.exchange.rate_budget import RateBudget
from binance_trade_agent.ops.clock import MarketClock, ScaledClock, SteppedClock, monotonic_seconds, sleep_seconds
from binance_trade_agent.settings import Settings

# The keys that every simulated exchange knows (binance-protocol.md, Appendix A); real keys never go there.
SIMULATED_KEY, SIMULATED_SECRET = "K" * 64, "S" * 64
_FIRST_BACK_OFF_SECONDS, _LAST_BACK_OFF_SECONDS = 0.2, 5.0
_ANSWER_SECONDS = 10
_SILENCING, _RETRY_AFTER_SECONDS = {418, 429}, 60
_SIMULATED = "simulated "

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connection:
    """A reachable exchange.

    Attributes:
        market: names what is traded on there; another simulated market has another name.
        is_stepped: whether its market stands still while the daemon works.
        connector: of the WebSocket, where it is not TCP.
        tell: told why the exchange cannot be reached at the start, and told nothing ("") when it is.
    """

    endpoints: Endpoints
    api_key: str
    api_secret: str
    clock: MarketClock
    gateway: BinanceGateway
    market: str
    is_stepped: bool
    connector: aiohttp.BaseConnector | None = None
    tell: Callable[[str], None] = lambda _: None


@contextlib.asynccontextmanager
async def connected(
    settings: Settings, *, is_trader: bool = False, tell: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Connection]:
    """The exchange of the mode, reached and its clock taken over; a simulated one is started when none is named.

    Args:
        settings: say which exchange, with which keys.
        is_trader: whether the trader asks, which ends its simulated exchange when it ends; others leave it running.
        tell: see Connection.

    Raises:
        ConfigError: the settings do not fit the exchange that is there.
        UnavailableError: it could not be reached within EXCHANGE_STARTUP_SECONDS.
    """
    async with contextlib.AsyncExitStack() as stack:
        control_url = settings.exchange_control_url
        if not settings.is_simulated:
            endpoints = LIVE if settings.mode == "live" else TESTNET
        elif settings.exchange_url:
            endpoints = simulated(settings.exchange_url)
        else:
            embedded_exchange = embedded.exchange_of_ledger(settings, is_owner=is_trader)
            exchange = await stack.enter_async_context(embedded_exchange)
            endpoints, control_url = simulated(exchange.url), exchange.control_url
        place = _Place(settings.mode, endpoints, control_url)
        yield await _reached(stack, settings, place, *_keys(settings), tell)


@contextlib.asynccontextmanager
async def connected_without_keys(settings: Settings, market: str | None = None) -> AsyncIterator[Connection]:
    """The same for public data only: no request carries a key, and nothing that has to be signed can be asked.

    Args:
        settings: say which exchange, unless `market` does; a simulated one has to run already.
        market: `live` or `testnet`, which then need no keys in the settings.

    Raises:
        ConfigError: no exchange is named.
        UnavailableError: it could not be reached within EXCHANGE_STARTUP_SECONDS.
    """
    mode = market or settings.mode
    if mode in {"live", "testnet"}:
        place = _Place(mode, LIVE if mode == "live" else TESTNET)
    elif settings.exchange_url:
        place = _Place(mode, simulated(settings.exchange_url), settings.exchange_control_url)
    else:
        raise ConfigError(f"TRADING_MODE={mode} needs EXCHANGE_URL here: an exchange that several processes can reach.")
    async with contextlib.AsyncExitStack() as stack:
        yield await _reached(stack, settings, place, "", "", lambda _: None)


async def market_now(settings: Settings, connection: Connection) -> str:
    """Name of the market that is there now: a simulated exchange that was started anew may have another one.

    Raises:
        UnavailableError, RateLimitedError: the exchange could not be asked.
    """
    if not connection.market.startswith(_SIMULATED):
        return connection.market
    return (await _simulated_time(settings, connection.endpoints)).market


@dataclass(frozen=True, slots=True)
class _Place:
    """An exchange, and the mode in which it is met."""

    mode: str
    endpoints: Endpoints
    control_url: str | None = None


async def _reached(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    place: _Place,
    key: str,
    secret: str,
    tell: Callable[[str], None],
) -> Connection:
    """Reach it and take over its clock; `stack` closes what was opened."""
    endpoints = place.endpoints
    clock: MarketClock = ScaledClock()
    market = place.mode
    if place.mode not in {"live", "testnet"}:
        time = await until_reached(settings, lambda: _simulated_time(settings, endpoints), tell)
        clock, market = _simulated_clock(settings, time, place.control_url), time.market
    budget = _budget(settings, endpoints, clock)
    stack.push_async_callback(budget.close)
    gateway = await stack.enter_async_context(BinanceGateway(endpoints, key, secret, clock, budget=budget))
    await until_reached(settings, gateway.synchronise, tell)
    return Connection(endpoints, key, secret, clock, gateway, market, isinstance(clock, SteppedClock), tell=tell)


def _keys(settings: Settings) -> tuple[str, str]:
    if settings.is_simulated:
        return SIMULATED_KEY, SIMULATED_SECRET
    assert settings.binance_api_key is not None
    assert settings.binance_api_secret is not None
    return settings.binance_api_key.get_secret_value(), settings.binance_api_secret.get_secret_value()


def _budget(settings: Settings, endpoints: Endpoints, clock: MarketClock) -> RateBudget:
    """What this machine may ask of the exchange: kept beside the ledger, and shared over Redis when there is one."""
    place = place_of(endpoints.rest)
    url = settings.redis_url
    shared = None if url is None else RedisLimits(url.get_secret_value(), place)
    return RateBudget(clock, file=LimitsFile(settings.ledger_path.parent, place), shared=shared)


def _simulated_clock(settings: Settings, time: "_SimulatedTime", control_url: str | None) -> MarketClock:
    """A clock at the pace that the simulated exchange names in a header of its time."""
    if time.ends_ms is not None:
        log.info("the recorded market ends at %s", datetime.fromtimestamp(time.ends_ms // 1000, UTC).isoformat())
    if time.speed != "stepped":
        return ScaledClock(speed=float(time.speed))
    if control_url is None:
        raise ConfigError(
            f"the simulated exchange at EXCHANGE_URL={settings.exchange_url} is stepped: set EXCHANGE_CONTROL_URL to "
            "its control port, so that waiting can move its market."
        )
    return SteppedClock(control_url, speed=float(settings.simulation_speed), now_ms=time.now_ms)


@dataclass(frozen=True, slots=True)
class _SimulatedTime:
    """Name of the market, its time in ms, market seconds a second or `stepped`, and the end of a recorded market."""

    market: str
    now_ms: int
    speed: str
    ends_ms: int | None


async def _simulated_time(settings: Settings, endpoints: Endpoints) -> _SimulatedTime:
    # The clock, by which the gateway's own budget goes, is what is asked for here; a wait that stands is obeyed before.
    budget = _budget(settings, endpoints, ScaledClock())
    budget.check()
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"{endpoints.rest}/v3/time") as answer:
            if answer.status in _SILENCING:
                refusal = RateLimitedError(
                    int(answer.headers.get("Retry-After", _RETRY_AFTER_SECONDS)), answer.reason or ""
                )
                await budget.block(refusal)
                raise refusal
            answer.raise_for_status()
            speed = answer.headers.get("x-simulated-speed")
            if speed is None:
                raise ConfigError(
                    f"EXCHANGE_URL={settings.exchange_url} is not a simulated exchange: it states no speed."
                )
            ends = answer.headers.get("x-simulated-ends")
            now_ms = int((await answer.json())["serverTime"])
            market = f"{_SIMULATED}{answer.headers.get('x-simulated-session', '')}"
            return _SimulatedTime(market, now_ms, speed, None if ends is None else int(ends))
    except (aiohttp.ClientError, OSError, ValueError, KeyError) as failure:
        reason = str(failure) or type(failure).__name__
        raise UnavailableError(f"the exchange cannot be reached: {reason}") from failure
    finally:
        await budget.close()


async def until_reached(
    settings: Settings, ask: Callable[[], Awaitable[T]], tell: Callable[[str], None] = lambda _: None
) -> T:
    """The answer; while the exchange is away or wants us to be silent, `ask` is called again with back-off.

    Raises:
        UnavailableError: it was still away after EXCHANGE_STARTUP_SECONDS.
        RateLimitedError: it still wanted silence.
    """
    seconds = settings.exchange_startup_seconds
    deadline = monotonic_seconds() + seconds
    back_off = _FIRST_BACK_OFF_SECONDS
    while True:
        try:
            answer = await ask()
        except (UnavailableError, RateLimitedError) as failure:
            if monotonic_seconds() >= deadline:
                log.warning("given up after %d s (EXCHANGE_STARTUP_SECONDS)", seconds)
                raise
            if back_off == _FIRST_BACK_OFF_SECONDS:
                log.warning("%s; trying again for %d s", failure, seconds)
            tell(str(failure))
            await sleep_seconds(back_off)
            back_off = min(back_off * 2, _LAST_BACK_OFF_SECONDS)
        else:
            tell("")
            return answer
