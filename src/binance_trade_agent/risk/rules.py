"""What a risk rule is."""

from decimal import Decimal
from typing import Protocol

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.money import plain
from binance_trade_agent.risk.context import ProposedOrder, RiskContext

_SHOWN_UNIT = Decimal("0.00000001")


class RiskRule(Protocol):
    """A reason to say no. `name` is what the decision records and the log prints."""

    @property
    def name(self) -> str:
        """Name of the rule, as in `refused by max_open_positions`."""
        ...

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """What the rule finds about the order, with the numbers compared, whether it allows it or not."""
        ...


def shown(amount: Decimal, asset: str) -> str:
    """An amount for a refusal's detail, to 8 decimals: `99.8413 USDT`."""
    return f"{plain(amount.quantize(_SHOWN_UNIT))} {asset}"
