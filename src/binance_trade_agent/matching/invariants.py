"""What must hold after every transaction (binance-protocol.md 4.3)."""

from collections import defaultdict
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.matching.engine import MatchingEngine
from binance_trade_agent.matching.order_types import limit_requirement
from binance_trade_agent.matching.settlement import pay_and_receive


def violations(engine: MatchingEngine) -> list[str]:
    """One sentence for each broken invariant; empty when all hold."""
    return [*_negative_amounts(engine), *_wrong_locks(engine), *_unconserved_assets(engine), *_crossed_books(engine)]


def _negative_amounts(engine: MatchingEngine) -> list[str]:
    return [
        f"{name} has {kind} {amount} {asset}"
        for name, account in engine.accounts.items()
        for asset in account.assets
        for kind, amount in (("free", account.free(asset)), ("locked", account.locked(asset)))
        if amount < 0
    ]


def _wrong_locks(engine: MatchingEngine) -> list[str]:
    found: list[str] = []
    for name, account in engine.accounts.items():
        needed: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        for order in engine.history.open_orders(name):
            paid_asset = pay_and_receive(order.side, engine.listings[order.symbol].rules)[0]
            needed[paid_asset] += limit_requirement(order.side, order.price, order.remaining)
        found += [
            f"{name} has {account.locked(asset)} {asset} locked, its open orders need {needed[asset]}"
            for asset in sorted({*account.assets, *needed})
            if account.locked(asset) != needed[asset]
        ]
    return found


def _unconserved_assets(engine: MatchingEngine) -> list[str]:
    settlement = engine.settlement
    found: list[str] = []
    for asset in sorted({*engine.deposits, *settlement.fees, *settlement.outside}):
        held = sum((account.total(asset) for account in engine.accounts.values()), ZERO)
        fees, outside = settlement.fees.get(asset, ZERO), settlement.outside.get(asset, ZERO)
        deposited = engine.deposits.get(asset, ZERO)
        if held + fees + outside != deposited:
            found.append(f"{asset}: held {held} + fees {fees} + outside {outside} is not the deposited {deposited}")
    return found


def _crossed_books(engine: MatchingEngine) -> list[str]:
    found: list[str] = []
    for symbol, listing in engine.listings.items():
        bids, asks = listing.book.depth(Side.BUY, 1), listing.book.depth(Side.SELL, 1)
        if bids and asks and bids[0][0] >= asks[0][0]:
            found.append(f"{symbol}: best bid {bids[0][0]} is not below best ask {asks[0][0]}")
    return found
