"""What a risk rule is, and the words that all of them use."""

from decimal import Decimal
from functools import cache
from typing import Protocol

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.money import plain, rounded
from binance_trade_agent.risk.context import ProposedOrder, RiskContext

_AMOUNT_UNIT = Decimal("0.00000001")
_PERCENT_UNIT = Decimal("0.0001")


class RiskRule(Protocol):
    """A reason to say no that lies in the situation. `name` is what the decision records and the log prints."""

    @property
    def name(self) -> str:
        """Name of the rule, as in `refused by max_open_positions`."""
        ...

    def review(self, context: RiskContext) -> Finding:
        """What the rule finds, with the numbers compared, whether it allows an order or not."""
        ...


class OrderRule(Protocol):
    """A reason to say no that lies in the order: its quantity is above 0, its price the best ask or bid."""

    @property
    def name(self) -> str:
        """Name of the rule, as in `refused by min_notional`."""
        ...

    def review(self, context: RiskContext, order: ProposedOrder) -> Finding:
        """What the rule finds about the order, with the numbers compared, whether it allows the order or not."""
        ...


def is_off(limit: Decimal) -> bool:
    """Whether there is no limit: 0 or infinite."""
    return not limit or limit.is_infinite()


@cache
def unlimited(rule: str, setting: str) -> Finding:
    """The finding of a rule whose limit is off; the same each time."""
    return Finding(rule, allows=True, detail=f"no limit is set ({setting})")


def unmeasured(rule: str, what: str, setting: str) -> Finding:
    """The finding of a rule that lacks what its limit is compared with: it does not allow the order."""
    return Finding(rule, allows=False, detail=f"{what} is not known and has a limit ({setting})")


def unasked(rule: str, what: str, setting: str) -> Finding:
    """The finding of a rule for which the exchange is not asked, as another rule refuses."""
    return Finding(rule, allows=None, detail=f"{what} was not asked for, as another rule refuses ({setting})")


def shown(amount: Decimal, asset: str) -> str:
    """An amount for a finding's detail, to 8 decimals: `99.8413 USDT`."""
    return f"{plain(rounded(amount, _AMOUNT_UNIT))} {asset}"


def percent(value: Decimal) -> str:
    """A percentage for a finding's detail, to 4 decimals: `0.5 %`."""
    return f"{plain(rounded(value, _PERCENT_UNIT))} %"


def seconds(span_ms: int) -> Decimal:
    """Milliseconds in seconds."""
    return Decimal(span_ms) / 1000


def counted(number: int, one: str, more: str | None = None) -> str:
    """`1 loss`, `2 losses`; without `more` the plural adds an s."""
    return f"{number} {one if number == 1 else more or f'{one}s'}"
