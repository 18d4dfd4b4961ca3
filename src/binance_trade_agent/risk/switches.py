"""What keeps orders back altogether: an order under way, a switch that a person has thrown, trouble."""

from functools import cache
from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.risk.context import RiskContext

_KILLED = Finding(
    "kill_switch", False, "the kill switch is on until `trade-agent release` with the name of the instance"
)
_NOT_KILLED = Finding("kill_switch", True, "the kill switch is off")
_PAUSED = {scope: Finding("pause", False, f"{scope.held_back} paused until `resume`") for scope in PauseScope}
_NOT_PAUSED = Finding("pause", True, "entries are not paused")
_OPEN = Finding("entry_gate", True, "nothing keeps entries back")


@cache
def _no_open_order(symbol: str) -> Finding:
    return Finding("open_order", True, f"no order of {symbol} is under way")


class OpenOrder:
    """Refuses while an order of the symbol is under way: what it leaves behind is not known yet."""

    name: ClassVar[str] = "open_order"

    def review(self, context: RiskContext) -> Finding:
        """Look for an order under way."""
        if context.open_order is not None:
            return Finding(self.name, allows=False, detail=context.open_order)
        return _no_open_order(context.view.symbol)


class KillSwitch:
    """Refuses while the kill switch is on."""

    name: ClassVar[str] = "kill_switch"

    def review(self, context: RiskContext) -> Finding:
        """Look at the switch."""
        return _KILLED if context.is_killed else _NOT_KILLED


class Paused:
    """Refuses between `pause` and `resume`."""

    name: ClassVar[str] = "pause"

    def review(self, context: RiskContext) -> Finding:
        """Look at the switch."""
        return _NOT_PAUSED if context.pause_scope is None else _PAUSED[context.pause_scope]


class Gate:
    """Refuses while the entry gate is shut; the finding has the name of what keeps it so, such as `disk`."""

    name: ClassVar[str] = "entry_gate"

    def review(self, context: RiskContext) -> Finding:
        """Look at the gate."""
        if context.gate is None:
            return _OPEN
        rule, text = context.gate
        return Finding(rule, allows=False, detail=text)
