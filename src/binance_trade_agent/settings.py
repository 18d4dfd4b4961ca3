"""Every setting, typed, in one place. `configuration.py` reads them from flags, environment, files and defaults."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from binance_trade_agent import setting_types
from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.notify_events import NotifyEvent
from binance_trade_agent.setting_types import Amount, Boolean, SymbolList

Mode = Literal["simulated", "paper", "testnet", "live"]
LIVE_ACKNOWLEDGEMENT = "I understand that this bot trades real money"
KEY_LENGTH = 64  # binance-protocol.md 2.1: HMAC keys and secrets have 64 characters


def _setting(default: Any, description: str, allowed: str, **constraints: Any) -> Any:
    """A field with what it means (description) and what it may be (allowed), both for the user's eyes."""
    return Field(default, description=description, json_schema_extra={"allowed": allowed}, **constraints)


def _percentage(
    default: Decimal | int, description: str, *, least: str = "0", most: str = "100", **constraints: Any
) -> Any:
    """A setting in percent, from `least` to `most`."""
    bounds = {**({} if "gt" in constraints else {"ge": 0}), **({} if {"le", "lt"} & set(constraints) else {"le": 100})}
    return _setting(Decimal(default), description, f"a percentage, {least} to {most}", **bounds, **constraints)


def _multiple(what: str) -> Any:
    """A distance in average true ranges, in place of the setting in percent."""
    return _setting(Decimal(0), f"{what}; above 0 it takes the place of the one in percent", "0 to 100", ge=0, le=100)


def _count(default: int, description: str) -> Any:
    return _setting(default, f"{description}; 0 = no limit", "a whole number, 0 to 100000", ge=0, le=100_000)


