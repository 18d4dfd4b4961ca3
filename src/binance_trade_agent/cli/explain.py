"""Commands that tell why: `why`, of one decision or order; `risk`, of the limits as they stand."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from binance_trade_agent import exit_codes
from binance_trade_agent.cli.shared import SettingsCommand, configuration_of, fail, json_option, ledger_path_option

if TYPE_CHECKING:
    from binance_trade_agent.reports.risk_limits import Trader
    from binance_trade_agent.settings import Settings


@click.command("why")
@click.argument("symbol")
@click.option("--at", "at", metavar="TIME", help="The tick at or before 14:38 or 2026-01-05T14:38, UTC.")
@click.option("--last", "last", type=click.IntRange(min=1), metavar="N", help="The last N decisions, a line each.")
@click.option("--order", "order", metavar="ID", help="A client order id or its beginning, or the exchange's number.")
@json_option
@ledger_path_option
def why(
    symbol: str, at: str | None, last: int | None, order: str | None, as_json: bool, ledger_path: Path | None
) -> None:
    """Why a decision came out as it did: market, signal, each rule, the order and what became of it.

    From the ledger alone; without an option, the last decision on SYMBOL.
    """
    if sum(option is not None for option in (at, last, order)) > 1:
        fail("--at, --last and --order each ask for something else: give one of them.")
    from binance_trade_agent.ledger.errors import LedgerError
    from binance_trade_agent.ledger.reader import LedgerReader
    from binance_trade_agent.reports import latest, why, why_text

    path = configuration_of({"LEDGER_PATH": ledger_path}).settings.ledger_path
    symbol = symbol.upper()
    try:
        with LedgerReader.open(path) as reader:
            if last is not None:
                decisions = latest.latest(reader, symbol, last)
            elif order is not None:
                found = why.explain_order(reader, symbol, order)
            elif at is not None:
                found = why.explain_at(reader, symbol, at)
            else:
                found = why.explain_last(reader, symbol)
    except (LedgerError, ValueError) as failure:
        fail(str(failure), exit_codes.FAILURE)
    if last is not None:
        print(why.as_json(decisions) if as_json else "\n".join(latest.lines(decisions)))
    else:
        print(why.as_json(found) if as_json else "\n".join(why_text.lines(found)))


@click.command("risk", cls=SettingsCommand)
@click.option("--symbol", help="Only this symbol, beside the account's own limits.")
@json_option
def risk(symbol: str | None, as_json: bool, **flags: Any) -> None:
    """Each limit on entries: its setting, its value now, how far it is, and what stops entries now.

    From the ledger and the settings; what only the market knows is as it was seen last.
    """
    settings = configuration_of(flags).settings
    from binance_trade_agent.ledger.errors import LedgerError
    from binance_trade_agent.ledger.reader import LedgerReader
    from binance_trade_agent.reports import risk_limits, risk_limits_text

    try:
        with LedgerReader.open(settings.ledger_path) as reader:
            trader = _trader(settings)
            found = risk_limits.risk_limits(reader, settings, trader, symbol and symbol.upper())
    except (LedgerError, ValueError) as failure:
        fail(str(failure), exit_codes.FAILURE)
    print(risk_limits.as_json(found) if as_json else "\n".join(risk_limits_text.lines(found)))


def _trader(settings: "Settings") -> "Trader":
    """What is known of the process that trades."""
    from binance_trade_agent.ledger.lock import is_held
    from binance_trade_agent.ops import heartbeat, vitals
    from binance_trade_agent.ops.clock import wall_ms
    from binance_trade_agent.reports.risk_limits import Trader

    beat = heartbeat.read(heartbeat.heartbeat_path(settings.ledger_path))
    gate = beat.detail if beat is not None and beat.state == "trading" else ""
    is_running = is_held(settings.ledger_path)
    told = vitals.read(vitals.vitals_path(settings.ledger_path)) if is_running else None
    return Trader(is_running, gate, wall_ms(), told.account if told else None)
