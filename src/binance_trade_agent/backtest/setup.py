"""What a backtest was made of, in words for its report."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.money import plain
from binance_trade_agent.settings import Settings, shown
from binance_trade_agent.strategies.base import Strategy

# Of the settings with these beginnings all matter but what the daemon alone needs, or what the report says elsewhere.
_PREFIXES = ("trading_", "risk_")
_NOT_OF_A_BACKTEST = frozenset(
    {
        "trading_mode",
        "trading_symbols",
        "trading_interval_seconds",
        "trading_duration_minutes",
        "trading_candle_interval",
        "trading_orders_on_stop",
        "trading_instance",
        "trading_autostart",
        "risk_max_data_age_seconds",
        "risk_max_unknown_orders",
        "risk_suspend_after_failures",
        "risk_suspend_ticks",
    }
)


def changed_settings(settings: Settings) -> dict[str, str]:
    """Settings that a backtest depends on and that differ from their defaults, by their names in capitals."""
    return {
        name.upper(): shown(getattr(settings, name))
        for name, field in Settings.model_fields.items()
        if name.startswith(_PREFIXES)
        and name not in _NOT_OF_A_BACKTEST
        and getattr(settings, name) != field.get_default(call_default_factory=True)
    }


def parameters_of(strategies: Mapping[str, Strategy[Any]]) -> dict[str, str]:
    """The strategy's parameters with their defaults: those of the first symbol, then `SYMBOL.name` where others differ.

    Args:
        strategies: by symbol, one at least.
    """
    values = {
        symbol: {name: _text(value) for name, value in strategy.params.model_dump().items()}
        for symbol, strategy in strategies.items()
    }
    first = next(iter(values.values()))
    others = {
        f"{symbol}.{name}": value
        for symbol, own in values.items()
        for name, value in own.items()
        if value != first.get(name)
    }
    return first | others


def _text(value: Any) -> str:
    """As `--params` takes it."""
    return str(value).lower() if isinstance(value, bool) else plain(Decimal(str(value)))
