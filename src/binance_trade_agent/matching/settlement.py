"""What a fill does to balances, and where the money goes: to the other account, to fees, or to the outside market.

Per asset, free + locked of all accounts + fees + what went outside is constant (binance-protocol.md 4.3).
"""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.commission import CommissionRates, CommissionSchedule
from binance_trade_agent.matching.orders import ExchangeOrder, PublicTrade, Status, Trade

PriceOf = Callable[[str, str], Decimal | None]


class Settlement:
    """Books fills.

    Attributes:
        commissions: what fills cost.
        fees: commissions taken, per asset.
        outside: what the outside market got less what it gave, per asset.
    """

    def __init__(self, commissions: CommissionSchedule, price_of: PriceOf) -> None:
        """Book nothing yet.

        Args:
            commissions: what fills cost.
            price_of: the last price of one asset in another, or None where they are not traded for each other.
        """
        self.commissions = commissions
        self.fees: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self.outside: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self._price_of = price_of

    @property
    def rates(self) -> CommissionRates:
        """The standard rates."""
        return self.commissions.standard

    def fill(
        self, order: ExchangeOrder, account: Account, rules: SymbolRules, trade: PublicTrade, *, is_maker: bool
    ) -> Trade:
        """Execute `trade` for `order`: pay out of what it locked, credit the rest after commission."""
        price, quantity = trade.price, trade.quantity
        value = price * quantity
        if order.side is Side.BUY:
            paid_asset, paid, received_asset, received = rules.quote_asset, value, rules.base_asset, quantity
        else:
            paid_asset, paid, received_asset, received = rules.base_asset, quantity, rules.quote_asset, value

        commission = None
        if order.account in self.commissions.discount.accounts:
            commission = self._pay_in_bnb(order, account, rules, trade, is_maker=is_maker)
        if commission is not None:
            commission_asset = self.commissions.discount.asset
        else:
            commission_asset = received_asset
            commission = self.commissions.commission(received, order.side, is_maker=is_maker)
            received -= commission
        self.fees[commission_asset] += commission
        account.exchange(paid_asset, paid, received_asset, received)

        order.locked -= paid
        order.executed_base += quantity
        order.executed_quote += value
        order.updated_ms = trade.at_ms
        if order.remaining:
            order.status = Status.PARTIALLY_FILLED
        else:  # FILLED means that all of it was executed, none taken away by self-trade prevention
            order.status = Status.EXPIRED_IN_MATCH if order.prevented_base else Status.FILLED
        return Trade(
            trade.trade_id,
            order.order_id,
            order.account,
            order.symbol,
            order.side,
            price,
            quantity,
            value,
            commission,
            commission_asset,
            is_maker,
            trade.at_ms,
        )

    def trade_outside(self, side: Side, rules: SymbolRules, trade: PublicTrade) -> None:
        """The other side of a user's fill (`side` is the user's) was the outside market."""
        value, quantity = trade.price * trade.quantity, trade.quantity
        if side is Side.BUY:
            self.outside[rules.quote_asset] += value
            self.outside[rules.base_asset] -= quantity
        else:
            self.outside[rules.quote_asset] -= value
            self.outside[rules.base_asset] += quantity

    def _pay_in_bnb(
        self, order: ExchangeOrder, account: Account, rules: SymbolRules, trade: PublicTrade, *, is_maker: bool
    ) -> Decimal | None:
        """Take the discounted commission out of the free BNB.

        None when the symbol has no discount, BNB has no price here, or too little of it is free.

        The fill's value is taken in quote asset at the fill's price, else in base asset (binance-protocol.md 4.4).
        """
        if order.symbol in self.commissions.discount.excluded_symbols:
            return None
        bnb = self.commissions.discount.asset
        for asset, value in ((rules.quote_asset, trade.price * trade.quantity), (rules.base_asset, trade.quantity)):
            bnb_price = Decimal(1) if asset == bnb else self._price_of(bnb, asset)
            if bnb_price:
                amount = self.commissions.discounted(value, bnb_price, order.side, is_maker=is_maker)
                if amount > account.free(bnb):
                    return None
                account.spend(bnb, amount)
                return amount
        return None


def paid_asset(side: Side, rules: SymbolRules) -> str:
    """The asset that an order of `side` pays with and locks."""
    return rules.quote_asset if side is Side.BUY else rules.base_asset
