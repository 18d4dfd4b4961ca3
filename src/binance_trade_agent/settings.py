"""Every setting, typed, in one place. `configuration.py` reads them from flags, environment, files and defaults."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from binance_trade_agent import setting_types
from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.notify_events import NotifyEvent
from binance_trade_agent.setting_groups import RiskAndExitSettings, TradingSettings, count, setting
from binance_trade_agent.setting_types import Amount, Boolean

LIVE_ACKNOWLEDGEMENT = "I understand that this bot trades real money"
KEY_LENGTH = 64  # binance-protocol.md 2.1: HMAC keys and secrets have 64 characters


class Settings(RiskAndExitSettings, TradingSettings):
    """The effective settings. A field's name in capitals is the setting's name everywhere.

    Raises:
        pydantic.ValidationError: a value is outside what is allowed; `configuration.load` turns it into sentences.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    simulation_speed: Annotated[Decimal, BeforeValidator(setting_types.speed)] = setting(
        Decimal(1), "market seconds a second in simulated mode", "a number above 0, up to 1000000"
    )
    simulation_seed: int = setting(
        7, "seed of the synthetic market", "a whole number, 0 to 4294967295", ge=0, le=2**32 - 1
    )
    simulation_replay: Annotated[tuple[Path, ...], BeforeValidator(setting_types.paths)] = setting(
        (),
        "files of candles (CSV, gzip CSV or Parquet) to replay instead of a synthetic market",
        "paths separated by commas",
    )
    simulation_relay: Annotated[str, AfterValidator(setting_types.relay)] = setting(
        "mainnet",
        "in paper mode: the exchange whose prices are relayed; it is sent no key and no order",
        "mainnet, testnet or an address such as http://127.0.0.1:8090",
    )
    simulation_start: Annotated[str | None, BeforeValidator(setting_types.text_of)] = setting(
        None,
        "market time at which the simulation starts; without one 2026-01-05T00:00:00Z, or 1500 rows into a replay",
        "an ISO time such as 2024-08-05T00:00:00Z, or now",
    )
    simulation_balances: Annotated[dict[str, Decimal], BeforeValidator(setting_types.balances)] = setting(
        {"USDT": Decimal(10_000)}, "what the simulated account starts with", "asset=amount pairs, such as USDT=10000"
    )
    exchange_url: Annotated[str, setting_types.url("http", "https")] | None = setting(
        None,
        "in simulated and paper mode: a simulated exchange that already runs",
        "an address such as http://127.0.0.1:8090",
    )
    exchange_control_url: Annotated[str, setting_types.url("http")] | None = setting(
        None, "control port of that exchange; only needed when its speed is stepped", "an http:// address"
    )
    exchange_startup_seconds: int = setting(
        60, "seconds to keep trying when the exchange cannot be reached at the start", "whole seconds, 0 or more", ge=0
    )
    binance_api_key: SecretStr | None = setting(None, "API key (HMAC)", "64 letters and digits")
    binance_api_secret: SecretStr | None = setting(
        None, "its secret; BINANCE_SECRET_KEY is accepted too", "64 letters and digits"
    )
    binance_testnet: Boolean | None = setting(
        None, "true: the keys are of the spot testnet; false never selects production", "true, false, 1, 0, yes or no"
    )
    live_trading_ack: str | None = setting(
        None, "the sentence that arms live mode; `trade-agent doctor` prints it", "the exact sentence"
    )
    redis_url: Annotated[SecretStr, AfterValidator(setting_types.redis_url)] | None = setting(
        None,
        "Redis for the cache, the request weight that daemons share and the account's lease; without one each is alone",
        "an address such as redis://127.0.0.1:6379/0",
    )
    ledger_path: Path = setting(Path("data/ledger.db"), "the ledger, a SQLite file", "a path")
    ledger_min_free_mb: int = setting(
        100,
        "MB that the ledger's disk has to have left for new entries; 0 = never look",
        "a whole number of MB, 0 or more",
        ge=0,
    )
    ledger_keep_decisions_days: int = setting(
        30,
        "days that every decision is kept; of older ones that no order came of, one of each symbol in half an hour is;"
        " 0 = all, for ever",
        "a whole number of days, 0 or more",
        ge=0,
    )
    history_path: Path = setting(
        Path("data/history"), "the folder of recorded candles, for `trade-agent data` and backtests", "a path"
    )
    record_keep_mb: int = setting(
        500,
        "MB that recordings of runs, for `trade-agent replay`, may take beside the ledger; 0 = none is made",
        "a whole number of MB, 0 or more",
        ge=0,
    )
    dashboard_host: str = setting(
        "127.0.0.1",
        "address that the dashboard listens on; one that others can reach needs a password",
        "an address of this machine, such as 127.0.0.1 or 0.0.0.0",
        pattern=r"^[0-9A-Za-z.:-]{1,255}$",
    )
    dashboard_port: int = setting(8050, "port of the dashboard; 0 takes a free one", "0 to 65535", ge=0, le=65_535)
    dashboard_password: Annotated[SecretStr, AfterValidator(setting_types.password)] | None = setting(
        None,
        "password of the dashboard, with which one may trade; without one it is only for this machine",
        "8 characters or more, or their argon2 hash",
    )
    dashboard_viewer_password: Annotated[SecretStr, AfterValidator(setting_types.password)] | None = setting(
        None,
        "password of the dashboard with which one may only look; needs DASHBOARD_PASSWORD",
        "8 characters or more, or their argon2 hash",
    )
    dashboard_session_hours: int = setting(
        12, "hours after which one logs in to the dashboard again", "a whole number, 1 to 720", ge=1, le=720
    )
    mcp_host: str = setting(
        "127.0.0.1",
        "address that the MCP server listens on; one that others can reach needs a token",
        "an address of this machine, such as 127.0.0.1 or 0.0.0.0",
        pattern=r"^[0-9A-Za-z.:-]{1,255}$",
    )
    mcp_port: int = setting(8080, "port of the MCP server; 0 takes a free one", "0 to 65535", ge=0, le=65_535)
    mcp_auth_token: Annotated[SecretStr, AfterValidator(setting_types.token)] | None = setting(
        None,
        "bearer token of the MCP server; without one it is only for this machine",
        "16 characters or more, printable ASCII without blanks",
    )
    mcp_allow_trading: setting_types.Boolean = setting(
        False, "let assistants change what is traded, by MCP; without it they only read", "true or false"
    )
    mcp_max_orders_per_hour: int = count(10, "most orders that assistants place in any hour, all of them together")
    mcp_max_quote_per_day: Amount = setting(
        Decimal(500),
        "most quote asset that the purchases of all assistants come to in any 24 hours; 0 = no limit",
        "an amount, 0 or more",
        ge=0,
    )
    metrics_host: str = setting(
        "127.0.0.1",
        "address that the trader's metrics are served on; nothing but the network keeps others from reading them",
        "an address of this machine, such as 127.0.0.1 or 0.0.0.0",
        pattern=r"^[0-9A-Za-z.:-]{1,255}$",
    )
    metrics_port: int = setting(
        0, "port of the trader's metrics, for Prometheus; 0 = none are served", "0 to 65535", ge=0, le=65_535
    )
    tracing_endpoint: Annotated[str, setting_types.url("http", "https")] | None = setting(
        None,
        "where traces of ticks are sent, by OTLP over HTTP; without one none are made; needs the extra `tracing`",
        "an address such as http://127.0.0.1:4318",
    )
    notify_urls: Annotated[tuple[SecretStr, ...], BeforeValidator(setting_types.addresses)] = setting(
        (),
        "where notifications are sent, as Apprise writes addresses: Telegram, Discord, Slack, mail and many more",
        "addresses separated by commas or lines, such as tgram://TOKEN/CHAT",
    )
    notify_events: Annotated[tuple[str, ...], BeforeValidator(setting_types.events)] = setting(
        tuple(each.value for each in NotifyEvent),
        "what is notified of",
        f"names separated by commas, of {', '.join(NotifyEvent)}",
    )
    log_format: Annotated[Literal["console", "json"], BeforeValidator(setting_types.lower)] = setting(
        "console", "form of the log", "console or json"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(setting_types.upper)] = setting(
        "INFO", "least level that is logged", "DEBUG, INFO, WARNING or ERROR"
    )
    log_file_mb: int = setting(
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
