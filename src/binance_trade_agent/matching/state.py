"""Everything that an exchange knows at one moment; engine.py and execution.py change it."""

from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.commission import CommissionSchedule
from binance_trade_agent.matching.history import History
from binance_trade_agent.matching.listing import Listing
from binance_trade_agent.matching.settlement import Settlement


@dataclass(frozen=True, slots=True)
class ExchangeLimits:
    """Filters over all symbols, per account (binance-protocol.md section 3, EXCHANGE_MAX_NUM_...); 0 is no limit."""

    max_orders: int = 0
    max_algo_orders: int = 0
    max_iceberg_orders: int = 0
    max_order_lists: int = 0


class ExchangeState:
    """Symbols, accounts, orders, trades and counters.

    Attributes:
        deposits: what came from outside other than by trades, per asset.
        limits: may be replaced at any time, like the rules of a listing; open orders stay.
    """

    def __init__(self, commissions: CommissionSchedule, limits: ExchangeLimits) -> None:
        self.listings: dict[str, Listing] = {}
        self.accounts: dict[str, Account] = {}
        self.history = History()
        self.settlement = Settlement(commissions, self.last_price)
        self.deposits: dict[str, Decimal] = {}
        self.limits = limits
        self.last_execution_id = 0
        self.last_list_id = 0
        self._markets: dict[tuple[str, str], Listing] = {}

    def add_listing(self, listing: Listing) -> None:
        """Open trading on a symbol."""
        rules = listing.rules
        self.listings[rules.symbol] = listing
        self._markets[rules.base_asset, rules.quote_asset] = listing

    def last_price(self, asset: str, in_asset: str) -> Decimal | None:
        """What `asset` last traded at in `in_asset`; None where the two are not, or have not been, traded."""
        listing = self._markets.get((asset, in_asset))
        if listing is not None:
            return listing.last_price
        inverse = self._markets.get((in_asset, asset))
        return 1 / inverse.last_price if inverse is not None and inverse.last_price else None
