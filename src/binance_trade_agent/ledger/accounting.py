"""Double entry: whatever moves, moves from one account to another, so the sum of an entry is zero for each asset.

`wallet` is what the exchange holds for us, `market` the other side of our trades, `fees` what the exchange kept,
`external` the world outside: opening balances, deposits, withdrawals, trades by hand.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Side
from binance_trade_agent.domain.values import Value


class Account(StrEnum):
    """Where an amount is."""

    WALLET = "wallet"
    MARKET = "market"
    FEES = "fees"
    EXTERNAL = "external"


# To look a member up by its name takes as long as to make a posting.
_WALLET, _MARKET, _FEES, _SELL = Account.WALLET, Account.MARKET, Account.FEES, Side.SELL


class Posting(Value, frozen=True):
    """`amount` of `asset` that came to `account`; negative when it left."""

    asset: str
    account: Account
    amount: Decimal


Move = tuple[str, Decimal, Account]
"""An asset, the amount of it that comes to the wallet (negative when it leaves), and the account on the other side."""


def fill_moves(fill: Fill, *, base_asset: str, quote_asset: str) -> tuple[Move, Move, Move]:
    """What a fill moves: base against quote with the market, and the commission to the fees."""
    base, quote = fill.quantity, -fill.quote_quantity
    if fill.side is _SELL:
        base, quote = -fill.quantity, fill.quote_quantity
    commission = fill.commission_asset, -fill.commission, _FEES
    return (base_asset, base, _MARKET), (quote_asset, quote, _MARKET), commission


def fill_postings(fill: Fill, *, base_asset: str, quote_asset: str) -> tuple[Posting, ...]:
    """The entry of one fill."""
    base, quote, commission = fill_moves(fill, base_asset=base_asset, quote_asset=quote_asset)
    return _to_wallet(*base) + _to_wallet(*quote) + _to_wallet(*commission)


def external_postings(balances: Mapping[str, Decimal]) -> tuple[Posting, ...]:
    """The entry of amounts that came from outside, or went there when negative; in the order of the assets' names."""
    return tuple(
        posting for asset in sorted(balances) for posting in _to_wallet(asset, balances[asset], Account.EXTERNAL)
    )


def balances(postings: Iterable[Posting], account: Account) -> dict[str, Decimal]:
    """The sum of an account for each asset in the postings."""
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for posting in postings:
        if posting.account is account:
            sums[posting.asset] += posting.amount
    return dict(sums)


def _to_wallet(asset: str, amount: Decimal, source: Account) -> tuple[Posting, ...]:
    if not amount:
        return ()
    return Posting(asset, _WALLET, amount), Posting(asset, source, -amount)
