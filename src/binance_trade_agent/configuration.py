"""Reading the settings.

Flags win over the environment, that over `.env`, that over `config/*.toml`, that over the chosen risk profile, that
over the defaults. The profiles are the tables of `config/risk.toml`, which is no file of settings itself.
"""

import contextlib
import os
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from binance_trade_agent.settings import Settings, allowed_values, mask, setting_names, shown, suggestion

# A variable with one of these beginnings is ours; one that we do not know is a mistake that must not pass silently.
OWN_PREFIXES = (
    "TRADING_",
    "RISK_",
    "STRATEGY_",
    "SIMULATION_",
    "BINANCE_",
    "DASHBOARD_",
    "MCP_",
    "METRICS_",
    "TRACING_",
    "NOTIFY_",
)
_OF_OTHERS = frozenset({"NOTIFY_SOCKET"})  # systemd's
ALIASES = {"BINANCE_SECRET_KEY": "BINANCE_API_SECRET"}
PROFILES = "risk.toml"
SECRETS = frozenset(
    {
        "BINANCE_API_KEY",
        "BINANCE_API_SECRET",
        "REDIS_URL",
        "DASHBOARD_PASSWORD",
        "DASHBOARD_VIEWER_PASSWORD",
        "MCP_AUTH_TOKEN",
        "NOTIFY_URLS",
    }
)
FROM_FILE = (*sorted(SECRETS), *ALIASES)


class ConfigError(Exception):
    """The configuration is wrong. The text is one sentence a mistake, a line each, for the user. Exit code 2."""


@dataclass(frozen=True)
class Configuration:
    """Effective settings and, by setting name, where each came from (`default`, `environment`, a file, a flag)."""

    settings: Settings
    origins: Mapping[str, str]

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """(name, value with secrets masked, origin) of every setting."""
        for name in setting_names():
            yield name, shown(getattr(self.settings, name.lower())), self.origins.get(name, "default")


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Configuration:
    """Read and check all settings.

    Args:
        flags: by setting name, what the command line gave; None values are ignored.
        environment: instead of the process's own.
        folder: where `.env` and `config/` are looked for; the current folder by default.

    Raises:
        ConfigError: a name is unknown, a file cannot be read, or a value is not allowed.
    """
    environment = os.environ if environment is None else environment
    folder = folder or Path.cwd()
    layers = [
        *_toml_layers(folder / "config"),
        (str(folder / ".env"), _own_values(_dotenv(folder / ".env"), ".env")),
        ("environment", _own_values(environment, "the environment")),
        ("flag", {name: value for name, value in (flags or {}).items() if value is not None}),
    ]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    profile = [layer["RISK_PROFILE"] for _, layer in layers if "RISK_PROFILE" in layer][-1:]
    for origin, layer in [*_profile_layers(folder / "config" / PROFILES, profile), *layers]:
        values.update(layer)
        origins.update(dict.fromkeys(layer, origin))
    return Configuration(settled(values, origins), origins)


def load_only(names: Collection[str], flags: Mapping[str, Any], *, folder: Path | None = None) -> Settings:
    """The settings of these names where they can be read, whatever is wrong with others; the rest have their defaults.

    Args:
        names: of settings.
        flags: by setting name, what the command line gave; None values are ignored.
        folder: as for `load`.
    """
    folder = folder or Path.cwd()
    wanted = {*names, *(f"{name}_FILE" for name in names)}
    values: dict[str, Any] = {}
    for layer in (
        lambda: (pair for _, table in _toml_layers(folder / "config") for pair in table.items()),
        lambda: _own_values(_only(wanted, _dotenv(folder / ".env")), ".env").items(),
        lambda: _own_values(_only(wanted, os.environ), "the environment").items(),
        lambda: ((name, value) for name, value in flags.items() if value is not None),
    ):
        with contextlib.suppress(ConfigError):
            for name, value in layer():
                with contextlib.suppress(ConfigError):
                    if name in names:
                        settled({name: value}, {name: ""})
                        values[name] = value
    return settled(values, dict.fromkeys(values, ""))


def _only(wanted: Collection[str], variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name in wanted}


