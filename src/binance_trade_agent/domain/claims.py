"""Claims: what each of several daemons has of one account, and what all of them together may hold.

Symbols are split: a base asset belongs to one daemon alone, so that its balance is told by that daemon's books. The
quote asset and what fees are paid in are common. Each daemon's books say how much of the quote asset is its own; what
nobody claims is left alone.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal

from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.values import Value

EXPOSURE_RULE = "account_exposure"
POSITIONS_RULE = "account_positions"
UNAGREED_RULE = "account_unagreed"
ACCOUNT_RULES = frozenset({EXPOSURE_RULE, POSITIONS_RULE, UNAGREED_RULE})
_MOST_SLIP = Decimal("1.01")  # of a purchase, on the price at which it was sized
_MOST_DIGITS = 20  # before the point; no money has as many


class AccountLimits(Value, frozen=True):
    """What the daemons of an account may hold together; 0 limits nothing.

    Attributes:
        max_exposure_quote: worth of all positions and of what is being bought.
        max_open_positions: symbols that are held or being bought.
    """

    max_exposure_quote: Decimal = ZERO
    max_open_positions: int = 0

    @property
    def are_none(self) -> bool:
        """Whether nothing is limited."""
        return not self.max_exposure_quote and not self.max_open_positions


class Claim(Value, frozen=True):
    """What one daemon has of the account.

    Attributes:
        instance: its TRADING_INSTANCE.
        holder: the process, for people.
        symbols: those that it trades or holds.
        base_assets: those that are its alone.
        quote_asset: what its capital is in.
        cash_quote: what of the account's quote asset is its own, locked or not.
        exposure_quote: worth of its positions and of what it is buying.
        buying_quote: of that, what it is buying: it may have been paid for since.
        open_symbols: symbols that it holds more than dust of, or is buying.
        limits: those that it was started with. The lowest of all claims hold.
        noted_wall_ms: when that was so.
    """

    instance: str
    holder: str
    symbols: tuple[str, ...]
    base_assets: tuple[str, ...]
    quote_asset: str
    cash_quote: Decimal
    exposure_quote: Decimal
    buying_quote: Decimal
    open_symbols: tuple[str, ...]
    limits: AccountLimits
    noted_wall_ms: int

    @property
    def certain_quote(self) -> Decimal:
        """What of the account's quote asset is its own though all that it is buying has been paid for."""
        return self.cash_quote - self.buying_quote * _MOST_SLIP

    @property
    def is_sound(self) -> bool:
        """Whether its amounts can be reckoned with: anybody can write to Redis."""
        amounts = (self.cash_quote, self.exposure_quote, self.buying_quote, self.limits.max_exposure_quote)
        return all(amount.is_finite() and amount.adjusted() < _MOST_DIGITS for amount in amounts)


def conflict(claim: Claim, other: Claim) -> str | None:
    """Why two daemons cannot trade on one account side by side, for a person; None when they can."""
    if both := sorted(set(claim.symbols) & set(other.symbols)):
        return f"{_listed(both)} in TRADING_SYMBOLS is traded by {other.instance} on this account already"
    if both := sorted(set(claim.base_assets) & set(other.base_assets)):
        return f"{_listed(both)} is the base asset of symbols that {other.instance} trades on this account"
    for mine, theirs in ((claim, other), (other, claim)):
        if mine.quote_asset in theirs.base_assets:
            return f"{mine.instance} pays in {mine.quote_asset}, which {theirs.instance} trades on this account"
    return None


def over_limits(own: Claim, others: Collection[Claim], symbol: str, worth_quote: Decimal) -> Refusal | None:
    """Why the daemons of an account would hold too much with one more purchase; None when they would not.

    Args:
        own: this daemon's claim without the purchase.
        others: those of all others, whether they run or not: what they hold is held.
        symbol: of the purchase.
        worth_quote: of the purchase.
    """
    limits = lowest_limits([own, *others])
    counted = [each for each in others if each.quote_asset == own.quote_asset]
    exposure = sum((each.exposure_quote for each in counted), own.exposure_quote + worth_quote)
    if limits.max_exposure_quote and exposure > limits.max_exposure_quote:
        return Refusal(
            EXPOSURE_RULE,
            f"all daemons of this account would hold {rounded(exposure)} of at most "
            f"{plain(limits.max_exposure_quote)} {own.quote_asset} (ACCOUNT_MAX_EXPOSURE_QUOTE)",
        )
    symbols = {symbol, *own.open_symbols}.union(*(each.open_symbols for each in others))
    if limits.max_open_positions and len(symbols) > limits.max_open_positions and symbol not in own.open_symbols:
        return Refusal(
            POSITIONS_RULE,
            f"all daemons of this account would hold {len(symbols)} of at most {limits.max_open_positions} positions "
            "(ACCOUNT_MAX_OPEN_POSITIONS)",
        )
    return None


def lowest_limits(claims: Iterable[Claim]) -> AccountLimits:
    """The strictest limits that any of the daemons was started with."""
    limits = [claim.limits for claim in claims]
    return AccountLimits(
        min((each.max_exposure_quote for each in limits if each.max_exposure_quote), default=ZERO),
        min((each.max_open_positions for each in limits if each.max_open_positions), default=0),
    )


def claimed_by_others(others: Iterable[Claim], quote_asset: str) -> Decimal:
    """What of the account's quote asset belongs to other daemons."""
    return sum((each.cash_quote for each in others if each.quote_asset == quote_asset), ZERO)


def _listed(names: Collection[str]) -> str:
    first = " ".join(list(names)[:3])
    return first if len(names) <= 3 else f"{first} and {len(names) - 3} more"


def rounded(amount: Decimal) -> str:
    """An amount of quote asset as refusals and alarms say it."""
    return plain(round(amount, 2))