class Settings(BaseSettings):
    """The effective settings. A field's name in capitals is the setting's name everywhere.

    Raises:
        pydantic.ValidationError: a value is outside what is allowed; `configuration.load` turns it into sentences.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    trading_mode: Annotated[Mode, BeforeValidator(setting_types.lower)] | None = _setting(
        None,
        "where it trades; without one: testnet when keys are set, else simulated",
        "simulated, paper, testnet or live",
    )
    trading_symbols: SymbolList = _setting(
        ("BTCUSDT", "ETHUSDT"), "symbols to trade, all with the same quote asset", "symbols separated by commas"
    )
    trading_interval_seconds: int = _setting(
        120, "seconds from one tick to the next", "a whole number of seconds, 1 to 86400", ge=1, le=86_400
    )
    trading_duration_minutes: Amount = _setting(
        Decimal(60), "minutes until it stops by itself; 0 = for ever", "a number of minutes, 0 or more", ge=0
    )
    trading_candle_interval: Annotated[str, AfterValidator(setting_types.interval)] = _setting(
        "1m", "candles that strategies look at", "one of " + ", ".join(INTERVAL_MS)
    )
    trading_feed: Annotated[Literal["own", "shared"], BeforeValidator(setting_types.lower)] = _setting(
        "own",
        "where candles, prices and rules come from: own = this daemon's connections; shared = `trade-agent feed`, over "
        "Redis, and its own connections while that is away",
        "own or shared",
    )
    trading_orders_on_stop: Annotated[
        Literal["cancel_entries", "keep", "cancel_all"], BeforeValidator(setting_types.lower)
    ] = _setting(
        "cancel_entries",
        "what becomes of open orders when it stops: cancel_entries = entries are cancelled, exits stay",
        "cancel_entries, keep or cancel_all",
    )
    trading_order_quote: Amount = _setting(
        Decimal(100), "size of an entry in quote asset", "an amount of quote asset above 0", gt=0
    )
    trading_order_fraction: Amount | None = _setting(
        None, "size of an entry as a fraction of equity, instead of TRADING_ORDER_QUOTE", "above 0, up to 1", gt=0, le=1
    )
    trading_sizing: (
        Annotated[Literal["quote", "fraction", "volatility", "kelly"], BeforeValidator(setting_types.lower)] | None
    ) = _setting(
        None,
        "how an entry is sized; without one: fraction when TRADING_ORDER_FRACTION is set, else quote",
        "quote, fraction, volatility or kelly",
    )
    trading_volatility_target_pct: Amount = _percentage(
        Decimal("0.1"),
        "volatility sizing: percent of equity that a move of one average true range of a candle is to cost",
        least="above 0",
        gt=0,
    )
    trading_kelly_multiplier: Amount = _setting(
        Decimal("0.25"), "kelly sizing: part of the Kelly fraction that is used", "above 0, up to 1", gt=0, le=1
    )
    trading_kelly_cap_pct: Amount = _percentage(
        10, "kelly sizing: most that an entry spends, in percent of equity", least="above 0", gt=0
    )
    trading_kelly_exits: int = _setting(
        20,
        "kelly sizing: latest exits that it learns from; with fewer, or no loss among them, TRADING_ORDER_QUOTE holds",
        "a whole number, 5 to 200",
        ge=5,
        le=200,
    )
    trading_confirm_interval: Annotated[str, AfterValidator(setting_types.interval)] | None = _setting(
        None,
        "larger candles on which the strategy has to lean the same way before an entry; without one none",
        "one of " + ", ".join(INTERVAL_MS),
    )
    trading_instance: str = _setting(
        "default",
        "name of this daemon; part of its client order ids, so two daemons on one account need two names",
        "1 to 20 letters, digits or dashes",
        pattern=r"^[A-Za-z0-9-]{1,20}$",
    )
    trading_capital_quote: Amount = _setting(
        Decimal(0),
        "what this daemon has of the account's quote asset, where several daemons share the account, each with symbols "
        "of its own; needs REDIS_URL; 0 = all of the account is this daemon's",
        "an amount of quote asset, 0 or more",
        ge=0,
    )
    account_max_exposure_quote: Amount = _setting(
        Decimal(0),
        "most that all daemons of a shared account hold together, open purchases included; 0 = no limit",
        "an amount of quote asset, 0 or more",
        ge=0,
    )
    account_max_open_positions: int = _setting(
        0,
        "most positions that all daemons of a shared account hold together; 0 = no limit",
        "a whole number, 0 to 10000",
        ge=0,
        le=10_000,
    )
    trading_autostart: Boolean = _setting(
        True, "in Docker: start trading with the container", "true, false, 1, 0, yes or no"
    )
    trader_on_finish: Annotated[Literal["stay", "end"], BeforeValidator(setting_types.lower)] = _setting(
        "stay", "in Docker: what the container does when TRADING_DURATION_MINUTES is over", "stay or end"
    )
    strategy_name: str = _setting("combined_default", "strategy; `trade-agent strategies` lists them", "a strategy")
    strategy_params: Annotated[dict[str, str], BeforeValidator(setting_types.strategy_params)] = _setting(
        {},
        "parameters of the strategy; SYMBOL.name=value holds for one symbol",
        "name=value pairs separated by commas, each name once, such as rsi_period=10,ETHUSDT.rsi_period=14",
    )
    risk_profile: (
        Annotated[Literal["conservative", "balanced", "aggressive"], BeforeValidator(setting_types.lower)] | None
    ) = _setting(
        None,
        "profile of config/risk.toml whose values hold where no other source sets them; the defaults are balanced",
        "conservative, balanced or aggressive",
    )
    risk_max_order_quote: Amount = _setting(
        Decimal(500), "largest single entry, in quote asset", "an amount above 0", gt=0
    )
    risk_max_position_quote: Amount = _setting(
        Decimal(500), "largest position a symbol, at the current price, in quote asset", "an amount above 0", gt=0
    )
    risk_max_exposure_pct: Amount = _percentage(
        80, "most that all positions together may be worth, in percent of equity", least="above 0", gt=0
    )
    risk_max_open_positions: int = _setting(
        5, "most symbols with an open position", "a whole number, 1 to 1000", ge=1, le=1000
    )
    risk_min_confidence: Amount = _setting(
        Decimal("0.5"), "least confidence of a signal that is followed", "0 to 1", ge=0, le=1
    )
    risk_cooldown_seconds: int = _setting(
        300, "seconds after an entry before the next one on the same symbol", "whole seconds, 0 or more", ge=0
    )
    risk_max_trades_per_hour: int = _count(20, "most filled entries in any hour, all symbols together")
    risk_max_trades_per_day: int = _count(100, "most filled entries in any 24 hours, all symbols together")
    risk_max_symbol_trades_per_hour: int = _count(6, "most filled entries in any hour on one symbol")
    risk_max_symbol_trades_per_day: int = _count(30, "most filled entries in any 24 hours on one symbol")
    risk_max_consecutive_losses: int = _count(5, "exits in a row at a loss after which entries pause")
    risk_loss_pause_minutes: int = _setting(
        60, "minutes of that pause, from the last of the losses", "whole minutes, 1 to 525600", ge=1, le=525_600
    )
    risk_max_daily_loss_pct: Amount = _percentage(
        5, "loss since the UTC day began, in percent of its equity then, after which entries pause for the day; 0 = off"
    )
    risk_max_drawdown_pct: Amount = _percentage(
        10, "fall from the highest equity, in percent of it, after which entries pause; 0 = off"
    )
    risk_drawdown_pause_minutes: int = _setting(
        1440,
        "minutes of that pause; after it the fall is measured from the equity of then",
        "whole minutes, 1 to 525600",
        ge=1,
        le=525_600,
    )
    risk_max_volatility_pct: Amount = _percentage(
        5, "highest average true range of a candle, in percent of the price, at which is entered; 0 = off"
    )
    risk_atr_period: int = _setting(
        14,
        "candles that the average true range of sizing, volatility limit and exits looks back",
        "2 to 70",
        ge=2,
        le=70,
    )
    risk_max_spread_pct: Amount = _percentage(
        Decimal("0.5"), "widest spread between bid and ask, in percent of their middle, at which is entered; 0 = off"
    )
    risk_max_slippage_pct: Amount = _percentage(
        Decimal("0.5"),
        "most that an entry may be expected to fill above the best ask, over the book's depth, in percent; 0 = off",
    )
    risk_max_price_deviation_pct: Amount = _percentage(
        2, "farthest that the best ask may be from the last trade, in percent, at an entry; 0 = off"
    )
    risk_max_data_age_seconds: int = _setting(
        30, "oldest book on which is entered", "whole seconds, 1 to 3600", ge=1, le=3600
    )
    risk_max_unknown_orders: int = _setting(
        3, "orders of unknown outcome at which no entry is made on any symbol", "a whole number, 1 to 100", ge=1, le=100
    )
    risk_suspend_after_failures: int = _setting(
        5, "failures in a row after which a symbol is left alone", "a whole number, 1 to 1000", ge=1, le=1000
    )
    risk_suspend_ticks: int = _setting(
        10, "ticks for which it is left alone", "a whole number, 1 to 100000", ge=1, le=100_000
    )
    risk_stop_loss_pct: Amount = _percentage(
        2, "stop-loss on the exchange, percent below the average entry price; 0 = none", most="below 100", lt=100
    )
    risk_stop_loss_atr: Amount = _multiple(
        "stop-loss below the average entry price in average true ranges at the entry"
    )
    risk_take_profit_pct: Amount = _percentage(
        4, "take-profit on the exchange, percent above the average entry price; 0 = none", most="1000", le=1000
    )
    risk_take_profit_atr: Amount = _multiple("take-profit above the average entry price in average true ranges")
    risk_target_table: Annotated[dict[int, Decimal], BeforeValidator(setting_types.target_table)] = _setting(
        {},
        "take-profit by the minutes in the position, in place of RISK_TAKE_PROFIT_PCT and _ATR: from each minute on, "
        "the percent above the average entry price",
        "minutes=percent pairs separated by commas, such as 0=4,30=2,60=1",
    )
    risk_trailing_stop_pct: Amount = _percentage(
        0, "trailing stop, percent below the highest price since the entry; 0 = none", most="below 100", lt=100
    )
    risk_trailing_stop_atr: Amount = _multiple("trailing stop below the highest price in average true ranges")
    risk_trailing_start_pct: Amount = _percentage(
        0, "profit in percent that the highest price has to have reached before the stop trails", most="1000", le=1000
    )
    risk_trailing_step_pct: Amount = _percentage(
        Decimal("0.1"), "least move of a trailing stop on the exchange, in percent of the price", most="10", le=10
    )
    risk_trailing_seconds: int = _setting(
        10, "least seconds between two moves of a trailing stop", "whole seconds, 1 to 3600", ge=1, le=3600
    )
    risk_time_stop_minutes: int = _setting(
        0,
        "minutes in a position after which it is closed at market; 0 = never",
        "whole minutes, 0 to 525600",
        ge=0,
        le=525_600,
    )
    risk_strategy_exit: Boolean = _setting(
        True, "whether a SELL of the strategy closes the position", "true, false, 1, 0, yes or no"
    )
    risk_unprotected: Annotated[Literal["protect", "close"], BeforeValidator(setting_types.lower)] = _setting(
        "protect",
        "when the exchange refuses a position's protection, or somebody cancels it: protect = try again, close = sell",
        "protect or close",
    )
    simulation_speed: Annotated[Decimal, BeforeValidator(setting_types.speed)] = _setting(
        Decimal(1), "market seconds a second in simulated mode", "a number above 0, up to 1000000"
    )
    simulation_seed: int = _setting(
        7, "seed of the synthetic market", "a whole number, 0 to 4294967295", ge=0, le=2**32 - 1
    )
    simulation_replay: Annotated[tuple[Path, ...], BeforeValidator(setting_types.paths)] = _setting(
        (),
        "files of candles (CSV, gzip CSV or Parquet) to replay instead of a synthetic market",
        "paths separated by commas",
    )
    simulation_relay: Annotated[str, AfterValidator(setting_types.relay)] = _setting(
        "mainnet",
        "in paper mode: the exchange whose prices are relayed; it is sent no key and no order",
        "mainnet, testnet or an address such as http://127.0.0.1:8090",
    )
    simulation_start: Annotated[str | None, BeforeValidator(setting_types.text_of)] = _setting(
        None,
        "market time at which the simulation starts; without one 2026-01-05T00:00:00Z, or 1500 rows into a replay",
        "an ISO time such as 2024-08-05T00:00:00Z, or now",
    )
    simulation_balances: Annotated[dict[str, Decimal], BeforeValidator(setting_types.balances)] = _setting(
        {"USDT": Decimal(10_000)}, "what the simulated account starts with", "asset=amount pairs, such as USDT=10000"
    )
    exchange_url: Annotated[str, setting_types.url("http", "https")] | None = _setting(
        None,
        "in simulated and paper mode: a simulated exchange that already runs",
        "an address such as http://127.0.0.1:8090",
    )
    exchange_control_url: Annotated[str, setting_types.url("http")] | None = _setting(
        None, "control port of that exchange; only needed when its speed is stepped", "an http:// address"
    )
    exchange_startup_seconds: int = _setting(
        60, "seconds to keep trying when the exchange cannot be reached at the start", "whole seconds, 0 or more", ge=0
    )
    binance_api_key: SecretStr | None = _setting(None, "API key (HMAC)", "64 letters and digits")
    binance_api_secret: SecretStr | None = _setting(
        None, "its secret; BINANCE_SECRET_KEY is accepted too", "64 letters and digits"
    )
    binance_testnet: Boolean | None = _setting(
        None, "true: the keys are of the spot testnet; false never selects production", "true, false, 1, 0, yes or no"
    )
    live_trading_ack: str | None = _setting(
        None, "the sentence that arms live mode; `trade-agent doctor` prints it", "the exact sentence"
    )
    redis_url: Annotated[SecretStr, AfterValidator(setting_types.redis_url)] | None = _setting(
        None,
        "Redis for the cache, the request weight that daemons share and the account's lease; without one each is alone",
        "an address such as redis://127.0.0.1:6379/0",
    )
    ledger_path: Path = _setting(Path("data/ledger.db"), "the ledger, a SQLite file", "a path")
    ledger_min_free_mb: int = _setting(
        100,
        "MB that the ledger's disk has to have left for new entries; 0 = never look",
        "a whole number of MB, 0 or more",
        ge=0,
    )
    ledger_keep_decisions_days: int = _setting(
        30,
        "days that every decision is kept; of older ones that no order came of, one of each symbol in half an hour is;"
        " 0 = all, for ever",
        "a whole number of days, 0 or more",
        ge=0,
    )
    history_path: Path = _setting(
        Path("data/history"), "the folder of recorded candles, for `trade-agent data` and backtests", "a path"
    )
    record_keep_mb: int = _setting(
        500,
        "MB that recordings of runs, for `trade-agent replay`, may take beside the ledger; 0 = none is made",
        "a whole number of MB, 0 or more",
        ge=0,
    )
    dashboard_host: str = _setting(
        "127.0.0.1",
        "address that the dashboard listens on; one that others can reach needs a password",
        "an address of this machine, such as 127.0.0.1 or 0.0.0.0",
        pattern=r"^[0-9A-Za-z.:-]{1,255}$",
    )
    dashboard_port: int = _setting(8050, "port of the dashboard; 0 takes a free one", "0 to 65535", ge=0, le=65_535)
    dashboard_password: Annotated[SecretStr, AfterValidator(setting_types.password)] | None = _setting(
        None,
        "password of the dashboard, with which one may trade; without one it is only for this machine",
        "8 characters or more, or their argon2 hash",
    )
    dashboard_viewer_password: Annotated[SecretStr, AfterValidator(setting_types.password)] | None = _setting(
        None,
        "password of the dashboard with which one may only look; needs DASHBOARD_PASSWORD",
        "8 characters or more, or their argon2 hash",
    )
    dashboard_session_hours: int = _setting(
        12, "hours after which one logs in to the dashboard again", "a whole number, 1 to 720", ge=1, le=720
    )
    mcp_host: str = _setting(
        "127.0.0.1",
        "address that the MCP server listens on; one that others can reach needs a token",
        "an address of this machine, such as 127.0.0.1 or 0.0.0.0",
        pattern=r"^[0-9A-Za-z.:-]{1,255}$",
    )
    mcp_port: int = _setting(8080, "port of the MCP server; 0 takes a free one", "0 to 65535", ge=0, le=65_535)
    mcp_auth_token: Annotated[SecretStr, AfterValidator(setting_types.token)] | None = _setting(
        None,
        "bearer token of the MCP server; without one it is only for this machine",
        "16 characters or more, printable ASCII without blanks",
    )
    mcp_allow_trading: setting_types.Boolean = _setting(
        False, "let assistants change what is traded, by MCP; without it they only read", "true or false"
    )
    mcp_max_orders_per_hour: int = _count(10, "most orders that assistants place in any hour, all of them together")
    mcp_max_quote_per_day: Amount = _setting(
        Decimal(500),
        "most quote asset that the purchases of all assistants come to in any 24 hours; 0 = no limit",
        "an amount, 0 or more",
        ge=0,
    )
    metrics_host: str = _setting(
        "127.0.0.1",
        "address that the trader's metrics are served on; nothing but the network keeps others from reading them",
        "an address of this machine, such as 127.0.0.1 or 0.0.0.0",
        pattern=r"^[0-9A-Za-z.:-]{1,255}$",
    )
    metrics_port: int = _setting(
        0, "port of the trader's metrics, for Prometheus; 0 = none are served", "0 to 65535", ge=0, le=65_535
    )
    tracing_endpoint: Annotated[str, setting_types.url("http", "https")] | None = _setting(
        None,
        "where traces of ticks are sent, by OTLP over HTTP; without one none are made; needs the extra `tracing`",
        "an address such as http://127.0.0.1:4318",
    )
    notify_urls: Annotated[tuple[SecretStr, ...], BeforeValidator(setting_types.addresses)] = _setting(
        (),
        "where notifications are sent, as Apprise writes addresses: Telegram, Discord, Slack, mail and many more",
        "addresses separated by commas or lines, such as tgram://TOKEN/CHAT",
    )
    notify_events: Annotated[tuple[str, ...], BeforeValidator(setting_types.events)] = _setting(
        tuple(each.value for each in NotifyEvent),
        "what is notified of",
        f"names separated by commas, of {', '.join(NotifyEvent)}",
    )
    log_format: Annotated[Literal["console", "json"], BeforeValidator(setting_types.lower)] = _setting(
        "console", "form of the log", "console or json"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(setting_types.upper)] = _setting(
        "INFO", "least level that is logged", "DEBUG, INFO, WARNING or ERROR"
    )
    log_file_mb: int = _setting(
        50,
        "MB that the log as files may take beside the ledger, for the trader and for the dashboard each; 0 = no file",
        "a whole number of MB, 0 or more",
        ge=0,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the signature is pydantic-settings')
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `configuration.load` passes: it merges the layers itself, to know where each value came from."""
        return (init_settings,)

    @property
    def mode(self) -> str:
        """The mode in effect: TRADING_MODE, or testnet when keys are set, or simulated."""
        return self.trading_mode or ("simulated" if self.binance_api_key is None else "testnet")

    @property
    def shares_account(self) -> bool:
        """Whether other daemons may trade on the account too, each with symbols and capital of its own."""
        return self.trading_capital_quote > 0

    @property
    def is_simulated(self) -> bool:
        """Whether orders go to the simulated exchange, whatever its prices are."""
        return self.mode in {"simulated", "paper"}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._check_keys()
        self._check_mode()
        self._check_sizing()
        if self.trading_feed == "shared" and self.redis_url is None:
            raise ValueError("TRADING_FEED=shared needs REDIS_URL, where the feed process and its daemons meet.")
        self._check_sharing()
        if self.simulation_replay and self.mode != "simulated":
            raise ValueError(f"SIMULATION_REPLAY needs TRADING_MODE=simulated; the mode is {self.mode}.")
        for name in self.notify_events:
            if name not in list(NotifyEvent):
                raise ValueError(
                    f"NOTIFY_EVENTS has {name}, which is no event; there are {', '.join(NotifyEvent)}"
                    f"{suggestion(name, tuple(NotifyEvent))}."
                )
        if self.dashboard_viewer_password and not self.dashboard_password:
            raise ValueError("DASHBOARD_VIEWER_PASSWORD needs DASHBOARD_PASSWORD, or nobody could trade.")
        return self

    @property
    def sizing(self) -> str:
        """How entries are sized: TRADING_SIZING, or what the other settings say."""
        return self.trading_sizing or ("quote" if self.trading_order_fraction is None else "fraction")

    def _check_sizing(self) -> None:
        if "trading_order_fraction" in self.model_fields_set and "trading_order_quote" in self.model_fields_set:
            raise ValueError("TRADING_ORDER_QUOTE and TRADING_ORDER_FRACTION are both set: set one of them.")
        if self.sizing == "fraction" and self.trading_order_fraction is None:
            raise ValueError("TRADING_SIZING=fraction needs TRADING_ORDER_FRACTION.")
        if self.sizing in {"quote", "kelly"} and self.trading_order_quote > self.risk_max_order_quote:
            raise ValueError(
                f"TRADING_ORDER_QUOTE is {plain(self.trading_order_quote)}: RISK_MAX_ORDER_QUOTE allows no more than "
                f"{plain(self.risk_max_order_quote)}, so every entry would be refused."
            )
        smaller, larger = self.trading_candle_interval, self.trading_confirm_interval
        if larger and (INTERVAL_MS[larger] <= INTERVAL_MS[smaller] or INTERVAL_MS[larger] % INTERVAL_MS[smaller]):
            raise ValueError(
                f"TRADING_CONFIRM_INTERVAL is {larger}: it must be larger than TRADING_CANDLE_INTERVAL, {smaller}, and "
                "a multiple of it."
            )

    def _check_sharing(self) -> None:
        if self.shares_account:
            if self.redis_url is None:
                raise ValueError("TRADING_CAPITAL_QUOTE needs REDIS_URL, where the daemons of a shared account meet.")
            return
        for name in ("account_max_exposure_quote", "account_max_open_positions"):
            if getattr(self, name):
                raise ValueError(
                    f"{name.upper()} is for an account that several daemons share: set TRADING_CAPITAL_QUOTE to what "
                    "this daemon has of it. Of one daemon the RISK_ settings limit what it holds."
                )

    def _check_keys(self) -> None:
        for name, secret in (
            ("BINANCE_API_KEY", self.binance_api_key),
            ("BINANCE_API_SECRET", self.binance_api_secret),
        ):
            text = None if secret is None else secret.get_secret_value()  # an empty file is a wrong key
            if text is not None and (len(text) != KEY_LENGTH or not text.isalnum() or not text.isascii()):
                found = f"{len(text)} characters" if len(text) != KEY_LENGTH else "other characters than those"
                raise ValueError(f"{name} has {found}; a key or secret of Binance has {KEY_LENGTH} letters and digits.")
        if (self.binance_api_key is None) != (self.binance_api_secret is None):
            missing = "BINANCE_API_KEY" if self.binance_api_key is None else "BINANCE_API_SECRET"
            raise ValueError(
                f"{missing} is missing: BINANCE_API_KEY and BINANCE_API_SECRET are set together or not at all."
            )

    def _check_mode(self) -> None:
        if not self.is_simulated and self.binance_api_key is None:
            raise ValueError(f"TRADING_MODE={self.mode} needs BINANCE_API_KEY and BINANCE_API_SECRET.")
        if self.mode == "testnet" and self.binance_testnet is False:
            raise ValueError(
                "BINANCE_TESTNET=false does not select production: set BINANCE_TESTNET=true for the testnet, or "
                "TRADING_MODE=live with LIVE_TRADING_ACK for real money."
            )
        if self.mode == "live" and self.binance_testnet:
            raise ValueError("TRADING_MODE=live contradicts BINANCE_TESTNET=true: unset one of them.")
        if self.mode == "live" and self.live_trading_ack != LIVE_ACKNOWLEDGEMENT:
            raise ValueError(
                "TRADING_MODE=live is not armed: set LIVE_TRADING_ACK to the sentence that `trade-agent doctor` prints."
            )


