"""Settings that say where it trades, with which keys, on which simulated market, and where its cache and its log are."""

import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import structlog

from binance_trade_agent.cache.shared import shared_cache
from binance_trade_agent.cli.shared import set_up_log
from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.exchange import connect
from binance_trade_agent.exchange.connect import Connection, connected
from binance_trade_agent.exchange.errors import UnavailableError
from binance_trade_agent.feed.choice import feed_of
from binance_trade_agent.ops import clock
from binance_trade_agent.settings import LIVE_ACKNOWLEDGEMENT, Settings
from tests.exchange_process import running_exchange
from tests.settings.effects import Effect, Probe, ShownBy, Trial, effect

NOWHERE = "http://127.0.0.1:9"
KEYS = {"BINANCE_API_KEY": "a1" * 32, "BINANCE_API_SECRET": "b2" * 32}
ARMED = {**KEYS, "TRADING_MODE": "live", "LIVE_TRADING_ACK": LIVE_ACKNOWLEDGEMENT}
TESTNET, PRODUCTION = "https://testnet.binance.vision/api", "https://api.binance.com/api"


async def _not_reached(self: object) -> None:
    """Instead of the first request."""


def at_binance(look: Callable[[Connection], Any]) -> Probe:
    """Which exchange is met and how, without a request to the network; or the sentence that refuses the settings."""

    async def probe(trial: Trial) -> Any:
        try:
            settings = trial.settings
        except ConfigError as refused:
            return str(refused).split(":")[0]
        with patch.object(connect.BinanceGateway, "synchronise", _not_reached), contextlib.chdir(trial.folder):
            async with connected(settings) as connection:
                return look(connection)

    return probe


async def feed_in_use(trial: Trial) -> str:
    """Kind of the market feed that a daemon makes, or the sentence that refuses the settings."""
    try:
        settings = trial.settings
    except ConfigError as refused:
        return str(refused)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(patch.object(connect.BinanceGateway, "synchronise", _not_reached))
        stack.enter_context(contextlib.chdir(trial.folder))
        connection = await stack.enter_async_context(connected(settings))
        return type(feed_of(stack, settings, connection, "run", 10)).__name__


async def is_reached(trial: Trial) -> bool:
    """Whether some exchange answers: without an address one of its own."""
    try:
        async with connected(trial.in_folder.settings, is_trader=True) as connection:
            return (await connection.gateway.account()).can_trade
    except UnavailableError:
        return False


def on_its_own_exchange(look: Callable[[Connection], Any]) -> Probe:
    """Start the simulated exchange that belongs to the ledger, and look at it."""

    async def probe(trial: Trial) -> Any:
        minutes = (f"{1_767_571_200_000 + minute * 60_000},7,7,7,7,1" for minute in range(1_600))
        file = trial.folder / "BTCUSDT-1m.csv"
        file.write_text("\n".join(["open_time_ms,open,high,low,close,volume", *minutes]), encoding="utf-8")
        with contextlib.chdir(trial.folder):
            async with connected(trial.in_folder.settings, is_trader=True) as connection:
                told = look(connection)
                return await told if hasattr(told, "__await__") else told

    return probe


async def opening(connection: Connection) -> str:
    return iso_second(connection.clock.now_ms())


async def balances(connection: Connection) -> dict[str, str]:
    return {asset: plain(amount) for asset, amount in (await connection.gateway.account()).balances.items() if amount}


async def is_replayed(connection: Connection) -> bool:
    return await connection.gateway.last_price("BTCUSDT") == Decimal(7)


async def seconds_of_waiting(connection: Connection) -> Decimal:
    """How long the daemon sleeps while three market seconds pass."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    market = connection.clock
    with patch.object(clock, "sleep_seconds", sleep), patch.object(clock, "monotonic_seconds", lambda: 0.0):
        await market.sleep_until(market.monotonic_ms() + 3_000)
    return round(Decimal(sum(slept)), 3)


def seed_of(*seeds: int) -> Callable[[Connection], Any]:
    """Which of these seeds gives the candles that are seen."""

    async def found(connection: Connection) -> list[int]:
        seen = await connection.gateway.candles("BTCUSDT", "1m", 5)
        return [seed for seed in seeds if seen == await candles_of(seed)]

    return found


async def candles_of(seed: int) -> Any:
    async with running_exchange(speed=None, seed=seed, symbols=("BTCUSDT", "ETHUSDT")) as exchange:
        settings = Settings(exchange_url=exchange.url, exchange_control_url=exchange.control_url)
        async with connected(settings) as connection:
            return await connection.gateway.candles("BTCUSDT", "1m", 5)


async def cache(trial: Trial) -> str:
    shared = shared_cache(trial.settings)
    await shared.close()
    return type(shared).__name__


@contextlib.contextmanager
def log_as_it_was() -> Iterator[None]:
    """The log is the process's: it is left as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()


