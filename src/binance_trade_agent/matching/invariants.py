"""What must hold after every transaction (binance-protocol.md 4.3)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.orders import ExchangeOrder, Status
from binance_trade_agent.matching.settlement import paid_asset
from binance_trade_agent.matching.state import ExchangeState


def violations(state: ExchangeState) -> list[str]:
    """One sentence for each broken invariant; empty when all hold."""
    return [
        *account_violations(state, state.accounts),
        *_unconserved_assets(state),
        *_crossed_books(state),
        *_misplaced_orders(state),
    ]


def account_violations(state: ExchangeState, accounts: Iterable[str]) -> list[str]:
    """The invariants of single accounts: nothing is negative, and what is locked is what their open orders need."""
    return [sentence for name in accounts for sentence in _wrong_balances(state, name)]


def _wrong_balances(state: ExchangeState, name: str) -> Iterator[str]:
    account = state.accounts[name]
    needed = _needs(state, name)
    for asset in sorted({*account.assets, *needed}):
        free, locked = account.free(asset), account.locked(asset)
        if free < 0:
            yield f"{name} has free {free} {asset}"
        if locked < 0:
            yield f"{name} has locked {locked} {asset}"
        if locked != needed[asset]:
            yield f"{name} has {locked} {asset} locked, its open orders need {needed[asset]}"


def _needs(state: ExchangeState, name: str) -> defaultdict[str, Decimal]:
    """What the open orders of an account need, per asset; two legs of an OCO need the larger of their needs."""
    needed: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for order in state.history.open_orders(name):
        if order.status is Status.PENDING_NEW:
            continue
        rival = _open_rival(state, order)
        if rival is not None and (rival.needed, rival.order_id) > (order.needed, order.order_id):
            continue
        needed[paid_asset(order.side, state.listings[order.symbol].rules)] += order.needed
    return needed


def _open_rival(state: ExchangeState, order: ExchangeOrder) -> ExchangeOrder | None:
    if order.order_list_id is None:
        return None
    order_list = state.history.find_list(order.account, order.order_list_id)
    rival = order_list.rival_of(order) if order_list is not None else None
    return rival if rival is not None and rival.is_open else None


def _unconserved_assets(state: ExchangeState) -> Iterator[str]:
    settlement = state.settlement
    for asset in sorted({*state.deposits, *settlement.fees, *settlement.outside}):
        held = sum((account.total(asset) for account in state.accounts.values()), ZERO)
        fees, outside = settlement.fees.get(asset, ZERO), settlement.outside.get(asset, ZERO)
        deposited = state.deposits.get(asset, ZERO)
        if held + fees + outside != deposited:
            yield f"{asset}: held {held} + fees {fees} + outside {outside} is not the deposited {deposited}"


def _crossed_books(state: ExchangeState) -> Iterator[str]:
    for symbol, listing in state.listings.items():
        bids, asks = listing.book.depth(Side.BUY, 1), listing.book.depth(Side.SELL, 1)
        if bids and asks and bids[0][0] >= asks[0][0]:
            yield f"{symbol}: best bid {bids[0][0]} is not below best ask {asks[0][0]}"


def _misplaced_orders(state: ExchangeState) -> Iterator[str]:
    """An open order rests in the book, or waits for its trigger, or is pending: always just one of the three."""
    for symbol, listing in state.listings.items():
        resting = [order for side in Side for order in listing.book.resting(side)]
        waiting = list(listing.stops)
        expected_resting, expected_waiting = set[ExchangeOrder](), set[ExchangeOrder]()
        for name in state.accounts:
            for order in state.history.open_orders(name, symbol):
                if order.status is not Status.PENDING_NEW:
                    (expected_waiting if order.waits_for_trigger else expected_resting).add(order)
        for place, orders, expected in (
            ("in the book", resting, expected_resting),
            ("waiting for triggers", waiting, expected_waiting),
        ):
            if len(orders) != len(expected) or set(orders) != expected:
                found, due = sorted(order.order_id for order in orders), sorted(order.order_id for order in expected)
                yield f"{symbol}: orders {found} are {place}, it should be {due}"
