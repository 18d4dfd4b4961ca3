"""Every setting, typed, in one place. `configuration.py` reads them from flags, environment, files and defaults."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.domain.money import parse_amount, plain
from binance_trade_agent.domain.nearest import nearest

Mode = Literal["simulated", "paper", "testnet", "live"]
LIVE_ACKNOWLEDGEMENT = "I understand that this bot trades real money"
KEY_LENGTH = 64  # binance-protocol.md 2.1: HMAC keys and secrets have 64 characters

_MOST_DIGITS = 20  # before or after the point, as on the exchange (binance-protocol.md 2.5, -1100)

_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no"}


def _strict_bool(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise ValueError("not a boolean")


def _decimal(value: Any) -> Decimal:
    amount = parse_amount(str(value).strip())
    if abs(amount.adjusted()) > _MOST_DIGITS:
        raise ValueError("not an amount of anything")
    return amount


def _several(value: Any) -> list[Any]:
    """A TOML array's entries; pydantic makes a sentence of a ValueError only, not of a TypeError."""
    if not isinstance(value, list | tuple):
        raise ValueError("not a list")  # noqa: TRY004 (see above)
    return list(value)


def _list(value: Any) -> tuple[str, ...]:
    parts = re.split(r"[,\s]+", value) if isinstance(value, str) else [str(part) for part in _several(value)]
    return tuple(part.strip() for part in parts if part.strip())


def _symbols(value: Any) -> tuple[str, ...]:
    symbols = tuple(dict.fromkeys(part.upper() for part in _list(value)))
    if not symbols or not all(symbol.isalnum() for symbol in symbols):
        raise ValueError("not a list of symbols")
    return symbols


def _paths(value: Any) -> tuple[Path, ...]:
    parts = value.split(",") if isinstance(value, str) else _several(value)
    return tuple(Path(str(part).strip()) for part in parts if str(part).strip())


