"""What keeps orders back altogether: an order under way, a switch that a person has thrown, trouble."""

from typing import ClassVar

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.risk.context import RiskContext


class OpenOrder:
    """Refuses while an order of the symbol is under way: what it leaves behind is not known yet."""

    name: ClassVar[str] = "open_order"

    def review(self, context: RiskContext) -> Finding:
        """Look for an order under way."""
        nothing = f"no order of {context.view.symbol} is under way"
        return Finding(self.name, context.open_order is None, context.open_order or nothing)


class KillSwitch:
    """Refuses while the kill switch is on."""

    name: ClassVar[str] = "kill_switch"

    def review(self, context: RiskContext) -> Finding:
        """Look at the switch."""
        on, off = (
            "the kill switch is on until `trade-agent release` with the name of the instance",
            "the kill switch is off",
        )
        return Finding(self.name, not context.is_killed, on if context.is_killed else off)


class Paused:
    """Refuses between `pause` and `resume`."""

    name: ClassVar[str] = "pause"

    def review(self, context: RiskContext) -> Finding:
        """Look at the switch."""
        on, off = "entries are paused until `resume`", "entries are not paused"
        return Finding(self.name, not context.is_paused, on if context.is_paused else off)


class Gate:
    """Refuses while the entry gate is shut; the finding has the name of what keeps it so, such as `disk`."""

    name: ClassVar[str] = "entry_gate"

    def review(self, context: RiskContext) -> Finding:
        """Look at the gate."""
        if context.gate is None:
            return Finding(self.name, allows=True, detail="nothing keeps entries back")
        rule, text = context.gate
        return Finding(rule, allows=False, detail=text)
