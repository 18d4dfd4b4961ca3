"""The limits on all daemons of a shared account, as the trader was told of the others last.

Nothing is reserved by looking: the trader asks again, in one step for all daemons, before an order's intent is kept.
"""

from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.claims import (
    EXPOSURE_RULE,
    EXPOSURE_SETTING,
    POSITIONS_RULE,
    POSITIONS_SETTING,
    findings,
    unagreed,
)
from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.ops.vitals import AccountVitals

_SETTINGS = {EXPOSURE_RULE: EXPOSURE_SETTING, POSITIONS_RULE: POSITIONS_SETTING}


@dataclass(frozen=True, slots=True)
class AccountRule:
    """One of the limits by its name, and where it is set; empty where it is none of the two."""

    name: str
    setting: str

    @classmethod
    def of(cls, finding: Finding) -> "AccountRule":
        """That which has found this."""
        return cls(finding.rule, _SETTINGS.get(finding.rule, ""))


def account_findings(
    account: AccountVitals | None, symbol: str = "", worth_quote: Decimal = ZERO
) -> tuple[Finding, ...]:
    """What the limits say of a purchase, or how they stand without one; nothing where the account is not shared.

    Args: see domain/claims.py findings.
    """
    if account is None or not account.claims:
        return ()
    own, *others = account.claims
    if account.away_because and (account.max_exposure_quote or account.max_open_positions):
        refusal = unagreed(account.away_because)
        return (Finding(refusal.rule, allows=False, detail=refusal.detail),)
    return findings(own, others, symbol, worth_quote)