def _pairs(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        pairs = [part.partition("=") for part in re.split(r"[,\s]+", value.strip()) if part]
        if not all(name and sign and text for name, sign, text in pairs):
            raise ValueError("not a list of name=value")
        return {name.strip(): text.strip() for name, _, text in pairs}
    if not isinstance(value, dict):
        raise ValueError("not a table")  # noqa: TRY004 (pydantic makes a sentence of it)
    return {str(name): str(text) for name, text in value.items()}


def _balances(value: Any) -> dict[str, Decimal]:
    balances = {asset.upper(): _decimal(text) for asset, text in _pairs(value).items()}
    if not balances or any(amount < 0 for amount in balances.values()):
        raise ValueError("a balance is missing or negative")
    return balances


def _interval(value: str) -> str:
    if value not in INTERVAL_MS:
        raise ValueError("unknown interval")
    return value


def _speed(value: Any) -> Decimal:
    speed = _decimal(value)
    if not 0 < speed <= 1_000_000:
        raise ValueError("out of range")
    return speed


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        _check_address(value, schemes)
        return value.rstrip("/")

    return AfterValidator(check)


def _relay(value: str) -> str:
    if value.lower() in {"mainnet", "testnet"}:
        return value.lower()
    _check_address(value, ("http", "https"))
    return value.rstrip("/")


def _check_address(address: str, schemes: tuple[str, ...]) -> None:
    parts = urlsplit(address)
    has_place = parts.path if parts.scheme == "unix" else parts.hostname and parts.port != 0  # .port may raise
    if parts.scheme not in schemes or not has_place or re.search(r"\s", address):
        raise ValueError("not such an address")


def _redis_url(value: SecretStr) -> SecretStr:
    _check_address(value.get_secret_value(), ("redis", "rediss", "unix"))
    return value


def _text(value: Any) -> Any:
    """TOML has times of its own; everything else is text already."""
    return value.isoformat() if isinstance(value, date) else value


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


Boolean = Annotated[bool, BeforeValidator(_strict_bool)]
Amount = Annotated[Decimal, BeforeValidator(_decimal)]
SymbolList = Annotated[tuple[str, ...], BeforeValidator(_symbols)]


def _setting(default: Any, description: str, allowed: str, **constraints: Any) -> Any:
    """A field with what it means (description) and what it may be (allowed), both for the user's eyes."""
    return Field(default, description=description, json_schema_extra={"allowed": allowed}, **constraints)


class Settings(BaseSettings):
    """The effective settings. A field's name in capitals is the setting's name everywhere.

    Raises:
        pydantic.ValidationError: a value is outside what is allowed; `configuration.load` turns it into sentences.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    trading_mode: Annotated[Mode, BeforeValidator(_lower)] | None = _setting(
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
    trading_candle_interval: Annotated[str, AfterValidator(_interval)] = _setting(
        "1m", "candles that strategies look at", "one of " + ", ".join(INTERVAL_MS)
    )
    trading_orders_on_stop: Annotated[Literal["cancel_entries", "keep", "cancel_all"], BeforeValidator(_lower)] = (
        _setting(
            "cancel_entries",
            "what becomes of open orders when it stops: cancel_entries = entries are cancelled and protection stays",
            "cancel_entries, keep or cancel_all",
        )
    )
    trading_order_quote: Amount = _setting(
        Decimal(100), "size of an entry in quote asset", "an amount of quote asset above 0", gt=0
    )
    trading_order_fraction: Amount | None = _setting(
        None, "size of an entry as a fraction of equity, instead of TRADING_ORDER_QUOTE", "above 0, up to 1", gt=0, le=1
    )
    trading_instance: str = _setting(
        "default",
        "name of this daemon; part of its client order ids, so two daemons on one account need two names",
        "1 to 20 letters, digits or dashes",
        pattern=r"^[A-Za-z0-9-]{1,20}$",
    )
    trading_autostart: Boolean = _setting(
        True, "in Docker: start trading with the container", "true, false, 1, 0, yes or no"
    )
    strategy_name: str = _setting("combined_default", "strategy; `trade-agent strategies` lists them", "a strategy")
    strategy_params: Annotated[dict[str, str], BeforeValidator(_pairs)] = _setting(
        {}, "parameters of the strategy", "name=value pairs separated by commas, such as rsi_period=10,rsi_oversold=25"
    )
    risk_max_position_quote: Amount = _setting(
        Decimal(500), "largest position a symbol, at the current price, in quote asset", "an amount above 0", gt=0
    )
    risk_max_open_positions: int = _setting(
        5, "most symbols with an open position", "a whole number, 1 to 1000", ge=1, le=1000
    )
    risk_cooldown_seconds: int = _setting(
        300, "seconds after an entry before the next one on the same symbol", "whole seconds, 0 or more", ge=0
    )
    risk_stop_loss_pct: Amount = _setting(
        Decimal(0),
        "distance of the stop-loss that stands on the exchange below the average entry price, in percent; 0 = none",
        "a percentage, 0 or more, below 100",
        ge=0,
        lt=100,
    )
    risk_take_profit_pct: Amount = _setting(
        Decimal(0),
        "distance of the take-profit that stands on the exchange above the average entry price, in percent; 0 = none",
        "a percentage, 0 to 1000",
        ge=0,
        le=1000,
    )
    risk_unprotected: Annotated[Literal["protect", "close"], BeforeValidator(_lower)] = _setting(
        "protect",
        "when the exchange refuses the protection of a position: protect = try again, close = sell at market",
        "protect or close",
    )
    simulation_speed: Annotated[Decimal, BeforeValidator(_speed)] = _setting(
        Decimal(1), "market seconds a second in simulated mode", "a number above 0, up to 1000000"
    )
    simulation_seed: int = _setting(
        7, "seed of the synthetic market", "a whole number, 0 to 4294967295", ge=0, le=2**32 - 1
    )
    simulation_replay: Annotated[tuple[Path, ...], BeforeValidator(_paths)] = _setting(
        (),
        "files of candles (CSV, gzip CSV or Parquet) to replay instead of a synthetic market",
        "paths separated by commas",
    )
    simulation_relay: Annotated[str, AfterValidator(_relay)] = _setting(
        "mainnet",
        "in paper mode: the exchange whose prices are relayed; it is sent no key and no order",
        "mainnet, testnet or an address such as http://127.0.0.1:8090",
    )
    simulation_start: Annotated[str | None, BeforeValidator(_text)] = _setting(
        None,
        "market time at which the simulation starts; without one 2026-01-05T00:00:00Z, or 1500 rows into a replay",
        "an ISO time such as 2024-08-05T00:00:00Z, or now",
    )
    simulation_balances: Annotated[dict[str, Decimal], BeforeValidator(_balances)] = _setting(
        {"USDT": Decimal(10_000)}, "what the simulated account starts with", "asset=amount pairs, such as USDT=10000"
    )
    exchange_url: Annotated[str, _url("http", "https")] | None = _setting(
        None,
        "in simulated and paper mode: a simulated exchange that already runs",
        "an address such as http://127.0.0.1:8090",
    )
    exchange_control_url: Annotated[str, _url("http")] | None = _setting(
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
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = _setting(
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
    log_format: Annotated[Literal["console", "json"], BeforeValidator(_lower)] = _setting(
        "console", "form of the log", "console or json"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = _setting(
        "INFO", "least level that is logged", "DEBUG, INFO, WARNING or ERROR"
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
    def is_simulated(self) -> bool:
        """Whether orders go to the simulated exchange, whatever its prices are."""
        return self.mode in {"simulated", "paper"}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._check_keys()
        self._check_mode()
        if "trading_order_fraction" in self.model_fields_set and "trading_order_quote" in self.model_fields_set:
            raise ValueError("TRADING_ORDER_QUOTE and TRADING_ORDER_FRACTION are both set: set one of them.")
        if self.simulation_replay and self.mode != "simulated":
            raise ValueError(f"SIMULATION_REPLAY needs TRADING_MODE=simulated; the mode is {self.mode}.")
        return self

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


def suggestion(name: str, allowed: tuple[str, ...] | None = None) -> str:
    """`; the nearest is X` for an error message, or nothing when no name comes near."""
    found = nearest(name, allowed or setting_names())
    return f"; the nearest valid name is {found}" if found else ""
