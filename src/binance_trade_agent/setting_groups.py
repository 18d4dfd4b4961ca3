"""The settings of trading and of risk, by their first words, and how a field says what it means and may be."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings

from binance_trade_agent import setting_types
from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.setting_types import Amount, Boolean, SymbolList

Mode = Literal["simulated", "paper", "testnet", "live"]


def setting(default: Any, description: str, allowed: str, **constraints: Any) -> Any:
    """A field with what it means (description) and what it may be (allowed), both for the user's eyes."""
    return Field(default, description=description, json_schema_extra={"allowed": allowed}, **constraints)


def percentage(
    default: Decimal | int, description: str, *, least: str = "0", most: str = "100", **constraints: Any
) -> Any:
    """A setting in percent, from `least` to `most`."""
    bounds = {**({} if "gt" in constraints else {"ge": 0}), **({} if {"le", "lt"} & set(constraints) else {"le": 100})}
    return setting(Decimal(default), description, f"a percentage, {least} to {most}", **bounds, **constraints)


def multiple(what: str) -> Any:
    """A distance in average true ranges, in place of the setting in percent."""
    return setting(Decimal(0), f"{what}; above 0 it takes the place of the one in percent", "0 to 100", ge=0, le=100)


def count(default: int, description: str) -> Any:
    """The most of something."""
    return setting(default, f"{description}; 0 = no limit", "a whole number, 0 to 100000", ge=0, le=100_000)


class TradingSettings(BaseSettings):
    """Where and what is traded, by which strategy, and how large an entry is."""

    trading_mode: Annotated[Mode, BeforeValidator(setting_types.lower)] | None = setting(
        None,
        "where it trades; without one: testnet when keys are set, else simulated",
        "simulated, paper, testnet or live",
    )
    trading_symbols: SymbolList = setting(
        ("BTCUSDT", "ETHUSDT"), "symbols to trade, all with the same quote asset", "symbols separated by commas"
    )
    trading_interval_seconds: int = setting(
        120, "seconds from one tick to the next", "a whole number of seconds, 1 to 86400", ge=1, le=86_400
    )
    trading_duration_minutes: Amount = setting(
        Decimal(60), "minutes until it stops by itself; 0 = for ever", "a number of minutes, 0 or more", ge=0
    )
    trading_candle_interval: Annotated[str, AfterValidator(setting_types.interval)] = setting(
        "1m", "candles that strategies look at", "one of " + ", ".join(INTERVAL_MS)
    )
    trading_feed: Annotated[Literal["own", "shared"], BeforeValidator(setting_types.lower)] = setting(
        "own",
        "where candles, prices and rules come from: own = this daemon's connections; shared = `trade-agent feed`, over "
        "Redis, and its own connections while that is away",
        "own or shared",
    )
    trading_orders_on_stop: Annotated[
        Literal["cancel_entries", "keep", "cancel_all"], BeforeValidator(setting_types.lower)
    ] = setting(
        "cancel_entries",
        "what becomes of open orders when it stops: cancel_entries = entries are cancelled, exits stay",
        "cancel_entries, keep or cancel_all",
    )
    trading_order_quote: Amount = setting(
        Decimal(100), "size of an entry in quote asset", "an amount of quote asset above 0", gt=0
    )
    trading_order_fraction: Amount | None = setting(
        None, "size of an entry as a fraction of equity, instead of TRADING_ORDER_QUOTE", "above 0, up to 1", gt=0, le=1
    )
    trading_sizing: (
        Annotated[Literal["quote", "fraction", "volatility", "kelly"], BeforeValidator(setting_types.lower)] | None
    ) = setting(
        None,
        "how an entry is sized; without one: fraction when TRADING_ORDER_FRACTION is set, else quote",
        "quote, fraction, volatility or kelly",
    )
    trading_volatility_target_pct: Amount = percentage(
        Decimal("0.1"),
        "volatility sizing: percent of equity that a move of one average true range of a candle is to cost",
        least="above 0",
        gt=0,
    )
    trading_kelly_multiplier: Amount = setting(
        Decimal("0.25"), "kelly sizing: part of the Kelly fraction that is used", "above 0, up to 1", gt=0, le=1
    )
    trading_kelly_cap_pct: Amount = percentage(
        10, "kelly sizing: most that an entry spends, in percent of equity", least="above 0", gt=0
    )
    trading_kelly_exits: int = setting(
        20,
        "kelly sizing: latest exits that it learns from; with fewer, or no loss among them, TRADING_ORDER_QUOTE holds",
        "a whole number, 5 to 200",
        ge=5,
        le=200,
    )
    trading_confirm_interval: Annotated[str, AfterValidator(setting_types.interval)] | None = setting(
        None,
        "larger candles on which the strategy has to lean the same way before an entry; without one none",
        "one of " + ", ".join(INTERVAL_MS),
    )
    trading_instance: str = setting(
        "default",
        "name of this daemon; part of its client order ids, so two daemons on one account need two names",
        "1 to 20 letters, digits or dashes",
        pattern=r"^[A-Za-z0-9-]{1,20}$",
    )
    trading_capital_quote: Amount = setting(
        Decimal(0),
        "what this daemon has of the account's quote asset, where several daemons share the account, each with symbols "
        "of its own; needs REDIS_URL; 0 = all of the account is this daemon's",
        "an amount of quote asset, 0 or more",
        ge=0,
    )
    account_max_exposure_quote: Amount = setting(
        Decimal(0),
        "most that all daemons of a shared account hold together, open purchases included; 0 = no limit",
        "an amount of quote asset, 0 or more",
        ge=0,
    )
    account_max_open_positions: int = setting(
        0,
        "most positions that all daemons of a shared account hold together; 0 = no limit",
        "a whole number, 0 to 10000",
        ge=0,
        le=10_000,
    )
    trading_autostart: Boolean = setting(
        True, "in Docker: start trading with the container", "true, false, 1, 0, yes or no"
    )
    trader_on_finish: Annotated[Literal["stay", "end"], BeforeValidator(setting_types.lower)] = setting(
        "stay", "in Docker: what the container does when TRADING_DURATION_MINUTES is over", "stay or end"
    )
    strategy_name: str = setting("combined_default", "strategy; `trade-agent strategies` lists them", "a strategy")
    strategy_params: Annotated[dict[str, str], BeforeValidator(setting_types.strategy_params)] = setting(
        {},
        "parameters of the strategy; SYMBOL.name=value holds for one symbol",
        "name=value pairs separated by commas, each name once, such as rsi_period=10,ETHUSDT.rsi_period=14",
    )


