"""Checking the symbols and the order size that a person asked for against what the exchange trades."""

from collections.abc import Sequence

from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.errors import UNKNOWN_SYMBOL_CODE, RejectedError
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.settings import Settings


async def tradable_rules(gateway: Gateway, settings: Settings) -> dict[str, SymbolRules]:
    """Rules of TRADING_SYMBOLS, in their order.

    Raises:
        ConfigError: a symbol is not traded there, they have different quote assets, or TRADING_ORDER_QUOTE is under a
            symbol's minimum notional.
        ExchangeError: the exchange could not be asked.
    """
    symbols = settings.trading_symbols
    try:
        found = await gateway.symbol_rules(symbols)
    except RejectedError as refusal:
        if refusal.code != UNKNOWN_SYMBOL_CODE:
            raise
        raise ConfigError(_unknown_symbol(symbols, await gateway.all_symbols())) from None
    rules = {symbol: found[symbol] for symbol in symbols}
    quotes = sorted({entry.quote_asset for entry in rules.values()})
    if len(quotes) > 1:
        raise ConfigError(
            f"TRADING_SYMBOLS mixes the quote assets {' and '.join(quotes)}: use symbols with one of them."
        )
    if settings.trading_order_fraction is None:
        for entry in rules.values():
            _check_order_size(settings, entry)
    return rules


def _check_order_size(settings: Settings, rules: SymbolRules) -> None:
    if rules.min_notional_on_market and settings.trading_order_quote < rules.min_notional:
        raise ConfigError(
            f"TRADING_ORDER_QUOTE={plain(settings.trading_order_quote)} is under {rules.symbol}'s minimum notional, "
            f"{plain(rules.min_notional)} {rules.quote_asset}: use clearly more, so that what was bought can be sold."
        )


def _unknown_symbol(asked: Sequence[str], traded: Sequence[str]) -> str:
    unknown = next(symbol for symbol in asked if symbol not in traded)
    near = nearest(unknown, traded)
    hint = f"; the nearest it trades is {near}" if near else ""
    return f"{unknown} in TRADING_SYMBOLS is not traded on this exchange{hint}."