def logged(look: Callable[[list[str]], Any]) -> Probe:
    """What is written when a warning and an information are logged."""

    def probe(trial: Trial) -> Any:
        with log_as_it_was(), contextlib.redirect_stderr(io.StringIO()) as written:
            set_up_log(trial.configuration)
            logging.getLogger("somewhere").warning("a warning")
            logging.getLogger("somewhere").info("an information")
        return look(written.getvalue().splitlines())

    return probe


def is_json(lines: list[str]) -> bool:
    try:
        return bool([json.loads(line) for line in lines])
    except ValueError:
        return False


# fmt: off
PLACES: dict[str, Effect | ShownBy] = {
    "TRADING_MODE": effect(
        at_binance(lambda connection: connection.endpoints.rest), {None: TESTNET, "testnet": TESTNET, "live": PRODUCTION},
        **KEYS, LIVE_TRADING_ACK=LIVE_ACKNOWLEDGEMENT),
    "TRADING_AUTOSTART": ShownBy(
        "tests/test_cli.py::TestHealth::test_a_trader_that_nobody_has_started_is_no_illness", "tests/docker/session/starting.py"),
    "TRADING_CAPITAL_QUOTE": ShownBy(
        "tests/agents/test_account_share.py::TestMoney::test_capital_that_is_not_there_is_not_claimed",
        "tests/sessions/test_shared_account.py"),
    "ACCOUNT_MAX_EXPOSURE_QUOTE": ShownBy("tests/sessions/test_shared_account.py"),
    "ACCOUNT_MAX_OPEN_POSITIONS": ShownBy("tests/sessions/test_shared_account.py", "tests/domain/test_claims.py"),
    "TRADER_ON_FINISH": ShownBy(
        "tests/ops/test_supervision.py::test_the_setting_says_whether_the_container_ends"),
    "TRADING_FEED": effect(
        feed_in_use, {None: "MarketFeed", "own": "MarketFeed", "shared": "SharedFeed"},
        **KEYS, REDIS_URL="redis://127.0.0.1:9/0"),
    "BINANCE_API_KEY": effect(
        at_binance(lambda connection: connection.api_key), {"c3" * 32: "c3" * 32, "d4" * 32: "d4" * 32}, **KEYS),
    "BINANCE_API_SECRET": effect(
        at_binance(lambda connection: connection.api_secret), {"c3" * 32: "c3" * 32, "d4" * 32: "d4" * 32}, **KEYS),
    "BINANCE_TESTNET": effect(
        at_binance(lambda connection: connection.endpoints.rest),
        {None: TESTNET, "true": TESTNET, "false": "BINANCE_TESTNET=false does not select production"}, **KEYS),
    "LIVE_TRADING_ACK": effect(
        at_binance(lambda connection: connection.endpoints.rest),
        {LIVE_ACKNOWLEDGEMENT: PRODUCTION, "yes": "TRADING_MODE=live is not armed"}, **ARMED),
    "EXCHANGE_URL": effect(is_reached, {None: True, NOWHERE: False}, EXCHANGE_STARTUP_SECONDS="0"),
    "EXCHANGE_CONTROL_URL": ShownBy(
        "tests/exchange/test_connect.py::test_stepped_exchange_is_moved_by_waiting_and_stands_still_otherwise"),
    "EXCHANGE_STARTUP_SECONDS": ShownBy(
        "tests/exchange/test_connect.py::"
        "test_exchange_that_never_comes_up_is_unavailable_after_the_time_that_is_set"),
    "SIMULATION_SPEED": effect(on_its_own_exchange(seconds_of_waiting), {"1": Decimal(3), "60": Decimal("0.05")}),
    "SIMULATION_SEED": effect(on_its_own_exchange(seed_of(1, 2)), {"1": [1], "2": [2]}),
    "SIMULATION_REPLAY": effect(on_its_own_exchange(is_replayed), {None: False, "BTCUSDT-1m.csv": True}),
    "SIMULATION_RELAY": ShownBy(
        "tests/sessions/test_paper.py::"
        "test_paper_session_trades_at_the_relayed_prices_and_nothing_reaches_the_other_exchange"),
    "SIMULATION_START": effect(
        on_its_own_exchange(opening),
        {None: "2026-01-05T00:00:00Z", "2024-08-05T00:00:00Z": "2024-08-05T00:00:00Z"}),
    "SIMULATION_BALANCES": effect(
        on_its_own_exchange(balances),
        {None: {"USDT": "10000"}, "USDT=500,BTC=2": {"USDT": "500", "BTC": "2"}}),
    "REDIS_URL": effect(cache, {None: "FolderCache", "redis://127.0.0.1:9/0": "RedisCache"}),
    "HISTORY_PATH": ShownBy("tests/history/test_commands.py::test_the_data_folder_is_the_one_that_history_path_names"),
    "RECORD_KEEP_MB": ShownBy(
        "tests/backtest/replay/test_recording.py::TestSpace::test_the_oldest_files_go_when_record_keep_mb_is_used_up"),
    "DASHBOARD_HOST": ShownBy("tests/dashboard/test_access.py::test_an_address_that_others_reach_needs_a_password"),
    "DASHBOARD_PORT": ShownBy("tests/dashboard/test_command.py::test_it_serves_on_the_port_that_is_set"),
    "DASHBOARD_PASSWORD": ShownBy("tests/dashboard/test_access.py::test_the_password_logs_in_as_trader"),
    "DASHBOARD_VIEWER_PASSWORD": ShownBy("tests/dashboard/test_access.py::test_the_viewers_password_logs_in_as_viewer"),
    "DASHBOARD_SESSION_HOURS": ShownBy("tests/dashboard/test_access.py::test_a_session_ends_after_the_hours_that_are_set"),
    "MCP_HOST": ShownBy("tests/mcp_server/test_access.py::TestWhereFrom::test_an_address_that_others_reach_needs_a_token"),
    "MCP_PORT": ShownBy("tests/mcp_server/test_command.py::test_it_serves_on_the_port_that_is_set"),
    "MCP_AUTH_TOKEN": ShownBy("tests/mcp_server/test_access.py::TestToken::test_only_the_token_that_is_set_opens_it"),
    "MCP_ALLOW_TRADING": ShownBy("tests/mcp_server/test_access.py::TestTrading::test_without_mcp_allow_trading_no_tool_changes_anything"),
    "MCP_MAX_ORDERS_PER_HOUR": ShownBy("tests/mcp_server/test_budget.py::test_the_orders_of_an_hour_are_as_many_as_the_setting_says"),
    "MCP_MAX_QUOTE_PER_DAY": ShownBy("tests/mcp_server/test_budget.py::test_the_purchases_of_a_day_come_to_no_more_than_the_setting_says"),
    "METRICS_HOST": ShownBy("tests/ops/metrics/test_serving.py::test_it_listens_where_metrics_host_and_port_say"),
    "METRICS_PORT": ShownBy("tests/ops/metrics/test_serving.py::test_it_listens_where_metrics_host_and_port_say"),
    "TRACING_ENDPOINT": ShownBy("tests/ops/test_tracing.py::test_a_tick_is_sent_to_the_endpoint_with_its_agents"),
    "NOTIFY_URLS": ShownBy("tests/notifications/test_notifier.py::test_a_whole_run_tells_its_start_its_trades_and_its_end"),
    "NOTIFY_EVENTS": ShownBy("tests/notifications/test_notifier.py::test_only_what_notify_events_names_is_told"),
    "LOG_FORMAT": effect(logged(is_json), {"console": False, "json": True}),
    "LOG_LEVEL": effect(logged(len), {"INFO": 2, "WARNING": 1, "ERROR": 0}),
    "LOG_FILE_MB": ShownBy("tests/ops/test_log_file.py::TestSetting::test_log_file_mb_says_whether_and_how_much_is_kept"),
}
# fmt: on
