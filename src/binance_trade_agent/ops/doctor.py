"""`trade-agent doctor`: everything that a start depends on, a line each, with what to do."""

import asyncio
import importlib.metadata
import platform
import sys
from collections.abc import AsyncIterator, Iterable, Iterator

from binance_trade_agent import exit_codes
from binance_trade_agent.agents.account_entry import common_quote
from binance_trade_agent.agents.symbols import tradable_rules
from binance_trade_agent.configuration import ConfigError, Configuration
from binance_trade_agent.domain.checks import Checked, Verdict
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.connect import Connection, connected
from binance_trade_agent.exchange.embedded import ExchangeStartError
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.ledger.lock import is_held
from binance_trade_agent.ops import doctor_surroundings
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.doctor_feed import feed_line
from binance_trade_agent.settings import LIVE_ACKNOWLEDGEMENT, Settings
from binance_trade_agent.strategies.in_use import StrategiesInUse
from binance_trade_agent.strategies.registry import StrategyError

_NEWEST_TESTED_PYTHON = (3, 13)
_LIBRARIES = ("python-binance", "aiohttp", "websockets", "pandas", "TA-Lib", "redis", "aiosqlite", "pydantic")
_MOST_OFFSET_MS = 1000  # what recvWindow allows ahead of the exchange's clock (binance-protocol.md 2.3)


def examine(configuration: Configuration) -> int:
    """Check everything and print a line each. Returns 1 when something failed, else 0."""
    findings = asyncio.run(_printed(configuration))
    if configuration.settings.mode != "live":
        print(f'\nReal money: only with TRADING_MODE=live and LIVE_TRADING_ACK="{LIVE_ACKNOWLEDGEMENT}".')
    failed = sum(finding.verdict is Verdict.FAILED for finding in findings)
    return exit_codes.FAILURE if failed else exit_codes.OK


async def _printed(configuration: Configuration) -> list[Checked]:
    findings = []
    async for finding in _findings(configuration):
        print(finding, flush=True)
        findings.append(finding)
    return findings


async def _findings(configuration: Configuration) -> AsyncIterator[Checked]:
    settings = configuration.settings
    yield _python()
    yield _libraries()
    yield _strategy(settings)
    yield doctor_surroundings.settings_line(configuration)
    yield doctor_surroundings.folder(settings.ledger_path)
    yield doctor_surroundings.ledger(settings.ledger_path)
    yield doctor_surroundings.disk(settings.ledger_path, settings.ledger_min_free_mb)
    for finding in doctor_surroundings.servers(settings):
        yield finding
    yield doctor_surroundings.notifications(settings)
    yield await _redis(settings)
    if settings.is_simulated and settings.exchange_url is None and is_held(settings.ledger_path):
        yield Checked("exchange", Verdict.OK, "the running trader has its simulated exchange; not disturbed")
        return
    async for finding in _exchange(settings):
        yield finding


def _python() -> Checked:
    version = platform.python_version()
    if sys.version_info[:2] > _NEWEST_TESTED_PYTHON:
        return Checked("python", Verdict.WARNING, f"{version} is newer than 3.13, the newest that this is tested with")
    return Checked("python", Verdict.OK, version)


def _libraries() -> Checked:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            return Checked("libraries", Verdict.FAILED, f"{name} is missing: install with `make run`")
    return Checked("libraries", Verdict.OK, ", ".join(found))


def _strategy(settings: Settings) -> Checked:
    try:
        choice = StrategyChoice(settings.strategy_name, settings.strategy_params)
        strategies = StrategiesInUse(choice, settings.trading_symbols)
    except StrategyError as failure:
        return Checked("strategy", Verdict.FAILED, str(failure))
    needed = max(map(strategies.warm_up, settings.trading_symbols))
    return Checked("strategy", Verdict.OK, f"{strategies.name}, needs {needed} candles")


async def _redis(settings: Settings) -> Checked:
    if settings.redis_url is None:
        return Checked("redis", Verdict.OK, "REDIS_URL is not set; the cache is in the process")
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    client = Redis.from_url(settings.redis_url.get_secret_value(), socket_connect_timeout=2, socket_timeout=2)
    try:
        version = (await client.info("server"))["redis_version"]
    except (RedisError, OSError, TimeoutError) as failure:
        if settings.shares_account:
            said = f"does not answer ({failure}): a part of an account (TRADING_CAPITAL_QUOTE) is not begun without it"
            return Checked("redis", Verdict.FAILED, said)
        return Checked("redis", Verdict.WARNING, f"does not answer ({failure}); trading goes on without it")
    finally:
        await client.aclose()
    return Checked("redis", Verdict.OK, f"answers, version {version}")


async def _exchange(settings: Settings) -> AsyncIterator[Checked]:
    try:
        async with connected(settings) as connection:
            yield Checked("exchange", Verdict.OK, f"{settings.mode}, {connection.endpoints.rest} answers")
            yield _clock(settings, connection)
            if feed := await feed_line(settings, connection):
                yield feed
            yield await _keys(connection)
            for finding in await _symbols(settings, connection):
                yield finding
    except (ExchangeError, ExchangeStartError, ConfigError) as failure:
        yield Checked("exchange", Verdict.FAILED, f"{settings.mode}: {failure}")


def _clock(settings: Settings, connection: Connection) -> Checked:
    offset_ms = connection.clock.now_ms() - wall_ms()
    if settings.is_simulated:
        return Checked("clock", Verdict.OK, "market time is the simulated exchange's own")
    if abs(offset_ms) > _MOST_OFFSET_MS:
        advice = "corrected for, but set this machine's clock by NTP"
        return Checked("clock", Verdict.WARNING, f"{offset_ms} ms from the exchange's; {advice}")
    return Checked("clock", Verdict.OK, f"{offset_ms} ms from the exchange's")


async def _keys(connection: Connection) -> Checked:
    try:
        account = await connection.gateway.account()
    except ExchangeError as failure:
        return Checked("keys", Verdict.FAILED, f"{failure}: check BINANCE_API_KEY and BINANCE_API_SECRET")
    if not account.can_trade:
        return Checked("keys", Verdict.FAILED, "they may not trade: enable spot trading for them")
    held = ", ".join(f"{plain(amount)} {asset}" for asset, amount in sorted(account.balances.items())[:8])
    return Checked("keys", Verdict.OK, f"accepted, may trade; the account has {held or 'nothing'}")


async def _symbols(settings: Settings, connection: Connection) -> list[Checked]:
    try:
        rules = await tradable_rules(connection.gateway, settings)
        if settings.shares_account:
            common_quote(rules.values())
    except (ExchangeError, ConfigError) as failure:
        return [Checked("symbols", Verdict.FAILED, str(failure))]
    return list(_symbol_lines(rules.values()))


def _symbol_lines(rules: Iterable[SymbolRules]) -> Iterator[Checked]:
    for entry in rules:
        well = entry.status == "TRADING"
        text = (
            f"{entry.status}, step {plain(entry.market_step)} {entry.base_asset}, tick {plain(entry.tick_size)}, "
            f"least order {plain(entry.min_notional)} {entry.quote_asset}"
        )
        yield Checked(entry.symbol, Verdict.OK if well else Verdict.WARNING, text)
