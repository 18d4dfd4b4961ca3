"""The engine's whole state as plain values, so that an exchange can stop and go on later."""

from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.engine import MatchingEngine
from binance_trade_agent.matching.orders import ExchangeOrder, Trade


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """Balances of one account per asset."""

    free: dict[str, Decimal]
    locked: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """Accounts, orders, trades and counters. `last_ids` holds a symbol's last order id and trade id.

    The outside market's levels are not part of it: the feed brings them again.
    """

    accounts: dict[str, AccountSnapshot]
    deposits: dict[str, Decimal]
    fees: dict[str, Decimal]
    outside: dict[str, Decimal]
    orders: list[ExchangeOrder]
    trades: list[Trade]
    last_ids: dict[str, tuple[int, int]]
    last_execution_id: int


def take_snapshot(engine: MatchingEngine) -> EngineSnapshot:
    """The state as it stands; orders in it are the engine's own objects, so serialise it before going on."""
    return EngineSnapshot(
        accounts={
            name: AccountSnapshot(
                {asset: account.free(asset) for asset in account.assets},
                {asset: account.locked(asset) for asset in account.assets},
            )
            for name, account in engine.accounts.items()
        },
        deposits=engine.deposits,
        fees=dict(engine.settlement.fees),
        outside=dict(engine.settlement.outside),
        orders=list(engine.history.all_orders()),
        trades=list(engine.history.all_trades()),
        last_ids={
            symbol: (listing.last_order_id, listing.last_trade_id) for symbol, listing in engine.listings.items()
        },
        last_execution_id=engine.last_execution_id,
    )


def restore_snapshot(engine: MatchingEngine, snapshot: EngineSnapshot) -> None:
    """Put `snapshot` into an engine on which the same symbols are listed and nothing has happened.

    Raises:
        KeyError: the snapshot speaks of a symbol that is not listed.
    """
    engine.accounts = {name: Account(held.free, held.locked) for name, held in snapshot.accounts.items()}
    engine.deposits = dict(snapshot.deposits)
    engine.last_execution_id = snapshot.last_execution_id
    for amounts, saved in (
        (engine.settlement.fees, snapshot.fees),
        (engine.settlement.outside, snapshot.outside),
    ):
        amounts.update({asset: amount for asset, amount in saved.items() if amount != ZERO})
    for symbol, (order_id, trade_id) in snapshot.last_ids.items():
        engine.listings[symbol].last_order_id = order_id
        engine.listings[symbol].last_trade_id = trade_id
    for order in snapshot.orders:
        engine.history.add(order)
        if order.is_open:
            engine.listings[order.symbol].book.restore(order)
    for trade in snapshot.trades:
        engine.history.add_trade(trade)