class RiskAndExitSettings(BaseSettings):
    """Limits on entries, and how positions are left."""

    risk_profile: (
        Annotated[Literal["conservative", "balanced", "aggressive"], BeforeValidator(setting_types.lower)] | None
    ) = setting(
        None,
        "profile of config/risk.toml whose values hold where no other source sets them; the defaults are balanced",
        "conservative, balanced or aggressive",
    )
    risk_max_order_quote: Amount = setting(
        Decimal(500), "largest single entry, in quote asset", "an amount above 0", gt=0
    )
    risk_max_position_quote: Amount = setting(
        Decimal(500), "largest position a symbol, at the current price, in quote asset", "an amount above 0", gt=0
    )
    risk_max_exposure_pct: Amount = percentage(
        80, "most that all positions together may be worth, in percent of equity", least="above 0", gt=0
    )
    risk_max_open_positions: int = setting(
        5, "most symbols with an open position", "a whole number, 1 to 1000", ge=1, le=1000
    )
    risk_min_confidence: Amount = setting(
        Decimal("0.5"), "least confidence of a signal that is followed", "0 to 1", ge=0, le=1
    )
    risk_cooldown_seconds: int = setting(
        300, "seconds after an entry before the next one on the same symbol", "whole seconds, 0 or more", ge=0
    )
    risk_max_trades_per_hour: int = count(20, "most filled entries in any hour, all symbols together")
    risk_max_trades_per_day: int = count(100, "most filled entries in any 24 hours, all symbols together")
    risk_max_symbol_trades_per_hour: int = count(6, "most filled entries in any hour on one symbol")
    risk_max_symbol_trades_per_day: int = count(30, "most filled entries in any 24 hours on one symbol")
    risk_max_consecutive_losses: int = count(5, "exits in a row at a loss after which entries pause")
    risk_loss_pause_minutes: int = setting(
        60, "minutes of that pause, from the last of the losses", "whole minutes, 1 to 525600", ge=1, le=525_600
    )
    risk_max_daily_loss_pct: Amount = percentage(
        5, "loss since the UTC day began, in percent of its equity then, after which entries pause for the day; 0 = off"
    )
    risk_max_drawdown_pct: Amount = percentage(
        10, "fall from the highest equity, in percent of it, after which entries pause; 0 = off"
    )
    risk_drawdown_pause_minutes: int = setting(
        1440,
        "minutes of that pause; after it the fall is measured from the equity of then",
        "whole minutes, 1 to 525600",
        ge=1,
        le=525_600,
    )
    risk_max_volatility_pct: Amount = percentage(
        5, "highest average true range of a candle, in percent of the price, at which is entered; 0 = off"
    )
    risk_atr_period: int = setting(
        14,
        "candles that the average true range of sizing, volatility limit and exits looks back",
        "2 to 70",
        ge=2,
        le=70,
    )
    risk_max_spread_pct: Amount = percentage(
        Decimal("0.5"), "widest spread between bid and ask, in percent of their middle, at which is entered; 0 = off"
    )
    risk_max_slippage_pct: Amount = percentage(
        Decimal("0.5"),
        "most that an entry may be expected to fill above the best ask, over the book's depth, in percent; 0 = off",
    )
    risk_max_price_deviation_pct: Amount = percentage(
        2, "farthest that the best ask may be from the last trade, in percent, at an entry; 0 = off"
    )
    risk_max_data_age_seconds: int = setting(
        30, "oldest book on which is entered", "whole seconds, 1 to 3600", ge=1, le=3600
    )
    risk_max_unknown_orders: int = setting(
        3, "orders of unknown outcome at which no entry is made on any symbol", "a whole number, 1 to 100", ge=1, le=100
    )
    risk_suspend_after_failures: int = setting(
        5, "failures in a row after which a symbol is left alone", "a whole number, 1 to 1000", ge=1, le=1000
    )
    risk_suspend_ticks: int = setting(
        10, "ticks for which it is left alone", "a whole number, 1 to 100000", ge=1, le=100_000
    )
    risk_stop_loss_pct: Amount = percentage(
        2, "stop-loss on the exchange, percent below the average entry price; 0 = none", most="below 100", lt=100
    )
    risk_stop_loss_atr: Amount = multiple("stop-loss below the average entry price in average true ranges at the entry")
    risk_take_profit_pct: Amount = percentage(
        4, "take-profit on the exchange, percent above the average entry price; 0 = none", most="1000", le=1000
    )
    risk_take_profit_atr: Amount = multiple("take-profit above the average entry price in average true ranges")
    risk_target_table: Annotated[dict[int, Decimal], BeforeValidator(setting_types.target_table)] = setting(
        {},
        "take-profit by the minutes in the position, in place of RISK_TAKE_PROFIT_PCT and _ATR: from each minute on, "
        "the percent above the average entry price",
        "minutes=percent pairs separated by commas, such as 0=4,30=2,60=1",
    )
    risk_trailing_stop_pct: Amount = percentage(
        0, "trailing stop, percent below the highest price since the entry; 0 = none", most="below 100", lt=100
    )
    risk_trailing_stop_atr: Amount = multiple("trailing stop below the highest price in average true ranges")
    risk_trailing_start_pct: Amount = percentage(
        0, "profit in percent that the highest price has to have reached before the stop trails", most="1000", le=1000
    )
    risk_trailing_step_pct: Amount = percentage(
        Decimal("0.1"), "least move of a trailing stop on the exchange, in percent of the price", most="10", le=10
    )
    risk_trailing_seconds: int = setting(
        10, "least seconds between two moves of a trailing stop", "whole seconds, 1 to 3600", ge=1, le=3600
    )
    risk_time_stop_minutes: int = setting(
        0,
        "minutes in a position after which it is closed at market; 0 = never",
        "whole minutes, 0 to 525600",
        ge=0,
        le=525_600,
    )
    risk_strategy_exit: Boolean = setting(
        True, "whether a SELL of the strategy closes the position", "true, false, 1, 0, yes or no"
    )
    risk_unprotected: Annotated[Literal["protect", "close"], BeforeValidator(setting_types.lower)] = setting(
        "protect",
        "when the exchange refuses a position's protection, or somebody cancels it: protect = try again, close = sell",
        "protect or close",
    )
