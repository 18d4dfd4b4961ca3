"""What a fill does to balances, and where the money goes: to the other account, to fees, or to the outside market.

Per asset, free + locked of all accounts + fees + what went outside is constant (binance-protocol.md 4.3).
"""

from collections import defaultdict
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.commission import CommissionRates
from binance_trade_agent.matching.order_types import limit_requirement
from binance_trade_agent.matching.orders import ExchangeOrder, Status, Trade


class Settlement:
    """Books fills. `fees` are the commissions taken, `outside` what the outside market got less what it gave."""

    def __init__(self, rates: CommissionRates) -> None:
        self.rates = rates
        self.fees: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self.outside: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)

    def fill(
        self,
        order: ExchangeOrder,
        account: Account,
        rules: SymbolRules,
        *,
        price: Decimal,
        quantity: Decimal,
        trade_id: int,
        is_maker: bool,
        at_ms: int,
    ) -> Trade:
        """Execute `quantity` of `order` at `price`: pay out of what it locked, credit the rest after commission."""
        value = price * quantity
        buying = order.side is Side.BUY
        paid_asset, received_asset = pay_and_receive(order.side, rules)
        paid, received = (value, quantity) if buying else (quantity, value)
        commission = self.rates.commission(received, is_maker=is_maker)

        account.spend_locked(paid_asset, paid)
        account.credit(received_asset, received - commission)
        self.fees[received_asset] += commission
        order.executed_base += quantity
        order.executed_quote += value
        order.locked -= paid
        order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
        order.updated_ms = at_ms
        self._release_improvement(order, account, paid_asset)
        return Trade(
            trade_id=trade_id,
            order_id=order.order_id,
            account=order.account,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            quote_quantity=value,
            commission=commission,
            commission_asset=received_asset,
            is_maker=is_maker,
            at_ms=at_ms,
        )

    def trade_outside(self, side: Side, rules: SymbolRules, price: Decimal, quantity: Decimal) -> None:
        """The other side of a user's fill (`side` is the user's) was the outside market."""
        sign = 1 if side is Side.BUY else -1
        self.outside[rules.quote_asset] += sign * price * quantity
        self.outside[rules.base_asset] -= sign * quantity

    def release(self, order: ExchangeOrder, account: Account, rules: SymbolRules) -> None:
        """Give back all that an ended order still holds."""
        account.release(pay_and_receive(order.side, rules)[0], order.locked)
        order.locked = ZERO

    def _release_improvement(self, order: ExchangeOrder, account: Account, paid_asset: str) -> None:
        """A limit order that filled better than its price needs less for its rest."""
        if not order.price:
            return
        needed = limit_requirement(order.side, order.price, order.remaining)
        account.release(paid_asset, order.locked - needed)
        order.locked = needed


def pay_and_receive(side: Side, rules: SymbolRules) -> tuple[str, str]:
    """The asset that an order of `side` pays with, and the one it receives."""
    buying = side is Side.BUY
    return (rules.quote_asset, rules.base_asset) if buying else (rules.base_asset, rules.quote_asset)
