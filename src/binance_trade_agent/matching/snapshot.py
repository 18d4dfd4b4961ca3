"""The engine's whole state as plain values, so that an exchange can stop and go on later."""

from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.matching.accounts import Account
from binance_trade_agent.matching.lists import Contingency, ListOrderStatus, ListStatusType, OrderList
from binance_trade_agent.matching.orders import ExchangeOrder, PreventedMatch, Status, Trade
from binance_trade_agent.matching.state import ExchangeState


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """Balances of one account per asset."""

    free: dict[str, Decimal]
    locked: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class ListSnapshot:
    """An order list, its legs by their ids."""

    list_id: int
    account: str
    symbol: str
    contingency: Contingency
    client_list_id: str
    order_ids: list[int]
    created_ms: int
    updated_ms: int
    status_type: ListStatusType
    order_status: ListOrderStatus


@dataclass(frozen=True, slots=True)
class SymbolSnapshot:
    """The counters and the last price of one symbol."""

    last_order_id: int
    last_trade_id: int
    last_prevented_match_id: int
    last_queue_number: int
    last_price: Decimal | None


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """Accounts, orders, lists, trades and counters.

    The outside market's levels are not part of it: the feed brings them again. Rates, limits and rules are settings.
    """

    accounts: dict[str, AccountSnapshot]
    deposits: dict[str, Decimal]
    fees: dict[str, Decimal]
    outside: dict[str, Decimal]
    orders: list[ExchangeOrder]
    lists: list[ListSnapshot]
    trades: list[Trade]
    prevented: list[PreventedMatch]
    symbols: dict[str, SymbolSnapshot]
    last_execution_id: int
    last_list_id: int


def take_account(account: Account) -> AccountSnapshot:
    """The balances of one account as they stand."""
    return AccountSnapshot(
        {asset: account.free(asset) for asset in account.assets},
        {asset: account.locked(asset) for asset in account.assets},
    )


def take_list(order_list: OrderList) -> ListSnapshot:
    """One list as it stands."""
    return ListSnapshot(
        list_id=order_list.list_id,
        account=order_list.account,
        symbol=order_list.symbol,
        contingency=order_list.contingency,
        client_list_id=order_list.client_list_id,
        order_ids=[order.order_id for order in order_list.orders],
        created_ms=order_list.created_ms,
        updated_ms=order_list.updated_ms,
        status_type=order_list.status_type,
        order_status=order_list.order_status,
    )


def take_symbols(state: ExchangeState) -> dict[str, SymbolSnapshot]:
    """The counters and last prices of all symbols as they stand."""
    return {
        symbol: SymbolSnapshot(
            last_order_id=listing.last_order_id,
            last_trade_id=listing.last_trade_id,
            last_prevented_match_id=listing.last_prevented_match_id,
            last_queue_number=listing.book.last_queue_number,
            last_price=listing.last_price,
        )
        for symbol, listing in state.listings.items()
    }


def take_snapshot(state: ExchangeState) -> EngineSnapshot:
    """The state as it stands; orders in it are the engine's own objects, so serialise it before going on."""
    return EngineSnapshot(
        accounts={name: take_account(account) for name, account in state.accounts.items()},
        deposits=dict(state.deposits),
        fees=dict(state.settlement.fees),
        outside=dict(state.settlement.outside),
        orders=list(state.history.all_orders()),
        lists=[take_list(order_list) for order_list in state.history.all_lists()],
        trades=list(state.history.all_trades()),
        prevented=list(state.history.all_prevented()),
        symbols=take_symbols(state),
        last_execution_id=state.last_execution_id,
        last_list_id=state.last_list_id,
    )


def restore_snapshot(state: ExchangeState, snapshot: EngineSnapshot) -> None:
    """Put `snapshot` into an engine on which the same symbols are listed and nothing has happened.

    Orders, lists, trades and prevented matches may come in any order.

    Raises:
        KeyError: the snapshot speaks of a symbol that is not listed.
    """
    state.accounts = {name: Account(held.free, held.locked) for name, held in snapshot.accounts.items()}
    state.deposits = dict(snapshot.deposits)
    state.settlement.fees.update(snapshot.fees)
    state.settlement.outside.update(snapshot.outside)
    state.last_execution_id = snapshot.last_execution_id
    state.last_list_id = snapshot.last_list_id
    for symbol, saved in snapshot.symbols.items():
        listing = state.listings[symbol]
        listing.last_order_id = saved.last_order_id
        listing.last_trade_id = saved.last_trade_id
        listing.last_prevented_match_id = saved.last_prevented_match_id
        listing.book.last_queue_number = saved.last_queue_number
        listing.last_price = saved.last_price
    _restore_orders(state, snapshot.orders)
    _restore_lists(state, snapshot.lists)
    for trade in sorted(snapshot.trades, key=lambda trade: trade.trade_id):
        state.history.add_trade(trade)
    for prevented in sorted(snapshot.prevented, key=lambda prevented: prevented.prevented_match_id):
        state.history.add_prevented(prevented)


def _restore_orders(state: ExchangeState, orders: list[ExchangeOrder]) -> None:
    for order in sorted(orders, key=lambda order: order.order_id):
        state.history.add(order)
        if order.is_open and order.waits_for_trigger and order.status is not Status.PENDING_NEW:
            state.listings[order.symbol].stops.add(order)
    for order in sorted(orders, key=lambda order: order.queue_number):
        if order.is_open and order.queue_number:
            state.listings[order.symbol].book.restore(order)


def _restore_lists(state: ExchangeState, lists: list[ListSnapshot]) -> None:
    """Legs that the history has forgotten are left out of their ended lists."""
    for saved in sorted(lists, key=lambda saved: saved.list_id):
        legs = [state.history.find(saved.account, saved.symbol, order_id) for order_id in saved.order_ids]
        state.history.add_list(
            OrderList(
                list_id=saved.list_id,
                account=saved.account,
                symbol=saved.symbol,
                contingency=saved.contingency,
                client_list_id=saved.client_list_id,
                orders=[leg for leg in legs if leg is not None],
                created_ms=saved.created_ms,
                updated_ms=saved.updated_ms,
                status_type=saved.status_type,
                order_status=saved.order_status,
            )
        )
