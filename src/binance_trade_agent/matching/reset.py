"""The monthly reset of the test network: trading begins anew on a market that goes on (binance-protocol.md 5.4)."""

from collections.abc import Mapping
from decimal import Decimal

from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.history import History
from binance_trade_agent.matching.state import ExchangeState


def begin_anew(state: ExchangeState, balances: Mapping[str, Mapping[str, Decimal]]) -> None:
    """Forget all orders, lists and trades of all accounts and what they paid; count order and list ids from 1 again.

    Public trades and the outside market go on as they were.

    Args:
        state: of an engine.
        balances: free amounts per asset for each account that there is to be.
    """
    for account in state.accounts:
        for order in state.history.open_orders(account):
            state.listings[order.symbol].book.remove(order)
            state.listings[order.symbol].stops.remove(order)
    state.history = History()
    state.accounts = {name: Account(free) for name, free in balances.items()}
    state.deposits = {}
    for free in balances.values():
        for asset, amount in free.items():
            state.deposits[asset] = state.deposits.get(asset, Decimal(0)) + amount
    state.settlement.fees.clear()
    state.settlement.outside.clear()
    state.last_list_id = 0
    for listing in state.listings.values():
        listing.last_order_id = listing.last_prevented_match_id = 0
