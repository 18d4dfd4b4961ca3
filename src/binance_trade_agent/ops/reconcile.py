"""`trade-agent reconcile`: ledger against exchange, each difference to the last digit. It changes neither.

Of many symbols it asks about the trades of all of which the ledger has trades, with half of what may be asked a minute.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import partial

from binance_trade_agent import exit_codes
from binance_trade_agent.agents import in_question
from binance_trade_agent.agents.account_entry import common_quote
from binance_trade_agent.agents.account_part import part_of_account
from binance_trade_agent.agents.facts import compared, ledger_facts
from binance_trade_agent.agents.symbols import of_its_own
from binance_trade_agent.configuration import ConfigError, Configuration
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.connect import connected
from binance_trade_agent.exchange.embedded import ExchangeStartError, has_traded_market
from binance_trade_agent.exchange.errors import AuthError, ExchangeError
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.lock import is_held
from binance_trade_agent.ledger.own_part import OwnPart, own_part
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.reconciliation import LedgerFacts, Reconciliation
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.terminal import complain
from binance_trade_agent.settings import Settings

_TRIES, _SETTLE_SECONDS = 10, 1.0
_LONGEST_WAIT_SECONDS = 90


def compare(configuration: Configuration) -> int:
    """Print notes and differences, then `N differences`. Returns 0 for none, 1 for some, 2 for wrong settings."""
    try:
        result = asyncio.run(_compare(configuration))
    except (ConfigError, AuthError) as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    except (LedgerError, ExchangeError, ExchangeStartError) as failure:
        return complain(failure, exit_codes.FAILURE)
    for note in result.notes:
        print(f"note: {note}")
    for difference in result.differences:
        print(difference.text)
    print(f"{len(result.differences)} differences")
    return exit_codes.FAILURE if result.differences else exit_codes.OK


async def _compare(configuration: Configuration) -> Reconciliation:
    settings = configuration.settings
    with LedgerReader.open(settings.ledger_path) as reader:
        symbols = reader.snapshot(lambda connection: _symbols(connection, settings.trading_symbols))
        if settings.is_simulated and settings.exchange_url is None and not has_traded_market(settings):
            raise ConfigError(
                f"{settings.ledger_path} was traded on another market: give the TRADING_SYMBOLS and SIMULATION_ "
                "settings that the trader had."
            )
        async with connected(settings) as connection:
            rules = await connection.gateway.symbol_rules(symbols)
            if settings.shares_account:
                rules = await _of_its_own(connection.gateway, settings, reader, rules)
            return await what_stands(
                lambda: reader.snapshot(lambda connection: ledger_facts(connection, tuple(rules))),
                partial(_compared, _seen(connection.gateway, settings, reader, rules), rules),
                lambda: is_held(settings.ledger_path),
            )


def _seen(gateway: Gateway, settings: Settings, reader: LedgerReader, rules: Mapping[str, SymbolRules]) -> Gateway:
    """The exchange as the trader sees it: of an account that it shares, its part."""
    if not settings.shares_account:
        return gateway
    quote_asset, capital_quote = common_quote(rules.values()), settings.trading_capital_quote

    async def part() -> OwnPart:
        return reader.snapshot(lambda connection: own_part(connection, quote_asset, capital_quote))

    return part_of_account(gateway, quote_asset, {entry.base_asset for entry in rules.values()}, part)


async def _of_its_own(
    gateway: Gateway, settings: Settings, reader: LedgerReader, rules: Mapping[str, SymbolRules]
) -> dict[str, SymbolRules]:
    """As the trader has it; see rules_of_books."""

    def look(connection: sqlite3.Connection) -> tuple[set[str], dict[str, Decimal]]:
        number = queries.epoch_number(connection)
        held = {symbol: position.quantity for symbol, position in queries.positions(connection, number).items()}
        return {entry.order.symbol for entry in queries.unsettled_orders(connection, number)}, held

    unsettled, held = reader.snapshot(look)
    return await of_its_own(gateway, rules, {*settings.trading_symbols, *unsettled}, held)


async def _compared(gateway: Gateway, rules: Mapping[str, SymbolRules], ours: LedgerFacts) -> Reconciliation:
    """Both sides; of many symbols the trades of those that have traded."""
    if in_question.are_few(tuple(rules)):
        return await compared(gateway, ours, rules.values())
    traded = {fill.symbol for fill in ours.fills}
    return await compared(gateway, ours, rules.values(), traded, pace=partial(_leave_half, gateway))


async def what_stands(
    read: Callable[[], LedgerFacts],
    compare_with_exchange: Callable[[LedgerFacts], Awaitable[Reconciliation]],
    somebody_trades: Callable[[], bool],
    *,
    settle_seconds: float = _SETTLE_SECONDS,
) -> Reconciliation:
    """What differs and stays so. A trader that works moves ledger and exchange between one being read and the other.

    A difference counts when nobody trades, or when the ledger says a moment later what it said before; else both are
    read again, at most `_TRIES` times.

    Args:
        read: the ledger's side.
        compare_with_exchange: asks the exchange for its side.
        somebody_trades: whether a trader has the ledger.
        settle_seconds: how long what is under way has to reach the ledger.
    """
    result = await compare_with_exchange(ours := read())
    for _ in range(_TRIES - 1):
        if not result.differences or not somebody_trades():
            break
        await sleep_seconds(settle_seconds)
        if read() == ours:
            break
        result = await compare_with_exchange(ours := read())
    return result


async def _leave_half(gateway: Gateway) -> None:
    """Return when less than half of the minute's weight is used, or after a while: the trader asks too."""
    for _ in range(_LONGEST_WAIT_SECONDS):
        if gateway.has_leisure:
            return
        await sleep_seconds(1.0)


def _symbols(connection: sqlite3.Connection, symbols: tuple[str, ...]) -> tuple[str, ...]:
    """The symbols that are set and those that the ledger has traded."""
    epoch = queries.current_epoch(connection)
    traded = queries.positions(connection, epoch.epoch) if epoch else {}
    return tuple(dict.fromkeys((*symbols, *traded)))