def settled(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    """The settings of these values; all others have their defaults.

    Args:
        values: by setting name.
        origins: of each of them where it is from, for the sentences.

    Raises:
        ConfigError: a value is not allowed.
    """
    try:
        return Settings(**{name.lower(): value for name, value in values.items()})
    except ValidationError as failure:
        raise ConfigError("\n".join(_sentences(failure, values, origins))) from None


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        values = dotenv_values(path, interpolate=False, encoding="utf-8-sig")  # editors of Windows begin with a mark
        return {name: value for name, value in values.items() if value is not None}
    except (OSError, UnicodeDecodeError) as failure:
        raise ConfigError(f"{path} cannot be read: {failure}.") from None


def _own_values(variables: Mapping[str, str], place: str) -> dict[str, Any]:
    """Our settings among `variables`; empty values count as not set, as docker-compose passes them."""
    known = set(setting_names()) | set(ALIASES) | {f"{name}_FILE" for name in FROM_FILE}
    values: dict[str, Any] = {}
    given_as: dict[str, str] = {}
    for name, value in variables.items():
        if name not in known:
            if name in _OF_OTHERS:
                continue
            if name.upper().startswith(OWN_PREFIXES):
                raise ConfigError(f"{name} in {place} is not a setting{suggestion(name, tuple(sorted(known)))}.")
            continue
        if not value.strip():
            continue
        setting = name.removesuffix("_FILE") if name.endswith("_FILE") else name
        setting = ALIASES.get(setting, setting)
        if setting in values:
            raise ConfigError(f"{given_as[setting]} and {name} in {place} are the same setting: keep one of them.")
        given_as[setting] = name
        values[setting] = _secret_from(name, Path(value.strip())) if name.endswith("_FILE") else value.strip()
    return values


def _secret_from(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else "it is not text"
        raise ConfigError(f"{name}={path}: the file cannot be read ({reason}).") from None


def _toml_layers(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, settings) of each file in alphabetical order, so that a later file wins."""
    for path in sorted(folder.glob("*.toml")):
        if path.name != PROFILES:
            yield str(path), dict(_flat(_toml(path), path))


def _profile_layers(path: Path, chosen: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The settings of the chosen risk profile; none when none is chosen, or when it is no name at all."""
    profile = str(chosen[0]).strip().lower() if chosen else ""
    if profile not in allowed_values("RISK_PROFILE").replace(" or ", ", ").split(", "):
        return  # that it is no profile the settings say
    if not path.is_file():
        raise ConfigError(f"RISK_PROFILE={profile}: {path}, which holds the profiles, is not there.")
    table = _toml(path).get(profile)
    if not isinstance(table, dict):
        raise ConfigError(f"RISK_PROFILE={profile}: {path} has no table [{profile}].")
    layer = dict(_flat(table, path, prefix="RISK_"))
    if "RISK_PROFILE" in layer:
        raise ConfigError(f"profile in {path} stands within a profile: set RISK_PROFILE elsewhere.")
    yield f"{path}, profile {profile}", layer


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as failure:
        raise ConfigError(f"{path} cannot be read: {failure}.") from None


def _flat(tables: Mapping[str, Any], path: Path, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        name = f"{prefix}{key}".upper()
        if name in setting_names():
            yield name, value
        elif isinstance(value, dict):
            yield from _flat(value, path, prefix=f"{name}_")
        else:
            raise ConfigError(f"{name.lower()} in {path} is not a setting{suggestion(name)}.")


def _sentences(failure: ValidationError, values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    seen = set()
    for error in failure.errors():
        if not error["loc"]:  # a check of several settings together brings its own sentence
            yield str(error["ctx"]["error"])
            continue
        name = str(error["loc"][0]).upper()
        if name not in seen:
            seen.add(name)
            yield _sentence(name, values[name], origins[name])


def _sentence(name: str, value: Any, origin: str) -> str:
    given = mask(str(value)) if name in SECRETS else _as_written(value)
    given = "****" if name == "NOTIFY_URLS" else given  # all of such an address is secret
    allowed = allowed_values(name)
    choices = tuple(allowed.removeprefix("one of ").replace(" or ", ", ").split(", "))
    is_choice = len(choices) > 1 and not any(" " in choice for choice in choices) and "true" not in choices
    hint = suggestion(str(value), choices).replace("valid name", "one") if is_choice else ""
    place = {"flag": "given as a flag", "environment": "from the environment"}.get(origin, f"in {origin}")
    return f"{name}={given} ({place}) is not allowed: it must be {allowed}{hint}."


def _as_written(value: Any) -> str:
    return shown(tuple(value)) if isinstance(value, list) else shown(value)
