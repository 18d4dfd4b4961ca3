"""The limits, sizes and exits that the settings ask for, in the form in which the room `risk/` takes them."""

from dataclasses import fields
from typing import Any

from binance_trade_agent.risk.exits import ExitSettings
from binance_trade_agent.risk.settings import RiskSettings, SizingSettings
from binance_trade_agent.settings import Settings


def risk_settings(settings: Settings) -> RiskSettings:
    """The limits on entries: RISK_..., and TRADING_... for their size."""
    return RiskSettings(**_named(RiskSettings, settings, "risk_"), sizing=sizing_settings(settings))


def limit_names() -> tuple[str, ...]:
    """Names of the settings that `risk_settings` is made of."""
    names = [f"risk_{each.name}" for each in fields(RiskSettings)]
    names += [f"trading_{each.name}" for each in fields(SizingSettings)]
    return tuple(name.upper() for name in names if name in Settings.model_fields)


def sizing_settings(settings: Settings) -> SizingSettings:
    """How much an entry spends: TRADING_..."""
    return SizingSettings(**(_named(SizingSettings, settings, "trading_") | {"sizing": settings.sizing}))


def exit_settings(settings: Settings) -> ExitSettings:
    """When a position is left: RISK_..."""
    closes = settings.risk_unprotected == "close"
    return ExitSettings(**_named(ExitSettings, settings, "risk_"), closes_when_refused=closes)


def measures_range(limits: RiskSettings, exits: ExitSettings) -> bool:
    """Whether a limit, a size or an exit hangs on the average true range of a candle."""
    return exits.measures_range or bool(limits.max_volatility_pct) or limits.sizing.sizing == "volatility"


def _named(kind: Any, settings: Settings, prefix: str) -> dict[str, Any]:
    """The fields of the dataclass `kind` that are settings, by name."""
    names = {field.name: f"{prefix}{field.name}" for field in fields(kind)}
    return {name: getattr(settings, setting) for name, setting in names.items() if setting in Settings.model_fields}
