"""Claims: what each of several daemons has of one account, and what all of them together may hold.

Symbols are split: a base asset belongs to one daemon alone, so that its balance is told by that daemon's books. The
quote asset and what fees are paid in are common. Each daemon's books say how much of the quote asset is its own; what
nobody claims is left alone.
"""

from collections.abc import Collection, Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal, Protocol

from binance_trade_agent.domain.decisions import Finding, Refusal
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.values import Value

EXPOSURE_RULE = "account_exposure"
POSITIONS_RULE = "account_positions"
UNAGREED_RULE = "account_unagreed"
ACCOUNT_RULES = frozenset({EXPOSURE_RULE, POSITIONS_RULE, UNAGREED_RULE})
EXPOSURE_SETTING = "ACCOUNT_MAX_EXPOSURE_QUOTE"
POSITIONS_SETTING = "ACCOUNT_MAX_OPEN_POSITIONS"
_MOST_SLIP = Decimal("1.01")  # of a purchase, on the price at which it was sized
_MOST_DIGITS = 20  # before the point; no money has as many
_MOST_NAMED = 3
_SMALL_QUOTE, _CENT, _SHOWN_UNIT = 10, Decimal("0.01"), Decimal("0.00000001")
_ALL_HOLD = "all daemons of this account hold"


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


class Halt(Value, frozen=True):
    """What a person asks of a daemon by way of another one on its account: to stop or to pause, and no more than that.

    Attributes:
        kind: the command.
        said: why it is killed, or what is paused.
        requested_by: who has asked whom.
        requested_wall_ms: when, the machine's time of the one that was asked.
    """

    kind: Literal["kill", "pause"]
    said: str
    requested_by: str
    requested_wall_ms: int


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
        halted: `killed` or `paused`, as its switches stand; empty for neither.
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
    halted: str = ""

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


class Held(Protocol):
    """What one daemon holds of an account: the fields of Claim that limits on all daemons look at."""

    @property
    def instance(self) -> str: ...  # noqa: D102

    @property
    def quote_asset(self) -> str: ...  # noqa: D102

    @property
    def exposure_quote(self) -> Decimal: ...  # noqa: D102

    @property
    def open_symbols(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def limits(self) -> AccountLimits: ...  # noqa: D102


def over_limits(own: Held, others: Sequence[Held], symbol: str, worth_quote: Decimal) -> Refusal | None:
    """Why the daemons of an account would hold too much with one more purchase; None when they would not.

    Args: see findings.
    """
    against = next((found for found in findings(own, others, symbol, worth_quote) if not found.allows), None)
    return Refusal(against.rule, against.detail) if against else None


def findings(own: Held, others: Sequence[Held], symbol: str, worth_quote: Decimal) -> tuple[Finding, Finding]:
    """What the two limits on all daemons of an account say of one more purchase.

    Args:
        own: this daemon's claim without the purchase.
        others: those of all others, whether they run or not: what they hold is held.
        symbol: of the purchase; empty for one that nobody holds.
        worth_quote: of the purchase; 0 asks how the limit stands.
    """
    return _of_exposure(own, others, worth_quote), _of_positions(own, others, symbol)


def _of_exposure(own: Held, others: Sequence[Held], worth_quote: Decimal) -> Finding:
    claims = [own, *others]
    limit = lowest_limits(claims).max_exposure_quote
    if not limit:
        return _unlimited(EXPOSURE_RULE, EXPOSURE_SETTING)
    counted = [each for each in claims if each.quote_asset == own.quote_asset]
    held = sum((each.exposure_quote for each in counted), ZERO)
    exposure = held + worth_quote
    most_first = sorted(counted, key=lambda each: -each.exposure_quote)
    whose = _shares([(each.instance, rounded(each.exposure_quote)) for each in most_first])
    setting = _named(EXPOSURE_SETTING, own, [each for each in claims if each.limits.max_exposure_quote == limit])
    would_hold = (
        f"with {rounded(worth_quote)} more all daemons of this account would hold" if worth_quote else _ALL_HOLD
    )
    return Finding(
        EXPOSURE_RULE,
        exposure <= limit,
        f"{would_hold} {rounded(exposure)} of at most {plain(limit)} {own.quote_asset} ({setting}): {whose}, "
        f"so {rounded(max(ZERO, limit - held))} are left",
        exposure,
        limit,
        own.quote_asset,
    )


def _of_positions(own: Held, others: Sequence[Held], symbol: str) -> Finding:
    claims = [own, *others]
    limit = lowest_limits(claims).max_open_positions
    if not limit:
        return _unlimited(POSITIONS_RULE, POSITIONS_SETTING)
    held: set[str] = set().union(*(each.open_symbols for each in claims))
    count = len(held | {symbol})
    most_first = sorted(claims, key=lambda each: -len(each.open_symbols))
    whose = _shares([(each.instance, str(len(each.open_symbols))) for each in most_first])
    setting = _named(POSITIONS_SETTING, own, [each for each in claims if each.limits.max_open_positions == limit])
    return Finding(
        POSITIONS_RULE,
        count <= limit or symbol in own.open_symbols,
        f"all daemons of this account would hold {count} of at most {limit} positions ({setting}): {whose}, "
        f"so {max(0, limit - len(held))} are left",
        count,
        limit,
        "positions",
    )


def going_on(names: Sequence[str], kind: str) -> str:
    """That other daemons of an account go on when one is stopped by a command; empty where there are none."""
    if not names:
        return ""
    go_on = "trades on this account too and goes on" if len(names) == 1 else "trade on this account too and go on"
    return f"{' and '.join(names)} {go_on}: `trade-agent {kind} --account` stops all of them"


def unagreed(why: str) -> Refusal:
    """The refusal of a purchase while the daemons of an account with a limit on all of them cannot agree."""
    return Refusal(UNAGREED_RULE, f"what all daemons of this account hold is not known: {why}")


def _unlimited(rule: str, setting: str) -> Finding:
    return Finding(rule, allows=True, detail=f"no limit is set ({setting})")


def _named(setting: str, own: Held, setters: Collection[Held]) -> str:
    """The setting, with whose it is where it is not this daemon's."""
    names = [each.instance for each in setters]
    return setting if own.instance in names else f"{setting} of {_listed(names)}"


def _shares(shares: Sequence[tuple[str, str]]) -> str:
    """`beta has 700, alpha 500`."""
    (first, its), *more = shares[:_MOST_NAMED]
    left = len(shares) - _MOST_NAMED
    told = [f"{first} has {its}", *(f"{name} {share}" for name, share in more)]
    return ", ".join(told) + (f" and {left} others the rest" if left > 0 else "")


def lowest_limits(claims: Iterable[Held]) -> AccountLimits:
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
    first = " ".join(list(names)[:_MOST_NAMED])
    return first if len(names) <= _MOST_NAMED else f"{first} and {len(names) - _MOST_NAMED} more"


def rounded(amount: Decimal, how: str = ROUND_HALF_EVEN) -> str:
    """An amount of quote asset as refusals and alarms say it: to the cent, and small ones, as of BTC, to 8 digits."""
    return plain(amount.quantize(_CENT if abs(amount) >= _SMALL_QUOTE else _SHOWN_UNIT, how))
