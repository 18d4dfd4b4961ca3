"""Since when a limit stops entries, and until when: from pauses, fills, orders and commands. Times are market ms."""

import sqlite3

from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.orders import OrderState
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.risk_state import HOUR_MS
from binance_trade_agent.ledger.sql_view import SqlView
from binance_trade_agent.reports.risk_facts import Facts
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.cooldown import Cooldown
from binance_trade_agent.risk.switches import KillSwitch, OpenOrder, Paused
from binance_trade_agent.risk.unknown_orders import UnknownOrders

Span = tuple[int | None, int | None]

_WINDOWS = {
    "symbol_trades_per_hour": (HOUR_MS, True),
    "symbol_trades_per_day": (DAY_MS, True),
    "trades_per_hour": (HOUR_MS, False),
    "trades_per_day": (DAY_MS, False),
}
_SWITCHES = {KillSwitch.name: CommandKind.KILL, Paused.name: CommandKind.PAUSE}


class Spans:
    """Finds the times of limits that do not allow entries."""

    def __init__(self, connection: sqlite3.Connection, facts: Facts) -> None:
        self._connection = connection
        self._facts = facts

    def of(self, finding: Finding, context: RiskContext) -> Span:
        """Since when the rule of a finding stops entries and until when; None where nobody knows."""
        name, filled_ms = finding.rule, context.last_filled_ms
        if pause := context.state.pauses.get(name):
            return pause.since_ms, pause.until_ms
        if name in _WINDOWS:
            return self._of_count(finding, context.view.symbol)
        if name == Cooldown.name and finding.limit is not None and filled_ms is not None:
            return filled_ms, filled_ms + int(finding.limit * 1000)
        if name in _SWITCHES:
            return queries.last_command_ms(self._connection, _SWITCHES[name]), None
        return self._of_order(name, context.view.symbol), None

    def _of_count(self, finding: Finding, symbol: str) -> Span:
        """From the entry that reached the limit, until so many have left the window that one less remains."""
        window_ms, is_per_symbol = _WINDOWS[finding.rule]
        after_ms = self._facts.now_ms - window_ms
        entries = SqlView(self._connection, self._facts.epoch).entries_since(after_ms)
        filled = sorted(at_ms for name, at_ms in entries if not is_per_symbol or name == symbol)
        limit = int(finding.limit or 0)
        if not 0 < limit <= len(filled):
            return None, None
        return filled[limit - 1], filled[len(filled) - limit] + window_ms

    def _of_order(self, name: str, symbol: str) -> int | None:
        """When the oldest of the orders was made on which a rule waits."""
        orders = [entry.order for entry in queries.unsettled_orders(self._connection, self._facts.epoch)]
        if name == UnknownOrders.name:
            orders = [order for order in orders if order.state is OrderState.UNKNOWN]
        elif name == OpenOrder.name:
            orders = [order for order in orders if order.symbol == symbol and not order.role.is_protective]
        else:
            return None
        return min((order.created_ms for order in orders), default=None)
