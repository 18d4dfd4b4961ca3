"""How the values of settings are read: from the text of the environment or from TOML, strictly."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.domain.money import parse_amount

_MOST_DIGITS = 20  # before or after the point, as on the exchange (binance-protocol.md 2.5, -1100)

_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no"}


def _strict_bool(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise ValueError("not a boolean")


def decimal(value: Any) -> Decimal:
    """A finite number of a size that the exchange takes."""
    amount = parse_amount(str(value).strip())
    if abs(amount.adjusted()) > _MOST_DIGITS:
        raise ValueError("not an amount of anything")
    return amount


def _several(value: Any) -> list[Any]:
    """A TOML array's entries; pydantic makes a sentence of a ValueError only, not of a TypeError."""
    if not isinstance(value, list | tuple):
        raise ValueError("not a list")  # noqa: TRY004 (see above)
    return list(value)


def listed(value: Any) -> tuple[str, ...]:
    """Entries separated by commas or blanks, or a TOML array."""
    parts = re.split(r"[,\s]+", value) if isinstance(value, str) else [str(part) for part in _several(value)]
    return tuple(part.strip() for part in parts if part.strip())


def symbols(value: Any) -> tuple[str, ...]:
    """Symbols in capitals, each once, in the order given."""
    symbols = tuple(dict.fromkeys(part.upper() for part in listed(value)))
    if not symbols or not all(symbol.isalnum() for symbol in symbols):
        raise ValueError("not a list of symbols")
    return symbols


def paths(value: Any) -> tuple[Path, ...]:
    """Paths separated by commas, or a TOML array."""
    parts = value.split(",") if isinstance(value, str) else _several(value)
    return tuple(Path(str(part).strip()) for part in parts if str(part).strip())


def pairs(value: Any) -> dict[str, str]:
    """`name=value` pairs separated by commas or blanks, or a TOML table."""
    if isinstance(value, str):
        pairs = [part.partition("=") for part in re.split(r"[,\s]+", value.strip()) if part]
        if not all(name and sign and text for name, sign, text in pairs):
            raise ValueError("not a list of name=value")
        named = {name.strip(): text.strip() for name, _, text in pairs}
        if len(named) < len(pairs):
            raise ValueError("a name is given twice")
        return named
    if not isinstance(value, dict):
        raise ValueError("not a table")  # noqa: TRY004 (pydantic makes a sentence of it)
    return {str(name): str(text) for name, text in value.items()}


def strategy_params(value: Any) -> dict[str, str]:
    """Parameters by name, those of one symbol as `SYMBOL.name`; in TOML the symbol may be a table."""
    if isinstance(value, dict):
        value = {
            f"{name}.{inner}" if isinstance(entry, dict) else name: text
            for name, entry in value.items()
            for inner, text in (entry.items() if isinstance(entry, dict) else [("", entry)])
        }
    named = {}
    for name, text in pairs(value).items():
        symbol, dot, parameter = name.rpartition(".")
        named[f"{symbol.upper()}{dot}{parameter}"] = text
    return named


def target_table(value: Any) -> dict[int, Decimal]:
    """Minutes in a position by the profit in percent at which it is left from then on, earliest first."""
    table = {}
    for minutes, pct in pairs(value).items():
        if not minutes.isdecimal() or not -100 < decimal(pct) <= 1000:
            raise ValueError("not minutes=percent")
        table[int(minutes)] = decimal(pct)
    return dict(sorted(table.items()))


def balances(value: Any) -> dict[str, Decimal]:
    """Amounts by asset, none of them negative."""
    balances = {asset.upper(): decimal(text) for asset, text in pairs(value).items()}
    if not balances or any(amount < 0 for amount in balances.values()):
        raise ValueError("a balance is missing or negative")
    return balances


def interval(value: str) -> str:
    """A length of candles that Binance has."""
    if value not in INTERVAL_MS:
        raise ValueError("unknown interval")
    return value


def speed(value: Any) -> Decimal:
    """Market seconds a second."""
    speed = decimal(value)
    if not 0 < speed <= 1_000_000:
        raise ValueError("out of range")
    return speed


def url(*schemes: str) -> AfterValidator:
    """A check of addresses: one of these schemes, with a place."""

    def check(value: str) -> str:
        _check_address(value, schemes)
        return value.rstrip("/")

    return AfterValidator(check)


def relay(value: str) -> str:
    """The name of an exchange of Binance in lower case, or an address."""
    if value.lower() in {"mainnet", "testnet"}:
        return value.lower()
    _check_address(value, ("http", "https"))
    return value.rstrip("/")


def _check_address(address: str, schemes: tuple[str, ...]) -> None:
    parts = urlsplit(address)
    has_place = parts.path if parts.scheme == "unix" else parts.hostname and parts.port != 0  # .port may raise
    if parts.scheme not in schemes or not has_place or re.search(r"\s", address):
        raise ValueError("not such an address")


def redis_url(value: SecretStr) -> SecretStr:
    """An address of Redis."""
    _check_address(value.get_secret_value(), ("redis", "rediss", "unix"))
    return value


def password(value: SecretStr) -> SecretStr:
    """A password of the dashboard: long enough, or its argon2 hash."""
    if len(value.get_secret_value()) < 8:
        raise ValueError("too short")
    return value


def token(value: SecretStr) -> SecretStr:
    """A bearer token: long enough, and something that a header can hold."""
    if not re.fullmatch(r"[!-~]{16,}", value.get_secret_value()):
        raise ValueError("no token")
    return value


def addresses(value: Any) -> Any:
    """Addresses of Apprise, separated by commas, blanks or lines; one may hold commas of its own."""
    found = _parts(value, r"[\s,]+(?=[A-Za-z][A-Za-z0-9.+-]*://)")
    if any(not re.fullmatch(r"[A-Za-z][A-Za-z0-9.+-]*://\S+", text) for text in found):
        raise ValueError("not such addresses")
    return found


def events(value: Any) -> Any:
    """Names in lower case, each once."""
    return tuple(text.lower() for text in _parts(value, ","))


def _parts(value: Any, between: str) -> tuple[str, ...]:
    """The texts of a list, or those that `between` separates in a text, each once."""
    if not isinstance(value, str | list | tuple):
        raise ValueError("neither a text nor a list")  # noqa: TRY004 (pydantic tells a ValueError)
    texts = re.split(between, value) if isinstance(value, str) else map(str, value)
    return tuple(dict.fromkeys(part for text in texts if (part := text.strip(" \t\r\n,"))))


def text_of(value: Any) -> Any:
    """TOML has times of its own; everything else is text already."""
    return value.isoformat() if isinstance(value, date) else value


def lower(value: Any) -> Any:
    """Text in lower case; anything else as it is."""
    return value.strip().lower() if isinstance(value, str) else value


def upper(value: Any) -> Any:
    """Text in capitals; anything else as it is."""
    return value.strip().upper() if isinstance(value, str) else value


Boolean = Annotated[bool, BeforeValidator(_strict_bool)]
Amount = Annotated[Decimal, BeforeValidator(decimal)]
SymbolList = Annotated[tuple[str, ...], BeforeValidator(symbols)]