def setting_names() -> tuple[str, ...]:
    """Names of all settings, as in the environment."""
    return tuple(name.upper() for name in Settings.model_fields)


def allowed_values(setting: str) -> str:
    """What `setting` may be, for an error message."""
    extra = Settings.model_fields[setting.lower()].json_schema_extra
    return str(extra["allowed"]) if isinstance(extra, dict) else ""


def shown(value: Any) -> str:
    """A setting's value as a person would write it; secrets masked."""
    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        return mask(value.get_secret_value())
    if isinstance(value, dict):
        return ",".join(f"{name}={shown(entry)}" for name, entry in value.items()) or "none"
    if isinstance(value, tuple):
        return ",".join(str(entry) for entry in value) or "none"
    if isinstance(value, Decimal):
        return plain(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return mask(text) if "://" in text else text


def mask(secret: str) -> str:
    """A secret reduced to what tells two of them apart; an address without who logs in and with which password."""
    if "://" in secret:
        return re.sub(r"(password=)[^&]*", r"\1****", re.sub(r"://.*@", "://****@", secret))
    return f"{secret[:4]}****" if len(secret) == KEY_LENGTH else "****"


def secret_texts(settings: Settings) -> list[str]:
    """What the secrets among the settings say, for whom it is to take them out of a text."""
    values = [getattr(settings, name) for name in Settings.model_fields]
    found = [secret for value in values for secret in (value if isinstance(value, tuple) else (value,))]
    return [text for secret in found if isinstance(secret, SecretStr) and (text := secret.get_secret_value())]


def suggestion(name: str, allowed: tuple[str, ...] | None = None) -> str:
    """`; the nearest is X` for an error message, or nothing when no name comes near."""
    found = nearest(name, allowed or setting_names())
    return f"; the nearest valid name is {found}" if found else ""
