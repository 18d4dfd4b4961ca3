"""Checking the symbols and the order size that a person asked for against what the exchange trades."""

from collections.abc import Collection, Mapping, Sequence
from decimal import ROUND_UP, Decimal

from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.errors import UNKNOWN_SYMBOL_CODE, RejectedError
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.ledger import restorations
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.limits import exit_settings
from binance_trade_agent.risk.exits import lowest_stop_fraction
from binance_trade_agent.settings import Settings


async def tradable_rules(gateway: Gateway, settings: Settings) -> dict[str, SymbolRules]:
    """Rules of TRADING_SYMBOLS, in their order.

    Raises:
        ConfigError: a symbol is not traded there, they have different quote assets, or what TRADING_ORDER_QUOTE buys
            would at its stop be worth less than a symbol's minimum notional.
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
    if settings.sizing in {"quote", "kelly"}:
        for entry in rules.values():
            _check_order_size(settings, entry)
    return rules


async def rules_of_books(
    gateway: Gateway, ledger: Ledger, rules: Mapping[str, SymbolRules], *, is_shared: bool = False
) -> dict[str, SymbolRules]:
    """`rules`, and those of other symbols on which the ledger has an unsettled order or a position.

    Such are left when TRADING_SYMBOLS has changed. One that the exchange does not list any more is left out. Of a
    ledger that was put back it is all that were ever traded: they may have such an order or position by now. Where
    others share the account (`is_shared`) one of which only dust is held is left out too: see `of_its_own`.

    Raises:
        ExchangeError: the exchange could not be asked.
    """
    held = {symbol: position.quantity for symbol, position in (await ledger.positions()).items() if position.quantity}
    in_question = {order.symbol for order in await ledger.open_orders()} | await ledger.read(
        restorations.symbols_to_ask
    )
    others = (held.keys() | in_question) - rules.keys()
    listed = others.intersection(await gateway.all_symbols()) if others else set()
    known = {**rules, **(await gateway.symbol_rules(sorted(listed)) if listed else {})}
    return await of_its_own(gateway, known, {*rules, *in_question}, held) if is_shared else known


async def of_its_own(
    gateway: Gateway, rules: Mapping[str, SymbolRules], certain: Collection[str], held_base: Mapping[str, Decimal]
) -> dict[str, SymbolRules]:
    """Of `rules` those of a daemon that shares its account: not what it trades no more and holds but dust of.

    Dust cannot be sold, and must not keep a symbol from another daemon for ever.

    Args:
        gateway: asked for the price of what is held.
        rules: of all symbols in its books.
        certain: those that it trades, or that have orders under way.
        held_base: its positions.

    Raises:
        ExchangeError: the exchange could not be asked.
    """

    async def is_its_own(entry: SymbolRules) -> bool:
        quantity = held_base.get(entry.symbol, ZERO)
        return quantity > 0 and not entry.is_dust(quantity, (await gateway.book_ticker(entry.symbol)).bid)

    return {symbol: entry for symbol, entry in rules.items() if symbol in certain or await is_its_own(entry)}


def _check_order_size(settings: Settings, rules: SymbolRules) -> None:
    if rules.min_notional_on_market and settings.trading_order_quote < rules.min_notional:
        raise ConfigError(
            f"TRADING_ORDER_QUOTE={plain(settings.trading_order_quote)} is under {rules.symbol}'s minimum notional, "
            f"{plain(rules.min_notional)} {rules.quote_asset}: use clearly more, so that what was bought can be sold."
        )
    at_stop = lowest_stop_fraction(exit_settings(settings), Decimal(1), None)
    if at_stop and settings.trading_order_quote * at_stop < rules.min_notional:
        least = (rules.min_notional / at_stop).quantize(Decimal("0.01"), ROUND_UP)
        raise ConfigError(
            f"TRADING_ORDER_QUOTE={plain(settings.trading_order_quote)} is too little to protect: at its stop it would "
            f"be worth less than {rules.symbol}'s minimum notional, {plain(rules.min_notional)} {rules.quote_asset}; "
            f"use clearly more than {plain(least)}."
        )


def _unknown_symbol(asked: Sequence[str], traded: Sequence[str]) -> str:
    known = frozenset(traded)
    unknown = next(symbol for symbol in asked if symbol not in known)
    near = nearest(unknown, traded)
    hint = f"; the nearest it trades is {near}" if near else ""
    return f"{unknown} in TRADING_SYMBOLS is not traded on this exchange{hint}."
